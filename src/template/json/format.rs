//! A tree as JSON text.

use std::fmt::Write;

use crate::template::tree::{Node, Tree};

/// Two spaces a level, one entry a line, a line end behind the last. Order and duplicate keys are kept; what was unreadable
/// comes out as `null`.
#[must_use]
pub fn format(node: &Node) -> String {
    let mut out = String::new();
    write_node(&mut out, node, 0);
    out.push('\n');
    out
}

fn write_node(out: &mut String, node: &Node, depth: usize) {
    match &node.tree {
        Tree::Null | Tree::Broken => out.push_str("null"),
        Tree::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Tree::Number(digits) => out.push_str(digits),
        Tree::String(text) => write_string(out, &text.value),
        Tree::Array(items) => write_items(out, ['[', ']'], items, depth, |out, item| write_node(out, item, depth + 1)),
        Tree::Object(entries) => write_items(out, ['{', '}'], entries, depth, |out, entry| {
            write_string(out, &entry.key.value);
            out.push_str(": ");
            write_node(out, &entry.value, depth + 1);
        }),
    }
}

fn write_items<T>(
    out: &mut String,
    [open, close]: [char; 2],
    items: &[T],
    depth: usize,
    write: impl Fn(&mut String, &T),
) {
    out.push(open);
    for (i, item) in items.iter().enumerate() {
        out.push_str(if i == 0 { "\n" } else { ",\n" });
        indent(out, depth + 1);
        write(out, item);
    }
    if !items.is_empty() {
        out.push('\n');
        indent(out, depth);
    }
    out.push(close);
}

fn indent(out: &mut String, depth: usize) {
    out.extend(std::iter::repeat_n("  ", depth));
}

fn write_string(out: &mut String, value: &str) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
