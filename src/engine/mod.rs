//! Runs a plan: supervisor, build actors, journal, redaction, clean-up.
//!
//! [`start`] gives an [`EngineHandle`]; facts come out of it, commands go in. Not here: what a component does.

pub mod answer;
mod facts;
pub mod handle;
pub mod load;
mod journal;
pub mod names;
mod publish;
pub mod read;
pub mod redact;
pub mod start;
mod supervisor;

pub use handle::{EngineHandle, RunOutcome, Subscription};
pub use start::{RunInputs, StartError, StartRequest, start};
