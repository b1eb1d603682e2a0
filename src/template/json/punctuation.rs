//! What stands between and behind the elements of objects and arrays: commas and closing brackets.

use super::container::{is_quote, is_word};
use super::parser::Parser;
use crate::text::Diagnostic;
use crate::text::code::json as code;

impl Parser<'_> {
    /// Steps over the right closing bracket; `comma`: the last thing before it was this comma.
    pub(super) fn close(&mut self, comma: Option<usize>) {
        let at = self.pos;
        self.pos += 1;
        if let Some(comma) = comma {
            let span = self.span(comma, comma + 1);
            self.report(
                Diagnostic::warning(code::TRAILING_COMMA, span, "Packer refuses a comma behind the last element").fix(
                    "Remove the comma",
                    span,
                    "",
                ),
            );
        }
        if let Some(&open) = self.open.last()
            && self.askew.is_none()
            && let (Some(a), Some(b)) = (self.indentation(open.at), self.leading(at))
            && a != b
        {
            self.askew = Some((open.at, at));
        }
    }

    /// The white space with which the line of `at` begins. A long line is no layout, and gives none.
    pub(super) fn indentation(&self, at: usize) -> Option<&str> {
        let near = at.saturating_sub(500);
        let line_end = self.text.as_bytes()[near..at].iter().rposition(|b| *b == b'\n');
        let start = line_end.map_or_else(|| (near == 0).then_some(0), |i| Some(near + i + 1))?;
        let line = &self.text[start..at];
        Some(&line[..line.len() - line.trim_start_matches([' ', '\t']).len()])
    }

    /// The same, when nothing else stands before `at` on its line.
    pub(super) fn leading(&self, at: usize) -> Option<&str> {
        let line = self.indentation(at)?;
        self.text[..at].ends_with(line).then_some(line).filter(|_| {
            let start = at - line.len();
            start == 0 || self.text[..start].ends_with('\n')
        })
    }

    pub(super) fn extra_commas(&mut self) {
        let start = self.pos;
        let mut end = start;
        while self.peek() == Some(',') {
            self.pos += 1;
            end = self.pos;
            self.trivia();
        }
        let span = self.span(start, end);
        self.report(Diagnostic::error(code::EXTRA_COMMA, span, "there is no element before this comma").fix(
            "Remove it",
            span,
            "",
        ));
    }

    /// What stands behind an element: gives the place of the comma, if that is what follows.
    pub(super) fn separator(&mut self) -> Option<usize> {
        let end = self.pos;
        loop {
            self.trivia();
            let at = self.pos;
            match self.peek() {
                Some(',') => {
                    self.forgiven = false;
                    self.pos += 1;
                    return Some(at);
                }
                Some(';') => {
                    self.forgiven = false;
                    self.pos += 1;
                    let span = self.span(at, at + 1);
                    self.report(Diagnostic::error(code::MISSING_COMMA, span, "elements are separated by `,`").fix(
                        "Write `,`",
                        span,
                        ",",
                    ));
                    return None;
                }
                None | Some('}' | ']') => {
                    self.forgiven = false;
                    return None;
                }
                Some(':') => {
                    self.stray();
                    self.value();
                }
                Some(c) if is_word(c) && self.open.last().is_some_and(|o| o.bracket == '{') && !self.key_follows() => {
                    let rest = self.rest();
                    let length = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
                    self.pos += rest[..length].trim_end().len();
                    self.error(code::SYNTAX, at, self.pos, "this has no place behind a value");
                    self.forgiven = true;
                }
                // A key is missing as well, or rather a bracket: whoever reads the next entry says so.
                Some('{' | '[') if self.open.last().is_some_and(|o| o.bracket == '{') => return None,
                Some(c) if is_quote(c) || is_word(c) || matches!(c, '{' | '[' | '-' | '+' | '.') => {
                    if !std::mem::take(&mut self.forgiven) {
                        let span = self.span(end, end);
                        self.report(
                            Diagnostic::error(code::MISSING_COMMA, span, "a comma is missing between two elements")
                                .label("expected `,` here")
                                .fix("Insert `,`", span, ","),
                        );
                    }
                    return None;
                }
                Some(_) => {
                    self.stray();
                    self.forgiven = true;
                }
            }
        }
    }

    /// Whether the bare word here is followed, on its line, by what follows a key.
    pub(super) fn key_follows(&self) -> bool {
        let rest = self.rest();
        let end = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
        rest[..end].contains([':', '='])
    }

    pub(super) fn wrong_closer(&mut self, found: char) -> WrongCloser {
        let depth = self.open.len();
        // invariant: only called while reading an object or array, which is the last of `open`.
        let Some(&open) = self.open.last() else { return WrongCloser::Extra };
        let at = self.pos;
        let (rest, behind) = (self.rest(), &self.text[at + 1..]);
        let brackets = |n: usize| self.open[..n].iter().map(|o| o.bracket);
        let missing = self.lookahead.fit(rest, brackets(depth - 1));
        let misspelt = self.lookahead.fit(behind, brackets(depth - 1));
        let extra = self.lookahead.fit(behind, brackets(depth));
        let closer = open.closer();
        let span = self.span(at, at + 1);
        let opened = self.span(open.at, open.at + 1);
        if missing >= misspelt && missing >= extra && depth > 1 {
            self.closer_missing(at);
            WrongCloser::RightOneMissing
        } else if misspelt >= extra {
            self.pos += 1;
            self.report(
                Diagnostic::error(code::WRONG_BRACKET, span, format!("`{}` is closed with `{found}`", open.bracket))
                    .label(format!("expected `{closer}`"))
                    .related(opened, format!("this {} begins here", open.noun()))
                    .fix(format!("Write `{closer}`"), span, closer.to_string()),
            );
            WrongCloser::Misspelt
        } else {
            self.pos += 1;
            self.report(
                Diagnostic::error(code::WRONG_BRACKET, span, format!("`{found}` closes nothing"))
                    .label("one too many")
                    .related(opened, format!("this {} is still open", open.noun()))
                    .fix(format!("Remove `{found}`"), span, ""),
            );
            self.forgiven = true;
            WrongCloser::Extra
        }
    }

    /// The innermost object or array should have been closed before `at`.
    pub(super) fn closer_missing(&mut self, at: usize) {
        let Some(&open) = self.open.last() else { return };
        let closer = open.closer();
        let end = self.text[..at].trim_end().len().max(open.at + 1);
        self.report(
            Diagnostic::error(
                code::UNCLOSED,
                self.span(end, end),
                format!("this {} is never closed with `{closer}`", open.noun()),
            )
            .label(format!("`{closer}` is missing here"))
            .related(self.span(open.at, open.at + 1), "it begins here")
            .fix(format!("Insert `{closer}`"), self.span(end, end), closer.to_string()),
        );
        self.forgiven = true;
    }

    /// The text ends inside an object or array: one mistake, however many are open.
    pub(super) fn text_ends(&mut self) {
        if std::mem::replace(&mut self.end_reported, true) {
            return;
        }
        let Some(&open) = self.open.last() else { return };
        let end = self.text.trim_end().len();
        let message = format!("the text ends before this {} is closed with `{}`", open.noun(), open.closer());
        let mut diagnostic = Diagnostic::error(code::UNCLOSED, self.span(open.at, open.at + 1), message)
            .label("begins here")
            .related(self.span(end, end), "the text ends here");
        for outer in self.open.iter().rev().skip(1).take(5) {
            diagnostic = diagnostic
                .related(self.span(outer.at, outer.at + 1), format!("this {} is still open as well", outer.noun()));
        }
        if let Some((from, to)) = self.askew {
            diagnostic = diagnostic
                .related(self.span(from, from + 1), "perhaps this one is not closed: its indentation differs …")
                .related(self.span(to, to + 1), "… from that of its closing bracket");
        }
        self.report(diagnostic);
    }
}

/// What a closing bracket of the wrong kind turned out to be.
pub(super) enum WrongCloser {
    /// The right one is missing before it; the wrong one belongs to what stands around.
    RightOneMissing,
    /// It was meant to be the right one.
    Misspelt,
    /// It closes nothing.
    Extra,
}
