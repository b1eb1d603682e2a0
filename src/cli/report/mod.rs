//! What the headless faces print: facts as lines, in several ways.
//!
//! A report takes events in order and writes; it keeps only what it needs to write the next line. Not here: what happens
//! (the engine), nor what a fact means over time (`run::state`).

pub mod diagnostic;
pub mod json;
pub mod lines;
pub mod machine;
pub mod plain;
pub mod summary;
pub mod words;

use crate::run::{Event, RunState};

/// Takes the facts of a run, one after the other, and writes them.
pub trait Report: Send {
    fn event(&mut self, event: &Event, state: &RunState);
    /// Nothing more is there for the moment: what is buffered should be seen.
    fn idle(&mut self);
    /// The run has ended.
    fn end(&mut self, state: &RunState);
}
