//! Data sources: `null` at once, the others by a question to the rim.

use super::super::eval::Scope;
use super::super::value::{Type, Value, convert, json};
use super::body::Reader;
use super::read::Named;
use crate::template::question::{Answer, Question};
use crate::template::tree::{Node, Tree};
use crate::text::Diagnostic;
use crate::text::code::hcl_block as code;
use crate::text::diagnostic::did_you_mean;

const KNOWN: [&str; 5] = ["amazon-ami", "amazon-parameterstore", "amazon-secretsmanager", "http", "null"];

/// What a data source gives. Without `execute` it is unknown but for its type.
pub(super) fn value(data: &Named, scope: &Scope, execute: bool, reader: &mut Reader<'_>) -> Value {
    let body = reader.node(&data.block.body, data.block.span, &[], scope);
    let kind = data.kind.text.as_str();
    if !KNOWN.contains(&kind) {
        let message = format!("kiln does not know the data source `{kind}`");
        let diagnostic = if execute {
            Diagnostic::error(code::DATA_SOURCE, data.kind.span, message)
        } else {
            Diagnostic::warning(code::DATA_SOURCE, data.kind.span, message)
        };
        reader.diagnostics.push(match did_you_mean(kind, KNOWN) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("what it gives is not known; give the value by a variable instead"),
        });
        return Value::unknown(Type::Any);
    }
    let gives = gives(kind);
    if kind == "null" {
        let input = data.block.body.attribute("input").map(|a| reader.value(&a.expression, scope));
        return match input.and_then(|input| convert(&input, &Type::String).ok()) {
            Some(output) => Value::object([("output", output)]),
            None => Value::unknown(gives),
        };
    }
    if !execute || !known(&body) {
        return Value::unknown(gives);
    }
    let question = Question::DataSource { kind: kind.to_owned(), config: plain(&body).to_string() };
    match reader.inputs.answers.get(&question) {
        Some(Answer::Text(text)) => match json::decode(text).map(|v| convert(&v, &gives)) {
            Ok(Ok(value)) => value.mark(kind == "amazon-secretsmanager"),
            _ => Value::unknown(gives),
        },
        Some(Answer::Failed(why)) => {
            let place = data.kind.span.to(data.name.span);
            let message = format!("the data source `{kind}.{}` gives nothing: {why}", data.name.text);
            reader.diagnostics.push(Diagnostic::error(code::DATA_SOURCE, place, message));
            Value::unknown(gives)
        }
        Some(_) => Value::unknown(gives),
        None => {
            if !reader.questions.contains(&question) {
                reader.questions.push(question);
            }
            Value::unknown(gives)
        }
    }
}

/// The type of what a data source gives (packer.md §4.8 and Packer's manual).
fn gives(kind: &str) -> Type {
    let strings = |names: &[&'static str]| names.iter().map(|n| (*n, Type::String)).collect::<Vec<_>>();
    let mut attributes = match kind {
        "amazon-ami" => strings(&["id", "name", "creation_date", "owner", "owner_name"]),
        "amazon-parameterstore" => strings(&["value", "arn"]),
        "amazon-secretsmanager" => strings(&["value", "secret_string", "secret_binary", "version_id"]),
        "http" => strings(&["url", "body"]),
        _ => strings(&["output"]),
    };
    match kind {
        "amazon-ami" => attributes.push(("tags", Type::map(Type::String))),
        "amazon-parameterstore" => attributes.push(("version", Type::Number)),
        "http" => attributes.push(("request_headers", Type::map(Type::String))),
        _ => {}
    }
    Type::object(attributes)
}

fn known(node: &Node) -> bool {
    node.tree != Tree::Broken && node.items().iter().all(known) && node.entries().iter().all(|e| known(&e.value))
}

/// The tree as JSON.
fn plain(node: &Node) -> serde_json::Value {
    use serde_json::Value as Json;
    match &node.tree {
        Tree::Null | Tree::Broken => Json::Null,
        Tree::Bool(b) => Json::Bool(*b),
        Tree::Number(n) => serde_json::from_str(n).map_or_else(|_| Json::String(n.clone()), Json::Number),
        Tree::String(text) => Json::String(text.value.clone()),
        Tree::Array(items) => Json::Array(items.iter().map(plain).collect()),
        Tree::Object(entries) => Json::Object(entries.iter().map(|e| (e.key.value.clone(), plain(&e.value))).collect()),
    }
}
