//! Names and the parts of what they hold: `var.x`, `a[0]`, `a["key"]`, splats.

use super::super::syntax::ast::{Expression, ExpressionKind, Name};
use super::super::value::{AccessError, Kind, Type, Value};
use super::{Evaluator, anything};
use crate::text::code::hcl_value as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Span};

impl Evaluator<'_> {
    pub(super) fn variable(&mut self, name: &str, span: Span) -> Value {
        if let Some((_, value)) = self.locals.iter().rev().find(|(n, _)| n == name) {
            return value.clone();
        }
        if let Some(value) = self.scope.get(name) {
            return value.clone();
        }
        let message = format!("there is nothing named `{name}` here");
        let diagnostic = Diagnostic::error(code::UNKNOWN_NAME, span, message);
        let known = self.scope.keys().map(String::as_str).chain(self.locals.iter().map(|(n, _)| n.as_str()));
        let near = did_you_mean(name, known).map(str::to_owned);
        let diagnostic = match near {
            Some(near) => {
                diagnostic.help(format!("did you mean `{near}`?")).fix(format!("Change to `{near}`"), span, near)
            }
            None => {
                if let Some(holder) = self.holder(name) {
                    let path = format!("{holder}.{name}");
                    diagnostic.help(format!("did you mean `{path}`?")).fix(format!("Change to `{path}`"), span, path)
                } else {
                    let all: Vec<_> = self.scope.keys().map(|n| format!("`{n}`")).collect();
                    let known =
                        if all.is_empty() { String::new() } else { format!("; known here: {}", all.join(", ")) };
                    diagnostic.help(format!("a text needs quotes around it{known}"))
                }
            }
        };
        self.push(diagnostic)
    }

    /// Which of the scope's objects has an attribute of that name.
    fn holder(&self, name: &str) -> Option<&'static str> {
        ["var", "local"].into_iter().find(|root| {
            self.scope.get(*root).and_then(Value::attributes).is_some_and(|attributes| attributes.contains_key(name))
        })
    }

    pub(super) fn attribute(&mut self, of: &Expression, name: &Name) -> Value {
        let value = self.evaluate(of);
        match value.attribute(&name.text) {
            Ok(found) => found,
            Err(error) => self.no_attribute(of, &value, name, &error),
        }
    }

    fn no_attribute(&mut self, of: &Expression, value: &Value, name: &Name, error: &AccessError) -> Value {
        let root = if let ExpressionKind::Variable(root) = &of.kind { root.as_str() } else { "" };
        let (message, way) = match root {
            "var" => (
                format!("there is no variable `{}`", name.text),
                Some(format!("declare it with `variable \"{}\" {{ … }}`", name.text)),
            ),
            "local" => (format!("there is no local `{}`", name.text), Some("write it in a `locals` block".to_owned())),
            "data" => (format!("there is no data source of type `{}`", name.text), None),
            _ => (error.to_string(), None),
        };
        let mut diagnostic = Diagnostic::error(code::NO_PART, name.span, message);
        let known: Vec<&str> = value.attributes().iter().flat_map(|a| a.keys()).map(|k| &**k).collect();
        if let Some(near) = did_you_mean(&name.text, known.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("Change to `{near}`"),
                name.span,
                near.to_owned(),
            );
        } else if let Some(way) = way {
            diagnostic = diagnostic.help(way);
        } else if !known.is_empty() && known.len() <= 12 {
            let known: Vec<_> = known.iter().map(|k| format!("`{k}`")).collect();
            diagnostic = diagnostic.help(format!("there are {}", known.join(", ")));
        }
        self.push(diagnostic)
    }

    pub(super) fn index(&mut self, of: &Expression, key: &Expression, span: Span) -> Value {
        let value = self.evaluate(of);
        let index = self.evaluate(key);
        match value.index(&index) {
            Ok(found) => found,
            Err(error) => {
                let place = if matches!(error, AccessError::Null | AccessError::NoIndex(_) | AccessError::Set) {
                    of.span
                } else {
                    key.span
                };
                let mut diagnostic = Diagnostic::error(code::NO_PART, place.to(place), error.to_string());
                if let (Some(name), Some(attributes)) = (index.as_str(), value.attributes())
                    && let Some(near) = did_you_mean(name, attributes.keys().map(|k| &**k))
                {
                    diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
                }
                if diagnostic.span.is_none() {
                    diagnostic.span = Some(span);
                }
                self.push(diagnostic)
            }
        }
    }

    pub(super) fn splat(&mut self, of: &Expression, each: &Expression) -> Value {
        let value = self.evaluate(of);
        let sensitive = value.is_sensitive();
        let ty = value.type_of();
        let sequence = matches!(ty, Type::List(_) | Type::Set(_) | Type::Tuple(_));
        if value.is_null() {
            return match ty {
                Type::Any => anything(),
                _ if sequence => self.error(
                    code::NO_PART,
                    of.span,
                    "this is null, so it has no elements",
                    "give it an empty list instead",
                ),
                _ => Value::tuple([]),
            };
        }
        let elements: Vec<Value> = match value.kind() {
            Kind::Unknown(_) => return anything().mark(sensitive),
            Kind::List(_, elements) | Kind::Set(_, elements) | Kind::Tuple(elements) => elements.to_vec(),
            _ => vec![value.clone()],
        };
        let mut results = Vec::with_capacity(elements.len());
        for element in elements {
            self.elements.push(element);
            results.push(self.evaluate(each));
            self.elements.pop();
        }
        let list = matches!(ty, Type::List(_) | Type::Set(_));
        let first = results.first().map(Value::type_of);
        match first {
            Some(ty) if list && ty != Type::Any && results.iter().all(|r| r.type_of() == ty) => {
                Value::list(ty, results).mark(sensitive)
            }
            None if list => Value::list(Type::Any, []).mark(sensitive),
            _ => Value::tuple(results).mark(sensitive),
        }
    }
}
