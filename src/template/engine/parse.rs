//! Reads the tokens of a template text into its tree.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ast::{Branch, Command, Node, NodeKind, Operand, OperandKind, Pipe};
use super::fault::Fault;
use super::function;
use super::lex::{Lexeme, Token, lex, syntax};
use crate::text::code::engine as code;
use crate::text::diagnostic::did_you_mean;

/// How deep parentheses and control structures may nest: far beyond what people write, well within the stack.
const MAX_DEPTH: usize = 100;

/// A text, read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Template {
    pub nodes: Vec<Node>,
    /// What `define` and `block` name.
    pub definitions: BTreeMap<String, Vec<Node>>,
}

/// Reads a text. Unknown functions do not stop it: they are in `faults`, all of them.
///
/// # Errors
/// The first syntax error.
pub(super) fn parse(text: &str, amazon: bool, faults: &mut Vec<Fault>) -> Result<Template, Fault> {
    let tokens = lex(text)?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        depth: 0,
        loops: 0,
        variables: Vec::new(),
        definitions: BTreeMap::new(),
        amazon,
        faults,
    };
    let (nodes, end) = parser.nodes()?;
    match end {
        Ending::Text => Ok(Template { nodes, definitions: parser.definitions }),
        Ending::End(range) => Err(syntax(range, "there is nothing open that this `end` could close")),
        Ending::Else(range) => Err(syntax(range, "this `else` belongs to no `if`, `range` or `with`")),
    }
}

/// Whether a text is a well-formed template.
pub(super) fn is_well_formed(text: &str) -> bool {
    let mut faults = Vec::new();
    parse(text, true, &mut faults).is_ok() && faults.iter().all(|f| f.warning)
}

/// What ended a list of nodes.
enum Ending {
    Text,
    End(Range<usize>),
    /// The parser stands behind the word.
    Else(Range<usize>),
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Lexeme>,
    at: usize,
    depth: usize,
    /// How many `range`s are open.
    loops: usize,
    variables: Vec<String>,
    definitions: BTreeMap<String, Vec<Node>>,
    amazon: bool,
    faults: &'a mut Vec<Fault>,
}

type Parsed<T> = Result<T, Fault>;

impl Parser<'_> {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |t| &t.token)
    }

    fn range(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |t| t.range.clone())
    }

    fn next(&mut self) -> (Token, Range<usize>) {
        let next = (self.peek().clone(), self.range());
        self.at += 1;
        next
    }

    fn skip_space(&mut self) {
        while *self.peek() == Token::Space {
            self.at += 1;
        }
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::new(
                code::TOO_LARGE,
                self.range(),
                format!("this nests deeper than {MAX_DEPTH} levels"),
            ));
        }
        self.depth += 1;
        let read = read(self);
        self.depth -= 1;
        read
    }

    /// Nodes up to the end of the text, or to an `end` or `else` on this level.
    fn nodes(&mut self) -> Parsed<(Vec<Node>, Ending)> {
        let mut nodes = Vec::new();
        loop {
            let (token, range) = self.next();
            match token {
                Token::Literal(literal) => nodes.push(Node { kind: NodeKind::Literal(literal), range }),
                Token::Open => match self.action(range.start)? {
                    Action::Node(node) => nodes.push(node),
                    Action::Nothing => {}
                    Action::Ends(ending) => return Ok((nodes, ending)),
                },
                _ => return Ok((nodes, Ending::Text)),
            }
        }
    }

    fn action(&mut self, open: usize) -> Parsed<Action> {
        self.skip_space();
        let word = if let Token::Word(word) = self.peek() { word.clone() } else { String::new() };
        let range = self.range();
        if matches!(
            word.as_str(),
            "if" | "with" | "range" | "end" | "else" | "break" | "continue" | "define" | "template" | "block"
        ) {
            self.at += 1;
        }
        let kind = match word.as_str() {
            "if" | "with" | "range" => return self.control(open, &word, range).map(Action::Node),
            "end" => {
                self.close("end")?;
                return Ok(Action::Ends(Ending::End(range)));
            }
            "else" => return Ok(Action::Ends(Ending::Else(range))),
            "break" | "continue" if self.loops == 0 => {
                return Err(syntax(range, format!("`{word}` stands in no `range`")));
            }
            "break" => NodeKind::Break,
            "continue" => NodeKind::Continue,
            "define" => return self.define(range).map(|()| Action::Nothing),
            "block" => return self.block(open, range).map(Action::Node),
            "template" => {
                let name = self.template_name("template")?;
                self.skip_space();
                let argument = if *self.peek() == Token::Close { None } else { Some(self.pipe(open)?) };
                NodeKind::Template { name, argument }
            }
            _ => NodeKind::Action(self.pipe(open)?),
        };
        let end = self.close(&word)?;
        Ok(Action::Node(Node { kind, range: open..end }))
    }

    /// The closing delimiter; gives where it ends.
    fn close(&mut self, after: &str) -> Parsed<usize> {
        self.skip_space();
        let (token, range) = self.next();
        if token == Token::Close {
            return Ok(range.end);
        }
        let what = self.text.get(range.clone()).unwrap_or_default();
        Err(syntax(
            range,
            if after.is_empty() {
                format!("`{what}` is not expected here")
            } else {
                format!("`{what}` is not expected after `{after}`")
            },
        ))
    }

    fn control(&mut self, open: usize, word: &str, place: Range<usize>) -> Parsed<Node> {
        let scope = self.variables.len();
        self.skip_space();
        if *self.peek() == Token::Close {
            return Err(syntax(place, format!("`{word}` needs a value"))
                .help(format!("write `{{{{{word} VALUE}}}}…{{{{end}}}}`")));
        }
        let pipe = self.declaring_pipe(open, word == "range")?;
        let end = self.close(word)?;
        let branch = self.deeper(|parser| {
            parser.loops += usize::from(word == "range");
            let body = parser.nodes();
            parser.loops -= usize::from(word == "range");
            let (then, ending) = body?;
            let unclosed =
                || syntax(place.clone(), format!("this `{word}` is not closed")).help("end it with `{{end}}`");
            let otherwise = match ending {
                Ending::End(_) => Vec::new(),
                Ending::Text => return Err(unclosed()),
                Ending::Else(_) => parser.otherwise(word, &unclosed)?,
            };
            Ok(Branch { pipe, then, otherwise })
        })?;
        self.variables.truncate(scope);
        let kind = match word {
            "if" => NodeKind::If(branch),
            "with" => NodeKind::With(branch),
            _ => NodeKind::Range(branch),
        };
        Ok(Node { kind, range: open..end })
    }

    /// What follows `else`: `}}` and a body, or another of the same kind that shares the `end`.
    fn otherwise(&mut self, word: &str, unclosed: &dyn Fn() -> Fault) -> Parsed<Vec<Node>> {
        self.skip_space();
        if let Token::Word(next) = self.peek().clone()
            && next == word
            && word != "range"
        {
            let range = self.range();
            self.at += 1;
            return Ok(vec![self.control(range.start, &next, range)?]);
        }
        self.close("else")?;
        match self.nodes()? {
            (nodes, Ending::End(_)) => Ok(nodes),
            (_, Ending::Else(range)) => Err(syntax(range, format!("this `{word}` already has an `else`"))),
            (_, Ending::Text) => Err(unclosed()),
        }
    }

    fn template_name(&mut self, word: &str) -> Parsed<String> {
        self.skip_space();
        match self.next() {
            (Token::Text(name), _) => Ok(name),
            (_, range) => Err(syntax(range, format!("`{word}` needs a name in quotes"))),
        }
    }

    fn define(&mut self, place: Range<usize>) -> Parsed<()> {
        if self.depth > 0 {
            return Err(
                syntax(place, "`define` stands inside another action").help("define templates on the outermost level")
            );
        }
        let name = self.template_name("define")?;
        self.close("define")?;
        let body = self.body(&place, "define")?;
        self.definitions.insert(name, body);
        Ok(())
    }

    fn block(&mut self, open: usize, place: Range<usize>) -> Parsed<Node> {
        let name = self.template_name("block")?;
        self.skip_space();
        let argument = self.pipe(open)?;
        let end = self.close("block")?;
        let body = self.body(&place, "block")?;
        self.definitions.insert(name.clone(), body);
        Ok(Node { kind: NodeKind::Template { name, argument: Some(argument) }, range: open..end })
    }

    /// The body of a definition: it sees no variable of its surroundings.
    fn body(&mut self, place: &Range<usize>, word: &str) -> Parsed<Vec<Node>> {
        let (variables, loops) = (std::mem::take(&mut self.variables), std::mem::take(&mut self.loops));
        let body = self.deeper(Self::nodes)?;
        (self.variables, self.loops) = (variables, loops);
        match body {
            (nodes, Ending::End(_)) => Ok(nodes),
            (_, Ending::Else(range)) => Err(syntax(range, format!("a `{word}` has no `else`"))),
            (_, Ending::Text) => {
                Err(syntax(place.clone(), format!("this `{word}` is not closed")).help("end it with `{{end}}`"))
            }
        }
    }

    fn pipe(&mut self, open: usize) -> Parsed<Pipe> {
        self.declaring_pipe(open, false)
    }

    /// A pipeline that may begin with `$x :=`, in a `range` also with `$i, $x :=`.
    fn declaring_pipe(&mut self, open: usize, two: bool) -> Parsed<Pipe> {
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

    fn known_variable(&self, name: &str, range: &Range<usize>) -> Parsed<()> {
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

    fn commands(&mut self, open: usize) -> Parsed<Pipe> {
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

    fn command(&mut self) -> Parsed<Command> {
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

    fn operand(&mut self) -> Parsed<Option<Operand>> {
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

    fn term(&mut self) -> Parsed<Option<Operand>> {
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

enum Action {
    Node(Node),
    /// A definition.
    Nothing,
    Ends(Ending),
}
