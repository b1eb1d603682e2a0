//! What a run is, as plain data: ids, the plan, facts, commands, and the state that facts fold to.
//!
//! Not here: anything that does something. No I/O, no clock, no channel.

pub mod artifact;
pub mod command;
pub mod event;
pub mod failure;
pub mod id;
pub mod plan;
pub mod resource;
pub mod secret;
pub mod state;
pub mod value;

pub use artifact::{Artifact, Image};
pub use command::Command;
pub use event::{Event, Fact, Stream};
pub use failure::{Failure, FailureKind};
pub use id::{Attempt, BuildId, RunId, Seq, StepId};
pub use plan::{Plan, PlannedBuild, PlannedStep};
pub use resource::Resource;
pub use secret::{SecretRef, Secrets};
pub use state::RunState;
pub use value::Value;
