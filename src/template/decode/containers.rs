//! Values that hold others: lists, maps, blocks.

use std::sync::Arc;

use indexmap::IndexMap;

use super::super::tree::{Entry, Node, Tree};
use super::walk::{At, Walk, merged};
use crate::run::Value;
use crate::schema::{Fields, Type};
use crate::text::code::field as code;
use crate::text::{Diagnostic, Span};

impl Walk<'_> {
    pub(super) fn list(&mut self, node: &Node, item: &Type, at: &At<'_>) -> Option<Value> {
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
            // HCL makes no list of anything else.
            Tree::String(_) | Tree::Bool(_) | Tree::Number(_) if self.scope.hcl => {
                self.wrong_type(node, &at.field.ty.described(), at)
            }
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
    pub(super) fn part(&mut self, part: &str, item: &Type, span: Span, at: &At<'_>) -> Option<Value> {
        if matches!(item, Type::String) {
            let value = Value::Text(part.to_owned());
            self.check_choice(&value, span, at);
            return Some(self.guard(value, at));
        }
        let number = part.parse::<i64>().is_ok() && matches!(item, Type::Integer { .. } | Type::Number);
        let tree = if number { Tree::Number(part.to_owned()) } else { return self.wrong_part(part, span, item, at) };
        self.value(&Node { tree, span }, item, at)
    }

    pub(super) fn map(&mut self, node: &Node, item: &Type, at: &At<'_>) -> Option<Value> {
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

    pub(super) fn map_key(&mut self, entry: &Entry, at: &At<'_>) -> Option<String> {
        if let Value::Text(text) = self.render(&entry.key, at)? {
            return Some(text);
        }
        let message = format!("a key of `{}` is made from a sensitive value", at.path);
        let help = "keys cannot be hidden; write it without the sensitive variable";
        self.mistake(Diagnostic::error(code::WRONG_TYPE, entry.key.span, message).help(help).secret(), at);
        None
    }

    /// `"tag": {"key": "Name", "value": "x"}`, or a list of these: added to the map that it is another spelling of.
    pub(super) fn key_value_blocks(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
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

    pub(super) fn single_block(&mut self, node: &Node, fields: &Arc<Fields>, at: &At<'_>) -> Option<Value> {
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

    pub(super) fn blocks(&mut self, node: &Node, fields: &Arc<Fields>, at: &At<'_>) -> Option<Value> {
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
}
