//! The tree that a text is read into: every key, value and character of a string knows its place.

use crate::text::{SourceId, Span};

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub tree: Tree,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    Null,
    Bool(bool),
    /// As written.
    Number(String),
    String(Text),
    Array(Vec<Node>),
    Object(Vec<Entry>),
    /// Something unreadable stood here; it has been reported.
    Broken,
}

/// A key with its value. Duplicate keys are all here, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: Text,
    pub value: Node,
}

/// A decoded string that knows where each of its bytes comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Text {
    pub value: String,
    /// The whole literal, quotes included.
    pub span: Span,
    /// (offset in `value`, offset in the source) from which on both run in step; sorted. An escape begins a new run.
    /// Without any, all of it stands at `span`.
    pub runs: Vec<(u32, u32)>,
}

impl Text {
    /// The place in the source of a range of the decoded value.
    #[must_use]
    pub fn place(&self, range: std::ops::Range<usize>) -> Span {
        if self.runs.is_empty() {
            return self.span;
        }
        let (start, end) = (self.source_offset(range.start), self.source_offset(range.end));
        Span::new(self.span.source, start, end.max(start))
    }

    fn source_offset(&self, offset: usize) -> usize {
        let i = self.runs.partition_point(|r| r.0 as usize <= offset);
        let Some(run) = i.checked_sub(1).and_then(|i| self.runs.get(i)) else { return self.span.start as usize };
        let next = self.runs.get(i).map_or(self.span.end as usize, |r| r.1 as usize);
        (run.1 as usize + (offset - run.0 as usize)).min(next)
    }

    /// A text that stands in a source just as it is, without escapes: for arguments, var-files' values in tests.
    #[must_use]
    pub fn plain(value: &str, source: SourceId, start: usize) -> Self {
        let at = u32::try_from(start).unwrap_or(u32::MAX);
        Self { value: value.into(), span: Span::new(source, start, start + value.len()), runs: vec![(0, at)] }
    }
}

impl Node {
    /// The entry of an object; of duplicates the last, as Packer's decoder would take it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().rev().find(|e| e.key.value == key).map(|e| &e.value)
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        if let Tree::Object(entries) = &self.tree { entries } else { &[] }
    }

    #[must_use]
    pub fn items(&self) -> &[Node] {
        if let Tree::Array(items) = &self.tree { items } else { &[] }
    }

    #[must_use]
    pub fn text(&self) -> Option<&Text> {
        if let Tree::String(text) = &self.tree { Some(text) } else { None }
    }

    /// As in a sentence: `a string`, `an object`.
    #[must_use]
    pub fn described(&self) -> &'static str {
        match self.tree {
            Tree::Null => "null",
            Tree::Bool(_) => "a boolean",
            Tree::Number(_) => "a number",
            Tree::String(_) => "a string",
            Tree::Array(_) => "an array",
            Tree::Object(_) => "an object",
            Tree::Broken => "something unreadable",
        }
    }
}
