//! What stands without quotes: numbers, `true`, `false`, `null`, and what was meant to be a string.

use super::parser::Parser;
use crate::template::tree::{Node, Text, Tree};
use crate::text::Diagnostic;
use crate::text::code::json as code;

impl<'a> Parser<'a> {
    /// A value that begins with neither bracket nor quote.
    pub fn bare(&mut self) -> Node {
        let start = self.pos;
        let word = self.word();
        let end = start + word.len();
        let literal = match word {
            "true" => Some(Tree::Bool(true)),
            "false" => Some(Tree::Bool(false)),
            "null" => Some(Tree::Null),
            _ if is_number(word) => Some(Tree::Number(word.to_owned())),
            _ => None,
        };
        if let Some(tree) = literal {
            self.pos = end;
            return Node { tree, span: self.span(start, end) };
        }
        if let Some((right, tree)) = meant_word(word) {
            self.pos = end;
            let span = self.span(start, end);
            self.report(
                Diagnostic::error(code::WRONG_WORD, span, format!("`{word}` is no JSON value"))
                    .label(format!("`{right}` is meant?"))
                    .fix(format!("Write `{right}`"), span, right),
            );
            return Node { tree, span };
        }
        if looks_numeric(word) {
            self.pos = end;
            return self.bad_number(start, word);
        }
        if word.is_empty() || !word.chars().any(char::is_alphanumeric) {
            self.stray();
            self.forgiven = true;
            return Node { tree: Tree::Broken, span: self.span(start, self.pos) };
        }
        self.unquoted_value()
    }

    /// The run of characters that could be one word.
    fn word(&self) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || c.is_control() || ",:{}[]\"';#".contains(c));
        &rest[..end.unwrap_or(rest.len())]
    }

    /// A string whose quotes, or whose first quote, are missing: all up to the comma, bracket or line end.
    fn unquoted_value(&mut self) -> Node {
        let start = self.pos;
        let rest = self.rest();
        let end = rest.find([',', '}', ']', '"', '\n', '\r', '#']).unwrap_or(rest.len());
        let text = rest[..end].trim_end();
        let content = Text::plain(text, self.span(0, 0).source, start);
        let value = |span| Node { span, tree: Tree::String(Text { span, ..content.clone() }) };
        if rest[end..].starts_with('"') && ends_value(&rest[end + 1..]) {
            self.pos = start + end + 1;
            let span = self.span(start, self.pos);
            self.report(
                Diagnostic::error(code::UNQUOTED, span, "the opening quote of this string is missing")
                    .label("`\"` is missing before this")
                    .fix("Insert `\"`", self.span(start, start), "\""),
            );
            return value(span);
        }
        self.pos = start + text.len();
        let span = self.span(start, self.pos);
        self.report(
            Diagnostic::error(code::UNQUOTED, span, format!("the string `{}` stands without quotes", shortened(text)))
                .fix("Put it in double quotes", span, format!("\"{}\"", text.replace('\\', "\\\\"))),
        );
        value(span)
    }

    /// `{{user …}}` without quotes around it.
    pub fn unquoted_expression(&mut self) -> Node {
        let start = self.pos;
        let rest = self.rest();
        let line = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let length = rest[..line].find("}}").map_or(line, |i| i + 2);
        self.pos += length;
        let span = self.span(start, self.pos);
        self.report(Diagnostic::error(code::UNQUOTED, span, "a template expression stands inside a string").fix(
            "Put it in double quotes",
            span,
            format!("\"{}\"", rest[..length].replace('"', "\\\"")),
        ));
        let text = Text { span, ..Text::plain(&rest[..length], span.source, start) };
        Node { tree: Tree::String(text), span }
    }

    pub fn unquoted_key(&mut self) -> Text {
        let start = self.pos;
        let rest = self.rest();
        let end = rest.find(|c: char| c.is_whitespace() || ":={}[],\"'".contains(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        // `key": value`: only the first quote is missing.
        let half = after.starts_with('"') && after[1..].trim_start().starts_with(':');
        self.pos = start + end + usize::from(half);
        let span = self.span(start, self.pos);
        let message = format!("the key `{}` stands without double quotes", shortened(word));
        let fix = if half {
            ("Insert `\"`", self.span(start, start), "\"".to_owned())
        } else {
            ("Put it in double quotes", span, format!("\"{word}\""))
        };
        self.report(Diagnostic::error(code::UNQUOTED, span, message).fix(fix.0, fix.1, fix.2));
        Text { span, ..Text::plain(word, span.source, start) }
    }

    fn bad_number(&mut self, start: usize, word: &str) -> Node {
        let span = self.span(start, start + word.len());
        let digits = word.trim_start_matches(['+', '-']);
        let sign = if word.starts_with('-') { "-" } else { "" };
        let mended = |text: String| if is_number(&text) { Some(text) } else { None };
        let padded = format!(
            "{}{}{}",
            if digits.starts_with('.') { "0" } else { "" },
            digits,
            if digits.ends_with('.') { "0" } else { "" }
        );
        let octal = digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit());
        let mut diagnostic = Diagnostic::error(code::BAD_NUMBER, span, format!("`{word}` is no JSON number"));
        diagnostic = if octal {
            let plain = digits.trim_start_matches('0');
            diagnostic
                .label("a number has no leading zeros")
                .help(format!(
                    "for a file mode write `\"{word}\"`, for a number `{sign}{}`",
                    if plain.is_empty() { "0" } else { plain }
                ))
                .fix("Put it in double quotes", span, format!("\"{word}\""))
        } else if let Some(right) = mended(format!("{sign}{padded}")) {
            diagnostic.fix(format!("Write `{right}`"), span, right)
        } else if let Some(right) = mended(word.replace('_', "")) {
            diagnostic.fix(format!("Write `{right}`"), span, right)
        } else {
            diagnostic.help("a number is written like `22`, `-1`, `0.5` or `1e3`; anything else needs double quotes")
        };
        self.report(diagnostic);
        Node { tree: Tree::Broken, span }
    }
}

/// Whether behind a closing quote an element can end.
fn ends_value(rest: &str) -> bool {
    let rest = rest.trim_start_matches([' ', '\t']);
    rest.is_empty() || rest.starts_with([',', '}', ']', '\n', '\r', '#'])
}

fn meant_word(word: &str) -> Option<(&'static str, Tree)> {
    Some(match word.to_ascii_lowercase().as_str() {
        "true" => ("true", Tree::Bool(true)),
        "false" => ("false", Tree::Bool(false)),
        "null" | "none" | "nil" | "undefined" => ("null", Tree::Null),
        _ => return None,
    })
}

/// Whether this is a number by JSON's grammar.
pub(super) fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(i) => (&text[..i], Some(&text[i + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|e| digits(e.strip_prefix(['+', '-']).unwrap_or(e)))
}

/// Whether somebody meant this to be a number (and not an address, a date or a duration).
fn looks_numeric(word: &str) -> bool {
    let digits = word.trim_start_matches(['+', '-']);
    if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        return hex.bytes().all(|b| b.is_ascii_hexdigit());
    }
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'_'));
    (plain && digits.matches('.').count() < 2 && (digits.bytes().any(|b| b.is_ascii_digit()) || word == "-"))
        || matches!(digits, "Infinity" | "NaN")
        || (digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
            && digits.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
            && digits.contains(['e', 'E']))
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).flat_map(char::escape_debug).collect();
    if text.chars().nth(40).is_some() {
        short.push('…');
    }
    short
}
