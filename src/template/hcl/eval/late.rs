//! What only a running build knows: `build.ID`, the address of the machine, its password.
//!
//! Such a value is text with an expression in it, between two characters that no template writes. What is made from it holds
//! the expression for that: `upper(build.ID)` stays as it is, with everything that is known put in.

use super::super::value::{Kind, Value};

const BEGIN: char = '\u{f0000}';
const END: char = '\u{f0001}';

/// A piece of a text: known, or an expression to be evaluated when the step is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LatePiece<'a> {
    Text(&'a str),
    Expression(&'a str),
}

/// The value that `build.NAME` has until it is known.
pub fn late(name: &str) -> Value {
    expression(&format!("build.{name}"))
}

/// Whether a text holds a late expression.
pub fn is_late(text: &str) -> bool {
    text.contains(BEGIN)
}

/// The pieces of a text, in order.
pub fn pieces(text: &str) -> Vec<LatePiece<'_>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let Some((inside, after)) = after.split_once(END) else { break };
        if !before.is_empty() {
            found.push(LatePiece::Text(before));
        }
        found.push(LatePiece::Expression(inside));
        rest = after;
    }
    if !rest.is_empty() {
        found.push(LatePiece::Text(rest));
    }
    found
}

/// Whether something in the value is late.
pub(super) fn holds(value: &Value) -> bool {
    match value.kind() {
        Kind::String(text) => is_late(text),
        Kind::Map(_, map) | Kind::Object(map) => map.iter().any(|(k, v)| is_late(k) || holds(v)),
        _ => value.parts().any(holds),
    }
}

pub(super) fn unary(operator: &str, operand: &Value) -> Value {
    expression(&format!("{operator}({})", written(operand))).mark(operand.holds_sensitive())
}

pub(super) fn binary(operator: &str, left: &Value, right: &Value) -> Value {
    expression(&format!("({} {operator} {})", written(left), written(right)))
        .mark(left.holds_sensitive() || right.holds_sensitive())
}

pub(super) fn conditional(condition: &Value, yes: &Value, no: &Value) -> Value {
    let sensitive = [condition, yes, no].into_iter().any(Value::holds_sensitive);
    expression(&format!("({} ? {} : {})", written(condition), written(yes), written(no))).mark(sensitive)
}

pub(super) fn call(name: &str, arguments: &[Value]) -> Value {
    let sensitive = arguments.iter().any(Value::holds_sensitive);
    let arguments: Vec<String> = arguments.iter().map(written).collect();
    expression(&format!("{name}({})", arguments.join(", "))).mark(sensitive)
}

fn expression(text: &str) -> Value {
    Value::from(format!("{BEGIN}{text}{END}"))
}

/// A value as HCL writes it, late expressions in their place.
fn written(value: &Value) -> String {
    let list = |elements: &[Value]| format!("[{}]", elements.iter().map(written).collect::<Vec<_>>().join(", "));
    match value.kind() {
        Kind::Null(_) | Kind::Unknown(_) => "null".into(),
        Kind::Bool(b) => b.to_string(),
        Kind::Number(n) => n.to_string(),
        Kind::String(text) => text_written(text),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => list(elements),
        Kind::Map(_, map) | Kind::Object(map) => {
            let items: Vec<_> = map.iter().map(|(k, v)| format!("{} = {}", text_written(k), written(v))).collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

fn text_written(text: &str) -> String {
    let pieces = pieces(text);
    if let [LatePiece::Expression(alone)] = pieces.as_slice() {
        return (*alone).to_owned();
    }
    let mut out = String::from("\"");
    for piece in pieces {
        match piece {
            LatePiece::Expression(inside) => out.push_str(&format!("${{{inside}}}")),
            LatePiece::Text(text) => out.push_str(&quoted(text)),
        }
    }
    out.push('"');
    out
}

/// Text as it stands between quotes.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c => out.push(c),
        }
    }
    out.replace("${", "$${").replace("%{", "%%{")
}
