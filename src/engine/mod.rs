//! Runs a plan: supervisor, build actors, journal, redaction, clean-up.
//!
//! [`start`] gives an [`EngineHandle`]; facts come out of it, commands go in. Not here: what a component does.

pub mod answer;
mod backlog;
mod build;
mod clean_up;
pub mod components;
mod facts;
pub mod handle;
mod hold;
pub mod inputs;
mod journal;
pub mod load;
pub mod log;
pub mod names;
mod post_process;
mod prune;
mod publish;
pub mod read;
pub mod redact;
pub mod result;
mod run_loop;
mod shared;
pub mod start;
mod step;
mod supervisor;
#[cfg(test)]
mod tests;

pub use components::Components;
pub use handle::{EngineHandle, RunOutcome, Subscription};
pub use inputs::RunInputs;
pub use shared::Pace;
pub use start::{StartError, StartRequest, start, start_with};
