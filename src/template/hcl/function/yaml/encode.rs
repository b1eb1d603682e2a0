//! YAML written, as libyaml writes it: strings in double quotes, or as literal blocks where they have several lines.

use std::fmt::Write as _;

use crate::template::hcl::value::{Attributes, Kind, Value};

/// The column at which a string in quotes is broken at the next space.
const BEST_WIDTH: usize = 80;

/// Longer keys are written with `?` before them.
const LONGEST_KEY: usize = 128;

pub(super) fn encode(value: &Value) -> String {
    let mut writer = Writer { out: String::new() };
    match parts(value) {
        Some(_) => writer.collection(value, 0, true),
        None => writer.scalar(value, 2, false),
    }
    writer.end_line();
    let open = match value.as_str() {
        // What is not known to end by itself.
        Some(text) => text.ends_with("\n\n") && !needs_quotes(text),
        None => parts(value).is_none() && value.elements().is_none() && value.attributes().is_none(),
    };
    if open {
        writer.out.push_str("...\n");
    }
    writer.out
}

/// The parts of a collection that has any.
enum Parts<'a> {
    Sequence(&'a [Value]),
    Mapping(&'a Attributes),
}

fn parts(value: &Value) -> Option<Parts<'_>> {
    match value.kind() {
        Kind::List(_, e) | Kind::Set(_, e) | Kind::Tuple(e) if !e.is_empty() => Some(Parts::Sequence(e)),
        Kind::Map(_, map) | Kind::Object(map) if !map.is_empty() => Some(Parts::Mapping(map)),
        _ => None,
    }
}

struct Writer {
    out: String,
}

impl Writer {
    fn column(&self) -> usize {
        let line = self.out.rfind('\n').map_or(0, |at| at + 1);
        self.out[line..].chars().count()
    }

    fn end_line(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with('\n') {
            self.out.push('\n');
        }
    }

    fn line(&mut self, indent: usize) {
        self.end_line();
        self.out.push_str(&" ".repeat(indent));
    }

    /// Each part on a line of its own, but the first where the text already stands at its place (`inline`).
    fn collection(&mut self, value: &Value, indent: usize, inline: bool) {
        let mut inline = inline;
        let mut line = |writer: &mut Self| {
            if !inline {
                writer.line(indent);
            }
            inline = false;
        };
        match parts(value) {
            Some(Parts::Sequence(elements)) => {
                for element in elements {
                    line(self);
                    self.out.push_str("- ");
                    self.node(element, indent, indent + 2);
                }
            }
            Some(Parts::Mapping(map)) => {
                for (key, element) in map {
                    line(self);
                    self.entry(key, element, indent);
                }
            }
            None => {}
        }
    }

    /// What stands behind `- ` or `? `: a collection goes on in the same line.
    fn node(&mut self, value: &Value, indent: usize, inside: usize) {
        if parts(value).is_some() {
            self.collection(value, inside, true);
        } else {
            self.scalar(value, indent + 2, false);
        }
    }

    fn entry(&mut self, key: &str, value: &Value, indent: usize) {
        let name = Value::from(key);
        if key.contains('\n') || key.len() > LONGEST_KEY {
            self.out.push_str("? ");
            self.scalar(&name, indent + 2, false);
            self.line(indent);
            self.out.push_str(": ");
            return self.node(value, indent, indent + 2);
        }
        self.scalar(&name, indent + 2, true);
        self.out.push(':');
        match parts(value) {
            // A sequence within a mapping is not indented.
            Some(Parts::Sequence(_)) => self.collection(value, indent, false),
            Some(Parts::Mapping(_)) => self.collection(value, indent + 2, false),
            None => {
                self.out.push(' ');
                self.scalar(value, indent + 2, false);
            }
        }
    }

    fn scalar(&mut self, value: &Value, indent: usize, key: bool) {
        match value.kind() {
            Kind::Null(_) | Kind::Unknown(_) => self.out.push_str("null"),
            // Writing to a string cannot fail.
            Kind::Bool(b) => drop(write!(self.out, "{b}")),
            Kind::Number(n) => drop(write!(self.out, "{n}")),
            Kind::String(text) if text.contains('\n') && !key && !needs_quotes(text) => self.block(text, indent),
            Kind::String(text) => self.quoted(text, indent, key),
            Kind::Map(..) | Kind::Object(_) => self.out.push_str("{}"),
            Kind::List(..) | Kind::Set(..) | Kind::Tuple(_) => self.out.push_str("[]"),
        }
    }

    fn block(&mut self, text: &str, indent: usize) {
        self.out.push('|');
        if text.starts_with([' ', '\n']) {
            self.out.push('2');
        }
        if !text.ends_with('\n') {
            self.out.push('-');
        } else if text.ends_with("\n\n") || text == "\n" {
            self.out.push('+');
        }
        for line in text.strip_suffix('\n').unwrap_or(text).split('\n') {
            self.out.push('\n');
            if !line.is_empty() {
                self.out.push_str(&" ".repeat(indent));
                self.out.push_str(line);
            }
        }
        self.out.push('\n');
    }

    fn quoted(&mut self, text: &str, indent: usize, key: bool) {
        self.out.push('"');
        let mut column = self.column();
        let (mut spaces, last) = (false, text.chars().count().saturating_sub(1));
        let mut chars = text.chars().enumerate().peekable();
        while let Some((i, c)) = chars.next() {
            if c == ' ' && !key && !spaces && column > BEST_WIDTH && i > 0 && i < last {
                self.out.push('\n');
                self.out.push_str(&" ".repeat(indent));
                column = indent;
                if chars.peek().is_some_and(|(_, next)| *next == ' ') {
                    self.out.push('\\');
                    column += 1;
                }
                spaces = true;
                continue;
            }
            let before = self.out.len();
            escape(c, &mut self.out);
            column += self.out[before..].chars().count();
            spaces = c == ' ';
        }
        self.out.push('"');
    }
}

/// It cannot stand as a literal block.
fn needs_quotes(text: &str) -> bool {
    text.ends_with(' ') || text.contains(" \n") || text.chars().any(|c| c != '\n' && !is_printable(c))
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}')
}

fn escape(c: char, out: &mut String) {
    let short = match c {
        '\0' => "\\0",
        '\u{7}' => "\\a",
        '\u{8}' => "\\b",
        '\t' => "\\t",
        '\n' => "\\n",
        '\u{b}' => "\\v",
        '\u{c}' => "\\f",
        '\r' => "\\r",
        '\u{1b}' => "\\e",
        '"' => "\\\"",
        '\\' => "\\\\",
        '\u{85}' => "\\N",
        '\u{2028}' => "\\L",
        '\u{2029}' => "\\P",
        c if is_printable(c) => return out.push(c),
        c => {
            let code = u32::from(c);
            // Writing to a string cannot fail.
            let _ = match code {
                0..=0xff => write!(out, "\\x{code:02X}"),
                0x100..=0xffff => write!(out, "\\u{code:04X}"),
                _ => write!(out, "\\U{code:08X}"),
            };
            return;
        }
    };
    out.push_str(short);
}
