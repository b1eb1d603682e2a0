//! Objects and arrays, and what becomes of them when a bracket, comma or colon is missing.

use super::MAX_DEPTH;
use super::parser::{Open, Parser};
use super::punctuation::WrongCloser;
use crate::template::tree::{Entry, Node, Text, Tree};
use crate::text::Diagnostic;
use crate::text::code::json as code;

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
