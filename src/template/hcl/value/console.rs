//! How `console` writes a value.

use std::fmt::Write as _;

use super::{Kind, Number, Value};
use crate::template::engine::{format::general, quote::quote};

impl Value {
    /// As Packer's console writes it: a string bare, in a collection as Go quotes it; a number that an `i64` holds whole, any
    /// other as a 64-bit float; attributes that are null left out. A sensitive part is `<sensitive>`.
    pub fn to_console(&self) -> String {
        match &self.kind {
            Kind::String(text) if !self.sensitive => text.to_string(),
            _ => {
                let mut out = String::new();
                self.write_console(0, &mut out);
                out
            }
        }
    }

    fn write_console(&self, depth: usize, out: &mut String) {
        if self.sensitive {
            return out.push_str("<sensitive>");
        }
        let indent = "  ".repeat(depth + 1);
        match &self.kind {
            Kind::Null(_) => out.push_str("null"),
            Kind::Unknown(_) => out.push_str("<unknown>"),
            Kind::Bool(b) => drop(write!(out, "{b}")),
            Kind::Number(n) => out.push_str(&number(n)),
            Kind::String(text) => out.push_str(&quote(text, '"', false)),
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => {
                if elements.is_empty() {
                    return out.push_str("[]");
                }
                out.push_str("[\n");
                for element in elements.iter() {
                    out.push_str(&indent);
                    element.write_console(depth + 1, out);
                    out.push_str(",\n");
                }
                let _ = write!(out, "{}]", "  ".repeat(depth));
            }
            Kind::Map(_, map) | Kind::Object(map) => {
                if map.values().all(Self::is_null) {
                    return out.push_str("{}");
                }
                out.push_str("{\n");
                for (key, value) in map.iter().filter(|(_, v)| !v.is_null()) {
                    let _ = write!(out, "{indent}{} = ", quote(key, '"', false));
                    value.write_console(depth + 1, out);
                    out.push('\n');
                }
                let _ = write!(out, "{}}}", "  ".repeat(depth));
            }
        }
    }
}

fn number(n: &Number) -> String {
    n.to_i64().map_or_else(|| general(n.to_f64(), None, false), |n| n.to_string())
}
