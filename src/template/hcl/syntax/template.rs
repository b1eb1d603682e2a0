//! Templates: the text of strings and here-documents with what is put into it.
//!
//! As in the parser of `HashiCorp` a template is first a row of tokens, of which each line of a here-document is one; `~` trims and
//! `<<-` takes indentation away there, before directives get their bodies.

use super::ast::{Expression, Literal, Name, Part};
use super::literal;
use super::parser::{Parser, Read, Reported};
use super::token::{Token, TokenKind};
use crate::text::code::hcl_syntax as code;
use crate::text::{Diagnostic, Span};

enum Piece {
    Text(Literal),
    Value(Expression),
    If { condition: Expression, span: Span },
    Else(Span),
    EndIf(Span),
    For { key_name: Option<Name>, value_name: Name, collection: Expression, span: Span },
    EndFor(Span),
}

impl Parser<'_> {
    /// The parts of a template up to its end, which is taken. `flush`: common indentation is taken away.
    pub(super) fn template(&mut self, end: TokenKind, flush: bool) -> Read<Vec<Part>> {
        let mut pieces = self.with_newlines(true, |p| p.pieces(end))?;
        if flush {
            flush_left(&mut pieces);
        }
        let mut pieces = pieces.into_iter();
        let parts = self.assemble(&mut pieces, None)?;
        Ok(parts)
    }

    fn pieces(&mut self, end: TokenKind) -> Read<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut trim_next = false;
        loop {
            let token = self.next();
            let trim = std::mem::replace(&mut trim_next, false);
            match token.kind {
                kind if kind == end => return Ok(pieces),
                TokenKind::QuotedText | TokenKind::HeredocText => {
                    let escapes = token.kind == TokenKind::QuotedText;
                    let mut text = literal::decode(token.text(self.text), self.span(token), escapes, self.diagnostics);
                    if trim {
                        let kept = text.value.trim_start().len();
                        cut(&mut text, kept);
                    }
                    pieces.push(Piece::Text(text));
                }
                TokenKind::Interpolation | TokenKind::Directive => {
                    if token.text(self.text).ends_with('~')
                        && let Some(Piece::Text(before)) = pieces.last_mut()
                    {
                        before.value.truncate(before.value.trim_end().len());
                    }
                    let piece = self.with_newlines(false, |p| {
                        let piece = if token.kind == TokenKind::Interpolation {
                            if p.peek().kind == TokenKind::SequenceEnd {
                                let span = p.span(token).to(p.span(p.peek()));
                                p.error(
                                    code::SYNTAX,
                                    span,
                                    "there is nothing in this `${}`",
                                    "write a value in it; for the text itself, `$${`",
                                );
                                return Err(Reported);
                            }
                            Piece::Value(p.expression()?)
                        } else {
                            p.directive(token)?
                        };
                        let next = p.peek();
                        if next.kind == TokenKind::SequenceEnd {
                            p.next();
                            return Ok((piece, next.text(p.text).starts_with('~')));
                        }
                        p.not_closed(token, next);
                        Err(Reported)
                    })?;
                    pieces.push(piece.0);
                    trim_next = piece.1;
                }
                // The lexer has told why.
                _ => return Err(Reported),
            }
        }
    }

    fn not_closed(&mut self, open: Token, next: Token) {
        if next.kind == TokenKind::Invalid {
            return;
        }
        let written = open.text(self.text);
        let opened = self.span(open);
        let diagnostic = if next.kind == TokenKind::End {
            Diagnostic::error(code::UNCLOSED, opened, format!("this `{written}` is not closed"))
        } else {
            let message = format!("`}}` is expected here, not {}", self.described(next));
            Diagnostic::error(code::UNCLOSED, self.span(next), message).related(opened, "opened here")
        };
        self.diagnostics
            .push(diagnostic.help("write `}` after the expression; for the text itself, write `$${` or `%%{`"));
    }

    fn directive(&mut self, open: Token) -> Read<Piece> {
        let word = self.peek();
        let span = self.span(open).to(self.span(word));
        let written = if word.kind == TokenKind::Identifier { word.text(self.text) } else { "" };
        if !written.is_empty() {
            self.next();
        }
        Ok(match written {
            "if" => Piece::If { condition: self.expression()?, span },
            "else" => Piece::Else(span),
            "endif" => Piece::EndIf(span),
            "endfor" => Piece::EndFor(span),
            "for" => {
                let (key_name, value_name, collection) = self.for_intro("`%{ for k, v in map }`")?;
                Piece::For { key_name, value_name, collection, span }
            }
            _ => {
                if word.kind != TokenKind::Invalid {
                    let message = format!("there is no directive {}", self.described(word));
                    let help = "there are `if`, `else`, `endif`, `for` and `endfor`; for the text itself, write `%%{`";
                    self.error(code::DIRECTIVE, span, message, help);
                }
                return Err(Reported);
            }
        })
    }

    /// Gives directives their bodies. `open`: the directive whose end is looked for, which is left in the error or taken.
    fn assemble(&mut self, pieces: &mut std::vec::IntoIter<Piece>, open: Option<(&str, Span)>) -> Read<Vec<Part>> {
        match self.parts(pieces, open)? {
            (parts, None) => Ok(parts),
            (_, Some(_)) => Err(Reported),
        }
    }

    /// The parts up to the end of the directive that is open; `Some`: an `else` came first.
    fn parts(
        &mut self,
        pieces: &mut std::vec::IntoIter<Piece>,
        open: Option<(&str, Span)>,
    ) -> Read<(Vec<Part>, Option<Span>)> {
        let mut parts: Vec<Part> = Vec::new();
        while let Some(piece) = pieces.next() {
            match piece {
                Piece::Text(text) if text.value.is_empty() => {}
                Piece::Text(text) => match parts.last_mut() {
                    Some(Part::Text(before)) => join(before, &text),
                    _ => parts.push(Part::Text(text)),
                },
                Piece::Value(value) => parts.push(Part::Value(value)),
                Piece::If { condition, span } => {
                    self.deeper(span)?;
                    let (yes, other) = self.parts(pieces, Some(("if", span)))?;
                    let no = match other {
                        Some(span) => self.assemble(pieces, Some(("else", span)))?,
                        None => Vec::new(),
                    };
                    self.shallower();
                    parts.push(Part::If { condition, yes, no });
                }
                Piece::For { key_name, value_name, collection, span } => {
                    self.deeper(span)?;
                    let body = self.assemble(pieces, Some(("for", span)))?;
                    self.shallower();
                    parts.push(Part::For { key_name, value_name, collection, body });
                }
                Piece::Else(span) if matches!(open, Some(("if", _))) => return Ok((parts, Some(span))),
                Piece::EndIf(_) if matches!(open, Some(("if" | "else", _))) => return Ok((parts, None)),
                Piece::EndFor(_) if matches!(open, Some(("for", _))) => return Ok((parts, None)),
                Piece::Else(span) => return self.stray("else", span),
                Piece::EndIf(span) => return self.stray("endif", span),
                Piece::EndFor(span) => return self.stray("endfor", span),
            }
        }
        if let Some((word, span)) = open {
            let end = if word == "for" { "endfor" } else { "endif" };
            let message = format!("this `{word}` has no `{end}`");
            self.error(
                code::DIRECTIVE,
                span,
                message,
                format!("write `%{{ {end} }}` where it ends, in the same string"),
            );
            return Err(Reported);
        }
        Ok((parts, None))
    }

    fn stray<T>(&mut self, word: &str, span: Span) -> Read<T> {
        let begin = if word == "endfor" { "for" } else { "if" };
        let message = format!("no `{begin}` is open that this `{word}` belongs to");
        self.error(code::DIRECTIVE, span, message, format!("remove it, or write `%{{ {begin} … }}` before it"));
        Err(Reported)
    }
}

/// Two texts that follow one another, as one.
fn join(before: &mut Literal, next: &Literal) {
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let shift = clamp(before.value.len());
    before.runs.extend(next.runs.iter().map(|(value, source)| (value.saturating_add(shift), *source)));
    before.value.push_str(&next.value);
    before.span = before.span.to(next.span);
}

/// Leaves the last `kept` bytes of a text.
fn cut(text: &mut Literal, kept: usize) {
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let gone = text.value.len() - kept;
    if gone == 0 {
        return;
    }
    let here = text.runs.iter().rev().find(|r| r.0 as usize <= gone).copied().unwrap_or((0, text.span.start));
    let source = here.1.saturating_add(clamp(gone) - here.0);
    let later = text.runs.iter().filter(|r| r.0 as usize > gone).map(|r| (r.0 - clamp(gone), r.1));
    text.runs = std::iter::once((0, source)).chain(later).collect();
    text.value.drain(..gone);
}

/// Takes the blanks away that all lines begin with. Blank lines do not count; one that begins with `${` has none.
fn flush_left(pieces: &mut [Piece]) {
    let mut least = usize::MAX;
    let mut line_start = true;
    let mut lines = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        if line_start {
            line_start = false;
            least = least.min(match piece {
                Piece::Text(text) if text.value.trim_start().is_empty() && text.value.ends_with('\n') => usize::MAX,
                Piece::Text(text) => {
                    lines.push(index);
                    text.value.chars().take_while(|c| c.is_whitespace()).count()
                }
                _ => 0,
            });
        }
        line_start |= matches!(piece, Piece::Text(text) if text.value.ends_with('\n'));
    }
    for index in lines {
        if let Some(Piece::Text(text)) = pieces.get_mut(index) {
            let gone: usize = text.value.chars().take(least).map(char::len_utf8).sum();
            let kept = text.value.len() - gone;
            cut(text, kept);
        }
    }
}
