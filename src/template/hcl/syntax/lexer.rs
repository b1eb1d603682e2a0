//! From text to tokens, as `HashiCorp`'s scanner cuts it: every byte but blanks is in some token.
//!
//! Mistakes of the letters (an unclosed string, a character that HCL has not) are reported here, and reading goes on.

use super::token::{Token, TokenKind};
use crate::text::code::hcl_syntax as code;
use crate::text::{Diagnostic, SourceId, Span};

/// What opens a block at the top level of a Packer template.
pub(super) const TOP_LEVEL: [&str; 9] =
    ["packer", "source", "variables", "variable", "locals", "local", "data", "build", "hcp_packer_registry"];

/// What the lexer is in the middle of.
#[derive(Debug)]
enum Mode {
    /// Expressions and bodies; how many braces are open. `in_template`: the brace beyond them ends a sequence.
    Normal {
        braces: u32,
        in_template: bool,
    },
    Quoted {
        start: usize,
    },
    Heredoc {
        marker: (usize, usize),
        start: (usize, usize),
        line_start: bool,
    },
}

pub(super) struct Lexed {
    pub tokens: Vec<Token>,
    /// Where a block of the top level seems to begin inside of something that is not closed: numbers of tokens.
    pub breaks: Vec<usize>,
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    source: SourceId,
    modes: Vec<Mode>,
    tokens: Vec<Token>,
    breaks: Vec<usize>,
    /// Whether what looks like a new block at the start of a line ends everything that is open.
    recover: bool,
    /// Where everything is said to stand, if not where it stands.
    fixed: Option<Span>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

/// Cuts `text` into tokens; the last is [`TokenKind::End`].
///
/// With `recover`, a line that begins with the head of a block of the top level closes what is still open before it.
pub(super) fn lex(text: &str, source: SourceId, recover: bool, diagnostics: &mut Vec<Diagnostic>) -> Lexed {
    let start = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    run(text, start, Mode::Normal { braces: 0, in_template: false }, source, recover, None, diagnostics)
}

/// Cuts the text of a template without quotes around it, as `templatefile` reads one.
pub(super) fn lex_template(
    text: &str,
    source: SourceId,
    fixed: Option<Span>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Lexed {
    let mode = Mode::Heredoc { marker: (0, 0), start: (0, 0), line_start: false };
    run(text, 0, mode, source, false, fixed, diagnostics)
}

fn run(
    text: &str,
    at: usize,
    mode: Mode,
    source: SourceId,
    recover: bool,
    fixed: Option<Span>,
    diagnostics: &mut Vec<Diagnostic>,
) -> Lexed {
    let mut lexer = Lexer {
        text,
        bytes: text.as_bytes(),
        at,
        source,
        modes: vec![mode],
        tokens: Vec::with_capacity(text.len() / 4),
        breaks: Vec::new(),
        recover,
        fixed,
        diagnostics,
    };
    lexer.all();
    Lexed { tokens: lexer.tokens, breaks: lexer.breaks }
}

impl Lexer<'_> {
    fn all(&mut self) {
        while self.at < self.bytes.len() {
            match self.modes.last() {
                Some(Mode::Quoted { start }) => {
                    let start = *start;
                    self.quoted(start);
                }
                Some(Mode::Heredoc { marker, line_start, .. }) => {
                    let (marker, line_start) = (*marker, *line_start);
                    self.heredoc(marker, line_start);
                }
                _ => self.normal(),
            }
        }
        self.unfinished(self.text.len());
        self.push(TokenKind::End, self.text.len());
    }

    /// Reports what is open; an open brace is the parser's to report.
    fn unfinished(&mut self, at: usize) {
        while let Some(mode) = self.modes.pop() {
            match mode {
                Mode::Heredoc { start, marker, .. } if marker.0 != marker.1 => {
                    let name = &self.text[marker.0..marker.1];
                    self.diagnostics.push(
                        Diagnostic::error(
                            code::HEREDOC,
                            self.span(start.0, start.1),
                            format!("this text has no end: no line consists of `{name}`"),
                        )
                        .help(format!("write `{name}` alone on the line after the text, and end that line")),
                    );
                }
                Mode::Quoted { start } => self.unclosed_string(start, at),
                _ => {}
            }
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        self.fixed.unwrap_or_else(|| Span::new(self.source, start, end))
    }

    fn push(&mut self, kind: TokenKind, end: usize) {
        let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.tokens.push(Token { kind, start: clamp(self.at), end: clamp(end) });
        self.at = end;
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Whether a line that begins here looks like the head of a block of the top level.
    fn at_block(&self) -> bool {
        let rest = &self.text[self.at..];
        TOP_LEVEL.iter().any(|word| {
            rest.strip_prefix(word).is_some_and(|after| {
                let line = after.lines().next().unwrap_or("").trim_end();
                after.starts_with([' ', '\t', '"', '{']) && line.ends_with('{') && !line.contains('=')
            })
        })
    }

    /// At the start of a line: closes what is open where a new block begins.
    fn line_start(&mut self) {
        if self.recover && self.at_block() {
            let open = self.modes.len() > 1 || !matches!(self.modes.first(), Some(Mode::Normal { braces: 0, .. }));
            if open {
                self.unfinished(self.at);
                self.modes.push(Mode::Normal { braces: 0, in_template: false });
            }
            self.breaks.push(self.tokens.len());
        }
    }

    fn normal(&mut self) {
        let c = self.bytes[self.at];
        match c {
            b' ' | b'\t' => self.at += 1,
            b'\r' if self.peek(1) != b'\n' => self.at += 1,
            b'\n' | b'\r' => {
                let end = self.at + if c == b'\r' { 2 } else { 1 };
                self.push(TokenKind::Newline, end);
                self.line_start();
            }
            b'#' => self.comment(),
            b'/' if self.peek(1) == b'/' => self.comment(),
            b'/' if self.peek(1) == b'*' => self.long_comment(),
            b'"' => {
                self.modes.push(Mode::Quoted { start: self.at });
                self.push(TokenKind::OpenQuote, self.at + 1);
            }
            b'0'..=b'9' => self.number(),
            b'<' if self.peek(1) == b'<' && self.open_heredoc() => {}
            _ => match self.text[self.at..].chars().next() {
                Some(c) if is_identifier_start(c) => self.identifier(),
                Some(c) => self.symbol(c),
                None => self.at = self.bytes.len(),
            },
        }
    }

    fn comment(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest.find('\n').unwrap_or(rest.len());
        let end = if rest[..end].ends_with('\r') { end - 1 } else { end };
        self.push(TokenKind::Comment, self.at + end);
    }

    fn long_comment(&mut self) {
        if let Some(end) = self.text[self.at + 2..].find("*/") {
            self.push(TokenKind::Comment, self.at + 2 + end + 2);
            return;
        }
        let span = self.span(self.at, self.at + 2);
        let diagnostic = Diagnostic::error(code::UNCLOSED, span, "this comment is not closed");
        self.diagnostics.push(diagnostic.help("write `*/` at its end"));
        self.push(TokenKind::Comment, self.text.len());
    }

    fn number(&mut self) {
        let mut end = self.at;
        loop {
            let byte = |i: usize| self.bytes.get(i).copied().unwrap_or(0);
            let exponent = matches!(byte(end), b'e' | b'E');
            let signed = usize::from(matches!(byte(end + 1), b'+' | b'-'));
            if byte(end).is_ascii_digit() || byte(end) == b'.' {
                end += 1;
            } else if exponent && byte(end + 1 + signed).is_ascii_digit() {
                end += 2 + signed;
            } else {
                break;
            }
        }
        while self.bytes[end - 1] == b'.' {
            end -= 1;
        }
        self.push(TokenKind::Number, end);
    }

    fn identifier(&mut self) {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(is_identifier_start(c) || c.is_alphanumeric() || c == '-' || is_mark(c)));
        self.push(TokenKind::Identifier, self.at + end.unwrap_or(rest.len()));
    }

    /// `<<MARK` or `<<-MARK` and a line end; whether it was one.
    fn open_heredoc(&mut self) -> bool {
        let name = self.at + if self.peek(2) == b'-' { 3 } else { 2 };
        let rest = &self.text[name..];
        if !rest.chars().next().is_some_and(is_identifier_start) {
            return false;
        }
        let length = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(rest.len());
        let line_end = match rest.as_bytes().get(length..) {
            Some([b'\n', ..]) => 1,
            Some([b'\r', b'\n', ..]) => 2,
            _ => return false,
        };
        let marker = (name, name + length);
        self.modes.push(Mode::Heredoc { marker, start: (self.at, marker.1), line_start: true });
        self.push(TokenKind::OpenHeredoc, name + length + line_end);
        true
    }

    fn symbol(&mut self, c: char) {
        use TokenKind as K;
        let two = [self.bytes[self.at], self.peek(1)];
        if let Some(Mode::Normal { braces, in_template }) = self.modes.last_mut() {
            if c == '}' && *braces == 0 && *in_template {
                self.modes.pop();
                self.push(K::SequenceEnd, self.at + 1);
                return;
            }
            if &two == b"~}" && *braces == 0 && *in_template {
                self.modes.pop();
                self.push(K::SequenceEnd, self.at + 2);
                return;
            }
            match c {
                '{' => *braces += 1,
                '}' => *braces = braces.saturating_sub(1),
                _ => {}
            }
        }
        if c == '.' && self.peek(1) == b'.' && self.peek(2) == b'.' {
            self.push(K::Ellipsis, self.at + 3);
            return;
        }
        let kind = match &two {
            b"==" => Some(K::Equal),
            b"!=" => Some(K::NotEqual),
            b"<=" => Some(K::LessOrEqual),
            b">=" => Some(K::GreaterOrEqual),
            b"&&" => Some(K::And),
            b"||" => Some(K::Or),
            b"=>" => Some(K::FatArrow),
            b"::" => Some(K::DoubleColon),
            _ => None,
        };
        if let Some(kind) = kind {
            self.push(kind, self.at + 2);
            return;
        }
        let kind = match c {
            '{' => K::OpenBrace,
            '}' => K::CloseBrace,
            '[' => K::OpenBracket,
            ']' => K::CloseBracket,
            '(' => K::OpenParen,
            ')' => K::CloseParen,
            '*' => K::Star,
            '/' => K::Slash,
            '+' => K::Plus,
            '-' => K::Minus,
            '%' => K::Percent,
            '=' => K::Assign,
            '<' => K::Less,
            '>' => K::Greater,
            '!' => K::Not,
            '.' => K::Dot,
            ',' => K::Comma,
            '?' => K::Question,
            ':' => K::Colon,
            _ => {
                self.strange(c);
                K::Invalid
            }
        };
        self.push(kind, self.at + c.len_utf8());
    }

    fn strange(&mut self, c: char) {
        let end = self.at + c.len_utf8();
        let span = self.span(self.at, end);
        let (message, help) = match c {
            '\'' => ("a string stands in double quotes".to_owned(), "write `\"` instead of `'`"),
            '\u{201c}' | '\u{201d}' | '\u{2018}' | '\u{2019}' => {
                ("these are typographic quotes".to_owned(), "write the straight double quote `\"`")
            }
            '`' => ("HCL has no strings in back quotes".to_owned(), "write `\"`, or `<<EOT` for several lines"),
            ';' => ("HCL has no semicolons".to_owned(), "begin a new line instead"),
            '&' => ("HCL has no operator `&`".to_owned(), "did you mean `&&`?"),
            '|' => ("HCL has no operator `|`".to_owned(), "did you mean `||`?"),
            '^' | '~' => (format!("HCL has no operator `{c}`"), "HCL has no operators on bits"),
            '$' => (
                "a `$` means something in strings only".to_owned(),
                "write the name alone, such as `var.name`; `${…}` is for strings",
            ),
            _ => (
                format!("the character `{}` has no meaning here", c.escape_debug()),
                "remove it, or put it in a string",
            ),
        };
        let line = self.tokens.iter().rev().take_while(|t| t.kind != TokenKind::Newline);
        let repeated = line.into_iter().any(|t| t.kind == TokenKind::Invalid);
        if !repeated {
            self.diagnostics.push(Diagnostic::error(code::CHARACTER, span, message).help(help));
        }
    }

    fn quoted(&mut self, start: usize) {
        let mut end = self.at;
        while let Some(&c) = self.bytes.get(end) {
            match c {
                b'"' => {
                    self.literal(end);
                    self.modes.pop();
                    self.push(TokenKind::CloseQuote, end + 1);
                    return;
                }
                b'\n' => break,
                b'\r' if self.bytes.get(end + 1) == Some(&b'\n') => break,
                b'\\' => {
                    end += 1;
                    end += self
                        .text
                        .get(end..)
                        .and_then(|t| t.chars().next())
                        .filter(|c| *c != '\n')
                        .map_or(0, char::len_utf8);
                }
                b'$' | b'%' => match self.sequence(end) {
                    Some(true) => {
                        self.literal(end);
                        self.open_sequence();
                        return;
                    }
                    Some(false) => end += 3,
                    None => end += 1,
                },
                _ => end += 1,
            }
        }
        let end = end.min(self.text.len());
        self.literal(end);
        self.unclosed_string(start, end);
        self.modes.pop();
        self.push(TokenKind::CloseQuote, end);
    }

    fn unclosed_string(&mut self, start: usize, end: usize) {
        let end = self.text[start..end].find('\n').map_or(end, |i| start + i);
        self.diagnostics.push(
            Diagnostic::error(code::STRING, self.span(start, end), "this string is not closed on its line")
                .label("begins here")
                .help("write `\"` at its end; for several lines use `\\n` or a here-document, `<<EOT`"),
        );
    }

    /// What stands at a `$` or `%`: `true` a sequence, `false` an escaped one, nothing special.
    fn sequence(&self, at: usize) -> Option<bool> {
        let c = self.bytes[at];
        match (self.bytes.get(at + 1), self.bytes.get(at + 2)) {
            (Some(b'{'), _) => Some(true),
            (Some(next), Some(b'{')) if *next == c => Some(false),
            _ => None,
        }
    }

    fn literal(&mut self, end: usize) {
        if end > self.at {
            self.push(TokenKind::QuotedText, end);
        }
    }

    fn open_sequence(&mut self) {
        let kind = if self.bytes[self.at] == b'$' { TokenKind::Interpolation } else { TokenKind::Directive };
        let length = if self.peek(2) == b'~' { 3 } else { 2 };
        self.modes.push(Mode::Normal { braces: 0, in_template: true });
        self.push(kind, self.at + length);
    }

    /// At most one line of a here-document.
    fn heredoc(&mut self, marker: (usize, usize), line_start: bool) {
        let mut end = self.at;
        while let Some(&c) = self.bytes.get(end) {
            match c {
                b'\n' => {
                    end += 1;
                    let line = self.text[self.at..end].trim();
                    if line_start && marker.0 != marker.1 && line == &self.text[marker.0..marker.1] {
                        let close = end - if self.text[..end].ends_with("\r\n") { 2 } else { 1 };
                        self.modes.pop();
                        self.push(TokenKind::CloseHeredoc, close);
                        return;
                    }
                    self.push(TokenKind::HeredocText, end);
                    self.at_line_start(true);
                    if self.recover && self.missing(marker) {
                        self.line_start();
                    }
                    return;
                }
                b'$' | b'%' => match self.sequence(end) {
                    Some(true) => {
                        if end > self.at {
                            self.push(TokenKind::HeredocText, end);
                        }
                        self.at_line_start(false);
                        self.open_sequence();
                        return;
                    }
                    Some(false) => end += 3,
                    None => end += 1,
                },
                _ => end += 1,
            }
        }
        self.push(TokenKind::HeredocText, end);
    }

    fn at_line_start(&mut self, value: bool) {
        if let Some(Mode::Heredoc { line_start, .. }) = self.modes.last_mut() {
            *line_start = value;
        }
    }

    /// Whether no later line is the closing marker.
    fn missing(&self, marker: (usize, usize)) -> bool {
        let name = &self.text[marker.0..marker.1];
        self.at_block() && !self.text[self.at..].lines().any(|line| line.trim() == name)
    }
}

fn is_identifier_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Marks that go on a letter.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{203f}' | '\u{2040}')
}
