//! The walk itself: keys to fields, values to types.

use std::collections::BTreeMap;

use super::super::tree::{Node, Tree};
use super::{Decoded, Places, Scope, scalar};
use crate::run::{Secrets, Value};
use crate::schema::{Field, Fields, Type, duration};
use crate::text::code::field as code;
use crate::text::{Diagnostic, Span};

/// Where the walk stands: in which field, under which path.
#[derive(Clone)]
pub(super) struct At<'a> {
    /// `tags.Name`.
    pub path: String,
    /// `/builders/0/tags/Name`.
    pub pointer: String,
    pub field: &'a Field,
    /// A field above this one is sensitive.
    pub within_secret: bool,
}

pub(super) struct Walk<'a> {
    pub scope: &'a Scope<'a>,
    pub out: Decoded,
}

impl At<'_> {
    pub(super) fn secret(&self) -> bool {
        self.field.sensitive || self.within_secret
    }

    pub(super) fn under(&self, name: &str) -> Self {
        Self {
            path: format!("{}.{name}", self.path),
            pointer: format!("{}/{}", self.pointer, pointer_part(name)),
            ..self.clone()
        }
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(scope: &'a Scope<'a>) -> Self {
        let out = Decoded {
            value: Value::Null,
            places: Places::new(scope.at),
            diagnostics: Vec::new(),
            questions: Vec::new(),
            secrets: Secrets::default(),
            unset_env: BTreeMap::new(),
        };
        Self { scope, out }
    }

    pub(super) fn component(mut self, body: &Node, fields: &Fields) -> Decoded {
        let map = self.block(body, fields, "", self.scope.pointer, false, self.scope.at);
        self.out.value = Value::Map(map);
        self.out.questions.sort_unstable();
        self.out.questions.dedup();
        self.out
    }

    /// Decodes a value by its type. `None`: nothing is there, or a mistake was reported.
    pub(super) fn value(&mut self, node: &Node, ty: &Type, at: &At<'_>) -> Option<Value> {
        match ty {
            Type::String => self.string(node, at),
            Type::Bool => self.boolean(node, at),
            Type::Integer { min, max } => self.integer(node, *min, *max, at),
            Type::Number => self.number(node, at),
            Type::Duration => self.duration(node, at),
            Type::List(item) => self.list(node, item, at),
            Type::Map(item) => self.map(node, item, at),
            Type::Block(fields) => self.single_block(node, fields, at),
            Type::Blocks(fields) => self.blocks(node, fields, at),
            Type::Any => self.any(node, at),
        }
    }

    fn string(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        let value = match &node.tree {
            Tree::String(text) => self.render(text, at)?,
            Tree::Bool(b) if self.scope.hcl => Value::Text(b.to_string()),
            Tree::Bool(b) => Value::Text(if *b { "1" } else { "0" }.into()),
            Tree::Number(n) => Value::Text(scalar::number_text(n)),
            Tree::Null => Value::Text(String::new()),
            Tree::Array(items) if items.is_empty() => Value::Text(String::new()),
            _ => return self.wrong_type(node, "a string", at),
        };
        self.check_choice(&value, node.span, at);
        Some(self.guard(value, at))
    }

    fn boolean(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        match &node.tree {
            Tree::Bool(b) => Some(Value::Bool(*b)),
            Tree::Number(n) => Some(Value::Bool(n.parse::<f64>().is_ok_and(|n| n != 0.0))),
            Tree::String(text) => {
                let value = self.render(text, at)?;
                let text = self.reveal(&value);
                if text.is_empty() {
                    // Go's zero; where the default is another one, only that says what Packer does.
                    return (at.field.default == Some(true.into())).then_some(Value::Bool(false));
                }
                let Some(b) = scalar::boolean(&text) else {
                    return self.wrong_text(node, &value, "a boolean", "write `true` or `false`", at);
                };
                Some(Value::Bool(b))
            }
            Tree::Null => None,
            _ => self.wrong_type(node, "a boolean", at),
        }
    }

    fn integer(&mut self, node: &Node, min: i64, max: i64, at: &At<'_>) -> Option<Value> {
        let number = match &node.tree {
            Tree::Bool(b) => i128::from(*b),
            Tree::Number(n) => match scalar::whole(n) {
                Some(Ok(n)) => n,
                Some(Err(cut)) => {
                    let message = format!("`{}` is a whole number; `{n}` is taken as `{cut}`", at.path);
                    self.out.diagnostics.push(Diagnostic::warning(code::WRONG_TYPE, node.span, message));
                    cut
                }
                None => return self.wrong_type(node, "a whole number", at),
            },
            Tree::String(text) => {
                let value = self.render(text, at)?;
                let text = self.reveal(&value);
                if text.is_empty() {
                    return None;
                }
                let Some(n) = scalar::integer(&text) else {
                    return self.wrong_text(node, &value, "a whole number", "write digits, such as `22`", at);
                };
                n
            }
            Tree::Null => return None,
            _ => return self.wrong_type(node, "a whole number", at),
        };
        match i64::try_from(number) {
            Ok(n) if n >= min && n <= max => Some(Value::Number(n.into())),
            _ => {
                let range = match (min, max) {
                    (0, i64::MAX) => "it must not be negative".to_owned(),
                    _ => format!("it must be from {min} to {max}"),
                };
                let message = format!("`{}` cannot be {number}", at.path);
                self.mistake(Diagnostic::error(code::OUT_OF_RANGE, node.span, message).help(range), at)
            }
        }
    }

    fn number(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        let text = match &node.tree {
            Tree::Bool(b) => if *b { "1" } else { "0" }.to_owned(),
            Tree::Number(n) => n.clone(),
            Tree::String(text) => {
                let value = self.render(text, at)?;
                self.reveal(&value)
            }
            Tree::Null => return None,
            _ => return self.wrong_type(node, "a number", at),
        };
        if text.is_empty() {
            return None;
        }
        let number = text.parse::<i64>().map(Into::into).ok();
        let number = number.or_else(|| serde_json::Number::from_f64(text.parse().ok()?));
        match number {
            Some(n) => Some(Value::Number(n)),
            None => self.wrong_text(node, &Value::Text(text), "a number", "write digits, such as `1.5`", at),
        }
    }

    fn duration(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        let text = match &node.tree {
            Tree::Number(n) => {
                let text = format!("{}ns", scalar::number_text(n));
                let message = format!("a bare number is a duration in nanoseconds: `{}` is {text}", at.path);
                let help = format!("write `\"{n}s\"` for seconds");
                self.out.diagnostics.push(
                    Diagnostic::warning(code::BARE_DURATION, node.span, message).help(help.clone()).fix(
                        help,
                        node.span,
                        format!("\"{n}s\""),
                    ),
                );
                text
            }
            Tree::String(text) => {
                let value = self.render(text, at)?;
                self.reveal(&value)
            }
            Tree::Null => return None,
            _ => return self.wrong_type(node, "a duration such as `5m`", at),
        };
        if text.is_empty() {
            return None;
        }
        match duration::parse_nanos(&text) {
            Ok(_) => Some(Value::Text(text)),
            Err(error) => {
                let message = format!("`{}` is no duration: {error}", at.path);
                self.mistake(Diagnostic::error(code::NOT_A_DURATION, node.span, message).help(error.help()), at)
            }
        }
    }

    fn any(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        match &node.tree {
            Tree::Null => Some(Value::Null),
            Tree::Bool(b) => Some(Value::Bool(*b)),
            Tree::Number(n) => Some(serde_json::from_str(n).map_or_else(|_| Value::Text(n.clone()), Value::Number)),
            Tree::String(_) => self.string(node, at),
            Tree::Array(_) => self.list(node, &Type::Any, at),
            Tree::Object(_) => self.map(node, &Type::Any, at),
            Tree::Broken => self.wrong_type(node, "a value", at),
        }
    }

    pub(super) fn wrong_type(&mut self, node: &Node, wanted: &str, at: &At<'_>) -> Option<Value> {
        if matches!(node.tree, Tree::Broken) {
            self.out.places.forget_value(&at.path);
            return None;
        }
        let message = format!("`{}` must be {wanted}, not {}", at.path, node.described());
        self.mistake(Diagnostic::error(code::WRONG_TYPE, node.span, message), at)
    }

    /// A text that cannot be read as what is wanted.
    fn wrong_text(&mut self, node: &Node, value: &Value, wanted: &str, help: &str, at: &At<'_>) -> Option<Value> {
        let shown = match value {
            Value::Text(text) if !at.secret() => format!("; `{text}` is not"),
            _ => String::new(),
        };
        let message = format!("`{}` must be {wanted}{shown}", at.path);
        self.mistake(Diagnostic::error(code::WRONG_TYPE, node.span, message).help(help), at)
    }

    pub(super) fn wrong_part(&mut self, part: &str, span: Span, item: &Type, at: &At<'_>) -> Option<Value> {
        let message = format!("`{}` must be {}; `{part}` is not", at.path, item.described());
        self.mistake(Diagnostic::error(code::WRONG_TYPE, span, message), at)
    }

    /// Reports it and forgets the value, so that nothing else is said of this field.
    pub(super) fn mistake(&mut self, diagnostic: Diagnostic, at: &At<'_>) -> Option<Value> {
        let diagnostic = if at.secret() { diagnostic.secret() } else { diagnostic };
        self.out.diagnostics.push(diagnostic);
        self.out.places.forget_value(&at.path);
        None
    }
}

/// Two values of one field: maps are added up, of others the later one counts.
pub(super) fn merged(before: Option<Value>, next: Option<Value>) -> Option<Value> {
    match (before, next) {
        (Some(Value::Map(mut map)), Some(Value::Map(more))) => {
            map.extend(more);
            Some(Value::Map(map))
        }
        (before, None) => before,
        (_, next) => next,
    }
}

/// A part of a JSON pointer.
pub(super) fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
