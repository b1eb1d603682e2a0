//! The tree of a template text.

use std::ops::Range;

/// A part of a text: literal, or an action.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    pub kind: NodeKind,
    /// From `{{` to `}}`; of a control structure only its first action. For a literal its place before trimming.
    pub range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum NodeKind {
    Literal(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    /// `template` and `block`.
    Template {
        name: String,
        argument: Option<Pipe>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Branch {
    pub pipe: Pipe,
    pub then: Vec<Node>,
    pub otherwise: Vec<Node>,
}

/// `a | b | c`, with the variables that it declares or assigns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pipe {
    pub variables: Vec<String>,
    /// `=` instead of `:=`.
    pub assigns: bool,
    pub commands: Vec<Command>,
    /// Without what declares.
    pub range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Command {
    pub operands: Vec<Operand>,
    pub range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Operand {
    pub kind: OperandKind,
    pub range: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum OperandKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text(String),
    /// `.A.B`
    Field(Vec<String>),
    /// `$x.A.B`; the name without `$`, empty for `$` itself.
    Variable(String, Vec<String>),
    Function(String),
    Paren(Box<Pipe>),
    /// `(…).A.B`
    Chain(Box<Operand>, Vec<String>),
}

/// A constant. What it is depends on where it is used: `1e3` can be an integer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Number {
    pub integer: Option<i64>,
    pub float: f64,
    /// Written as a float, so a float where any type will do.
    pub is_float: bool,
}

impl Pipe {
    /// Calls `visit` with every operand, also inside parentheses.
    pub fn each_operand<'a>(&'a self, visit: &mut dyn FnMut(&'a Operand)) {
        for operand in self.commands.iter().flat_map(|c| &c.operands) {
            operand.each(visit);
        }
    }
}

impl Operand {
    fn each<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        match &self.kind {
            OperandKind::Paren(pipe) => pipe.each_operand(visit),
            OperandKind::Chain(inner, _) => inner.each(visit),
            _ => {}
        }
    }
}

impl Node {
    /// Calls `visit` with every pipeline, in order of the text.
    pub fn each_pipe<'a>(&'a self, visit: &mut dyn FnMut(&'a Pipe)) {
        match &self.kind {
            NodeKind::Action(pipe) | NodeKind::Template { argument: Some(pipe), .. } => visit(pipe),
            NodeKind::If(branch) | NodeKind::With(branch) | NodeKind::Range(branch) => {
                visit(&branch.pipe);
                for node in branch.then.iter().chain(&branch.otherwise) {
                    node.each_pipe(visit);
                }
            }
            _ => {}
        }
    }
}
