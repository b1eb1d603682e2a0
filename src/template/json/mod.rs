//! JSON as people really write it, with spans, and every mistake in one run.
//!
//! Comments (`#`, `//`, `/* */`), trailing commas and a byte order mark are read with a warning each, since Packer refuses
//! them. Everything else that is not JSON is an error, after which reading goes on where the writer most likely meant it to.
//!
//! Not here: what the keys mean.

mod balance;
mod bare;
mod container;
mod duplicate;
mod format;
mod parser;
mod punctuation;
mod string;
#[cfg(test)]
mod tests;
mod trivia;

pub use format::format;

use super::tree::Node;
use crate::text::{Diagnostic, Source};

/// How deep objects and arrays may be nested.
pub const MAX_DEPTH: usize = 200;

/// Reads a whole text. The tree is whatever could be read; a file that holds nothing readable gives `None`.
///
/// The new diagnostics are in the order of the text. Every span lies inside the text, on character boundaries.
pub fn parse(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let mut parser = parser::Parser::new(source);
    let node = parser.document();
    let mut found = parser.into_diagnostics();
    found.sort_by_key(|d| d.span);
    diagnostics.append(&mut found);
    node
}
