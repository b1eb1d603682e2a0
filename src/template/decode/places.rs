//! Where the fields of a decoded component stand in the source.

use std::collections::{BTreeMap, BTreeSet};

use crate::text::Span;

/// The places of fields, by dotted path (`tags.Name`, `inline.0`).
#[derive(Clone, Debug)]
pub struct Places {
    /// What stands for the whole component: the value of its `type`.
    whole: Span,
    written: BTreeMap<String, Place>,
    unknown: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    key: Span,
    value: Span,
}

impl Places {
    #[must_use]
    pub fn new(whole: Span) -> Self {
        Self { whole, written: BTreeMap::new(), unknown: BTreeSet::new() }
    }

    /// The span of a field's value; of its parent, else of the whole component, when it is not written.
    #[must_use]
    pub fn value(&self, path: &str) -> Span {
        self.nearest(path).map_or(self.whole, |p| p.value)
    }

    /// The span of a field's key, likewise.
    #[must_use]
    pub fn key(&self, path: &str) -> Span {
        self.nearest(path).map_or(self.whole, |p| p.key)
    }

    #[must_use]
    pub fn written(&self, path: &str) -> bool {
        self.written.contains_key(path)
    }

    /// Whether this field's value, something in it, or what it is in, is not known.
    #[must_use]
    pub fn unknown(&self, path: &str) -> bool {
        self.unknown.iter().any(|u| is_within(u, path) || is_within(path, u))
    }

    pub(super) fn write(&mut self, path: &str, key: Span, value: Span) {
        self.written.insert(path.to_owned(), Place { key, value });
    }

    pub(super) fn forget_value(&mut self, path: &str) {
        self.unknown.insert(path.to_owned());
    }

    fn nearest(&self, path: &str) -> Option<Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.written.get(path) {
                return Some(*place);
            }
            path = path.rsplit_once('.')?.0;
        }
    }
}

/// Whether `inner` is `outer` or lies in it.
fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
