//! Objects and arrays, and what becomes of them when a bracket, comma or colon is missing.

use super::MAX_DEPTH;
use super::parser::{Open, Parser};
use crate::template::tree::{Entry, Node, Text, Tree};
use crate::text::Diagnostic;
use crate::text::code::json as code;

/// What a closing bracket of the wrong kind turned out to be.
enum WrongCloser {
    /// The right one is missing before it; the wrong one belongs to what stands around.
    RightOneMissing,
    /// It was meant to be the right one.
    Misspelt,
    /// It closes nothing.
    Extra,
}

impl Parser<'_> {
    /// Any value. When there is none, that is reported and nothing is consumed.
    pub fn value(&mut self) -> Node {
        self.trivia();
        let start = self.pos;
        match self.peek() {
            Some(':') => {
                self.stray();
                self.value()
            }
            None | Some(',' | '}' | ']' | ';') => {
                self.report(
                    Diagnostic::error(code::MISSING_VALUE, self.span(start, start), "a value is missing")
                        .label("expected a value here"),
                );
                Node { tree: Tree::Broken, span: self.span(start, start) }
            }
            Some('{')
                if self.rest().starts_with("{{") && self.rest()[2..].trim_start().starts_with(char::is_alphabetic) =>
            {
                self.unquoted_expression()
            }
            Some('{' | '[') if self.open.len() >= MAX_DEPTH => self.too_deep(),
            Some('{') => self.object(),
            Some('[') => self.array(),
            Some(c) if is_quote(c) => {
                let text = self.any_string(false);
                Node { span: text.span, tree: Tree::String(text) }
            }
            Some(_) => self.bare(),
        }
    }

    fn object(&mut self) -> Node {
        let start = self.enter('{');
        let mut entries = Vec::new();
        self.members(&mut entries, '}');
        self.open.pop();
        self.report_duplicates(&entries);
        Node { tree: Tree::Object(entries), span: self.span(start, self.pos) }
    }

    /// Reads entries up to and with `closer`.
    pub fn members(&mut self, entries: &mut Vec<Entry>, closer: char) {
        let mut comma = None;
        loop {
            self.trivia();
            match self.peek() {
                None => return self.text_ends(),
                Some(c) if c == closer => return self.close(comma),
                Some(c @ ('}' | ']')) => match self.wrong_closer(c) {
                    WrongCloser::RightOneMissing | WrongCloser::Misspelt => return,
                    WrongCloser::Extra => continue,
                },
                Some(',') => {
                    self.extra_commas();
                    comma = None;
                    continue;
                }
                Some('{') if self.belongs_to_array_around() => {
                    let at = comma.unwrap_or(self.pos);
                    self.closer_missing(at);
                    return;
                }
                Some(_) => {}
            }
            if let Some(entry) = self.entry() {
                entries.push(entry);
            }
            comma = self.separator();
        }
    }

    /// Whether the `{` in place of a key is rather the next item of the array around this object.
    fn belongs_to_array_around(&mut self) -> bool {
        let depth = self.open.len();
        if depth < 2 || self.open[depth - 2].bracket != '[' {
            return false;
        }
        let rest = self.rest();
        self.lookahead.fit(rest, self.open[..depth - 1].iter().map(|o| o.bracket)).is_whole()
    }

    fn entry(&mut self) -> Option<Entry> {
        let start = self.pos;
        let key = match self.peek()? {
            c if is_quote(c) => self.any_string(true),
            '{' | '[' | ':' => {
                self.report(
                    Diagnostic::error(code::SYNTAX, self.span(start, start + 1), "a key is missing")
                        .label("expected a key in double quotes here")
                        .help("in an object every value has a key: `\"key\": value`"),
                );
                if self.peek() == Some(':') {
                    self.pos += 1;
                }
                self.value();
                return None;
            }
            c if is_word(c) => self.unquoted_key(),
            _ => {
                self.stray();
                self.forgiven = true;
                return None;
            }
        };
        let key_end = self.pos;
        self.trivia();
        let here = self.pos;
        match self.peek() {
            Some(':') => self.pos += 1,
            Some('=') => {
                self.pos += if self.rest().starts_with("=>") { 2 } else { 1 };
                let span = self.span(here, self.pos);
                self.report(
                    Diagnostic::error(code::MISSING_COLON, span, "between a key and its value stands `:`").fix(
                        "Write `:`",
                        span,
                        ":",
                    ),
                );
            }
            None | Some(',' | '}' | ']' | ';') => {
                self.report(
                    Diagnostic::error(
                        code::MISSING_VALUE,
                        key.span,
                        format!("the key `{}` has no value", key.value.escape_debug()),
                    )
                    .label("expected `:` and a value behind it"),
                );
                return Some(Entry { key, value: Node { tree: Tree::Broken, span: self.span(key_end, key_end) } });
            }
            Some(_) => {
                let span = self.span(key_end, key_end);
                self.report(
                    Diagnostic::error(
                        code::MISSING_COLON,
                        span,
                        format!("`:` is missing behind the key `{}`", key.value.escape_debug()),
                    )
                    .label("expected `:` here")
                    .fix("Insert `:`", span, ":"),
                );
            }
        }
        let value = self.value();
        Some(Entry { key, value })
    }

    fn array(&mut self) -> Node {
        let start = self.enter('[');
        let mut items: Vec<Node> = Vec::new();
        let mut comma = None;
        loop {
            self.trivia();
            match self.peek() {
                None => {
                    self.text_ends();
                    break;
                }
                Some(']') => {
                    self.close(comma);
                    break;
                }
                Some('}') => match self.wrong_closer('}') {
                    WrongCloser::RightOneMissing | WrongCloser::Misspelt => break,
                    WrongCloser::Extra => continue,
                },
                Some(',') => {
                    self.extra_commas();
                    comma = None;
                    continue;
                }
                Some(_) => {}
            }
            let item = self.value();
            self.trivia();
            if let (Tree::String(key), Some(':')) = (&item.tree, self.peek()) {
                if items.is_empty() {
                    let key = key.clone();
                    return self.object_in_brackets(start, key);
                }
                if self.open.iter().rev().nth(1).is_some_and(|o| o.bracket == '{') {
                    // The string is the next key of the object around: this array was never closed.
                    self.pos = item.span.range().start;
                    self.closer_missing(comma.unwrap_or(self.pos));
                    break;
                }
            }
            items.push(item);
            comma = self.separator();
        }
        self.open.pop();
        Node { tree: Tree::Array(items), span: self.span(start, self.pos) }
    }

    /// `["key": value]`, read as the object that it was meant to be.
    fn object_in_brackets(&mut self, start: usize, key: Text) -> Node {
        self.report(
            Diagnostic::error(code::WRONG_BRACKET, self.span(start, start + 1), "an array holds no keys")
                .label("meant to be an object?")
                .related(key.span, "a key, as in an object")
                .help("an object stands between `{` and `}`"),
        );
        self.pos += 1;
        let value = self.value();
        let mut entries = vec![Entry { key, value }];
        self.separator();
        self.members(&mut entries, ']');
        self.open.pop();
        self.report_duplicates(&entries);
        Node { tree: Tree::Object(entries), span: self.span(start, self.pos) }
    }

    fn enter(&mut self, bracket: char) -> usize {
        let at = self.pos;
        self.open.push(Open { bracket, at });
        self.pos += 1;
        at
    }

    /// Steps over the right closing bracket; `comma`: the last thing before it was this comma.
    fn close(&mut self, comma: Option<usize>) {
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
    fn indentation(&self, at: usize) -> Option<&str> {
        let near = at.saturating_sub(500);
        let line_end = self.text.as_bytes()[near..at].iter().rposition(|b| *b == b'\n');
        let start = line_end.map_or_else(|| (near == 0).then_some(0), |i| Some(near + i + 1))?;
        let line = &self.text[start..at];
        Some(&line[..line.len() - line.trim_start_matches([' ', '\t']).len()])
    }

    /// The same, when nothing else stands before `at` on its line.
    fn leading(&self, at: usize) -> Option<&str> {
        let line = self.indentation(at)?;
        self.text[..at].ends_with(line).then_some(line).filter(|_| {
            let start = at - line.len();
            start == 0 || self.text[..start].ends_with('\n')
        })
    }

    fn extra_commas(&mut self) {
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
    fn separator(&mut self) -> Option<usize> {
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
    fn key_follows(&self) -> bool {
        let rest = self.rest();
        let end = rest.find([',', '}', ']', '\n']).unwrap_or(rest.len());
        rest[..end].contains([':', '='])
    }

    fn wrong_closer(&mut self, found: char) -> WrongCloser {
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
    fn closer_missing(&mut self, at: usize) {
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
    fn text_ends(&mut self) {
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

    /// Steps over what is nested too deep, without recursion.
    fn too_deep(&mut self) -> Node {
        let start = self.pos;
        self.report(
            Diagnostic::error(
                code::TOO_DEEP,
                self.span(start, start + 1),
                format!("objects and arrays are nested more than {MAX_DEPTH} deep"),
            )
            .label("not read"),
        );
        let mut depth = 0_usize;
        let mut in_string = false;
        let mut escaped = false;
        let rest = self.rest();
        let mut end = rest.len();
        for (i, c) in rest.char_indices() {
            match c {
                _ if escaped => escaped = false,
                '\\' if in_string => escaped = true,
                '"' => in_string = !in_string,
                '\n' => in_string = false,
                _ if in_string => {}
                '{' | '[' => depth += 1,
                '}' | ']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        end = i + 1;
                        break;
                    }
                }
                _ => {}
            }
        }
        self.pos += end;
        Node { tree: Tree::Broken, span: self.span(start, self.pos) }
    }
}

pub(super) fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`' | '“' | '”' | '„' | '‘' | '’')
}

/// Whether a bare word may begin with this.
pub(super) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '@' | '~' | '*' | '<' | '%')
}
