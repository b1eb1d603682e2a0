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

use self::diagnostic::Hidden;
use crate::run::{Event, RunState};
use crate::text::{Diagnostic, Sources};

/// Takes the facts of a run, one after the other, and writes them.
pub trait Report: Send {
    fn event(&mut self, event: &Event, state: &RunState);
    /// Nothing more is there for the moment: what is buffered should be seen.
    fn idle(&mut self);
    /// The run has ended.
    fn end(&mut self, state: &RunState);
}

/// Whether lines on standard output are coloured when nobody said: on a terminal, unless `NO_COLOR` or
/// `PACKER_NO_COLOR` is set.
pub fn colour_by_default() -> bool {
    use std::io::IsTerminal;
    std::io::stdout().is_terminal() && colour_allowed()
}

/// The same for standard error.
pub fn colour_by_default_on_stderr() -> bool {
    use std::io::IsTerminal;
    std::io::stderr().is_terminal() && colour_allowed()
}

fn colour_allowed() -> bool {
    let set = |name| std::env::var_os(name).is_some_and(|v| !v.is_empty());
    !set("NO_COLOR") && !set("PACKER_NO_COLOR")
}

/// Prints what is wrong with a template to standard error: for people, with a summary, or as one JSON object a line.
pub fn print_diagnostics(loaded: &crate::engine::load::Loaded, as_json: bool) {
    let found = &loaded.evaluation;
    print(&found.diagnostics, &loaded.sources, Hidden::of(found), as_json);
}

/// Prints diagnostics to standard error, in colour on a terminal that may have it.
pub fn print(diagnostics: &[Diagnostic], sources: &Sources, hidden: Hidden<'_>, as_json: bool) {
    use std::io::{IsTerminal, Write};
    let colour = colour_allowed() && std::io::stderr().is_terminal();
    let text = diagnostic::report(diagnostics, sources, hidden, as_json, colour);
    // Nobody is left to be told when standard error is closed.
    let _ = std::io::stderr().write_all(text.as_bytes());
}
