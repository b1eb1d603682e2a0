//! Evaluates a template's tree. Functions are in `builtin` and `packer`, what stays template text is in `partial`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::ast::{Branch, Node, NodeKind, OperandKind, Pipe};
use super::fault::Fault;
use super::parse::Template;
use super::value::{Str, Val};
use crate::run::Secrets;
use crate::run::value::Piece;
use crate::template::question::{Answers, Question};
use crate::template::variables::Variables;
use crate::text::code::engine as code;

/// How much one text may do and make; people's texts stay far below, and nothing above ends in reasonable time.
const MAX_STEPS: usize = 200_000;
pub(super) const MAX_TEXT: usize = 4 << 20;
const MAX_WORK: usize = 64 << 20;
/// Nested control structures, parentheses and template calls.
const MAX_DEPTH: usize = 220;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Variable,
    Name,
    /// A component's field. `late`: what is known later stays as it stands.
    Component {
        late: bool,
    },
    /// A component's field, when its step is due.
    Due,
}

/// What evaluation may use.
pub(super) struct Scope<'a> {
    pub place: Place,
    pub amazon: bool,
    pub dot: Val<'a>,
    pub start: i64,
    pub seed: u64,
    /// Makes the UUIDs of this text differ from those of others.
    pub salt: String,
    pub cwd: &'a str,
    pub template_dir: &'a str,
    pub build_name: Option<&'a str>,
    pub build_type: Option<&'a str>,
    pub env: Option<&'a BTreeMap<String, String>>,
    pub answers: Option<&'a Answers>,
    pub variables: Option<&'a Variables>,
    /// Variables that have no value yet; asking for one makes it [`Found::pending`].
    pub pending: Option<&'a BTreeSet<String>>,
    pub secrets: &'a Secrets,
}

/// What evaluation found besides the text.
#[derive(Default)]
pub(super) struct Found {
    pub faults: Vec<Fault>,
    pub questions: Vec<Question>,
    pub unset_env: Vec<String>,
    pub secrets: Secrets,
    /// The variable that must be evaluated first.
    pub pending: Option<String>,
    /// Why the value is not known.
    pub unknown: Option<String>,
}

impl Found {
    pub fn fault(&mut self, fault: Fault) {
        if !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }
}

/// Text being made, in pieces.
#[derive(Default)]
pub(super) struct Output {
    pub pieces: Vec<Piece>,
    length: usize,
}

impl Output {
    pub fn plain(&mut self, text: &str) {
        self.length += text.len();
        match self.pieces.last_mut() {
            Some(Piece::Plain(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.pieces.push(Piece::Plain(text.to_owned())),
        }
    }

    pub fn str(&mut self, text: &Str) {
        match &text.pieces {
            None => self.plain(&text.text),
            Some(pieces) => pieces.iter().for_each(|p| self.piece(p)),
        }
    }

    pub fn piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Plain(text) => self.plain(text),
            secret @ Piece::Secret(_) => {
                self.length += 1;
                self.pieces.push(secret.clone());
            }
        }
    }
}

pub(super) enum Flow {
    On,
    Break,
    Continue,
}

pub(super) type Evaluated<T> = Result<T, Fault>;

pub(super) struct Evaluator<'a> {
    pub text: &'a str,
    pub template: &'a Template,
    pub scope: &'a Scope<'a>,
    pub found: Found,
    pub dot: Val<'a>,
    /// `$`
    pub root: Val<'a>,
    pub variables: Vec<(&'a str, Val<'a>)>,
    /// What is known later stays as template text; then variables of the text do so too.
    pub partial: bool,
    pub uuids: u64,
    pub depth: usize,
    pub steps: usize,
    pub work: usize,
}

impl<'a> Evaluator<'a> {
    pub fn new(text: &'a str, template: &'a Template, scope: &'a Scope<'a>) -> Self {
        Self {
            text,
            template,
            scope,
            found: Found::default(),
            dot: scope.dot.clone(),
            root: scope.dot.clone(),
            variables: Vec::new(),
            partial: false,
            uuids: 0,
            depth: 0,
            steps: 0,
            work: 0,
        }
    }

    /// Evaluates the whole text. A mistake in one action hides none in another.
    pub fn run(&mut self, out: &mut Output) {
        for node in &self.template.nodes {
            if let Err(fault) = self.node(node, out) {
                let fatal = fault.code == code::TOO_LARGE;
                self.found.fault(fault);
                if fatal {
                    return;
                }
            }
        }
    }

    pub fn step(&mut self, range: &Range<usize>) -> Evaluated<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(Fault::new(code::TOO_LARGE, range.clone(), "this text takes too many steps to render"));
        }
        Ok(())
    }

    /// Counts text that was read or made.
    pub fn spend(&mut self, bytes: usize, range: &Range<usize>) -> Evaluated<()> {
        self.work = self.work.saturating_add(bytes);
        if bytes > MAX_TEXT || self.work > MAX_WORK {
            return Err(Fault::new(code::TOO_LARGE, range.clone(), "this makes too much text")
                .help(format!("one value may have up to {} MiB", MAX_TEXT >> 20)));
        }
        Ok(())
    }

    pub fn deeper<T>(&mut self, range: &Range<usize>, go: impl FnOnce(&mut Self) -> Evaluated<T>) -> Evaluated<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::new(code::TOO_LARGE, range.clone(), "this nests or calls itself too deeply"));
        }
        self.depth += 1;
        let result = go(self);
        self.depth -= 1;
        result
    }

    fn nodes(&mut self, nodes: &'a [Node], out: &mut Output) -> Evaluated<Flow> {
        let scope = self.variables.len();
        for node in nodes {
            match self.node(node, out)? {
                Flow::On => {}
                flow => {
                    self.variables.truncate(scope);
                    return Ok(flow);
                }
            }
        }
        self.variables.truncate(scope);
        Ok(Flow::On)
    }

    fn node(&mut self, node: &'a Node, out: &mut Output) -> Evaluated<Flow> {
        self.step(&node.range)?;
        if out.length > MAX_TEXT {
            return Err(Fault::new(code::TOO_LARGE, node.range.clone(), "this makes too much text"));
        }
        match &node.kind {
            NodeKind::Literal(literal) => out.plain(literal),
            NodeKind::Action(pipe) => {
                if self.scope.place == Place::Variable && is_field(pipe) {
                    out.plain(&self.verbatim(&node.range));
                } else {
                    let value = self.pipe(pipe)?;
                    if pipe.variables.is_empty() {
                        self.print(&value, out, &pipe.range)?;
                    }
                }
            }
            NodeKind::If(branch) => return self.deeper(&node.range, |e| e.branch(branch, false, out)),
            NodeKind::With(branch) => return self.deeper(&node.range, |e| e.branch(branch, true, out)),
            NodeKind::Range(branch) => return self.deeper(&node.range, |e| e.range(branch, out)),
            NodeKind::Break => return Ok(Flow::Break),
            NodeKind::Continue => return Ok(Flow::Continue),
            NodeKind::Template { name, argument } => {
                self.deeper(&node.range, |e| e.call_template(name, argument.as_ref(), &node.range, out))?;
            }
        }
        Ok(Flow::On)
    }

    fn branch(&mut self, branch: &'a Branch, with: bool, out: &mut Output) -> Evaluated<Flow> {
        let scope = self.variables.len();
        let value = self.pipe(&branch.pipe)?;
        let flow = if value.is_true() {
            let outer = if with { Some(std::mem::replace(&mut self.dot, value)) } else { None };
            let flow = self.nodes(&branch.then, out);
            if let Some(outer) = outer {
                self.dot = outer;
            }
            flow
        } else {
            self.nodes(&branch.otherwise, out)
        };
        self.variables.truncate(scope);
        flow
    }

    fn range(&mut self, branch: &'a Branch, out: &mut Output) -> Evaluated<Flow> {
        let scope = self.variables.len();
        let pipe = &branch.pipe;
        let value = self.commands(pipe)?;
        let mut items: Box<dyn Iterator<Item = (Val<'a>, Val<'a>)> + 'a> = match value {
            Val::Missing | Val::Late | Val::Unknown => Box::new(std::iter::empty()),
            Val::Integer(n) => Box::new((0..n).map(|i| (Val::Integer(i), Val::Integer(i)))),
            Val::List(list) => Box::new((0_i64..).zip(list).map(|(i, item)| (Val::Integer(i), Val::of_json(item)))),
            Val::Map(map) => {
                let mut entries: Vec<_> = map.iter().collect();
                entries.sort_by_key(|(k, _)| *k);
                Box::new(entries.into_iter().map(|(k, v)| (Val::text(k.as_str()), Val::of_json(v))))
            }
            other => {
                let message = format!("`range` cannot go over {}", other.described());
                return Err(Fault::new(code::CALL, pipe.range.clone(), message));
            }
        };
        let mut any = false;
        let result = loop {
            let Some((key, item)) = items.next() else { break Ok(Flow::On) };
            any = true;
            if let Err(fault) = self.step(&pipe.range) {
                break Err(fault);
            }
            if let [key_name, item_name] = pipe.variables.as_slice() {
                self.bind(key_name, pipe.assigns, key);
                self.bind(item_name, pipe.assigns, item.clone());
            } else if let Some(name) = pipe.variables.first() {
                self.bind(name, pipe.assigns, item.clone());
            }
            let outer = std::mem::replace(&mut self.dot, item);
            let flow = self.nodes(&branch.then, out);
            self.dot = outer;
            self.variables.truncate(scope);
            match flow {
                Ok(Flow::On | Flow::Continue) => {}
                Ok(Flow::Break) => break Ok(Flow::On),
                Err(fault) => break Err(fault),
            }
        };
        drop(items);
        if any { result } else { self.nodes(&branch.otherwise, out) }
    }

    fn call_template(
        &mut self,
        name: &'a str,
        argument: Option<&'a Pipe>,
        range: &Range<usize>,
        out: &mut Output,
    ) -> Evaluated<()> {
        let dot = match argument {
            Some(pipe) => self.pipe(pipe)?,
            None => Val::Missing,
        };
        let template = self.template;
        let Some(nodes) = template.definitions.get(name) else {
            return Err(Fault::new(code::CALL, range.clone(), format!("template `{name}` is not defined")));
        };
        let outer = (
            std::mem::replace(&mut self.dot, dot.clone()),
            std::mem::replace(&mut self.root, dot),
            std::mem::take(&mut self.variables),
        );
        let result = self.nodes(nodes, out);
        (self.dot, self.root, self.variables) = outer;
        result.map(|_| ())
    }

    /// Writes a value as an action's result.
    pub fn print(&mut self, value: &Val<'a>, out: &mut Output, range: &Range<usize>) -> Evaluated<()> {
        match value {
            Val::Text(text) => {
                self.spend(text.text.len(), range)?;
                out.str(text);
            }
            Val::Unknown => {}
            other => out.plain(&other.print("<no value>")),
        }
        Ok(())
    }

    pub(super) fn bind(&mut self, name: &'a str, assigns: bool, value: Val<'a>) {
        if assigns {
            if name.is_empty() {
                self.root = value;
            } else if let Some((_, slot)) = self.variables.iter_mut().rev().find(|(n, _)| *n == name) {
                *slot = value;
            }
        } else {
            self.variables.push((name, value));
        }
    }

    /// An action as it stands, without its trim marks: they have done their work.
    pub fn verbatim(&self, range: &Range<usize>) -> String {
        let source = self.text.get(range.clone()).unwrap_or_default();
        let source = source.strip_prefix("{{").unwrap_or(source);
        let source = source.strip_suffix("}}").unwrap_or(source);
        let space = |c: char| c.is_ascii_whitespace();
        let source = source.strip_prefix('-').filter(|s| s.starts_with(space)).unwrap_or(source);
        let source = source.strip_suffix('-').filter(|s| s.ends_with(space)).unwrap_or(source);
        format!("{{{{{source}}}}}")
    }
}

/// Whether a pipeline is nothing but a field of the dot: `{{ .X }}`.
fn is_field(pipe: &Pipe) -> bool {
    let [command] = pipe.commands.as_slice() else { return false };
    pipe.variables.is_empty()
        && matches!(command.operands.as_slice(), [operand] if matches!(operand.kind, OperandKind::Field(_)))
}
