//! From the body of a component to the tree that its schema is held against: the same that a JSON template gives.
//!
//! Attributes become entries, blocks too (several of a kind a list), `dynamic` blocks as many as they make. What is not known
//! is left broken, which is no mistake. Late expressions become actions of the template engine.

use std::borrow::Cow;

use super::super::eval::{Evaluator, LatePiece, Scope, is_late, pieces};
use super::super::function::World;
use super::super::syntax::ast::{Block, Body, Expression, ExpressionKind, Part};
use super::super::value::{Kind, Value};
use crate::template::inputs::Inputs;
use crate::template::question::Question;
use crate::template::tree::{Entry, Node, Text, Tree};
use crate::text::code::hcl_block as code;
use crate::text::{Diagnostic, Span};

/// How many blocks one `dynamic` block may make.
const MOST_BLOCKS: usize = 10_000;

/// Evaluates bodies and collects what that finds.
pub struct Reader<'a> {
    pub inputs: &'a Inputs,
    pub diagnostics: &'a mut Vec<Diagnostic>,
    pub questions: &'a mut Vec<Question>,
    /// Texts that came out sensitive.
    pub secrets: &'a mut Vec<String>,
    /// `env` may be called.
    pub env: bool,
}

/// A block, with the names that a `dynamic` block around it gives.
pub struct Made<'b> {
    pub block: &'b Block,
    pub kind: String,
    pub labels: Vec<Text>,
    pub body: &'b Body,
    pub scope: Cow<'b, Scope>,
}

impl Reader<'_> {
    pub fn value(&mut self, expression: &Expression, scope: &Scope) -> Value {
        let mut world = World::new(self.inputs, format!("{}:{}", expression.span.source.0, expression.span.start));
        world.env = self.env;
        let value = Evaluator::new(scope, &world, self.diagnostics).evaluate(expression);
        self.ask(world);
        self.note(&value);
        value
    }

    fn ask(&mut self, world: World<'_>) {
        for question in world.questions.into_inner() {
            if !self.questions.contains(&question) {
                self.questions.push(question);
            }
        }
    }

    /// Takes the texts of a sensitive value for secrets.
    pub fn remember(&mut self, value: &Value) {
        self.note(value);
    }

    /// Remembers the texts of a sensitive value.
    fn note(&mut self, value: &Value) {
        if value.holds_sensitive() {
            texts(value, value.is_sensitive(), self.secrets);
        }
    }

    /// The tree of a body without the attributes and blocks that `skip` names.
    pub fn node(&mut self, body: &Body, span: Span, skip: &[&str], scope: &Scope) -> Node {
        let mut entries: Vec<Entry> = Vec::new();
        for attribute in body.attributes.iter().filter(|a| !skip.contains(&a.name.text.as_str())) {
            let value = self.expression(&attribute.expression, scope);
            entries.push(Entry { key: name(&attribute.name.text, attribute.name.span), value });
        }
        for made in self.blocks(body, scope) {
            if skip.contains(&made.kind.as_str()) {
                continue;
            }
            let node = self.node(made.body, made.block.span, &[], &made.scope);
            let same = entries.iter_mut().find(|e| e.key.value == made.kind && matches!(e.value.tree, Tree::Array(_)));
            if let Some(Entry { value: Node { tree: Tree::Array(items), .. }, .. }) = same {
                items.push(node);
            } else {
                let key = name(&made.kind, made.block.kind.span);
                let span = node.span;
                entries.push(Entry { key, value: Node { tree: Tree::Array(vec![node]), span } });
            }
        }
        for entry in &mut entries {
            // One block alone may be the only one that there can be.
            if let Tree::Array(items) = &mut entry.value.tree
                && items.len() == 1
                && body.blocks_of(&entry.key.value).count() == 1
                && let Some(only) = items.pop()
            {
                entry.value = only;
            }
        }
        Node { tree: Tree::Object(entries), span }
    }

    /// The blocks of a body, `dynamic` ones expanded.
    pub fn blocks<'b>(&mut self, body: &'b Body, scope: &'b Scope) -> Vec<Made<'b>> {
        let mut made = Vec::new();
        for block in &body.blocks {
            if block.kind.text == "dynamic" {
                self.dynamic(block, scope, &mut made);
            } else {
                let labels = block.labels.iter().map(label).collect();
                made.push(Made {
                    block,
                    kind: block.kind.text.clone(),
                    labels,
                    body: &block.body,
                    scope: Cow::Borrowed(scope),
                });
            }
        }
        made
    }

    fn wrong(&mut self, span: Span, message: impl Into<String>) {
        self.diagnostics.push(
            Diagnostic::error(code::DYNAMIC, span, message)
                .help("write `dynamic \"name\" { for_each = list, content { … } }`, each on its own line"),
        );
    }

    fn dynamic<'b>(&mut self, block: &'b Block, scope: &'b Scope, made: &mut Vec<Made<'b>>) {
        let [kind] = block.labels.as_slice() else {
            self.wrong(block.header, "a `dynamic` block has one label: the kind of the blocks that it makes");
            return;
        };
        let (Some(for_each), Some(content)) =
            (block.body.attribute("for_each"), block.body.blocks_of("content").next())
        else {
            self.wrong(block.header, "a `dynamic` block needs `for_each` and a `content` block");
            return;
        };
        let iterator = match block.body.attribute("iterator").map(|a| &a.expression) {
            None => kind.text.clone(),
            Some(Expression { kind: ExpressionKind::Variable(name), .. }) => name.clone(),
            Some(other) => {
                self.wrong(other.span, "`iterator` is a name without quotes");
                return;
            }
        };
        let list = self.value(&for_each.expression, scope);
        let pairs = match (list.pairs(), list.kind()) {
            (Some(pairs), _) if pairs.len() <= MOST_BLOCKS => pairs,
            (Some(_), _) => {
                self.wrong(for_each.expression.span, format!("this makes more than {MOST_BLOCKS} blocks"));
                return;
            }
            (None, Kind::Unknown(_)) => return,
            (None, _) => {
                let what = if list.is_null() { "null".to_owned() } else { list.type_of().described() };
                self.wrong(for_each.expression.span, format!("`for_each` is a list, a set or a map, not {what}"));
                return;
            }
        };
        for (key, value) in pairs {
            let mut inner = scope.clone();
            inner.insert(iterator.clone(), Value::object([("key", key), ("value", value)]));
            let labels = match block.body.attribute("labels") {
                Some(labels) => {
                    let value = self.value(&labels.expression, &inner);
                    let texts = value.elements().into_iter().flat_map(|e| e.iter()).filter_map(Value::as_str);
                    texts.map(|t| Text { span: labels.expression.span, ..name(t, labels.expression.span) }).collect()
                }
                None => Vec::new(),
            };
            made.push(Made { block, kind: kind.text.clone(), labels, body: &content.body, scope: Cow::Owned(inner) });
        }
    }

    /// The tree of an expression: of lists and objects that are written out, each part keeps its place.
    pub fn expression(&mut self, expression: &Expression, scope: &Scope) -> Node {
        let span = expression.span;
        let tree = match &expression.kind {
            ExpressionKind::Parentheses(inner) => return self.expression(inner, scope),
            ExpressionKind::Tuple(items) => Tree::Array(items.iter().map(|i| self.expression(i, scope)).collect()),
            ExpressionKind::Object(items) => {
                let mut entries = Vec::with_capacity(items.len());
                for (key, value) in items {
                    let place = key.span;
                    let key = self.value(key, scope);
                    let text = super::super::value::convert(&key, &super::super::value::Type::String);
                    if let Ok(text) = text
                        && let Some(text) = text.as_str()
                    {
                        let key = name(&due(text), place);
                        let value = self.expression(value, scope);
                        // Of the same key the last counts.
                        entries.retain(|e: &Entry| e.key.value != key.value);
                        entries.push(Entry { key, value });
                    } else if key.is_known() {
                        // Not a key: evaluation of the whole says so.
                        self.value(expression, scope);
                    }
                }
                Tree::Object(entries)
            }
            ExpressionKind::Template(parts) if traced(parts) => self.text(parts, span, scope),
            _ => {
                let value = self.value(expression, scope);
                return node(&value, span);
            }
        };
        Node { tree, span }
    }

    /// A template as text that knows where its literal parts come from.
    fn text(&mut self, parts: &[Part], span: Span, scope: &Scope) -> Tree {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let mut text = Text { value: String::new(), span, runs: Vec::new() };
        let mut known = true;
        for part in parts {
            let at = clamp(text.value.len());
            match part {
                Part::Text(literal) => {
                    text.runs.extend(literal.runs.iter().map(|(v, s)| (v.saturating_add(at), *s)));
                    text.value.push_str(&literal.value);
                }
                Part::Value(inner) => {
                    text.runs.push((at, inner.span.start));
                    let world = World::new(self.inputs, format!("{}:{}", inner.span.source.0, inner.span.start));
                    let value = Evaluator::new(scope, &world, self.diagnostics).text_of(std::slice::from_ref(part));
                    self.ask(world);
                    self.note(&value);
                    match value.as_str() {
                        Some(value) => text.value.push_str(&due(value)),
                        None => known = false,
                    }
                }
                _ => known = false,
            }
        }
        if text.runs.is_empty() {
            text.runs.push((0, span.start.saturating_add(1).min(span.end)));
        }
        if known { Tree::String(text) } else { Tree::Broken }
    }
}

/// Whether a template is literal text and values only, more than one value alone.
fn traced(parts: &[Part]) -> bool {
    let simple = parts.iter().all(|p| matches!(p, Part::Text(_) | Part::Value(_)));
    simple && !matches!(parts, [Part::Value(_)])
}

/// A value as a tree, all of it at one place.
pub fn node(value: &Value, span: Span) -> Node {
    let tree = match value.kind() {
        Kind::Null(_) => Tree::Null,
        Kind::Unknown(_) => Tree::Broken,
        Kind::Bool(b) => Tree::Bool(*b),
        Kind::Number(n) => Tree::Number(n.to_string()),
        Kind::String(text) => Tree::String(name(&due(text), span)),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            Tree::Array(elements.iter().map(|e| node(e, span)).collect())
        }
        Kind::Map(_, map) | Kind::Object(map) => {
            Tree::Object(map.iter().map(|(k, v)| Entry { key: name(&due(k), span), value: node(v, span) }).collect())
        }
    };
    Node { tree, span }
}

/// A text, all of it at one place.
pub fn name(text: &str, span: Span) -> Text {
    Text { value: text.to_owned(), span, runs: Vec::new() }
}

/// A label, whose text stands between its quotes.
pub fn label(label: &super::super::syntax::ast::Name) -> Text {
    let quoted = label.span.range().len() >= label.text.len() + 2;
    let start = label.span.start + u32::from(quoted);
    Text { value: label.text.clone(), span: label.span, runs: vec![(0, start)] }
}

/// Late expressions as actions that are rendered when the step is due.
fn due(text: &str) -> Cow<'_, str> {
    if !is_late(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for piece in pieces(text) {
        match piece {
            LatePiece::Text(text) => out.push_str(text),
            LatePiece::Expression(inside) => out.push_str(&action(inside)),
        }
    }
    Cow::Owned(out)
}

fn action(expression: &str) -> String {
    match expression.strip_prefix("build.") {
        Some(name) if name.bytes().all(|b| b.is_ascii_alphanumeric()) => format!("{{{{build `{name}`}}}}"),
        _ => {
            let quoted = expression.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{{{{hcl \"{quoted}\"}}}}")
        }
    }
}

fn texts(value: &Value, sensitive: bool, found: &mut Vec<String>) {
    let sensitive = sensitive || value.is_sensitive();
    match value.as_str() {
        Some(text) if sensitive && !text.is_empty() && !is_late(text) => found.push(text.to_owned()),
        _ => value.parts().for_each(|part| texts(part, sensitive, found)),
    }
}
