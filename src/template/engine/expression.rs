//! The values of pipelines: operands, fields, calls.

use std::ops::Range;
use std::rc::Rc;

use super::arguments::Arguments;
use super::ast::{Command, Operand, OperandKind, Pipe};
use super::eval::{Evaluated, Evaluator, MAX_TEXT, Place};
use super::fault::Fault;
use super::value::{Str, Val};
use super::{builtin, function};
use crate::run::SecretRef;
use crate::run::value::Piece;
use crate::text::code::engine as code;

impl<'a> Evaluator<'a> {
    /// The value of a pipeline; its variables are bound.
    pub fn pipe(&mut self, pipe: &'a Pipe) -> Evaluated<Val<'a>> {
        let value = self.commands(pipe)?;
        if let Some(name) = pipe.variables.first() {
            self.bind(name, pipe.assigns, value.clone());
        }
        Ok(value)
    }

    pub(super) fn commands(&mut self, pipe: &'a Pipe) -> Evaluated<Val<'a>> {
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
                fields_of(dot, names, range)
            }
            OperandKind::Variable(name, fields) => {
                let value = if name.is_empty() {
                    self.root.clone()
                } else if self.partial {
                    Val::Late
                } else {
                    self.variables.iter().rev().find(|(n, _)| n == name).map_or(Val::Missing, |(_, v)| v.clone())
                };
                fields_of(value, fields, range)
            }
            OperandKind::Function(name) => self.call(name, &[], None, range, range.start),
            OperandKind::Paren(pipe) => self.commands(pipe),
            OperandKind::Chain(inner, fields) => {
                let value = self.deeper(range, |e| e.operand(inner))?;
                fields_of(value, fields, range)
            }
        }
    }

    pub(super) fn no_value(&mut self, names: &[String], range: &Range<usize>) {
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

    pub(super) fn call(
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
    pub(super) fn choose(&mut self, all: bool, operands: &'a [Operand], piped: Option<Val<'a>>) -> Evaluated<Val<'a>> {
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

    pub(super) fn is_taken(&self, reference: &SecretRef, text: &str) -> bool {
        [&self.found.secrets, self.scope.secrets].iter().any(|s| {
            let value = s.reveal(reference);
            !value.is_empty() && value != text
        })
    }
}

/// `.A.B` of a value. What a map does not have is missing, and so is anything of what is missing.
fn fields_of<'a>(value: Val<'a>, names: &[String], range: &Range<usize>) -> Evaluated<Val<'a>> {
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
