//! Expressions, by precedence climbing.

use super::ast::{BinaryOperator, Expression, ExpressionKind, For, Literal, Part, UnaryOperator};
use super::parser::{Parser, Read, Reported};
use super::token::{Token, TokenKind};
use crate::template::hcl::value::{Number, Type, Value};
use crate::text::code::hcl_syntax as code;
use crate::text::{Diagnostic, Span};

/// The height of an expression's tree; evaluation goes as deep.
const HIGHEST: u16 = 250;

fn operator(kind: TokenKind) -> Option<(BinaryOperator, u8)> {
    Some(match kind {
        TokenKind::Or => (BinaryOperator::Or, 1),
        TokenKind::And => (BinaryOperator::And, 2),
        TokenKind::Equal => (BinaryOperator::Equal, 3),
        TokenKind::NotEqual => (BinaryOperator::NotEqual, 3),
        TokenKind::Less => (BinaryOperator::Less, 4),
        TokenKind::LessOrEqual => (BinaryOperator::LessOrEqual, 4),
        TokenKind::Greater => (BinaryOperator::Greater, 4),
        TokenKind::GreaterOrEqual => (BinaryOperator::GreaterOrEqual, 4),
        TokenKind::Plus => (BinaryOperator::Add, 5),
        TokenKind::Minus => (BinaryOperator::Subtract, 5),
        TokenKind::Star => (BinaryOperator::Multiply, 6),
        TokenKind::Slash => (BinaryOperator::Divide, 6),
        TokenKind::Percent => (BinaryOperator::Remainder, 6),
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Read<Expression> {
        self.deeper(self.span(self.peek()))?;
        let result = self.conditional();
        self.shallower();
        self.not_too_deep(result?)
    }

    fn not_too_deep(&mut self, expression: Expression) -> Read<Expression> {
        if expression.depth <= HIGHEST {
            return Ok(expression);
        }
        let message = format!("this expression is more than {HIGHEST} operators, steps and brackets deep");
        self.error(code::TOO_DEEP, expression.span, message, "give a part of it a name of its own, in `locals`");
        Err(Reported)
    }

    fn conditional(&mut self) -> Read<Expression> {
        let condition = self.binary(1)?;
        if self.eat(TokenKind::Question).is_none() {
            return Ok(condition);
        }
        let yes = self.expression()?;
        if self.eat(TokenKind::Colon).is_none() {
            let next = self.peek();
            let message = format!("`:` and the other value are expected here, not {}", self.described(next));
            self.error(code::SYNTAX, self.span(next), message, "a condition is written `condition ? this : that`");
            return Err(Reported);
        }
        let no = self.expression()?;
        let span = condition.span.to(no.span);
        let kind = ExpressionKind::Conditional { condition: Box::new(condition), yes: Box::new(yes), no: Box::new(no) };
        Ok(Expression::new(kind, span))
    }

    fn binary(&mut self, lowest: u8) -> Read<Expression> {
        let mut left = self.postfix()?;
        while let Some((operator, precedence)) = operator(self.peek().kind).filter(|(_, p)| *p >= lowest) {
            self.next();
            let right = self.binary(precedence + 1)?;
            let span = left.span.to(right.span);
            let kind = ExpressionKind::Binary { operator, left: Box::new(left), right: Box::new(right) };
            // A chain of operators is as deep as it is long.
            left = self.not_too_deep(Expression::new(kind, span))?;
        }
        Ok(left)
    }

    /// A term and what is attached to it: `.name`, `[key]`, `[*]`, `.*`, `.0`.
    fn postfix(&mut self) -> Read<Expression> {
        let term = self.term()?;
        self.traversal(term)
    }

    fn traversal(&mut self, mut of: Expression) -> Read<Expression> {
        loop {
            of = self.not_too_deep(of)?;
            match self.peek().kind {
                TokenKind::Dot => {
                    self.next();
                    of = self.after_dot(of)?;
                }
                TokenKind::OpenBracket => {
                    let open = self.next();
                    if self.peek().kind == TokenKind::Star && self.peek_nth(1).kind == TokenKind::CloseBracket {
                        self.next();
                        self.next();
                        let element = Expression::new(ExpressionKind::Element, self.last_span());
                        self.deeper(self.span(open))?;
                        let each = self.traversal(element);
                        self.shallower();
                        return Ok(splat(of, each?));
                    }
                    let key = self.with_newlines(false, |p| {
                        let key = p.expression()?;
                        p.close(open, TokenKind::CloseBracket, "the key")?;
                        Ok(key)
                    })?;
                    let span = of.span.to(self.last_span());
                    of = Expression::new(ExpressionKind::Index { of: Box::new(of), key: Box::new(key) }, span);
                }
                _ => return Ok(of),
            }
        }
    }

    fn after_dot(&mut self, of: Expression) -> Read<Expression> {
        let token = self.peek();
        match token.kind {
            TokenKind::Identifier => {
                let name = self.name();
                let span = of.span.to(name.span);
                Ok(Expression::new(ExpressionKind::Attribute { of: Box::new(of), name }, span))
            }
            TokenKind::Number => {
                self.next();
                let written = token.text(self.text);
                if !written.bytes().all(|b| b.is_ascii_digit()) {
                    let help = "write the numbers in brackets, such as `[0][1]`";
                    self.error(code::SYNTAX, self.span(token), format!("`.{written}` is no index"), help);
                    return Err(Reported);
                }
                let key = self.number(token)?;
                let span = of.span.to(self.span(token));
                Ok(Expression::new(ExpressionKind::Index { of: Box::new(of), key: Box::new(key) }, span))
            }
            TokenKind::Star => {
                self.next();
                let mut each = Expression::new(ExpressionKind::Element, self.span(token));
                while self.peek().kind == TokenKind::Dot {
                    self.next();
                    if !matches!(self.peek().kind, TokenKind::Identifier | TokenKind::Number) {
                        return self.no_name();
                    }
                    each = self.after_dot(each)?;
                }
                Ok(splat(of, each))
            }
            _ => self.no_name(),
        }
    }

    fn no_name<T>(&mut self) -> Read<T> {
        let next = self.peek();
        if next.kind != TokenKind::Invalid {
            let message = format!("a name is expected after the dot, not {}", self.described(next));
            self.error(code::SYNTAX, self.span(next), message, "a key that is no name is written `[\"key\"]`");
        }
        Err(Reported)
    }

    fn term(&mut self) -> Read<Expression> {
        let token = self.peek();
        let span = self.span(token);
        match token.kind {
            TokenKind::OpenParen => {
                self.next();
                let inner = self.with_newlines(false, |p| {
                    let inner = p.expression()?;
                    p.close(token, TokenKind::CloseParen, "the expression")?;
                    Ok(inner)
                })?;
                let span = span.to(self.last_span());
                Ok(Expression::new(ExpressionKind::Parentheses(Box::new(inner)), span))
            }
            TokenKind::Number => {
                self.next();
                self.number(token)
            }
            TokenKind::Identifier => self.named(),
            TokenKind::OpenQuote => {
                self.next();
                let parts = self.in_quotes(TokenKind::CloseQuote, false)?;
                Ok(Expression::new(ExpressionKind::Template(parts), span.to(self.last_span())))
            }
            TokenKind::OpenHeredoc => {
                self.next();
                let flush = token.text(self.text).starts_with("<<-");
                let parts = self.in_quotes(TokenKind::CloseHeredoc, flush)?;
                Ok(Expression::new(ExpressionKind::Template(parts), span.to(self.last_span())))
            }
            TokenKind::Minus | TokenKind::Not => {
                self.next();
                self.deeper(span)?;
                let operand = self.postfix();
                self.shallower();
                let operand = operand?;
                let operator = if token.kind == TokenKind::Minus { UnaryOperator::Negate } else { UnaryOperator::Not };
                let span = span.to(operand.span);
                Ok(Expression::new(ExpressionKind::Unary { operator, operand: Box::new(operand) }, span))
            }
            TokenKind::OpenBracket => {
                self.next();
                self.with_newlines(false, |p| p.list(token))
            }
            TokenKind::OpenBrace => {
                self.next();
                if self.with_newlines(false, |p| p.keyword("for")) {
                    return self.with_newlines(false, |p| p.for_expression(token));
                }
                self.with_newlines(true, |p| p.object(token))
            }
            TokenKind::Invalid => Err(Reported),
            _ => {
                let message = format!("a value is expected here, not {}", self.described(token));
                let help = match token.kind {
                    TokenKind::Less => "a here-document begins with `<<` and a word, and the line ends behind it",
                    TokenKind::Newline => "the value must begin on this line; in brackets it may go on in the next",
                    TokenKind::Interpolation => "`${…}` is for strings; without quotes write what is in it",
                    _ => {
                        "a value is a string in quotes, a number, `true`, a list in `[]`, an object in `{}`, or a name"
                    }
                };
                self.error(code::SYNTAX, span, message, help);
                Err(Reported)
            }
        }
    }

    fn in_quotes(&mut self, end: TokenKind, flush: bool) -> Read<Vec<Part>> {
        self.deeper(self.span(self.peek()))?;
        let parts = self.template(end, flush);
        self.shallower();
        parts
    }

    fn number(&mut self, token: Token) -> Read<Expression> {
        let span = self.span(token);
        let Some(number) = Number::parse(token.text(self.text)) else {
            self.error(code::NUMBER, span, "this is no number", "write digits, such as `1.5` or `2e10`");
            return Err(Reported);
        };
        Ok(Expression::new(ExpressionKind::Literal(Value::number(number)), span))
    }

    fn named(&mut self) -> Read<Expression> {
        let mut name = self.name();
        while self.peek().kind == TokenKind::DoubleColon && self.peek_nth(1).kind == TokenKind::Identifier {
            self.next();
            let part = self.name();
            name.text = format!("{}::{}", name.text, part.text);
            name.span = name.span.to(part.span);
        }
        if self.peek().kind == TokenKind::OpenParen {
            let open = self.next();
            let start = name.span;
            let (arguments, expand) = self.with_newlines(false, |p| p.arguments(open))?;
            let span = start.to(self.last_span());
            return Ok(Expression::new(ExpressionKind::Call { name, arguments, expand }, span));
        }
        let kind = match name.text.as_str() {
            "true" => ExpressionKind::Literal(Value::from(true)),
            "false" => ExpressionKind::Literal(Value::from(false)),
            "null" => ExpressionKind::Literal(Value::null(Type::Any)),
            _ => ExpressionKind::Variable(name.text),
        };
        Ok(Expression::new(kind, name.span))
    }

    fn arguments(&mut self, open: Token) -> Read<(Vec<Expression>, bool)> {
        let mut arguments = Vec::new();
        loop {
            if self.eat(TokenKind::CloseParen).is_some() {
                return Ok((arguments, false));
            }
            arguments.push(self.expression()?);
            let next = self.peek();
            match next.kind {
                TokenKind::Comma => {
                    self.next();
                }
                TokenKind::Ellipsis => {
                    self.next();
                    self.eat(TokenKind::Comma);
                    self.close(open, TokenKind::CloseParen, "the last argument")?;
                    return Ok((arguments, true));
                }
                TokenKind::CloseParen => {}
                _ => return self.no_separator(open, TokenKind::CloseParen, "arguments"),
            }
        }
    }

    fn list(&mut self, open: Token) -> Read<Expression> {
        if self.keyword("for") {
            return self.for_expression(open);
        }
        let mut items = Vec::new();
        loop {
            if self.eat(TokenKind::CloseBracket).is_some() {
                let span = self.span(open).to(self.last_span());
                return Ok(Expression::new(ExpressionKind::Tuple(items), span));
            }
            if self.peek().kind == TokenKind::End {
                return self.unclosed(open);
            }
            items.push(self.expression()?);
            let next = self.peek();
            match next.kind {
                TokenKind::Comma => {
                    self.next();
                }
                TokenKind::CloseBracket => {}
                TokenKind::OpenQuote | TokenKind::OpenBrace | TokenKind::Number | TokenKind::OpenHeredoc => {
                    let last = self.last_span();
                    let place = Span { start: last.end, ..last };
                    self.diagnostics.push(
                        Diagnostic::error(
                            code::SEPARATOR,
                            self.span(next),
                            "a comma is missing between these elements",
                        )
                        .label("before this")
                        .help("write `,` after the element before it")
                        .fix("Insert a comma", place, ","),
                    );
                }
                _ => return self.no_separator(open, TokenKind::CloseBracket, "elements"),
            }
        }
    }

    /// Something else than a comma or the closing bracket.
    fn no_separator<T>(&mut self, open: Token, close: TokenKind, what: &str) -> Read<T> {
        let next = self.peek();
        if next.kind == TokenKind::End {
            return self.unclosed(open);
        }
        if next.kind != TokenKind::Invalid {
            let close = if close == TokenKind::CloseParen { ")" } else { "]" };
            let message = format!("`,` or `{close}` is expected here, not {}", self.described(next));
            self.diagnostics.push(
                Diagnostic::error(code::SEPARATOR, self.span(next), message)
                    .related(self.span(open), "opened here")
                    .help(format!("separate {what} with commas, and close them with `{close}`")),
            );
        }
        Err(Reported)
    }

    fn unclosed<T>(&mut self, open: Token) -> Read<T> {
        let written = open.text(self.text);
        let close = match written {
            "[" => "]",
            "(" => ")",
            _ => "}",
        };
        let message = format!("this `{written}` is not closed");
        self.error(code::UNCLOSED, self.span(open), message, format!("write `{close}` where it ends"));
        Err(Reported)
    }

    fn close(&mut self, open: Token, close: TokenKind, after: &str) -> Read<()> {
        if self.eat(close).is_some() {
            return Ok(());
        }
        let next = self.peek();
        if next.kind == TokenKind::End {
            return self.unclosed(open);
        }
        if next.kind != TokenKind::Invalid {
            let written = match close {
                TokenKind::CloseParen => ")",
                TokenKind::CloseBracket => "]",
                _ => "}",
            };
            let message = format!("`{written}` is expected here, not {}", self.described(next));
            self.diagnostics.push(
                Diagnostic::error(code::SEPARATOR, self.span(next), message)
                    .related(self.span(open), "opened here")
                    .help(format!("write `{written}` after {after}")),
            );
        }
        Err(Reported)
    }

    pub(super) fn keyword(&self, word: &str) -> bool {
        let next = self.peek();
        next.kind == TokenKind::Identifier && next.text(self.text) == word
    }

    fn object(&mut self, open: Token) -> Read<Expression> {
        let mut items = Vec::new();
        loop {
            while self.eat(TokenKind::Newline).is_some() {}
            if self.eat(TokenKind::CloseBrace).is_some() {
                let span = self.span(open).to(self.last_span());
                return Ok(Expression::new(ExpressionKind::Object(items), span));
            }
            if self.peek().kind == TokenKind::End {
                return self.unclosed(open);
            }
            let key = self.object_key()?;
            let next = self.peek();
            if !matches!(next.kind, TokenKind::Assign | TokenKind::Colon) {
                let message = format!("`=` is expected after the key, not {}", self.described(next));
                let span = if next.kind == TokenKind::Newline { key.span } else { self.span(next) };
                self.diagnostics.push(
                    Diagnostic::error(code::SEPARATOR, span, message)
                        .related(self.span(open), "in the object that is opened here")
                        .help("an object is written `{ key = value }`; blocks stand outside of objects"),
                );
                return Err(Reported);
            }
            self.next();
            let value = self.expression()?;
            items.push((key, value));
            let next = self.peek();
            match next.kind {
                TokenKind::Comma | TokenKind::Newline => {
                    self.next();
                }
                TokenKind::CloseBrace => {}
                TokenKind::End => return self.unclosed(open),
                TokenKind::Invalid => return Err(Reported),
                _ => {
                    let message = format!("a comma or a new line is expected here, not {}", self.described(next));
                    let help = "write each key on a line of its own, or a comma between them";
                    self.error(code::SEPARATOR, self.span(next), message, help);
                    return Err(Reported);
                }
            }
        }
    }

    /// A name stands for itself, everything else is evaluated.
    fn object_key(&mut self) -> Read<Expression> {
        let token = self.peek();
        if token.kind == TokenKind::Identifier && matches!(self.peek_nth(1).kind, TokenKind::Assign | TokenKind::Colon)
        {
            let name = self.name();
            let start = name.span.start;
            let literal = Literal { value: name.text, span: name.span, runs: vec![(0, start)] };
            return Ok(Expression::new(ExpressionKind::Template(vec![Part::Text(literal)]), name.span));
        }
        let key = self.expression()?;
        if matches!(key.kind, ExpressionKind::Attribute { .. } | ExpressionKind::Index { .. }) {
            self.error(
                code::SYNTAX,
                key.span,
                "it is not clear whether this key is a text or an expression",
                "put it in quotes for a text, in parentheses for an expression",
            );
            return Err(Reported);
        }
        Ok(key)
    }

    /// After `[` or `{`, at `for`.
    fn for_expression(&mut self, open: Token) -> Read<Expression> {
        let object = open.kind == TokenKind::OpenBrace;
        let close = if object { TokenKind::CloseBrace } else { TokenKind::CloseBracket };
        let shape = if object { "`{for k, v in map : key => value}`" } else { "`[for v in list : value]`" };
        self.next();
        let (key_name, value_name, collection) = self.for_intro(shape)?;
        if self.eat(TokenKind::Colon).is_none() {
            return self.bad_for("`:`", shape);
        }
        let first = self.expression()?;
        let (key, value) = if self.eat(TokenKind::FatArrow).is_some() {
            if !object {
                self.error(code::FOR, first.span, "a `for` that makes a list has no key", "write `{` instead of `[`");
                return Err(Reported);
            }
            (Some(first), self.expression()?)
        } else {
            if object {
                return self.bad_for("`=>` after the key", shape);
            }
            (None, first)
        };
        let group = self.eat(TokenKind::Ellipsis);
        if let Some(dots) = group
            && !object
        {
            let help = "`...` gathers values of the same key in an object; remove it";
            self.error(code::FOR, self.span(dots), "a `for` that makes a list gathers nothing", help);
            return Err(Reported);
        }
        let condition = if self.keyword("if") {
            self.next();
            Some(self.expression()?)
        } else {
            None
        };
        self.close(open, close, "the `for` expression")?;
        let group = group.is_some();
        let made = For { key_name, value_name, collection, key, value, group, condition };
        let span = self.span(open).to(self.last_span());
        Ok(Expression::new(ExpressionKind::For(Box::new(made)), span))
    }

    /// `k, v in collection`, after `for`.
    pub(super) fn for_intro(&mut self, shape: &str) -> Read<(Option<super::ast::Name>, super::ast::Name, Expression)> {
        if self.peek().kind != TokenKind::Identifier {
            return self.bad_for("a name", shape);
        }
        let mut value_name = self.name();
        let mut key_name = None;
        if self.eat(TokenKind::Comma).is_some() {
            if self.peek().kind != TokenKind::Identifier {
                return self.bad_for("a second name", shape);
            }
            key_name = Some(std::mem::replace(&mut value_name, self.name()));
        }
        if !self.keyword("in") {
            return self.bad_for("`in`", shape);
        }
        self.next();
        let collection = self.expression()?;
        Ok((key_name, value_name, collection))
    }

    fn bad_for<T>(&mut self, expected: &str, shape: &str) -> Read<T> {
        let next = self.peek();
        if next.kind != TokenKind::Invalid {
            let message = format!("{expected} is expected here, not {}", self.described(next));
            self.error(code::FOR, self.span(next), message, format!("write {shape}"));
        }
        Err(Reported)
    }
}

fn splat(of: Expression, each: Expression) -> Expression {
    let span = of.span.to(each.span);
    Expression::new(ExpressionKind::Splat { of: Box::new(of), each: Box::new(each) }, span)
}
