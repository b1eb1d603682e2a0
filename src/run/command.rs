//! What a face may ask of a run.

use serde::{Deserialize, Serialize};

use super::id::{BuildId, StepId};
use super::plan::Plan;

/// Imperative, with one receiver: the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Command {
    /// Stop one build and release what it made.
    Cancel { build: BuildId },
    /// Stop all builds and release what they made; none that waits is started.
    CancelAll,
    /// Stop waiting for what is slow; release at once whatever can be released.
    Force,
    /// Leave now; what is left is reported.
    Abandon,
    /// Replace the plan: attempts from now on follow it. Builds that the run did not begin with stay out, and are named.
    Revise { plan: Box<Plan> },
    /// A new attempt. `from: None` starts over on a new machine; else from that step on the live machine.
    Retry { build: BuildId, from: Option<StepId> },
    /// Go on after the step at which the build is held.
    Skip { build: BuildId },
    /// Answer a question that a step asked.
    Answer { build: BuildId, question: u64, answer: String },
    /// Give up a held build: release what it made, end it as failed.
    CleanUp { build: BuildId },
    /// Give up a held build and leave what it made where it is.
    Abort { build: BuildId },
}
