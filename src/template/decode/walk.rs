//! The walk itself: keys to fields, values to types.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use super::super::tree::{Entry, Node, Tree};
use super::{Decoded, Places, Scope, old_names, scalar};
use crate::run::{Secrets, Value};
use crate::schema::{Field, Fields, Type, duration};
use crate::text::code::field as code;
use crate::text::diagnostic::did_you_mean;
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

    fn under(&self, name: &str) -> Self {
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

    /// An object whose keys are fields. `whole` is where a missing one is reported.
    fn block(
        &mut self,
        body: &Node,
        fields: &Fields,
        path: &str,
        pointer: &str,
        within_secret: bool,
        whole: Span,
    ) -> IndexMap<String, Value> {
        let prefixed = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let mut found: IndexMap<&str, Vec<(&Entry, bool)>> = IndexMap::new();
        let mut meant = Vec::new();
        for entry in body.entries() {
            match field_of(&entry.key.value, fields) {
                Some((field, direct)) => found.entry(field).or_default().push((entry, direct)),
                None => meant.extend(self.unknown_key(entry, fields, path)),
            }
        }
        // What stands under a misspelt key is there, though nobody knows what it says.
        for field in meant.iter().filter(|field| !found.contains_key(field.as_str())) {
            self.out.places.forget_value(&prefixed(field));
        }
        let mut map = IndexMap::new();
        for field in fields.values() {
            let at = At {
                path: prefixed(&field.name),
                pointer: format!("{pointer}/{}", pointer_part(&field.name)),
                field,
                within_secret,
            };
            let entries = found.swap_remove(field.name.as_str()).unwrap_or_default();
            let entries = self.one_of_many(&at, entries);
            let mut value = None;
            for (entry, direct) in &entries {
                if matches!(entry.value.tree, Tree::Null) {
                    continue;
                }
                self.out.places.write(&at.path, entry.key.span, entry.value.span);
                let next = if *direct {
                    self.value(&entry.value, &field.ty, &at)
                } else {
                    self.key_value_blocks(&entry.value, &at)
                };
                value = merged(value, next);
            }
            self.check_presence(&at, value.as_ref(), whole);
            if let Some(value) = value {
                self.check_built(&at, &value);
                map.insert(field.name.clone(), value);
            }
        }
        map
    }

    /// Of several entries for one field, those that count: an alias of a map adds to it, of others the exact name wins.
    fn one_of_many<'e>(&mut self, at: &At<'_>, entries: Vec<(&'e Entry, bool)>) -> Vec<(&'e Entry, bool)> {
        let (mut direct, adding): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, direct)| *direct);
        if direct.len() > 1 {
            direct.sort_by_key(|(entry, _)| entry.key.value != at.field.name);
            let (kept, other) = (direct[0].0, direct[1].0);
            // The same key twice is the JSON reader's to report.
            if kept.key.value != other.key.value {
                self.out.diagnostics.push(
                    Diagnostic::error(
                        code::KEY_TWICE,
                        other.key.span,
                        format!("`{}` and `{}` are the same key", kept.key.value, other.key.value),
                    )
                    .related(kept.key.span, "the other one")
                    .help("which of them Packer takes is left to chance; remove one"),
                );
            }
            direct.truncate(1);
        }
        direct.extend(adding);
        direct
    }

    /// Reports a key that is no field's; gives the field that was probably meant.
    fn unknown_key(&mut self, entry: &Entry, fields: &Fields, path: &str) -> Option<String> {
        let key = entry.key.value.as_str();
        if key.starts_with("packer_") {
            return None;
        }
        let shown = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let component = self.scope.component;
        if let Some(old) = old_names::find(entry, |name| fields.contains_key(name)) {
            let message = format!("`{shown}` is an old key that {component} no longer has");
            let mut diagnostic = Diagnostic::error(code::OLD_NAME, entry.key.span, message);
            diagnostic = match old.fix {
                Some((span, replacement)) => {
                    let title = format!("Write `{replacement}`");
                    diagnostic.help(format!("write `{replacement}` instead")).fix(title, span, replacement)
                }
                None if old.key.is_empty() => diagnostic.help("remove it; nothing takes its place"),
                None => diagnostic.help(format!("use `{}` instead", old.key)),
            };
            self.out.diagnostics.push(diagnostic);
            return Some(old.key.to_owned()).filter(|key| !key.is_empty());
        }
        let mut meant = None;
        let names = fields.values().flat_map(|f| std::iter::once(&f.name).chain(&f.aliases)).map(String::as_str);
        let message = format!("{component} has no key `{shown}`");
        let mut diagnostic = Diagnostic::error(code::UNKNOWN_KEY, entry.key.span, message);
        if key.starts_with('_') || key.eq_ignore_ascii_case("comment") || key.starts_with("//") {
            diagnostic = diagnostic.help("for a comment, begin a line with `//`; kiln reads it, Packer does not");
        } else if let Some(near) = did_you_mean(key, names) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("Rename to `{near}`"),
                entry.key.span,
                format!("\"{near}\""),
            );
            meant = field_of(near, fields).map(|(field, _)| field.to_owned());
        } else if matches!(key, "only" | "except" | "pause_before" | "timeout" | "max_retries" | "override") {
            diagnostic = diagnostic.help(format!("`{key}` belongs in a provisioner or post-processor"));
        } else {
            diagnostic = diagnostic.help(format!("remove it, or see which keys {component} has in Packer's manual"));
        }
        self.out.diagnostics.push(diagnostic);
        meant
    }

    /// Decodes a value by its type. `None`: nothing is there, or a mistake was reported.
    fn value(&mut self, node: &Node, ty: &Type, at: &At<'_>) -> Option<Value> {
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

    fn list(&mut self, node: &Node, item: &Type, at: &At<'_>) -> Option<Value> {
        match &node.tree {
            Tree::Array(items) => {
                let mut list = Vec::with_capacity(items.len());
                for (i, node) in items.iter().enumerate() {
                    let at = at.under(&i.to_string());
                    self.out.places.write(&at.path, node.span, node.span);
                    list.extend(self.value(node, item, &at));
                }
                Some(Value::List(list))
            }
            Tree::Object(entries) if entries.is_empty() => Some(Value::List(Vec::new())),
            Tree::String(text) => {
                let value = self.render(text, at)?;
                let whole = self.reveal(&value);
                if whole.is_empty() {
                    return Some(Value::List(Vec::new()));
                }
                if !whole.contains(',') && matches!(item, Type::String) {
                    self.check_choice(&value, node.span, at);
                    let at = at.under("0");
                    self.out.places.write(&at.path, node.span, node.span);
                    return Some(Value::List(vec![self.guard(value, &at)]));
                }
                let mut list = Vec::new();
                for (i, part) in whole.split(',').enumerate() {
                    let mut at = at.under(&i.to_string());
                    at.within_secret |= matches!(value, Value::Secret(_));
                    self.out.places.write(&at.path, node.span, node.span);
                    list.extend(self.part(part, item, node.span, &at));
                }
                Some(Value::List(list))
            }
            Tree::Bool(_) | Tree::Number(_) => Some(Value::List(self.value(node, item, at).into_iter().collect())),
            Tree::Null => None,
            _ => self.wrong_type(node, &at.field.ty.described(), at),
        }
    }

    /// One part of a text that was split into a list; it is rendered already.
    fn part(&mut self, part: &str, item: &Type, span: Span, at: &At<'_>) -> Option<Value> {
        if matches!(item, Type::String) {
            let value = Value::Text(part.to_owned());
            self.check_choice(&value, span, at);
            return Some(self.guard(value, at));
        }
        let number = part.parse::<i64>().is_ok() && matches!(item, Type::Integer { .. } | Type::Number);
        let tree = if number { Tree::Number(part.to_owned()) } else { return self.wrong_part(part, span, item, at) };
        self.value(&Node { tree, span }, item, at)
    }

    fn map(&mut self, node: &Node, item: &Type, at: &At<'_>) -> Option<Value> {
        match &node.tree {
            Tree::Object(entries) => {
                let mut map = IndexMap::new();
                for entry in entries {
                    let Some(key) = self.map_key(entry, at) else { continue };
                    let at = at.under(&key);
                    self.out.places.write(&at.path, entry.key.span, entry.value.span);
                    if let Some(value) = self.value(&entry.value, item, &at) {
                        map.insert(key, value);
                    }
                }
                Some(Value::Map(map))
            }
            Tree::Array(items) => {
                let mut all = Some(Value::Map(IndexMap::new()));
                for node in items {
                    let next = self.map(node, item, at);
                    all = merged(all, next);
                }
                all
            }
            Tree::Null => None,
            _ => self.wrong_type(node, &at.field.ty.described(), at),
        }
    }

    fn map_key(&mut self, entry: &Entry, at: &At<'_>) -> Option<String> {
        match self.render(&entry.key, at)? {
            Value::Text(text) => Some(text),
            _ => {
                let message = format!("a key of `{}` is made from a sensitive value", at.path);
                let help = "keys cannot be hidden; write it without the sensitive variable";
                self.mistake(Diagnostic::error(code::WRONG_TYPE, entry.key.span, message).help(help).secret(), at);
                None
            }
        }
    }

    /// `"tag": {"key": "Name", "value": "x"}`, or a list of these: added to the map that it is another spelling of.
    fn key_value_blocks(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        let blocks = if let Tree::Array(items) = &node.tree { items.as_slice() } else { std::slice::from_ref(node) };
        let Type::Map(item) = &at.field.ty else { return None };
        let mut map = IndexMap::new();
        for block in blocks {
            let name = block.get("key").or_else(|| block.get("name")).and_then(Node::text);
            let (Some(name), Some(value)) = (name, block.get("value")) else {
                let message = format!("a block of `{}` needs `key` and `value`", at.path);
                self.mistake(Diagnostic::error(code::WRONG_TYPE, block.span, message), at);
                continue;
            };
            let entry = Entry { key: name.clone(), value: value.clone() };
            let Some(key) = self.map_key(&entry, at) else { continue };
            let at = at.under(&key);
            self.out.places.write(&at.path, name.span, value.span);
            if let Some(value) = self.value(value, item, &at) {
                map.insert(key, value);
            }
        }
        Some(Value::Map(map))
    }

    fn single_block(&mut self, node: &Node, fields: &Arc<Fields>, at: &At<'_>) -> Option<Value> {
        let node = match &node.tree {
            Tree::Array(items) if items.len() == 1 => items.first()?,
            _ => node,
        };
        match &node.tree {
            Tree::Object(_) => {
                let whole = self.out.places.key(&at.path);
                Some(Value::Map(self.block(node, fields, &at.path, &at.pointer, at.secret(), whole)))
            }
            Tree::Array(items) if items.is_empty() => None,
            Tree::Null => None,
            _ => self.wrong_type(node, "an object", at),
        }
    }

    fn blocks(&mut self, node: &Node, fields: &Arc<Fields>, at: &At<'_>) -> Option<Value> {
        let items = match &node.tree {
            Tree::Array(items) => items.as_slice(),
            Tree::Object(_) => std::slice::from_ref(node),
            Tree::Null => return None,
            _ => return self.wrong_type(node, "a list of objects", at),
        };
        let mut list = Vec::with_capacity(items.len());
        for (i, node) in items.iter().enumerate() {
            let at = at.under(&i.to_string());
            let whole = Span { end: node.span.start.saturating_add(1).min(node.span.end), ..node.span };
            self.out.places.write(&at.path, whole, whole);
            list.extend(self.single_block(node, fields, &at));
        }
        Some(Value::List(list))
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

    fn wrong_type(&mut self, node: &Node, wanted: &str, at: &At<'_>) -> Option<Value> {
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

    fn wrong_part(&mut self, part: &str, span: Span, item: &Type, at: &At<'_>) -> Option<Value> {
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

/// The field that a key means, and whether its value is the field's own (not a block to be added to its map).
fn field_of<'f>(key: &str, fields: &'f Fields) -> Option<(&'f str, bool)> {
    if let Some(field) = fields.get(key) {
        return Some((&field.name, true));
    }
    let folded = |name: &str| name.eq_ignore_ascii_case(key);
    let alias = |f: &&Field| f.aliases.iter().any(|a| folded(a));
    let by_case = fields.values().find(|f| folded(&f.name)).map(|f| (f.name.as_str(), true));
    by_case.or_else(|| fields.values().find(alias).map(|f| (f.name.as_str(), !matches!(f.ty, Type::Map(_)))))
}

/// Two values of one field: maps are added up, of others the later one counts.
fn merged(before: Option<Value>, next: Option<Value>) -> Option<Value> {
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
fn pointer_part(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
