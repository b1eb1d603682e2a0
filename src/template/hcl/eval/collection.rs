//! Objects and `for` expressions.

use std::sync::Arc;

use super::super::syntax::ast::{Expression, For};
use super::super::value::{Attributes, Kind, Type, Value, convert};
use super::{Evaluator, anything};
use crate::text::Span;
use crate::text::code::hcl_value as code;

impl Evaluator<'_> {
    pub(super) fn object(&mut self, items: &[(Expression, Expression)]) -> Value {
        let mut attributes = Attributes::new();
        let (mut whole, mut sensitive) = (true, false);
        for (key, value) in items {
            let key = self.key(key);
            let value = self.evaluate(value);
            let Some(key) = key else {
                whole = false;
                continue;
            };
            sensitive |= key.is_sensitive();
            match key.as_str() {
                Some(key) => {
                    attributes.insert(Arc::from(key), value);
                }
                None => whole = false,
            }
        }
        let value = if whole { Value::object(attributes) } else { anything() };
        value.mark(sensitive)
    }

    /// A key as text, perhaps unknown; `None` where it is none, which is reported.
    fn key(&mut self, expression: &Expression) -> Option<Value> {
        let key = self.evaluate(expression);
        if key.is_null() {
            self.error(code::KEY, expression.span, "this key is null", "a key is a text");
            return None;
        }
        let text = convert(&key, &Type::String).ok();
        if text.is_none() {
            let message = format!("this key is {}, not a text", key.type_of().described());
            self.error(code::KEY, expression.span, message, "a key is a text");
        }
        text
    }

    /// The pairs that a `for` goes over; `Err`: the whole result.
    pub(super) fn iterated(&mut self, collection: &Expression) -> Result<(Vec<(Value, Value)>, bool), Value> {
        let value = self.evaluate(collection);
        if value.is_null() {
            return Err(self.error(
                code::ITERATION,
                collection.span,
                "this is null, so there is nothing to go over",
                "give it an empty list instead, perhaps with `coalesce`",
            ));
        }
        let sensitive = value.is_sensitive();
        if let Some(pairs) = value.pairs() {
            return Ok((pairs, sensitive));
        }
        match value.kind() {
            Kind::Unknown(ty) if !ty.is_primitive() => Err(anything().mark(sensitive)),
            _ => {
                let message =
                    format!("`for` goes over lists, sets, maps and objects; this is {}", value.type_of().described());
                Err(self.error(code::ITERATION, collection.span, message, "put it in a list: `[…]`"))
            }
        }
    }

    pub(super) fn for_expression(&mut self, it: &For, span: Span) -> Value {
        let (pairs, sensitive) = match self.iterated(&it.collection) {
            Ok(found) => found,
            Err(value) => return value,
        };
        if !self.grow(pairs.len(), span) {
            return anything();
        }
        let value = if it.key.is_some() { self.for_object(it, pairs) } else { self.for_tuple(it, pairs) };
        value.mark(sensitive)
    }

    fn for_tuple(&mut self, it: &For, pairs: Vec<(Value, Value)>) -> Value {
        let (mut items, mut known, mut sensitive) = (Vec::new(), true, false);
        for (key, value) in pairs {
            let item = self.with_names(Self::named(it, key, value), |e| match e.included(it) {
                Included::Yes(mark) => Some((e.evaluate(&it.value), mark)),
                Included::No(mark) => {
                    sensitive |= mark;
                    None
                }
                Included::Unknown => {
                    known = false;
                    None
                }
            });
            if let Some((value, mark)) = item {
                sensitive |= mark;
                items.push(value);
            }
            if self.exhausted {
                return anything();
            }
        }
        if known { Value::tuple(items).mark(sensitive) } else { anything().mark(sensitive) }
    }

    fn for_object(&mut self, it: &For, pairs: Vec<(Value, Value)>) -> Value {
        let Some(key_expression) = &it.key else { return anything() };
        let mut items: std::collections::BTreeMap<Arc<str>, Vec<Value>> = std::collections::BTreeMap::new();
        let (mut known, mut sensitive, mut told) = (true, false, false);
        for (key, value) in pairs {
            let item = self.with_names(Self::named(it, key, value), |e| match e.included(it) {
                Included::Yes(mark) => Some((e.key(key_expression), e.evaluate(&it.value), mark)),
                Included::No(mark) => {
                    sensitive |= mark;
                    None
                }
                Included::Unknown => {
                    known = false;
                    None
                }
            });
            if self.exhausted {
                return anything();
            }
            let Some((key, value, mark)) = item else { continue };
            sensitive |= mark;
            let Some(key) = key else {
                known = false;
                continue;
            };
            sensitive |= key.is_sensitive();
            let Some(key) = key.as_str() else {
                known = false;
                continue;
            };
            let values = items.entry(Arc::from(key)).or_default();
            values.push(value);
            if !it.group && values.len() > 1 && !told {
                told = true;
                let message = format!("two elements have the key `{}`", key.escape_debug());
                self.error(
                    code::KEY,
                    key_expression.span,
                    message,
                    "to gather values of the same key write `...` after the value",
                );
            }
        }
        if !known || told {
            return anything().mark(sensitive);
        }
        let group = it.group;
        let attributes = items.into_iter().map(|(key, mut values)| {
            let value = if group { Value::tuple(values) } else { values.pop().unwrap_or_else(anything) };
            (key, value)
        });
        Value::object(attributes).mark(sensitive)
    }

    fn included(&mut self, it: &For) -> Included {
        let Some(condition) = &it.condition else { return Included::Yes(false) };
        let value = self.evaluate(condition);
        if value.is_null() {
            self.error(code::CONDITION, condition.span, "the condition is null", "it must be true or false");
            return Included::Unknown;
        }
        let mark = value.is_sensitive();
        let Ok(chosen) = convert(&value, &Type::Bool) else {
            let message = format!("the condition is {}, not a bool", value.type_of().described());
            self.error(code::CONDITION, condition.span, message, "compare it with something");
            return Included::Unknown;
        };
        match chosen.as_bool() {
            Some(true) => Included::Yes(mark),
            Some(false) => Included::No(mark),
            None => Included::Unknown,
        }
    }
}

/// Whether an element is taken, and whether that is sensitive.
enum Included {
    Yes(bool),
    No(bool),
    Unknown,
}
