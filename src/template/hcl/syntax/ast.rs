//! The tree of an HCL text: every part knows its place.

use crate::template::hcl::value::Value;
use crate::text::Span;

#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    pub text: String,
    pub span: Span,
}

/// What stands between braces, or in a whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    pub name: Name,
    pub expression: Expression,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub kind: Name,
    pub labels: Vec<Name>,
    pub body: Body,
    /// From the kind to the closing brace.
    pub span: Span,
    /// From the kind to the last label.
    pub header: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub kind: ExpressionKind,
    pub span: Span,
    /// The height of its tree.
    pub depth: u16,
}

impl Expression {
    #[must_use]
    pub fn new(kind: ExpressionKind, span: Span) -> Self {
        let depth = kind.depth().saturating_add(1);
        Self { kind, span, depth }
    }
}

impl ExpressionKind {
    /// The height of the highest part.
    fn depth(&self) -> u16 {
        match self {
            Self::Literal(_) | Self::Variable(_) | Self::Element | Self::Broken => 0,
            Self::Template(parts) => highest(parts),
            Self::Attribute { of, .. } | Self::Unary { operand: of, .. } | Self::Parentheses(of) => of.depth,
            Self::Index { of: a, key: b } | Self::Splat { of: a, each: b } | Self::Binary { left: a, right: b, .. } => {
                a.depth.max(b.depth)
            }
            Self::Call { arguments: items, .. } | Self::Tuple(items) => {
                items.iter().map(|e| e.depth).max().unwrap_or(0)
            }
            Self::Conditional { condition, yes, no } => condition.depth.max(yes.depth).max(no.depth),
            Self::Object(items) => items.iter().map(|(k, v)| k.depth.max(v.depth)).max().unwrap_or(0),
            Self::For(it) => [Some(&it.collection), it.key.as_ref(), Some(&it.value), it.condition.as_ref()]
                .into_iter()
                .flatten()
                .map(|e| e.depth)
                .max()
                .unwrap_or(0),
        }
    }
}

fn highest(parts: &[Part]) -> u16 {
    let of = |part: &Part| match part {
        Part::Text(_) => 0,
        Part::Value(value) => value.depth,
        Part::If { condition, yes, no } => condition.depth.max(highest(yes)).max(highest(no)).saturating_add(1),
        Part::For { collection, body, .. } => collection.depth.max(highest(body)).saturating_add(1),
    };
    parts.iter().map(of).max().unwrap_or(0)
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    /// A number, `true`, `false` or `null`.
    Literal(Value),
    Template(Vec<Part>),
    /// The first name of a path.
    Variable(String),
    Attribute {
        of: Box<Expression>,
        name: Name,
    },
    /// `a[key]`; `a.0` of old.
    Index {
        of: Box<Expression>,
        key: Box<Expression>,
    },
    /// `a[*].b`, `a.*.b`: `each` is applied to every element, of which [`ExpressionKind::Element`] is the innermost part.
    Splat {
        of: Box<Expression>,
        each: Box<Expression>,
    },
    /// What a splat's `each` begins with.
    Element,
    Call {
        name: Name,
        arguments: Vec<Expression>,
        expand: bool,
    },
    Unary {
        operator: UnaryOperator,
        operand: Box<Expression>,
    },
    Binary {
        operator: BinaryOperator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    Conditional {
        condition: Box<Expression>,
        yes: Box<Expression>,
        no: Box<Expression>,
    },
    Tuple(Vec<Expression>),
    Object(Vec<(Expression, Expression)>),
    For(Box<For>),
    Parentheses(Box<Expression>),
    /// What could not be read; it has been reported.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    Negate,
    Not,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOperator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Clone, Debug, PartialEq)]
pub struct For {
    /// The first of two names.
    pub key_name: Option<Name>,
    pub value_name: Name,
    pub collection: Expression,
    /// Of an object.
    pub key: Option<Expression>,
    pub value: Expression,
    /// `...`: values of the same key are gathered.
    pub group: bool,
    pub condition: Option<Expression>,
}

/// A part of a template.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Text(Literal),
    Value(Expression),
    If { condition: Expression, yes: Vec<Part>, no: Vec<Part> },
    For { key_name: Option<Name>, value_name: Name, collection: Expression, body: Vec<Part> },
}

/// Decoded text of a template.
#[derive(Clone, Debug, PartialEq)]
pub struct Literal {
    pub value: String,
    pub span: Span,
    /// (offset in `value`, offset in the source) from which on both run in step; sorted.
    pub runs: Vec<(u32, u32)>,
}

impl Body {
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|a| a.name.text == name)
    }

    pub fn blocks_of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |b| b.kind.text == kind)
    }
}
