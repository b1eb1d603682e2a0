//! Splits a template text into literals and the tokens of its actions.

use std::ops::Range;

use super::ast::Number;
use super::fault::Fault;
use super::{number, quote};
use crate::text::code::engine as code;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// What stands between actions, trimmed where an action's `-` says so.
    Literal(String),
    Open,
    Close,
    /// A function's name or a keyword.
    Word(String),
    /// `.Name`
    Field(String),
    /// `$name`, without `$`.
    Variable(String),
    Dot,
    Text(String),
    Number(Number),
    Pipe,
    Declare,
    Assign,
    Comma,
    LeftParen,
    RightParen,
    Space,
    End,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme {
    pub token: Token,
    pub range: Range<usize>,
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// All tokens of a text; the last is [`Token::End`].
///
/// # Errors
/// The first place that cannot be read: nothing after it can be understood.
pub(super) fn lex(text: &str) -> Result<Vec<Lexeme>, Fault> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    let mut trim = false;
    loop {
        let start = lexer.at;
        let Some(open) = text[start..].find("{{").map(|i| start + i) else {
            lexer.literal(start..text.len(), trim, false);
            lexer.at = text.len();
            lexer.push(Token::End, text.len());
            return Ok(lexer.tokens);
        };
        lexer.at = open + 2;
        let trims_left = lexer.rest().starts_with('-') && lexer.rest()[1..].starts_with(SPACE);
        lexer.literal(start..open, trim, trims_left);
        if trims_left {
            lexer.at += 2;
        }
        trim = if lexer.rest().starts_with("/*") { lexer.comment(open)? } else { lexer.action(open)? };
    }
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Lexeme>,
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn push(&mut self, token: Token, start: usize) {
        self.tokens.push(Lexeme { token, range: start..self.at });
    }

    fn literal(&mut self, range: Range<usize>, trim_start: bool, trim_end: bool) {
        let mut literal = &self.text[range.clone()];
        if trim_start {
            literal = literal.trim_start_matches(SPACE);
        }
        if trim_end {
            literal = literal.trim_end_matches(SPACE);
        }
        if !literal.is_empty() {
            self.tokens.push(Lexeme { token: Token::Literal(literal.into()), range });
        }
    }

    /// Skips a comment; gives whether what follows is to be trimmed.
    fn comment(&mut self, open: usize) -> Result<bool, Fault> {
        let Some(end) = self.rest()[2..].find("*/") else {
            return Err(
                Fault::new(code::SYNTAX, open..open + 2, "this comment is not closed").help("end it with `*/}}`")
            );
        };
        self.at += 2 + end + 2;
        let Some((length, trims)) = self.closing() else {
            return Err(Fault::new(code::SYNTAX, open..self.at, "the action does not end where its comment ends")
                .help("a comment stands alone in its action: `{{/* … */}}`"));
        };
        self.at += length;
        Ok(trims)
    }

    /// Length of a closing delimiter here, and whether it trims.
    fn closing(&self) -> Option<(usize, bool)> {
        let rest = self.rest();
        if rest.starts_with("}}") {
            return Some((2, false));
        }
        let marked = rest.strip_prefix(SPACE).is_some_and(|r| r.starts_with("-}}"));
        marked.then_some((4, true))
    }

    /// Reads up to the action's end; gives whether what follows is to be trimmed.
    fn action(&mut self, open: usize) -> Result<bool, Fault> {
        self.tokens.push(Lexeme { token: Token::Open, range: open..self.at });
        let mut parens = Vec::new();
        loop {
            let start = self.at;
            if let Some((length, trims)) = self.closing() {
                if let Some(paren) = parens.pop() {
                    return Err(syntax(paren..paren + 1, "this parenthesis is not closed").help("add `)`"));
                }
                self.at += length;
                self.push(Token::Close, start);
                return Ok(trims);
            }
            let Some(c) = self.rest().chars().next() else {
                return Err(syntax(open..open + 2, "this action is not closed").help("end it with `}}`"));
            };
            self.at += c.len_utf8();
            let token = match c {
                c if SPACE.contains(&c) => {
                    while self.closing().is_none() && self.rest().starts_with(SPACE) {
                        self.at += 1;
                    }
                    Token::Space
                }
                '|' => Token::Pipe,
                ',' => Token::Comma,
                '=' => Token::Assign,
                ':' if self.rest().starts_with('=') => {
                    self.at += 1;
                    Token::Declare
                }
                '(' => {
                    parens.push(start);
                    Token::LeftParen
                }
                ')' => {
                    if parens.pop().is_none() {
                        return Err(syntax(start..self.at, "this parenthesis was never opened"));
                    }
                    Token::RightParen
                }
                '"' | '\'' => self.quoted(start, c)?,
                '`' => {
                    let Some(length) = self.rest().find('`') else {
                        return Err(
                            syntax(start..start + 1, "this back-quoted string is not closed").help("add a back quote")
                        );
                    };
                    let inside = self.rest()[..length].to_owned();
                    self.at += length + 1;
                    Token::Text(inside)
                }
                '$' => {
                    let name = self.name();
                    self.terminated(start)?;
                    Token::Variable(name)
                }
                '.' if !self.rest().starts_with(|c: char| c.is_ascii_digit()) => {
                    let name = self.name();
                    self.terminated(start)?;
                    if name.is_empty() { Token::Dot } else { Token::Field(name) }
                }
                '.' | '+' | '-' | '0'..='9' => self.number(start)?,
                c if is_name(c) => {
                    self.at = start;
                    let name = self.name();
                    self.terminated(start)?;
                    Token::Word(name)
                }
                _ => return Err(syntax(start..self.at, format!("`{}` means nothing in an action", c.escape_debug()))),
            };
            self.push(token, start);
        }
    }

    /// A string or a character constant; its opening quote has been read.
    fn quoted(&mut self, start: usize, mark: char) -> Result<Token, Fault> {
        let what = if mark == '"' { "string" } else { "character" };
        let mut escaped = false;
        let end = self.rest().char_indices().find(|&(_, c)| {
            let ends = !escaped && c == mark || c == '\n';
            escaped = !escaped && c == '\\';
            ends
        });
        let Some((length, c)) = end.filter(|&(_, c)| c == mark) else {
            return Err(syntax(start..start + 1, format!("this {what} is not closed on its line")));
        };
        let inside = &self.rest()[..length];
        let first = start + c.len_utf8();
        self.at += length + 1;
        let text = quote::unquote(inside, mark).map_err(|at| {
            let end = inside[at..].char_indices().nth(2).map_or(inside.len(), |(i, _)| at + i);
            syntax(first + at..first + end, format!("`{}` is no escape that Go's strings know", &inside[at..end]))
                .help("for a backslash write `\\\\`, or put the string in back quotes")
        })?;
        if mark == '"' {
            return Ok(Token::Text(text));
        }
        let mut chars = text.chars();
        match (chars.next(), chars.next()) {
            (Some(c), None) => Ok(Token::Number(Number {
                integer: Some(i64::from(u32::from(c))),
                float: f64::from(u32::from(c)),
                is_float: false,
            })),
            _ => Err(syntax(start..self.at, "single quotes hold exactly one character")
                .help("write a string in double quotes or back quotes")),
        }
    }

    fn number(&mut self, start: usize) -> Result<Token, Fault> {
        let length = number::length(&self.text[start..]);
        self.at = start + length.max(1);
        while self.rest().starts_with(is_name) {
            self.at += self.rest().chars().next().map_or(0, char::len_utf8);
        }
        let written = &self.text[start..self.at];
        match number::parse(written) {
            Some(number) => Ok(Token::Number(number)),
            None if number::is_imaginary(written) => {
                Err(syntax(start..self.at, format!("`{written}` is an imaginary number, which kiln does not know"))
                    .help("no function of a template takes one"))
            }
            None => Err(syntax(start..self.at, format!("`{written}` is not a number"))),
        }
    }

    fn name(&mut self) -> String {
        let rest = self.rest();
        let length = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
        self.at += length;
        rest[..length].to_owned()
    }

    /// A name must end where a name can end.
    fn terminated(&self, start: usize) -> Result<(), Fault> {
        let rest = self.rest();
        let ends = rest.is_empty()
            || rest.starts_with(SPACE)
            || rest.starts_with(['.', ',', '|', ':', '=', ')', '('])
            || rest.starts_with("}}");
        if ends {
            return Ok(());
        }
        let c = rest.chars().next().unwrap_or_default();
        let after = &self.text[start..self.at];
        let place = self.at..self.at + c.len_utf8();
        if matches!(c, '`' | '"') {
            return Err(syntax(place, format!("a string cannot stand directly after `{after}`"))
                .help(format!("put a space between `{after}` and the string")));
        }
        let fault = syntax(place, format!("`{}` cannot stand after `{after}`", c.escape_debug()));
        Err(if c == '-' {
            fault.help("names in a template have no `-`; for a map's key write `index .Map \"the-key\"`")
        } else {
            fault
        })
    }
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

pub(super) fn syntax(range: Range<usize>, message: impl Into<String>) -> Fault {
    Fault::new(code::SYNTAX, range, message)
}
