//! Evaluation of expressions: from the tree to values, with a place for every mistake.
//!
//! Pure: names come from a [`Scope`], what needs the world is asked in questions, of which an open one gives an unknown value.
//! Every evaluation ends: its tree is of bounded depth, and steps and sizes are counted. A mistake gives an unknown value, so
//! that one hides no other and causes none.
//!
//! Not here: what names mean in a template (`template::hcl`'s blocks), and the functions themselves (`function`).

mod call;
mod collection;
mod late;
mod operator;
mod path;
mod template;
#[cfg(test)]
mod tests;
mod type_expression;

use std::collections::BTreeMap;

pub use self::call::names;
pub use self::late::{LatePiece, is_late, late, pieces};
pub use self::type_expression::type_of;
use super::function::World;
use super::syntax::ast::{Expression, ExpressionKind, For};
use super::syntax::parse_expression;
use super::value::{Type, Value, convert};
use crate::template::inputs::Inputs;
use crate::text::code::hcl_value as code;
use crate::text::{Code, Diagnostic, Sources, Span};

/// How many parts of expressions one evaluation looks at.
const STEPS: u32 = 2_000_000;
/// How many bytes of text and elements of collections it makes.
const SIZE: usize = 64 << 20;

/// The names that an expression may use: `var`, `local`, `build`.
pub type Scope = BTreeMap<String, Value>;

/// Evaluates expressions with the names of one scope.
pub struct Evaluator<'a> {
    scope: &'a Scope,
    world: &'a World<'a>,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// Names of `for` expressions, the innermost last.
    locals: Vec<(String, Value)>,
    /// The elements that splats are at, the innermost last.
    elements: Vec<Value>,
    steps: u32,
    size: usize,
    /// A limit was passed and reported.
    exhausted: bool,
    /// In the file of a `templatefile`, which names no other.
    inside_file: bool,
}

impl<'a> Evaluator<'a> {
    pub fn new(scope: &'a Scope, world: &'a World<'a>, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        Self {
            scope,
            world,
            diagnostics,
            locals: Vec::new(),
            elements: Vec::new(),
            steps: 0,
            size: 0,
            exhausted: false,
            inside_file: false,
        }
    }

    /// The value; unknown where a mistake was found or a question is open.
    pub fn evaluate(&mut self, expression: &Expression) -> Value {
        let Some(span) = self.step(expression.span) else { return anything() };
        let value = match &expression.kind {
            ExpressionKind::Literal(value) => value.clone(),
            ExpressionKind::Template(parts) => self.template(parts),
            ExpressionKind::Variable(name) => self.variable(name, span),
            ExpressionKind::Attribute { of, name } => self.attribute(of, name),
            ExpressionKind::Index { of, key } => self.index(of, key, span),
            ExpressionKind::Splat { of, each } => self.splat(of, each),
            ExpressionKind::Element => self.elements.last().cloned().unwrap_or_else(anything),
            ExpressionKind::Call { name, arguments, expand } => self.call(name, arguments, *expand, span),
            ExpressionKind::Unary { operator, operand } => self.unary(*operator, operand),
            ExpressionKind::Binary { operator, left, right } => self.binary(*operator, left, right, span),
            ExpressionKind::Conditional { condition, yes, no } => self.conditional(condition, yes, no, span),
            ExpressionKind::Tuple(items) => Value::tuple(items.iter().map(|i| self.evaluate(i)).collect::<Vec<_>>()),
            ExpressionKind::Object(items) => self.object(items),
            ExpressionKind::For(it) => self.for_expression(it, span),
            ExpressionKind::Parentheses(inner) => self.evaluate(inner),
            ExpressionKind::Broken => anything(),
        };
        if let Some(why) = value.too_large() {
            self.exhaust(span, why);
            return anything();
        }
        value
    }

    /// Counts a step; `None` when there have been too many.
    fn step(&mut self, span: Span) -> Option<Span> {
        if self.exhausted {
            return None;
        }
        self.steps += 1;
        if self.steps > STEPS {
            self.exhaust(span, format!("evaluation takes more than {STEPS} steps"));
            return None;
        }
        Some(span)
    }

    /// Counts what was made; `false` when it is too much.
    fn grow(&mut self, by: usize, span: Span) -> bool {
        self.size = self.size.saturating_add(by);
        if self.size > SIZE && !self.exhausted {
            self.exhaust(span, format!("evaluation makes more than {} MiB of values", SIZE >> 20));
        }
        !self.exhausted
    }

    fn exhaust(&mut self, span: Span, message: String) {
        self.exhausted = true;
        self.error(
            code::LIMIT,
            span,
            message,
            "shorten the lists that it goes over; read large data from a file on the machine",
        );
    }

    fn error(&mut self, code: Code, span: Span, message: impl Into<String>, help: impl Into<String>) -> Value {
        self.push(Diagnostic::error(code, span, message).help(help))
    }

    fn push(&mut self, diagnostic: Diagnostic) -> Value {
        self.diagnostics.push(diagnostic);
        anything()
    }

    /// Evaluates without reporting; what would have been reported comes with the value.
    fn quietly(&mut self, expression: &Expression) -> (Value, Vec<Diagnostic>) {
        let before = self.diagnostics.len();
        let value = self.evaluate(expression);
        (value, self.diagnostics.split_off(before))
    }

    /// With a `for`'s names.
    fn with_names<T>(&mut self, names: [Option<(&str, Value)>; 2], run: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.locals.len();
        self.locals.extend(names.into_iter().flatten().map(|(n, v)| (n.to_owned(), v)));
        let result = run(self);
        self.locals.truncate(before);
        result
    }

    fn named(it: &For, key: Value, value: Value) -> [Option<(&str, Value)>; 2] {
        [it.key_name.as_ref().map(|n| (n.text.as_str(), key)), Some((it.value_name.text.as_str(), value))]
    }
}

/// The text that a late expression comes to, with the values of the build that it is of.
///
/// # Errors
/// What is wrong with it, in a sentence.
pub fn evaluate_late<'b>(
    expression: &str,
    build: impl IntoIterator<Item = (&'b str, &'b str)>,
    start: i64,
    seed: u64,
) -> Result<String, String> {
    let mut sources = Sources::default();
    let id = sources.add("late", expression);
    let mut diagnostics = Vec::new();
    let parsed = sources.get(id).and_then(|source| parse_expression(source, &mut diagnostics));
    let inputs = Inputs { start, seed, ..Inputs::default() };
    let build = Value::object(build.into_iter().map(|(name, value)| (name, Value::from(value))));
    let scope = Scope::from([("build".to_owned(), build)]);
    let world = World::new(&inputs, expression);
    let value = parsed.map(|parsed| Evaluator::new(&scope, &world, &mut diagnostics).evaluate(&parsed));
    if let Some(wrong) = diagnostics.into_iter().find(Diagnostic::is_error) {
        return Err(format!("`{expression}`: {}", wrong.message));
    }
    let text = value.and_then(|v| convert(&v, &Type::String).ok()).and_then(|v| v.as_str().map(str::to_owned));
    text.ok_or_else(|| format!("`{expression}` does not come to a text"))
}

/// What nothing is known of.
fn anything() -> Value {
    Value::unknown(Type::Any)
}
