//! Renders what is known now and leaves the rest as template text, for fields that are rendered again when a step is due.
//!
//! Values go in as they are where they stand alone, as in Packer, which renders such a field again with all that came in;
//! inside an action that stays they become quoted constants. Variables of the text itself always stay.

use super::ast::{Branch, Command, Node, NodeKind, Operand, OperandKind, Pipe};
use super::eval::{Evaluated, Evaluator, Output};
use super::fault::Fault;
use super::parse::{self, Template};
use super::quote;
use super::value::{Str, Val};
use crate::run::value::Piece;
use crate::text::code::engine as code;

/// Whether any part of a text hangs on what is known later.
pub(super) fn is_late(template: &Template) -> bool {
    let mut late = !template.definitions.is_empty();
    for node in &template.nodes {
        node.each_pipe(&mut |pipe| {
            pipe.each_operand(&mut |operand| {
                late |= match &operand.kind {
                    OperandKind::Dot | OperandKind::Field(_) => true,
                    OperandKind::Variable(name, _) => name.is_empty(),
                    OperandKind::Function(name) => matches!(name.as_str(), "build" | "hcl"),
                    _ => false,
                };
            });
        });
    }
    late
}

impl<'a> Evaluator<'a> {
    /// Renders the whole text as far as it goes.
    pub(super) fn run_partial(&mut self, out: &mut Output) {
        self.partial = true;
        let template = self.template;
        for (name, nodes) in &template.definitions {
            out.plain(&format!("{{{{define {}}}}}", quote::quote(name, '"', false)));
            self.part_of_all(nodes, out);
            out.plain("{{end}}");
        }
        self.part_of_all(&template.nodes, out);
    }

    fn part_of_all(&mut self, nodes: &'a [Node], out: &mut Output) {
        for node in nodes {
            if let Err(fault) = self.part(node, out) {
                let fatal = fault.code == code::TOO_LARGE;
                self.found.fault(fault);
                if fatal {
                    return;
                }
            }
        }
    }

    fn parts(&mut self, nodes: &'a [Node], out: &mut Output) -> Evaluated<()> {
        nodes.iter().try_for_each(|node| self.part(node, out))
    }

    fn part(&mut self, node: &'a Node, out: &mut Output) -> Evaluated<()> {
        self.step(&node.range)?;
        match &node.kind {
            NodeKind::Literal(literal) => out.plain(literal),
            NodeKind::Break => open(out, "{{break}}"),
            NodeKind::Continue => open(out, "{{continue}}"),
            NodeKind::Action(pipe) => {
                let value = self.pipe(pipe)?;
                if matches!(value, Val::Late) || !pipe.variables.is_empty() {
                    self.stay("", pipe, node, out)?;
                } else {
                    self.insert(&value, pipe, out)?;
                }
            }
            NodeKind::If(branch) => {
                let value = self.pipe(&branch.pipe)?;
                if matches!(value, Val::Late) || !branch.pipe.variables.is_empty() {
                    return self.deeper(&node.range, |e| e.branches("if ", branch, node, out));
                }
                let chosen = if value.is_true() { &branch.then } else { &branch.otherwise };
                return self.deeper(&node.range, |e| e.parts(chosen, out));
            }
            NodeKind::With(branch) => return self.deeper(&node.range, |e| e.branches("with ", branch, node, out)),
            NodeKind::Range(branch) => return self.deeper(&node.range, |e| e.branches("range ", branch, node, out)),
            NodeKind::Template { name, argument } => {
                if !self.template.definitions.contains_key(name) {
                    return Err(Fault::new(
                        code::CALL,
                        node.range.clone(),
                        format!("template `{name}` is not defined"),
                    ));
                }
                let word = format!("template {}", quote::quote(name, '"', false));
                match argument {
                    Some(pipe) => self.stay(&format!("{word} "), pipe, node, out)?,
                    None => open(out, &format!("{{{{{word}}}}}")),
                }
            }
        }
        Ok(())
    }

    fn branches(&mut self, word: &str, branch: &'a Branch, node: &'a Node, out: &mut Output) -> Evaluated<()> {
        self.stay(word, &branch.pipe, node, out)?;
        self.parts(&branch.then, out)?;
        if !branch.otherwise.is_empty() {
            open(out, "{{else}}");
            self.parts(&branch.otherwise, out)?;
        }
        open(out, "{{end}}");
        Ok(())
    }

    /// A known value, where it stands.
    fn insert(&mut self, value: &Val<'a>, pipe: &'a Pipe, out: &mut Output) -> Evaluated<()> {
        let after_brace = matches!(out.pieces.last(), Some(Piece::Plain(p)) if p.ends_with('{'));
        if let Val::Text(text) = value
            && (breaks(&text.text) || after_brace && text.text.starts_with('{'))
        {
            open(out, "{{");
            self.constant(value, pipe, out)?;
            out.plain("}}");
            return Ok(());
        }
        self.print(value, out, &pipe.range)
    }

    /// An action that stays: as it stands, or with what is known put in.
    fn stay(&mut self, word: &str, pipe: &'a Pipe, node: &'a Node, out: &mut Output) -> Evaluated<()> {
        let mut calls = false;
        pipe.each_operand(&mut |o| calls |= matches!(&o.kind, OperandKind::Function(_)));
        if !calls {
            // Evaluated for its mistakes.
            self.pipe(pipe)?;
            let verbatim = match &node.kind {
                // A `block` has been defined before.
                NodeKind::Template { .. } => format!("{{{{{word}{}}}}}", &self.text[pipe.range.clone()]),
                _ => self.verbatim(&node.range),
            };
            open(out, &verbatim);
            return Ok(());
        }
        open(out, "{{");
        out.plain(word);
        if !pipe.variables.is_empty() {
            let names: Vec<_> = pipe.variables.iter().map(|v| format!("${v}")).collect();
            out.plain(&format!("{} {} ", names.join(", "), if pipe.assigns { "=" } else { ":=" }));
        }
        self.remains(pipe, out)?;
        out.plain("}}");
        Ok(())
    }

    /// A pipeline with what is known at its beginning made one constant.
    fn remains(&mut self, pipe: &'a Pipe, out: &mut Output) -> Evaluated<()> {
        let (mut known, mut value) = (None, None);
        for (i, command) in pipe.commands.iter().enumerate() {
            let next = self.command(command, value, pipe.range.start)?;
            if !matches!(next, Val::Late) {
                known = Some((i, next.clone()));
            }
            value = Some(next);
        }
        let mut rest = pipe.commands.as_slice();
        if let Some((i, value)) = known {
            self.constant(&value, pipe, out)?;
            rest = &pipe.commands[i + 1..];
            if !rest.is_empty() {
                out.plain(" | ");
            }
        }
        for (i, command) in rest.iter().enumerate() {
            if i > 0 {
                out.plain(" | ");
            }
            self.command_remains(command, out)?;
        }
        Ok(())
    }

    fn command_remains(&mut self, command: &'a Command, out: &mut Output) -> Evaluated<()> {
        for (i, operand) in command.operands.iter().enumerate() {
            match &operand.kind {
                OperandKind::Function(name) if i == 0 => out.plain(name),
                _ => {
                    if i > 0 {
                        out.plain(" ");
                    }
                    self.deeper(&operand.range, |e| e.operand_remains(operand, out))?;
                }
            }
        }
        Ok(())
    }

    fn operand_remains(&mut self, operand: &'a Operand, out: &mut Output) -> Evaluated<()> {
        match &operand.kind {
            OperandKind::Function(_) => {
                let value = self.operand(operand)?;
                self.constant_at(&value, operand, out)?;
            }
            OperandKind::Paren(pipe) => {
                let value = self.operand(operand)?;
                if !matches!(value, Val::Late) {
                    return self.constant_at(&value, operand, out);
                }
                out.plain("(");
                self.remains(pipe, out)?;
                out.plain(")");
            }
            OperandKind::Chain(inner, fields) => {
                self.deeper(&operand.range, |e| e.operand_remains(inner, out))?;
                out.plain(&format!(".{}", fields.join(".")));
            }
            _ => out.plain(&self.text[operand.range.clone()]),
        }
        Ok(())
    }

    fn constant(&mut self, value: &Val<'a>, pipe: &'a Pipe, out: &mut Output) -> Evaluated<()> {
        let made = self.quoted(value, pipe.range.clone())?;
        out.str(&made);
        Ok(())
    }

    fn constant_at(&mut self, value: &Val<'a>, operand: &'a Operand, out: &mut Output) -> Evaluated<()> {
        let made = self.quoted(value, operand.range.clone())?;
        out.str(&made);
        Ok(())
    }

    /// A constant of the template language with this value.
    fn quoted(&mut self, value: &Val<'a>, range: std::ops::Range<usize>) -> Evaluated<Str> {
        Ok(match value {
            Val::Text(text) => {
                self.spend(text.text.len(), &range)?;
                let quoted: std::rc::Rc<str> = quote::quote(&text.text, '"', false).into();
                match &text.pieces {
                    None => Str::plain(quoted),
                    // Nothing had to be escaped: the secret's own name stays.
                    Some(pieces) if quoted.len() == text.text.len() + 2 => {
                        let mark = || std::iter::once(Piece::Plain("\"".into()));
                        Str { text: quoted, pieces: Some(mark().chain(pieces.iter().cloned()).chain(mark()).collect()) }
                    }
                    Some(_) => self.derived(&quoted, range),
                }
            }
            Val::Float(f) if f.fract() == 0.0 => Str::plain(format!("{f:.1}")),
            Val::Missing => Str::plain("nil"),
            other => Str::plain(other.print("nil")),
        })
    }
}

/// Whether a value would disturb the text around it when that is rendered again. One that is a template itself does not:
/// Packer renders it too.
pub(super) fn breaks(text: &str) -> bool {
    text.ends_with('{') || text.contains("{{") && !parse::is_well_formed(text)
}

/// Begins an action: a brace before it must not run into it.
fn open(out: &mut Output, text: &str) {
    if let Some(Piece::Plain(last)) = out.pieces.last_mut()
        && last.ends_with('{')
    {
        last.pop();
        out.plain("{{\"{\"}}");
    }
    out.plain(text);
}
