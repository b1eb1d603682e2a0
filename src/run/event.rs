//! Facts: past tense, owned, numbered. Everything that a face shows or a script reads is derived from these.

use serde::{Deserialize, Serialize};

use super::artifact::Artifact;
use super::failure::Failure;
use super::id::{Attempt, BuildId, RunId, Seq, StepId};
use super::plan::Plan;
use super::resource::Resource;

/// One fact with its number, its time and whom it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    pub seq: Seq,
    /// Milliseconds since the UNIX epoch.
    pub at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    #[serde(flatten)]
    pub fact: Fact,
}

/// Which of a machine's streams output came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    Stdout,
    Stderr,
}

/// How loud kiln's own words are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// A heading: `==> NAME: …`.
    Say,
    /// A detail under it: `    NAME: …`.
    Detail,
    Warning,
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum Fact {
    /// The first record of every journal.
    RunStarted {
        run: RunId,
        version: String,
        host: String,
        plan: Box<Plan>,
    },
    Revised {
        plan: Box<Plan>,
    },
    /// A build began a try, under this revision; `from` when it goes on with a live machine.
    AttemptStarted {
        revision: u32,
        from: Option<StepId>,
    },
    StepStarted {
        step: StepId,
    },
    /// `done` of `total` of `unit` (bytes, percent); `note` says of what.
    StepProgressed {
        step: StepId,
        done: u64,
        total: Option<u64>,
        unit: String,
        note: String,
    },
    /// What a step waits for, in words; `None`: no longer.
    Waiting {
        step: StepId,
        on: Option<String>,
    },
    StepEnded {
        step: StepId,
        ended: StepEnd,
    },
    /// kiln's own words.
    Said {
        step: Option<StepId>,
        tone: Tone,
        text: String,
    },
    /// What a machine or a local script printed; redacted, any number of bytes. Not in the journal.
    Output {
        step: StepId,
        stream: Stream,
        text: String,
    },
    /// The journal's index of output: `bytes` more of the attempt's log from `offset` on.
    OutputAt {
        step: StepId,
        stream: Stream,
        offset: u64,
        bytes: u64,
    },
    /// A step learnt something that later steps, a resumed run or the screen needs. The last one of a name counts.
    Learnt {
        name: String,
        value: serde_json::Value,
    },
    Intended {
        resource: Resource,
    },
    Created {
        key: String,
        id: String,
    },
    /// It is gone, as verified.
    Released {
        key: String,
    },
    /// It stays on purpose: it is part of the result.
    Kept {
        key: String,
    },
    /// It could not be released; it exists still.
    ReleaseFailed {
        key: String,
        why: String,
        help: Option<String>,
    },
    /// It stays because the user said so (`-on-error=abort`).
    Left {
        key: String,
    },
    Asked {
        question: Question,
    },
    Answered {
        question: u64,
        answer: String,
    },
    /// The build stands still with its machine, until a command comes.
    Held {
        step: StepId,
        failure: Failure,
    },
    /// A held build was told to go on.
    Unheld,
    /// The image is no longer what the template alone makes: mended, skipped, or touched by hand.
    Patched {
        why: String,
    },
    CleanUpStarted,
    Made {
        artifact: Artifact,
    },
    AttemptEnded {
        ended: BuildEnd,
    },
    RunEnded {
        status: u8,
    },
    /// A record of a later version: kept, skipped.
    #[serde(other)]
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as")]
pub enum StepEnd {
    Done,
    /// Not run: skipped by a person, by `only`/`except`, or because there is nothing to do.
    Skipped {
        why: String,
    },
    Failed {
        failure: Failure,
    },
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "as")]
pub enum BuildEnd {
    /// `artifacts` in Packer's order: the builder's own where kept, then each chain's.
    Done {
        artifacts: Vec<Artifact>,
    },
    Failed {
        step: Option<StepId>,
        failure: Failure,
    },
    Cancelled,
}

/// What a step asks a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Unique in the run; 0 until the supervisor numbers it.
    pub id: u64,
    pub step: Option<StepId>,
    pub text: String,
    /// Answers to choose from; empty: any answer goes on.
    pub choices: Vec<String>,
    /// What is taken where nobody can answer.
    pub default: String,
}
