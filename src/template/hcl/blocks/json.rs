//! HCL's other syntax: `.pkr.json` and `.pkrvars.json`, over kiln's own JSON reader.
//!
//! Every string is a template; an object is a block where a template has one of that name, else a value. A property `//` is a
//! comment.

use super::super::syntax::ast::{Attribute, Block, Body, Expression, ExpressionKind, Literal, Name, Part};
use super::super::syntax::{parse_expression_at, parse_template_at};
use super::super::value::{Number, Type, Value};
use crate::template::json;
use crate::template::tree::{Entry, Node, Text, Tree};
use crate::text::code::hcl_block as code;
use crate::text::{Diagnostic, Source};

/// Blocks within a block, with how many labels each has.
type Shape = &'static [(&'static str, usize)];

const ROOT: Shape = &[
    ("build", 0),
    ("communicator", 2),
    ("data", 2),
    ("hcp_packer_registry", 0),
    ("local", 1),
    ("locals", 0),
    ("packer", 0),
    ("source", 2),
    ("variable", 1),
    ("variables", 0),
];

fn shape(kind: &str) -> Shape {
    match kind {
        "build" => &[
            ("error-cleanup-provisioner", 1),
            ("hcp_packer_registry", 0),
            ("post-processor", 1),
            ("post-processors", 0),
            ("provisioner", 1),
            ("source", 1),
        ],
        "post-processors" => &[("post-processor", 1)],
        "variable" => &[("validation", 0)],
        "packer" => &[("required_plugins", 0)],
        _ => &[],
    }
}

/// Reads a whole template.
pub fn body(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Body {
    let mut body = Body::default();
    if let Some(root) = json::parse(source, diagnostics) {
        into(&root, ROOT, "", &mut body, diagnostics);
    }
    body
}

/// Reads a var-file.
pub fn attributes(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Vec<Attribute> {
    let mut body = Body::default();
    if let Some(root) = json::parse(source, diagnostics) {
        into(&root, &[], "", &mut body, diagnostics);
    }
    body.attributes
}

fn into(node: &Node, shape: Shape, kind: &str, body: &mut Body, diagnostics: &mut Vec<Diagnostic>) {
    let entries = match &node.tree {
        Tree::Object(entries) => entries,
        Tree::Broken => return,
        // Several bodies in a list are one.
        Tree::Array(items) => return items.iter().for_each(|item| into(item, shape, kind, body, diagnostics)),
        _ => {
            diagnostics.push(no_object(node));
            return;
        }
    };
    for entry in entries.iter().filter(|e| e.key.value != "//") {
        if let Some((_, labels)) = shape.iter().find(|(name, _)| *name == entry.key.value) {
            blocks(entry, &entry.value, *labels, &mut Vec::new(), body, diagnostics);
            continue;
        }
        let name = name(&entry.key);
        let expression = if kind == "variable" && name.text == "type" {
            expression_text(&entry.value, diagnostics)
        } else {
            expression(&entry.value, diagnostics)
        };
        body.attributes.push(Attribute { span: entry.key.span.to(expression.span), name, expression });
    }
}

fn no_object(node: &Node) -> Diagnostic {
    Diagnostic::error(code::ATTRIBUTE_TYPE, node.span, format!("an object is expected here, not {}", node.described()))
        .help("a block is an object; its labels are keys around it")
}

/// The blocks of one kind: labels are keys, several blocks a list.
fn blocks(
    entry: &Entry,
    node: &Node,
    labels: usize,
    found: &mut Vec<Name>,
    body: &mut Body,
    diagnostics: &mut Vec<Diagnostic>,
) {
    match &node.tree {
        Tree::Array(items) => {
            items.iter().for_each(|item| blocks(entry, item, labels, found, body, diagnostics));
        }
        Tree::Object(entries) if labels > found.len() => {
            for inner in entries.iter().filter(|e| e.key.value != "//") {
                found.push(name(&inner.key));
                blocks(entry, &inner.value, labels, found, body, diagnostics);
                found.pop();
            }
        }
        Tree::Object(_) => {
            let kind = name(&entry.key);
            let mut inner = Body::default();
            into(node, shape(&kind.text), &kind.text, &mut inner, diagnostics);
            let header = found.last().map_or(kind.span, |label| label.span);
            body.blocks.push(Block { kind, labels: found.clone(), body: inner, span: node.span, header });
        }
        Tree::Broken | Tree::Null => {}
        _ => diagnostics.push(no_object(node)),
    }
}

fn name(text: &Text) -> Name {
    Name { text: text.value.clone(), span: text.span }
}

/// A string that holds an expression, such as a type.
fn expression_text(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Expression {
    match &node.tree {
        Tree::String(text) => parse_expression_at(&text.value, node.span, diagnostics)
            .unwrap_or_else(|| Expression::new(ExpressionKind::Broken, node.span)),
        _ => expression(node, diagnostics),
    }
}

fn expression(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Expression {
    let kind = match &node.tree {
        Tree::Null => ExpressionKind::Literal(Value::null(Type::Any)),
        Tree::Bool(b) => ExpressionKind::Literal(Value::from(*b)),
        Tree::Number(written) => match Number::parse(written) {
            Some(number) => ExpressionKind::Literal(Value::number(number)),
            None => ExpressionKind::Broken,
        },
        Tree::String(text) => template(text, diagnostics),
        Tree::Array(items) => ExpressionKind::Tuple(items.iter().map(|i| expression(i, diagnostics)).collect()),
        Tree::Object(entries) => {
            let mut items = Vec::with_capacity(entries.len());
            for entry in entries.iter().filter(|e| e.key.value != "//") {
                let key = Expression::new(template(&entry.key, diagnostics), entry.key.span);
                items.push((key, expression(&entry.value, diagnostics)));
            }
            ExpressionKind::Object(items)
        }
        Tree::Broken => ExpressionKind::Broken,
    };
    Expression::new(kind, node.span)
}

fn template(text: &Text, diagnostics: &mut Vec<Diagnostic>) -> ExpressionKind {
    if !text.value.contains("${") && !text.value.contains("%{") {
        let literal = Literal { value: text.value.clone(), span: text.span, runs: text.runs.clone() };
        return ExpressionKind::Template(vec![Part::Text(literal)]);
    }
    match parse_template_at(&text.value, text.span, diagnostics) {
        Some(parts) => ExpressionKind::Template(parts),
        None => ExpressionKind::Broken,
    }
}
