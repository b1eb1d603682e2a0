//! String literals: escapes with their places, and what becomes of them when a quote is missing or one too many.

use super::bare::is_number;
use super::parser::Parser;
use crate::template::tree::Text;
use crate::text::code::json as code;
use crate::text::{Diagnostic, Span};

/// How far a literal is searched for where it really ends.
const SEARCH: usize = 2_000;

/// A literal that is being decoded.
struct Literal {
    start: usize,
    value: String,
    runs: Vec<(u32, u32)>,
    /// Raw control characters, which JSON does not allow in strings.
    control: Vec<Span>,
    /// The first quote inside that should have had a backslash.
    inner_quote: Option<usize>,
    /// It was decided that this one goes over several lines.
    many_lines: bool,
}

impl Literal {
    /// From here on value and source run in step.
    fn run(&mut self, source: usize) {
        let run = (self.value.len(), source);
        // invariant: a text's offsets fit in 32 bits wherever its spans do; beyond, both are cut off alike.
        let run = (u32::try_from(run.0).unwrap_or(u32::MAX), u32::try_from(run.1).unwrap_or(u32::MAX));
        if self.runs.last() != Some(&run) {
            self.runs.push(run);
        }
    }
}

impl Parser<'_> {
    /// A string in any quotes; those other than double ones are a mistake.
    pub fn any_string(&mut self, key: bool) -> Text {
        let start = self.pos;
        let quote = self.peek().unwrap_or('"');
        self.pos += quote.len_utf8();
        let mut literal = Literal {
            start,
            value: String::new(),
            runs: Vec::new(),
            control: Vec::new(),
            inner_quote: None,
            many_lines: false,
        };
        literal.run(self.pos);
        if quote == '"' { self.double_quoted(literal, key) } else { self.otherwise_quoted(literal, quote) }
    }

    /// Whether the string that begins here is followed by a colon.
    pub fn string_is_key(&self) -> bool {
        let mut escaped = false;
        for (i, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => return false,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => return self.rest()[i + 1..].trim_start().starts_with(':'),
                _ => {}
            }
        }
        false
    }

    fn double_quoted(&mut self, mut literal: Literal, key: bool) -> Text {
        loop {
            let at = self.pos;
            match self.peek() {
                None => {
                    // What is still open ends with it: the same mistake.
                    self.end_reported = true;
                    return self.unterminated(literal, key);
                }
                Some('"') => {
                    if literal.inner_quote.is_none()
                        && !literal.many_lines
                        && let Some(end) = self.missing_quote_before(literal.start, at)
                    {
                        return self.cut(literal, end);
                    }
                    if self.quote_is_inner(literal.start, at, literal.inner_quote.is_some()) {
                        literal.inner_quote.get_or_insert(at);
                        literal.value.push('"');
                        self.pos += 1;
                        continue;
                    }
                    self.pos += 1;
                    return self.finish(literal);
                }
                Some('\\') => self.escape(&mut literal, '"'),
                Some(c @ ('\n' | '\r')) => {
                    let line_end = c == '\n' || self.rest().starts_with("\r\n");
                    if line_end && !literal.many_lines && !self.goes_on_over_lines() {
                        return self.unterminated(literal, key);
                    }
                    literal.many_lines |= line_end;
                    self.control_character(&mut literal, c);
                }
                Some(c) if c < ' ' => self.control_character(&mut literal, c),
                Some(c) => {
                    literal.value.push(c);
                    self.pos += c.len_utf8();
                }
            }
        }
    }

    fn control_character(&mut self, literal: &mut Literal, c: char) {
        literal.control.push(self.span(self.pos, self.pos + 1));
        literal.value.push(c);
        self.pos += 1;
    }

    fn finish(&mut self, literal: Literal) -> Text {
        let span = self.span(literal.start, self.pos);
        if let Some(at) = literal.inner_quote {
            let place = self.span(at, at + 1);
            let help = if self.text[literal.start..at].contains("{{") {
                "inside `{{ }}` write back quotes, as in ``{{user `name`}}``; elsewhere `\\\"`"
            } else {
                "inside a string write `\\\"`"
            };
            self.report(
                Diagnostic::error(code::UNESCAPED_QUOTE, place, "a double quote ends the string here already")
                    .label("meant to belong to the string?")
                    .help(help)
                    .fix("Put a backslash before it", place, "\\\""),
            );
        }
        self.report_control_characters(&literal.control);
        Text { value: literal.value, span, runs: literal.runs }
    }

    /// All of one string are one mistake.
    fn report_control_characters(&mut self, control: &[Span]) {
        let Some(&first) = control.first() else { return };
        let c = self.text[first.range()].chars().next().unwrap_or(' ');
        let (name, escape) = match c {
            '\n' => ("a line end", "\\n".to_owned()),
            '\r' => ("a line end", "\\r".to_owned()),
            '\t' => ("a tab", "\\t".to_owned()),
            c => ("a control character", format!("\\u{:04x}", u32::from(c))),
        };
        let more = if control.len() > 1 { format!(" (and {} more)", control.len() - 1) } else { String::new() };
        let mut diagnostic =
            Diagnostic::error(code::CONTROL_CHARACTER, first, format!("{name} stands in a string as it is{more}"))
                .help(format!("write `{escape}`"));
        if control.len() == 1 {
            diagnostic = diagnostic.fix(format!("Write `{escape}`"), first, escape);
        }
        self.report(diagnostic);
    }

    fn otherwise_quoted(&mut self, mut literal: Literal, quote: char) -> Text {
        let closes = |c: char| match quote {
            '\'' | '`' => c == quote,
            '‘' | '’' => matches!(c, '‘' | '’' | '\''),
            _ => matches!(c, '“' | '”' | '„' | '"'),
        };
        let mut closed = false;
        while let Some(c) = self.peek() {
            if c == '\n' {
                break;
            }
            if c == '\\' && quote != '`' {
                self.escape(&mut literal, quote);
                continue;
            }
            self.pos += c.len_utf8();
            if closes(c) {
                closed = true;
                break;
            }
            literal.value.push(c);
        }
        let span = self.span(literal.start, self.pos);
        let mut diagnostic = Diagnostic::error(code::WRONG_QUOTES, span, "a string stands between double quotes");
        if closed {
            let raw = &self.text[literal.start + quote.len_utf8()..self.pos];
            let raw = raw.strip_suffix(closes).unwrap_or(raw).replace("\\'", "'").replace('"', "\\\"");
            diagnostic = diagnostic.fix("Write double quotes", span, format!("\"{raw}\""));
        } else {
            diagnostic = diagnostic.label("nor is it closed on its line");
        }
        self.report(diagnostic);
        Text { value: literal.value, span, runs: literal.runs }
    }

    /// A string that its line or the text ends. It is taken to end where the line's own punctuation begins.
    fn unterminated(&mut self, literal: Literal, key: bool) -> Text {
        let content = literal.start + 1;
        let raw = self.text[content..self.pos].trim_end();
        let end = match raw.find(':') {
            Some(colon) if key => colon,
            _ => without_punctuation(raw).len(),
        };
        self.cut(literal, content + end)
    }

    /// Ends the string at `end`, which lies in what has been read of it.
    fn cut(&mut self, mut literal: Literal, end: usize) -> Text {
        // The last run that begins before `end` tells how much of the value lies before it.
        let run = literal.runs.iter().rev().find(|r| r.1 as usize <= end).copied().unwrap_or((0, 0));
        let keep = (run.0 as usize + (end - (run.1 as usize).min(end))).min(literal.value.len());
        if literal.value.is_char_boundary(keep) {
            literal.value.truncate(keep);
        }
        literal.runs.retain(|r| r.0 as usize <= literal.value.len());
        literal.control.retain(|c| c.range().end <= end);
        self.pos = end;
        let span = self.span(literal.start, end);
        self.report(
            Diagnostic::error(code::UNTERMINATED_STRING, span, "the closing quote of this string is missing")
                .label("begins here")
                .fix("Insert `\"`", self.span(end, end), "\""),
        );
        self.report_control_characters(&literal.control);
        Text { value: literal.value, span, runs: literal.runs }
    }

    /// At a line end inside a string: whether the next quote looks like the end of this string rather than like the
    /// beginning of another.
    fn goes_on_over_lines(&self) -> bool {
        let rest = self.rest();
        let mut escaped = false;
        for (i, c) in rest.char_indices().take(SEARCH * 5) {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' => {
                    let behind = rest[i + 1..].trim_start_matches([' ', '\t']);
                    return behind.starts_with([',', '}', ']', '\n', '\r'])
                        && !rest[..i].trim_end().ends_with([':', ',', '[', '{']);
                }
                _ => {}
            }
        }
        false
    }

    /// `"abc, "def"`: at the second quote, the place before the comma or colon where a quote is missing.
    fn missing_quote_before(&self, start: usize, at: usize) -> Option<usize> {
        let behind = self.text[at + 1..].chars().next()?;
        if !(behind.is_alphanumeric() || behind == '{') || self.text[at..].starts_with("\"{\"") {
            return None;
        }
        let raw = self.text[start + 1..at].trim_end();
        let cut = raw.strip_suffix([',', ':'])?.trim_end();
        // A template expression that is still open has its own quotes.
        (!cut.is_empty() && raw.matches("{{").count() <= raw.matches("}}").count()).then(|| start + 1 + cut.len())
    }

    /// Whether the quote at `at` rather belongs to the string that began at `start`.
    fn quote_is_inner(&self, start: usize, at: usize, already: bool) -> bool {
        let behind = &self.text[at + 1..];
        let rest = behind.trim_start_matches([' ', '\t']);
        let open_expression = |to: usize| {
            let text = &self.text[start..to];
            text.len() < SEARCH && text.matches("{{").count() > text.matches("}}").count()
        };
        let word = rest.find(|c: char| c.is_whitespace() || ",:{}[]\"".contains(c)).unwrap_or(rest.len());
        let suspicious = match rest.chars().next() {
            None | Some('\n' | '\r' | ',' | ':' | ']' | '#' | '/' | '=' | ';') => false,
            Some('}') => open_expression(at),
            Some('"' | '{' | '[' | '\'') => already && !ends_here(rest),
            _ if matches!(&rest[..word], "true" | "false" | "null") || is_number(&rest[..word]) => false,
            // `"key" word: …` lacks a colon or comma, and has none of this string's quotes behind it.
            Some(_) => true,
        };
        if !suspicious {
            return false;
        }
        let mut escaped = false;
        for (i, c) in behind.char_indices().take(SEARCH) {
            match c {
                '\n' => return false,
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                '"' if ends_here(&behind[i + 1..]) && !open_expression(at + 1 + i) => return true,
                _ => {}
            }
        }
        false
    }

    /// Decodes one escape; a bad one is kept as it is written.
    fn escape(&mut self, literal: &mut Literal, quote: char) {
        let at = self.pos;
        literal.run(at);
        let Some(c) = self.rest()[1..].chars().next() else {
            literal.value.push('\\');
            self.pos += 1;
            return;
        };
        let simple = match c {
            '"' | '\\' | '/' => Some(c),
            'b' => Some('\u{8}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            c if c == quote => Some(c),
            _ => None,
        };
        if let Some(decoded) = simple {
            literal.value.push(decoded);
            self.pos += 1 + c.len_utf8();
        } else if c == 'u' {
            self.unicode_escape(literal);
        } else {
            literal.value.push('\\');
            self.pos += 1;
            if c >= ' ' {
                literal.value.push(c);
                self.pos += c.len_utf8();
            }
            let span = self.span(at, self.pos);
            self.report(
                Diagnostic::error(code::BAD_ESCAPE, span, format!("`{}` is no escape", &self.text[at..self.pos]))
                    .help("a backslash itself is written `\\\\`; the escapes are `\\\"` `\\\\` `\\/` `\\b` `\\f` `\\n` `\\r` `\\t` `\\u0000`")
                    .fix("Write the backslash twice", self.span(at, at + 1), "\\\\"),
            );
        }
        literal.run(self.pos);
    }

    fn unicode_escape(&mut self, literal: &mut Literal) {
        let at = self.pos;
        let Some(first) = hex4(&self.rest()[2..]) else {
            literal.value.push_str("\\u");
            self.pos += 2;
            let span = self.span(at, self.pos);
            self.report(
                Diagnostic::error(code::BAD_ESCAPE, span, "`\\u` needs four hexadecimal digits")
                    .help("for example `\\u00e9`; a backslash itself is written `\\\\`"),
            );
            return;
        };
        self.pos += 6;
        let mut decoded = char::from_u32(first);
        if (0xd800..0xdc00).contains(&first)
            && let Some(second) = self.rest().strip_prefix("\\u").and_then(hex4)
            && (0xdc00..0xe000).contains(&second)
        {
            self.pos += 6;
            decoded = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
        }
        if decoded.is_none() {
            let span = self.span(at, self.pos);
            let shown = &self.text[at..self.pos];
            self.report(
                Diagnostic::warning(code::BAD_ESCAPE, span, format!("`{shown}` is half of a character"))
                    .help("write both halves, or the character itself; Packer reads it as `\u{fffd}`"),
            );
        }
        literal.value.push(decoded.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}

/// Whether an element, or a key, can end before `rest`.
fn ends_here(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.is_empty() || rest.starts_with([',', '}', ']', ':', '\n', '\r'])
}

/// A line's rest without the comma and the closing brackets at its end that were never opened in it.
fn without_punctuation(raw: &str) -> &str {
    let mut raw = raw.strip_suffix(',').unwrap_or(raw).trim_end();
    for (close, open) in [('}', '{'), (']', '['), ('}', '{')] {
        while raw.ends_with(close) && raw.matches(close).count() > raw.matches(open).count() {
            raw = raw[..raw.len() - 1].trim_end();
        }
    }
    raw.strip_suffix(',').unwrap_or(raw)
}
