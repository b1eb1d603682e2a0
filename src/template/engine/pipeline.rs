//! Reads what stands in an action: pipelines, commands, operands.

use std::ops::Range;

use super::ast::{Command, Operand, OperandKind, Pipe};
use super::function;
use super::lex::{Token, syntax};
use super::parse::{Parsed, Parser};
use crate::text::diagnostic::did_you_mean;

impl Parser<'_> {
    pub(super) fn pipe(&mut self, open: usize) -> Parsed<Pipe> {
        self.declaring_pipe(open, false)
    }

    /// A pipeline that may begin with `$x :=`, in a `range` also with `$i, $x :=`.
    pub(super) fn declaring_pipe(&mut self, open: usize, two: bool) -> Parsed<Pipe> {
        self.skip_space();
        let mut declared: Vec<(String, Range<usize>)> = Vec::new();
        let mut assigns = false;
        let start = self.at;
        while let (Token::Variable(name), range) = (self.peek().clone(), self.range()) {
            self.at += 1;
            self.skip_space();
            declared.push((name, range));
            match self.peek() {
                Token::Declare | Token::Assign => {
                    assigns = *self.peek() == Token::Assign;
                    self.at += 1;
                    break;
                }
                Token::Comma if two && declared.len() == 1 => {
                    self.at += 1;
                    self.skip_space();
                }
                _ => {
                    declared.clear();
                    self.at = start;
                    break;
                }
            }
        }
        for (name, range) in &declared {
            if assigns {
                self.known_variable(name, range)?;
            } else if name.is_empty() {
                return Err(syntax(range.clone(), "`$` is the data itself and cannot be declared"));
            }
        }
        let pipe = self.commands(open)?;
        let variables: Vec<String> = declared.into_iter().map(|(name, _)| name).collect();
        if !assigns {
            self.variables.extend(variables.iter().cloned());
        }
        Ok(Pipe { variables, assigns, ..pipe })
    }

    pub(super) fn known_variable(&self, name: &str, range: &Range<usize>) -> Parsed<()> {
        if name.is_empty() || self.variables.iter().any(|v| v == name) {
            return Ok(());
        }
        let near = did_you_mean(name, self.variables.iter().map(String::as_str)).map(|n| format!("${n}"));
        Err(syntax(range.clone(), format!("variable `${name}` is not declared here"))
            .help(format!(
                "declare it first: `{{{{${name} := …}}}}`; a user variable is written ``{{{{user `{name}`}}}}``"
            ))
            .suggest(range.clone(), near.as_deref()))
    }

    pub(super) fn commands(&mut self, open: usize) -> Parsed<Pipe> {
        let mut commands: Vec<Command> = Vec::new();
        loop {
            self.skip_space();
            let place = self.range();
            let command = self.command()?;
            if command.operands.is_empty() {
                let (place, message) = match (self.peek(), commands.is_empty()) {
                    (Token::Close, true) if self.depth == 0 => (open..place.end, "this action is empty".to_owned()),
                    (Token::Close | Token::RightParen, _) => (place, "a value is missing here".to_owned()),
                    _ => {
                        (place.clone(), format!("`{}` is not expected here", self.text.get(place).unwrap_or_default()))
                    }
                };
                return Err(syntax(place, message));
            }
            commands.push(command);
            if *self.peek() != Token::Pipe {
                break;
            }
            self.at += 1;
        }
        for command in commands.iter().skip(1) {
            if let Some(first) = command.operands.first()
                && matches!(
                    first.kind,
                    OperandKind::Bool(_)
                        | OperandKind::Dot
                        | OperandKind::Nil
                        | OperandKind::Number(_)
                        | OperandKind::Text(_)
                )
            {
                return Err(syntax(first.range.clone(), "only a function can stand after `|`"));
            }
        }
        let first = commands.first().map_or(open, |c| c.range.start);
        let last = commands.last().map_or(open, |c| c.range.end);
        Ok(Pipe { variables: Vec::new(), assigns: false, commands, range: first..last })
    }

    pub(super) fn command(&mut self) -> Parsed<Command> {
        let mut operands: Vec<Operand> = Vec::new();
        loop {
            self.skip_space();
            let Some(operand) = self.operand()? else { break };
            operands.push(operand);
            match self.peek() {
                Token::Space => {}
                Token::Pipe | Token::Close | Token::RightParen | Token::End => break,
                _ => {
                    let range = self.range();
                    let what = self.text.get(range.clone()).unwrap_or_default();
                    return Err(syntax(range, format!("`{what}` cannot follow directly"))
                        .help("put a space between two values"));
                }
            }
        }
        self.skip_space();
        if !operands.is_empty() && !matches!(self.peek(), Token::Pipe | Token::Close | Token::RightParen) {
            self.close("")?;
        }
        let start = operands.first().map_or(0, |o| o.range.start);
        let end = operands.last().map_or(0, |o| o.range.end);
        Ok(Command { operands, range: start..end })
    }

    pub(super) fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(term) = self.term()? else { return Ok(None) };
        let mut fields = Vec::new();
        let mut end = term.range.end;
        while let (Token::Field(name), range) = (self.peek().clone(), self.range()) {
            fields.push(name);
            end = range.end;
            self.at += 1;
        }
        if fields.is_empty() {
            return Ok(Some(term));
        }
        let range = term.range.start..end;
        let kind = match term.kind {
            OperandKind::Field(mut names) => {
                names.extend(fields);
                OperandKind::Field(names)
            }
            OperandKind::Variable(name, mut names) => {
                names.extend(fields);
                OperandKind::Variable(name, names)
            }
            OperandKind::Function(_) | OperandKind::Paren(_) => OperandKind::Chain(Box::new(term), fields),
            _ => return Err(syntax(term.range.end..end, "a constant has no fields")),
        };
        Ok(Some(Operand { kind, range }))
    }

    pub(super) fn term(&mut self) -> Parsed<Option<Operand>> {
        let (token, range) = (self.peek().clone(), self.range());
        let kind = match token {
            Token::Dot => OperandKind::Dot,
            Token::Field(name) => OperandKind::Field(vec![name]),
            Token::Variable(name) => {
                self.known_variable(&name, &range)?;
                OperandKind::Variable(name, Vec::new())
            }
            Token::Text(text) => OperandKind::Text(text),
            Token::Number(number) => OperandKind::Number(number),
            Token::LeftParen => {
                self.at += 1;
                let pipe = self.deeper(|parser| parser.commands(range.start))?;
                self.skip_space();
                let (token, end) = self.next();
                if token != Token::RightParen {
                    return Err(syntax(range.start..range.start + 1, "this parenthesis is not closed").help("add `)`"));
                }
                return Ok(Some(Operand { kind: OperandKind::Paren(Box::new(pipe)), range: range.start..end.end }));
            }
            Token::Word(word) => match word.as_str() {
                "true" => OperandKind::Bool(true),
                "false" => OperandKind::Bool(false),
                "nil" => OperandKind::Nil,
                _ => {
                    if let Some(fault) = function::unknown(&word, &range, self.amazon) {
                        self.faults.push(fault);
                    }
                    OperandKind::Function(function::todays_name(&word).map_or(word, str::to_owned))
                }
            },
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(Operand { kind, range }))
    }
}
