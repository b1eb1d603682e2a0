//! Old JSON templates brought up to date: what `packer fix` rewrites for the components that kiln builds, by changing only
//! what must change. Comments, order and layout stay.
//!
//! Not here: keys of builders that kiln does not build, and anything that was never right.

mod edit;
#[cfg(test)]
mod tests;

use std::ops::Range;

use self::edit::removal;
use super::decode::old_names::{OLD, OldName};
use super::tree::{Entry, Node, Text, Tree};
use crate::text::{Source, Span};

/// One change of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewrite {
    pub span: Span,
    pub replacement: String,
    /// What was done, as a sentence: "`ssh_key_path` is `ssh_private_key_file` now".
    pub what: String,
}

/// What is out of date in a template, in the order of the text. The tree is of this source.
#[must_use]
pub fn rewrites(source: &Source, root: &Node) -> Vec<Rewrite> {
    let mut found = Vec::new();
    for section in ["builders", "provisioners", "post-processors"] {
        for component in components(root.get(section)) {
            let kind = component.get("type").and_then(Node::text).map_or("", |t| &t.value);
            for old in OLD.iter().filter(|old| old.section == section && kind.starts_with(old.types)) {
                renamed(source, component, old, &mut found);
            }
            strings(component, &mut |text| functions(text, &mut found));
            if section == "builders" {
                for key in ["ami_name", "bundle_prefix", "snapshot_name"] {
                    component.get(key).and_then(Node::text).into_iter().for_each(|text| creation(text, &mut found));
                }
            }
            if (section, kind) == ("provisioners", "powershell") {
                for key in ["elevated_user", "elevated_password", "environment_vars"] {
                    component.get(key).into_iter().for_each(|n| strings(n, &mut |text| escapes(text, &mut found)));
                }
            }
        }
    }
    found.sort_by_key(|r| r.span);
    found
}

/// The text with every rewrite done; of two in one place the first.
#[must_use]
pub fn apply(text: &str, rewrites: &[Rewrite]) -> String {
    let (mut out, mut end) = (String::with_capacity(text.len()), 0);
    for rewrite in rewrites {
        let range = rewrite.span.range();
        if range.start >= end
            && let (Some(before), true) = (text.get(end..range.start), text.is_char_boundary(range.end))
        {
            out.push_str(before);
            out.push_str(&rewrite.replacement);
            end = range.end;
        }
    }
    out.push_str(text.get(end..).unwrap_or_default());
    out
}

/// The objects of a section; post-processors may stand in lists within the list.
fn components(section: Option<&Node>) -> Vec<&Node> {
    let mut found = Vec::new();
    for item in section.map(Node::items).unwrap_or_default() {
        match &item.tree {
            Tree::Object(_) => found.push(item),
            Tree::Array(chain) => found.extend(chain.iter().filter(|n| matches!(n.tree, Tree::Object(_)))),
            _ => {}
        }
    }
    found
}

fn renamed(source: &Source, component: &Node, old: &OldName, found: &mut Vec<Rewrite>) {
    let entries = component.entries();
    let at = |key: &str| entries.iter().position(|e| e.key.value == key);
    let Some(index) = at(old.key) else { return };
    let written = old.written(&entries[index], false);
    let mut remove = |index: usize, what: String| {
        found.push(Rewrite { span: removal(source, entries, index), replacement: String::new(), what });
    };
    match (at(old.new), written) {
        (None, None) if old.new.is_empty() => remove(index, format!("`{}` means nothing any more", old.key)),
        (Some(_), _) if !old.wins => {
            remove(index, format!("`{}` is `{}` now, which is given too", old.key, old.new));
        }
        (new, Some((span, replacement))) => {
            if let Some(new) = new {
                remove(new, format!("`{}` was taken instead of `{}`", old.key, old.new));
            }
            found.push(Rewrite { span, replacement, what: format!("`{}` is `{}` now", old.key, old.new) });
        }
        _ => {}
    }
}

/// Calls `each` with every string value below a node.
fn strings(node: &Node, each: &mut impl FnMut(&Text)) {
    match &node.tree {
        Tree::String(text) => each(text),
        Tree::Array(items) => items.iter().for_each(|n| strings(n, each)),
        Tree::Object(entries) => entries.iter().for_each(|e: &Entry| strings(&e.value, each)),
        _ => {}
    }
}

/// The insides of `{{ … }}`.
fn actions(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices("{{").filter_map(|(at, _)| Some(at + 2..at + text[at..].find("}}")?))
}

fn functions(text: &Text, found: &mut Vec<Rewrite>) {
    const NEW: &str = "clean_resource_name";
    for action in actions(&text.value) {
        for old in ["clean_ami_name", "clean_image_name"] {
            for (at, _) in text.value[action.clone()].match_indices(old) {
                let start = action.start + at;
                let span = text.place(start..start + old.len());
                found.push(Rewrite { span, replacement: NEW.into(), what: format!("`{old}` is `{NEW}` now") });
            }
        }
    }
}

fn creation(text: &Text, found: &mut Vec<Rewrite>) {
    for action in actions(&text.value).filter(|a| text.value[a.clone()].trim() == ".CreateTime") {
        let what = "`{{.CreateTime}}` is `{{timestamp}}` now".to_owned();
        found.push(Rewrite { span: text.place(action), replacement: "timestamp".into(), what });
    }
}

/// Back quotes of PowerShell, which kiln writes itself where they are needed.
fn escapes(text: &Text, found: &mut Vec<Rewrite>) {
    let mut chars = text.value.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let Some((next, escaped)) = chars.next_if(|(_, e)| c == '`' && matches!(e, '$' | '"' | '`' | '\'')) else {
            continue;
        };
        let what = format!("back quotes are not written any more: `` `{escaped} `` is `` {escaped} ``");
        found.push(Rewrite { span: text.place(at..next), replacement: String::new(), what });
    }
}
