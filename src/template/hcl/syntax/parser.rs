//! Bodies: attributes and blocks, and how reading goes on after a mistake.

use std::collections::HashMap;

use super::ast::{Attribute, Block, Body, Expression, Name, Part};
use super::lexer::{self, Lexed};
use super::token::{Token, TokenKind};
use crate::text::code::hcl_syntax as code;
use crate::text::{Diagnostic, SourceId, Span};

/// Brackets, templates and blocks in one another; beyond that a text is refused.
pub(super) const DEEPEST: usize = 100;

/// A mistake that has been reported.
pub(super) struct Reported;

pub(super) type Read<T> = Result<T, Reported>;

pub(super) struct Parser<'a> {
    pub(super) text: &'a str,
    pub(super) source: SourceId,
    /// Without comments.
    tokens: Vec<Token>,
    at: usize,
    /// Reading ends before this token, for now.
    limit: usize,
    /// Where it ends next.
    limits: std::vec::IntoIter<usize>,
    /// Whether line ends count; they do not within brackets.
    newlines: Vec<bool>,
    depth: usize,
    /// Where everything is said to stand, if not where it stands.
    fixed: Option<Span>,
    pub(super) diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Parser<'a> {
    pub(super) fn new(text: &'a str, source: SourceId, recover: bool, diagnostics: &'a mut Vec<Diagnostic>) -> Self {
        let lexed = lexer::lex(text, source, recover, diagnostics);
        Self::over(lexed, text, source, None, diagnostics)
    }

    pub(super) fn of_template(
        text: &'a str,
        source: SourceId,
        fixed: Option<Span>,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let lexed = lexer::lex_template(text, source, fixed, diagnostics);
        Self::over(lexed, text, source, fixed, diagnostics)
    }

    fn over(
        lexed: Lexed,
        text: &'a str,
        source: SourceId,
        fixed: Option<Span>,
        diagnostics: &'a mut Vec<Diagnostic>,
    ) -> Self {
        let mut limits = Vec::new();
        let mut breaks = lexed.breaks.iter().copied().peekable();
        let mut tokens = Vec::with_capacity(lexed.tokens.len());
        for (index, token) in lexed.tokens.into_iter().enumerate() {
            while breaks.next_if(|b| *b <= index).is_some() {
                limits.push(tokens.len());
            }
            if token.kind != TokenKind::Comment {
                tokens.push(token);
            }
        }
        limits.push(tokens.len() - 1);
        let mut limits = limits.into_iter();
        let limit = limits.next().unwrap_or(0);
        Self { text, source, tokens, at: 0, limit, limits, newlines: vec![true], depth: 0, fixed, diagnostics }
    }

    /// All of it is said to stand at `place`.
    pub(super) fn fixed(mut self, place: Span) -> Self {
        self.fixed = Some(place);
        self
    }

    pub(super) fn file(&mut self) -> Body {
        let mut body = Body::default();
        let mut names = HashMap::new();
        loop {
            self.items(&mut body, &mut names, true);
            match self.limits.next() {
                Some(limit) => {
                    self.at = self.limit;
                    self.limit = limit;
                    self.newlines = vec![true];
                }
                None => return body,
            }
        }
    }

    pub(super) fn lone_expression(&mut self) -> Option<Expression> {
        while self.eat(TokenKind::Newline).is_some() {}
        let expression = self.expression().ok()?;
        while self.eat(TokenKind::Newline).is_some() {}
        let next = self.peek();
        if next.kind != TokenKind::End {
            let span = self.span(next);
            self.error(code::SYNTAX, span, "the expression is over before this", "one expression is wanted");
            return None;
        }
        Some(expression)
    }

    pub(super) fn lone_template(&mut self) -> Option<Vec<Part>> {
        self.template(TokenKind::End, false).ok()
    }

    /// Attributes and blocks up to a closing brace, which is left, or the end.
    fn items(&mut self, body: &mut Body, names: &mut HashMap<String, Span>, top: bool) {
        loop {
            let token = self.peek();
            let start = self.at;
            match token.kind {
                TokenKind::Newline => {
                    self.next();
                }
                TokenKind::End => return,
                TokenKind::CloseBrace if !top => return,
                TokenKind::CloseBrace => {
                    let span = self.span(token);
                    let diagnostic = Diagnostic::error(code::UNCLOSED, span, "this brace closes nothing");
                    self.diagnostics.push(diagnostic.help("remove it, or open its block before it"));
                    self.next();
                }
                TokenKind::Identifier => {
                    if self.item(body, names).is_err() {
                        self.skip_item(start);
                    }
                }
                TokenKind::OpenQuote => {
                    self.quoted_name();
                    self.skip_item(start);
                }
                TokenKind::Invalid => self.skip_item(start),
                _ => {
                    let span = self.span(token);
                    self.error(
                        code::SYNTAX,
                        span,
                        format!("an attribute or a block is expected here, not {}", self.described(token)),
                        "write `name = value`, or `name {` for a block",
                    );
                    self.skip_item(start);
                }
            }
        }
    }

    fn quoted_name(&mut self) {
        let start = self.next();
        let text = self.next();
        let name = text.text(self.text).to_owned();
        let span = self.span(start).to(self.span(text));
        let plain = text.kind == TokenKind::QuotedText && self.peek().kind == TokenKind::CloseQuote;
        let mut diagnostic =
            Diagnostic::error(code::QUOTED_NAME, span, "the name of an attribute stands without quotes");
        if plain {
            let span = span.to(self.span(self.peek()));
            diagnostic.span = Some(span);
            diagnostic = diagnostic.fix(format!("Write `{name}`"), span, name.clone());
        }
        self.diagnostics.push(diagnostic.help("remove the quotes"));
    }

    fn item(&mut self, body: &mut Body, names: &mut HashMap<String, Span>) -> Read<()> {
        let name = self.name();
        match self.peek().kind {
            TokenKind::Assign => {
                self.next();
                let attribute = self.attribute(name)?;
                self.line_end()?;
                self.add(attribute, body, names);
            }
            TokenKind::OpenQuote | TokenKind::Identifier | TokenKind::OpenBrace => {
                let block = self.block(name)?;
                body.blocks.push(block);
                let next = self.peek();
                if !matches!(next.kind, TokenKind::Newline | TokenKind::End) {
                    let span = self.span(next);
                    self.error(code::LINE, span, "a new line is expected after the block", "begin a new line here");
                    return Err(Reported);
                }
            }
            _ => {
                let next = self.peek();
                let message = format!("`{}` is followed by {}, not by `=` or `{{`", name.text, self.described(next));
                let help = if next.kind == TokenKind::Colon {
                    "write `=` instead of `:`".to_owned()
                } else {
                    format!("write `{0} = value`, or `{0} {{` for a block", name.text)
                };
                let span = if next.kind == TokenKind::Newline { name.span } else { self.span(next) };
                self.diagnostics.push(Diagnostic::error(code::SYNTAX, span, message).help(help));
                return Err(Reported);
            }
        }
        Ok(())
    }

    fn add(&mut self, attribute: Attribute, body: &mut Body, names: &mut HashMap<String, Span>) {
        if let Some(first) = names.get(&attribute.name.text) {
            self.diagnostics.push(
                Diagnostic::error(code::TWICE, attribute.name.span, format!("`{}` is set twice", attribute.name.text))
                    .label("again here")
                    .related(*first, "first here")
                    .help("remove one of the two"),
            );
            return;
        }
        names.insert(attribute.name.text.clone(), attribute.name.span);
        body.attributes.push(attribute);
    }

    /// After `name =`.
    fn attribute(&mut self, name: Name) -> Read<Attribute> {
        let next = self.peek();
        if matches!(next.kind, TokenKind::Newline | TokenKind::End) {
            let message = format!("`{}` has no value", name.text);
            self.error(code::SYNTAX, name.span, message, "write one after the `=`, on the same line");
            return Err(Reported);
        }
        let expression = self.expression()?;
        Ok(Attribute { span: name.span.to(expression.span), name, expression })
    }

    fn line_end(&mut self) -> Read<()> {
        let next = self.peek();
        match next.kind {
            TokenKind::Newline | TokenKind::End => return Ok(()),
            TokenKind::Comma => self.error(
                code::LINE,
                self.span(next),
                "attributes are not separated by commas",
                "write each on a line of its own",
            ),
            TokenKind::Invalid => {}
            _ => self.error(
                code::LINE,
                self.span(next),
                format!("a new line is expected after the value, not {}", self.described(next)),
                "write each attribute on a line of its own; a text needs quotes around it",
            ),
        }
        Err(Reported)
    }

    fn block(&mut self, kind: Name) -> Read<Block> {
        let mut labels = Vec::new();
        let mut header = kind.span;
        let open = loop {
            let next = self.peek();
            match next.kind {
                TokenKind::OpenBrace => break self.next(),
                TokenKind::Identifier => labels.push(self.name()),
                TokenKind::OpenQuote => labels.push(self.label()?),
                _ => {
                    let message =
                        format!("the head of the block `{}` ends in {}, not in `{{`", kind.text, self.described(next));
                    let span = if next.kind == TokenKind::Newline { header } else { self.span(next) };
                    self.error(code::SYNTAX, span, message, "write `{` at the end of the line");
                    return Err(Reported);
                }
            }
            header = labels.last().map_or(header, |l| header.to(l.span));
        };
        let named = labels.iter().fold(kind.text.clone(), |name, l| format!("{name} {:?}", l.text));
        self.deeper(self.span(open))?;
        let mut body = Body::default();
        let mut names = HashMap::new();
        let done = match self.peek().kind {
            TokenKind::Newline | TokenKind::End => {
                self.items(&mut body, &mut names, false);
                Ok(())
            }
            TokenKind::CloseBrace => Ok(()),
            _ => self.one_line(&mut body, &mut names),
        };
        self.depth -= 1;
        done?;
        let close = self.peek();
        if close.kind != TokenKind::CloseBrace {
            self.diagnostics.push(
                Diagnostic::error(code::UNCLOSED, self.span(open), format!("the block `{named}` is not closed"))
                    .label("opened here")
                    .help("write `}` on a line of its own where the block ends"),
            );
            return Ok(Block { span: header.to(self.span(open)), kind, labels, body, header });
        }
        self.next();
        Ok(Block { span: header.to(self.span(close)), kind, labels, body, header })
    }

    /// `{ name = value }` on one line.
    fn one_line(&mut self, body: &mut Body, names: &mut HashMap<String, Span>) -> Read<()> {
        let start = self.peek();
        if start.kind != TokenKind::Identifier {
            let message = format!("an attribute is expected here, not {}", self.described(start));
            self.error(code::SYNTAX, self.span(start), message, "write `name = value`");
            return Err(Reported);
        }
        let name = self.name();
        let next = self.peek();
        if next.kind != TokenKind::Assign {
            let span = name.span.to(self.span(next));
            self.error(
                code::LINE,
                span,
                "a block on one line holds one attribute and no other block",
                "begin a new line after the `{`",
            );
            return Err(Reported);
        }
        self.next();
        let attribute = self.attribute(name)?;
        self.add(attribute, body, names);
        let next = self.peek();
        match next.kind {
            TokenKind::CloseBrace | TokenKind::End => return Ok(()),
            TokenKind::Newline => self.error(
                code::LINE,
                self.span(next),
                "a block that begins on one line with its attribute must end on it",
                "write `}` on the same line, or begin a new line after the `{`",
            ),
            TokenKind::Comma => self.error(
                code::LINE,
                self.span(next),
                "a block on one line holds only one attribute",
                "write each attribute on a line of its own",
            ),
            _ => {
                let message = format!("`}}` is expected here, not {}", self.described(next));
                self.error(code::LINE, self.span(next), message, "write each attribute on a line of its own");
            }
        }
        Err(Reported)
    }

    fn label(&mut self) -> Read<Name> {
        let open = self.next();
        let parts = self.template(TokenKind::CloseQuote, false)?;
        let end = self.tokens.get(self.at.saturating_sub(1)).copied().unwrap_or(open);
        let span = self.span(open).to(self.span(end));
        match parts.as_slice() {
            [] => Ok(Name { text: String::new(), span }),
            [Part::Text(literal)] => Ok(Name { text: literal.value.clone(), span }),
            _ => {
                self.error(
                    code::SYNTAX,
                    span,
                    "the label of a block is a plain string",
                    "write it without `${` and `%{`",
                );
                Err(Reported)
            }
        }
    }

    pub(super) fn name(&mut self) -> Name {
        let token = self.next();
        Name { text: token.text(self.text).to_owned(), span: self.span(token) }
    }

    /// Goes to the end of the item that began at token `start` and in which a mistake was found.
    fn skip_item(&mut self, start: usize) {
        use TokenKind as K;
        let reached = self.at;
        let mut open: Vec<K> = Vec::new();
        self.at = start;
        self.newlines.truncate(1);
        while self.at < self.limit {
            let kind = self.tokens[self.at].kind;
            let closes = match kind {
                K::Newline if open.is_empty() && self.at >= reached => return,
                K::OpenBrace
                | K::OpenBracket
                | K::OpenParen
                | K::OpenQuote
                | K::OpenHeredoc
                | K::Interpolation
                | K::Directive => {
                    open.push(kind);
                    None
                }
                K::CloseBrace => Some([K::OpenBrace, K::OpenBrace]),
                K::CloseBracket => Some([K::OpenBracket, K::OpenBracket]),
                K::CloseParen => Some([K::OpenParen, K::OpenParen]),
                K::CloseQuote => Some([K::OpenQuote, K::OpenQuote]),
                K::CloseHeredoc => Some([K::OpenHeredoc, K::OpenHeredoc]),
                K::SequenceEnd => Some([K::Interpolation, K::Directive]),
                _ => None,
            };
            if let Some(opens) = closes {
                // What was opened after it and is not closed ends here too.
                match open.iter().rposition(|k| opens.contains(k)) {
                    Some(index) => open.truncate(index),
                    None if kind == K::CloseBrace && self.at >= reached => return,
                    None => {}
                }
            }
            self.at += 1;
        }
    }

    /// The next token that counts; past the limit the end.
    pub(super) fn peek(&self) -> Token {
        self.peek_nth(0)
    }

    /// The token after `n` others that count.
    pub(super) fn peek_nth(&self, n: usize) -> Token {
        let newlines = self.newlines.last().copied().unwrap_or(true);
        let mut rest = n;
        for token in &self.tokens[self.at.min(self.limit)..self.limit] {
            if token.kind == TokenKind::Newline && !newlines {
                continue;
            }
            if rest == 0 {
                return *token;
            }
            rest -= 1;
        }
        let end = self.tokens.get(self.limit).map_or(0, |t| t.start);
        Token { kind: TokenKind::End, start: end, end }
    }

    pub(super) fn next(&mut self) -> Token {
        let newlines = self.newlines.last().copied().unwrap_or(true);
        while self.at < self.limit {
            let token = self.tokens[self.at];
            self.at += 1;
            if token.kind != TokenKind::Newline || newlines {
                return token;
            }
        }
        self.peek()
    }

    pub(super) fn eat(&mut self, kind: TokenKind) -> Option<Token> {
        (self.peek().kind == kind).then(|| self.next())
    }

    pub(super) fn span(&self, token: Token) -> Span {
        self.fixed.unwrap_or_else(|| token.span(self.source))
    }

    /// The span of the token that was read last.
    pub(super) fn last_span(&self) -> Span {
        self.tokens.get(self.at.saturating_sub(1)).map_or_else(|| Span::new(self.source, 0, 0), |t| self.span(*t))
    }

    /// Reads something in which line ends count or not.
    pub(super) fn with_newlines<T>(&mut self, count: bool, read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.newlines.len();
        self.newlines.push(count);
        let result = read(self);
        self.newlines.truncate(before);
        result
    }

    /// One level deeper; the caller goes up again.
    pub(super) fn deeper(&mut self, at: Span) -> Read<()> {
        if self.depth >= DEEPEST {
            self.error(
                code::TOO_DEEP,
                at,
                format!("this stands in more than {DEEPEST} brackets, templates or blocks"),
                "give a part of it a name of its own, in `locals`",
            );
            return Err(Reported);
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn shallower(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(super) fn error(
        &mut self,
        code: crate::text::Code,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.diagnostics.push(Diagnostic::error(code, span, message).help(help));
    }

    /// A token as in a sentence.
    pub(super) fn described(&self, token: Token) -> String {
        match token.kind {
            TokenKind::End => "the end of the text".into(),
            TokenKind::Newline => "the end of the line".into(),
            TokenKind::OpenQuote => "a string".into(),
            TokenKind::OpenHeredoc => "a here-document".into(),
            TokenKind::QuotedText | TokenKind::HeredocText => "text".into(),
            TokenKind::CloseQuote => "the end of the string".into(),
            TokenKind::CloseHeredoc => "the end of the here-document".into(),
            _ => format!("`{}`", token.text(self.text).escape_debug()),
        }
    }
}
