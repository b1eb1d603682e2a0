//! Values to JSON and back, as Go's `encoding/json` writes it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Attributes, Kind, Number, Type, Value};

/// Deeper texts are refused, as the stack is not endless.
const MAX_DEPTH: usize = 500;

/// Bytes that a value may take as JSON.
const MAX_TEXT: usize = 4 << 20;

/// Why a text is no JSON: what, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at byte {offset})")]
pub struct JsonError {
    pub message: &'static str,
    pub offset: usize,
}

/// Compact, keys sorted, `<`, `>` and `&` escaped. `None` when something in it is unknown, and beyond 4 MiB.
pub fn encode(value: &Value) -> Option<String> {
    let mut out = String::new();
    write(value, &mut out).then_some(out)
}

fn write(value: &Value, out: &mut String) -> bool {
    if out.len() > MAX_TEXT {
        return false;
    }
    match &value.kind {
        Kind::Unknown(_) => return false,
        Kind::Null(_) => out.push_str("null"),
        // Writing to a string cannot fail.
        Kind::Bool(b) => drop(write!(out, "{b}")),
        Kind::Number(n) => drop(write!(out, "{n}")),
        Kind::String(text) => write_string(text, out),
        Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
            out.push('[');
            for (i, element) in elements.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                if !write(element, out) {
                    return false;
                }
            }
            out.push(']');
        }
        Kind::Map(_, map) | Kind::Object(map) => {
            out.push('{');
            for (i, (key, element)) in map.iter().enumerate() {
                out.push_str(if i == 0 { "" } else { "," });
                write_string(key, out);
                out.push(':');
                if !write(element, out) {
                    return false;
                }
            }
            out.push('}');
        }
    }
    true
}

/// With Go's escapes for HTML and for JavaScript's line ends.
fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{0}'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Objects and tuples; of equal keys the last counts.
pub fn decode(text: &str) -> Result<Value, JsonError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    let value = reader.value()?;
    reader.space();
    if reader.at < text.len() { Err(reader.fault("something follows the value")) } else { Ok(value) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn fault(&self, message: &'static str) -> JsonError {
        JsonError { message, offset: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Result<Value, JsonError> {
        self.space();
        if self.depth >= MAX_DEPTH {
            return Err(self.fault("this is nested more than 500 deep"));
        }
        self.depth += 1;
        let value = match self.peek() {
            Some(b'{') => self.object(),
            Some(b'[') => self.array(),
            Some(b'"') => self.string().map(Value::string),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Value::from(true)),
            Some(b'f') => self.word("false", Value::from(false)),
            Some(b'n') => self.word("null", Value::null(Type::Any)),
            Some(_) => Err(self.fault("a value is expected here")),
            None => Err(self.fault("the text ends where a value is expected")),
        };
        self.depth -= 1;
        value
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.fault("a value is expected here"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn object(&mut self) -> Result<Value, JsonError> {
        self.at += 1;
        let mut attributes = Attributes::new();
        if !self.take(b'}') {
            loop {
                self.space();
                if self.peek() != Some(b'"') {
                    return Err(self.fault("a key in quotes is expected here"));
                }
                let key = self.string()?;
                if !self.take(b':') {
                    return Err(self.fault("a `:` is expected after the key"));
                }
                let value = self.value()?;
                attributes.insert(key.into(), value);
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.fault("a `,` or `}` is expected here"));
                }
            }
        }
        Ok(Value::of(Kind::Object(Arc::new(attributes))))
    }

    fn array(&mut self) -> Result<Value, JsonError> {
        self.at += 1;
        let mut elements = Vec::new();
        if !self.take(b']') {
            loop {
                elements.push(self.value()?);
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.fault("a `,` or `]` is expected here"));
                }
            }
        }
        Ok(Value::tuple(elements))
    }

    fn number(&mut self) -> Result<Value, JsonError> {
        let start = self.at;
        let digits = |reader: &mut Self| {
            let from = reader.at;
            while matches!(reader.peek(), Some(b'0'..=b'9')) {
                reader.at += 1;
            }
            reader.at > from
        };
        self.at += usize::from(self.peek() == Some(b'-'));
        let zero = self.peek() == Some(b'0');
        if !digits(self) || zero && self.at > start + 1 + usize::from(self.text[start..].starts_with('-')) {
            return Err(self.fault("this is no number"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !digits(self) {
                return Err(self.fault("digits are expected after the point"));
            }
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            if !digits(self) {
                return Err(self.fault("digits are expected in the exponent"));
            }
        }
        let number = Number::parse(&self.text[start..self.at]);
        number.map(Value::number).ok_or_else(|| self.fault("this number is too large"))
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.find(|c: char| matches!(c, '"' | '\\') || c < ' ').unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.at += plain;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.fault("control characters must be escaped in strings")),
                None => return Err(self.fault("the text ends within a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let escaped = self.text.as_bytes().get(self.at + 1).copied();
        let plain = match escaped {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.fault("there is no such escape")),
        };
        self.at += 2;
        Ok(plain)
    }

    /// Half a pair becomes U+FFFD, as in Go.
    fn unicode(&mut self) -> Result<char, JsonError> {
        let unit = |at: usize| {
            let escape = self.text.get(at..at + 6)?;
            let digits = escape.strip_prefix("\\u").filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u32::from_str_radix(digits, 16).ok()
        };
        let first = unit(self.at).ok_or_else(|| self.fault("`\\u` needs four hexadecimal digits"))?;
        let second = unit(self.at + 6);
        self.at += 6;
        if let (0xd800..=0xdbff, Some(second @ 0xdc00..=0xdfff)) = (first, second) {
            self.at += 6;
            let joined = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Ok(char::from_u32(joined).unwrap_or('\u{fffd}'));
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }
}
