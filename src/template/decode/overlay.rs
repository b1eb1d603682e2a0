//! `override`: keys laid over a provisioner's own.

use super::super::tree::{Entry, Node, Tree};

/// `base` with the keys of `over` in place of its own; objects merge key by key, everything else is replaced. Keys match as
/// in decoding: exactly, else without regard to case.
#[must_use]
pub fn overlay(base: &Node, over: &Node) -> Node {
    let (Tree::Object(below), Tree::Object(above)) = (&base.tree, &over.tree) else { return over.clone() };
    let mut entries = below.clone();
    for entry in above {
        let exact = entries.iter().rposition(|e| e.key.value == entry.key.value);
        let same = exact.or_else(|| entries.iter().rposition(|e| e.key.value.eq_ignore_ascii_case(&entry.key.value)));
        match same.and_then(|i| entries.get_mut(i)) {
            Some(there) => *there = Entry { key: entry.key.clone(), value: overlay(&there.value, &entry.value) },
            None => entries.push(entry.clone()),
        }
    }
    Node { tree: Tree::Object(entries), span: base.span }
}
