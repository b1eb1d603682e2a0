//! Reads the tokens of a template text into its tree.

use std::collections::BTreeMap;
use std::ops::Range;

use super::ast::{Branch, Node, NodeKind};
use super::fault::Fault;
use super::lex::{Lexeme, Token, lex, syntax};
use crate::text::code::engine as code;

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

pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub tokens: Vec<Lexeme>,
    pub at: usize,
    pub depth: usize,
    /// How many `range`s are open.
    pub loops: usize,
    pub variables: Vec<String>,
    pub definitions: BTreeMap<String, Vec<Node>>,
    pub amazon: bool,
    pub faults: &'a mut Vec<Fault>,
}

pub(super) type Parsed<T> = Result<T, Fault>;

impl Parser<'_> {
    pub(super) fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |t| &t.token)
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.tokens.get(self.at).map_or(self.text.len()..self.text.len(), |t| t.range.clone())
    }

    pub(super) fn next(&mut self) -> (Token, Range<usize>) {
        let next = (self.peek().clone(), self.range());
        self.at += 1;
        next
    }

    pub(super) fn skip_space(&mut self) {
        while *self.peek() == Token::Space {
            self.at += 1;
        }
    }

    pub(super) fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
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
    pub(super) fn close(&mut self, after: &str) -> Parsed<usize> {
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
}

enum Action {
    Node(Node),
    /// A definition.
    Nothing,
    Ends(Ending),
}
