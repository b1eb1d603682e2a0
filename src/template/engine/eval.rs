//! Evaluates a template's tree. Functions are in `builtin` and `packer`, what stays template text is in `partial`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::rc::Rc;

use super::ast::{Branch, Command, Node, NodeKind, Operand, OperandKind, Pipe};
use super::fault::Fault;
use super::parse::Template;
use super::value::{Str, Val};
use super::{builtin, function};
use crate::run::value::Piece;
use crate::run::{SecretRef, Secrets};
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
    root: Val<'a>,
    variables: Vec<(&'a str, Val<'a>)>,
    /// What is known later stays as template text; then variables of the text do so too.
    pub partial: bool,
    pub uuids: u64,
    depth: usize,
    steps: usize,
    work: usize,
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

    fn bind(&mut self, name: &'a str, assigns: bool, value: Val<'a>) {
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

    /// The value of a pipeline; its variables are bound.
    pub fn pipe(&mut self, pipe: &'a Pipe) -> Evaluated<Val<'a>> {
        let value = self.commands(pipe)?;
        if let Some(name) = pipe.variables.first() {
            self.bind(name, pipe.assigns, value.clone());
        }
        Ok(value)
    }

    fn commands(&mut self, pipe: &'a Pipe) -> Evaluated<Val<'a>> {
        self.deeper(&pipe.range, |e| {
            let mut value = None;
            for command in &pipe.commands {
                value = Some(e.command(command, value, pipe.range.start)?);
            }
            Ok(value.unwrap_or(Val::Missing))
        })
    }

    /// The value of one command, with what the command before it gave. `from`: where its pipeline begins.
    pub fn command(&mut self, command: &'a Command, piped: Option<Val<'a>>, from: usize) -> Evaluated<Val<'a>> {
        let Some((first, arguments)) = command.operands.split_first() else { return Ok(Val::Missing) };
        self.step(&command.range)?;
        if let OperandKind::Function(name) = &first.kind {
            return self.call(name, arguments, piped, &command.range, from);
        }
        if !arguments.is_empty() || piped.is_some() {
            return Err(Fault::new(code::CALL, first.range.clone(), "this is no function and takes no arguments"));
        }
        if first.kind == OperandKind::Nil {
            return Err(Fault::new(code::CALL, first.range.clone(), "`nil` is not a value that can stand alone"));
        }
        self.operand(first)
    }

    pub fn operand(&mut self, operand: &'a Operand) -> Evaluated<Val<'a>> {
        let range = &operand.range;
        match &operand.kind {
            OperandKind::Dot => Ok(self.dot.clone()),
            OperandKind::Nil => Ok(Val::Missing),
            OperandKind::Bool(b) => Ok(Val::Bool(*b)),
            OperandKind::Number(n) if n.is_float => Ok(Val::Float(n.float)),
            OperandKind::Number(n) => Ok(n.integer.map_or(Val::Float(n.float), Val::Integer)),
            OperandKind::Text(text) => {
                self.spend(text.len(), range)?;
                Ok(Val::text(text.as_str()))
            }
            OperandKind::Field(names) => {
                let dot = self.dot.clone();
                if matches!(dot, Val::Missing)
                    && matches!(self.scope.dot, Val::Missing)
                    && self.scope.place != Place::Due
                {
                    self.no_value(names, range);
                }
                self.fields(dot, names, range)
            }
            OperandKind::Variable(name, fields) => {
                let value = if name.is_empty() {
                    self.root.clone()
                } else if self.partial {
                    Val::Late
                } else {
                    self.variables.iter().rev().find(|(n, _)| n == name).map_or(Val::Missing, |(_, v)| v.clone())
                };
                self.fields(value, fields, range)
            }
            OperandKind::Function(name) => self.call(name, &[], None, range, range.start),
            OperandKind::Paren(pipe) => self.commands(pipe),
            OperandKind::Chain(inner, fields) => {
                let value = self.deeper(range, |e| e.operand(inner))?;
                self.fields(value, fields, range)
            }
        }
    }

    fn no_value(&mut self, names: &[String], range: &Range<usize>) {
        let field = format!(".{}", names.join("."));
        let fault = Fault::warning(
            code::NO_VALUE,
            range.clone(),
            format!("`{field}` has no value here and comes out as `<no value>`"),
        )
        .help(match self.scope.place {
            Place::Variable => {
                "in a variable, data of the build can only stand alone in its action, as in `{{ .Name }}`"
            }
            _ => "data such as `.Vars` or `.SourceAMI` exists only in fields that are rendered while the build runs",
        });
        self.found.fault(fault);
    }

    /// `.A.B` of a value. What a map does not have is missing, and so is anything of what is missing.
    fn fields(&mut self, value: Val<'a>, names: &[String], range: &Range<usize>) -> Evaluated<Val<'a>> {
        let mut value = value;
        for name in names {
            value = match value {
                Val::Map(map) => map.get(name).map_or(Val::Missing, Val::of_json),
                Val::Missing | Val::Late | Val::Unknown => value,
                other => {
                    let message = format!("`.{name}` is asked of {}, which has no fields", other.described());
                    return Err(Fault::new(code::CALL, range.clone(), message));
                }
            };
        }
        Ok(value)
    }

    fn call(
        &mut self,
        name: &'a str,
        operands: &'a [Operand],
        piped: Option<Val<'a>>,
        range: &Range<usize>,
        from: usize,
    ) -> Evaluated<Val<'a>> {
        let Some(function) = function::find(name) else {
            // Reported when the text was read.
            return Ok(Val::Unknown);
        };
        let count = operands.len() + usize::from(piped.is_some());
        if let Some(fault) = function::miscounted(function, count, range) {
            return Err(fault);
        }
        if matches!(name, "and" | "or") {
            return self.choose(name == "and", operands, piped);
        }
        let mut values = Vec::with_capacity(count);
        let mut ranges = Vec::with_capacity(count);
        for operand in operands {
            values.push(self.operand(operand)?);
            ranges.push(operand.range.clone());
        }
        if let Some(value) = piped {
            values.push(value);
            ranges.push(range.clone());
        }
        let read = values.iter().map(|v| if let Val::Text(s) = v { s.text.len() } else { 8 }).sum::<usize>();
        self.spend(read.min(MAX_TEXT), range)?;
        if values.iter().any(|v| matches!(v, Val::Unknown)) {
            return Ok(Val::Unknown);
        }
        if values.iter().any(|v| matches!(v, Val::Late)) {
            return Ok(Val::Late);
        }
        let arguments = Arguments { name, range, ranges: &ranges, values: &values, from };
        let value = match builtin::call(&arguments)? {
            Some(value) => value,
            None => self.packer(&arguments)?,
        };
        if let Val::Text(text) = &value {
            self.spend(text.text.len(), range)?;
            if !text.is_secret() && values.iter().any(|v| matches!(v, Val::Text(s) if s.is_secret())) {
                return Ok(Val::Text(self.derived(&text.text, from..range.end)));
            }
        }
        Ok(value)
    }

    /// `and` and `or`: the first operand that decides, else the last; what follows is not evaluated.
    fn choose(&mut self, all: bool, operands: &'a [Operand], piped: Option<Val<'a>>) -> Evaluated<Val<'a>> {
        let mut value = Val::Missing;
        for operand in operands {
            value = self.operand(operand)?;
            if matches!(value, Val::Late | Val::Unknown) || value.is_true() != all {
                return Ok(value);
            }
        }
        Ok(piped.unwrap_or(value))
    }

    /// Text that was computed from secrets, or is one by its origin: a secret named after the expression.
    pub fn derived(&mut self, text: &Rc<str>, source: Range<usize>) -> Str {
        if text.is_empty() {
            return Str::plain(Rc::clone(text));
        }
        let expression = self.text.get(source).unwrap_or_default().trim();
        let place = self.scope.build_name.map_or_else(String::new, |name| format!(" of {name}"));
        let mut reference = SecretRef(format!("text:{{{{{expression}}}}}{place}"));
        let mut number = 2;
        // The same expression can give another value in a loop.
        while self.is_taken(&reference, text) {
            reference = SecretRef(format!("text:{{{{{expression}}}}}{place} #{number}"));
            number += 1;
        }
        self.found.secrets.insert(reference.clone(), text.as_ref());
        Str { text: Rc::clone(text), pieces: Some([Piece::Secret(reference)].into()) }
    }

    fn is_taken(&self, reference: &SecretRef, text: &str) -> bool {
        [&self.found.secrets, self.scope.secrets].iter().any(|s| {
            let value = s.reveal(reference);
            !value.is_empty() && value != text
        })
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

/// A call: the function, its arguments, their places.
pub(super) struct Arguments<'c, 'a> {
    pub name: &'a str,
    pub range: &'c Range<usize>,
    pub ranges: &'c [Range<usize>],
    pub values: &'c [Val<'a>],
    /// Where the pipeline of the call begins.
    pub from: usize,
}

impl<'a> Arguments<'_, 'a> {
    pub fn fault(&self, message: impl Into<String>) -> Fault {
        Fault::new(code::CALL, self.range.clone(), message)
    }

    pub fn string(&self, index: usize) -> Evaluated<&Str> {
        match self.values.get(index) {
            Some(Val::Text(text)) => Ok(text),
            other => Err(self.mistyped(index, "a string", other)),
        }
    }

    pub fn integer(&self, index: usize) -> Evaluated<i64> {
        match self.values.get(index) {
            Some(Val::Integer(n)) => Ok(*n),
            // A constant such as `1e3` is an integer where one is wanted.
            #[allow(clippy::cast_possible_truncation)] // whole and within range
            Some(Val::Float(f)) if f.fract() == 0.0 && f.abs() < 9e15 => Ok(*f as i64),
            other => Err(self.mistyped(index, "an integer", other)),
        }
    }

    fn mistyped(&self, index: usize, wanted: &str, got: Option<&Val<'a>>) -> Fault {
        let range = self.ranges.get(index).unwrap_or(self.range).clone();
        let got = got.map_or("nothing", Val::described);
        let fault = Fault::new(code::CALL, range, format!("`{}` wants {wanted} here and got {got}", self.name));
        match function::find(self.name) {
            Some(function) => fault.help(format!("write `{{{{{}}}}}`", function.usage)),
            None => fault,
        }
    }
}
