//! Templates: text with values, `%{if}` and `%{for}` in it.

use super::super::syntax::ast::{Expression, Part};
use super::super::value::{Type, Value, convert};
use super::{Evaluator, late};
use crate::text::Span;
use crate::text::code::hcl_value as code;

/// Text that is being made.
#[derive(Default)]
struct Output {
    text: String,
    unknown: bool,
    sensitive: bool,
}

impl Evaluator<'_> {
    /// A template that is one value alone is that value, whatever its type.
    pub(super) fn template(&mut self, parts: &[Part]) -> Value {
        match parts {
            [Part::Value(value)] => self.evaluate(value),
            [Part::Text(text)] => Value::from(text.value.as_str()),
            _ => self.text_of(parts),
        }
    }

    /// The text of a template; a value alone becomes text too.
    pub fn text_of(&mut self, parts: &[Part]) -> Value {
        let mut out = Output::default();
        self.parts(parts, &mut out);
        let value = if out.unknown { Value::unknown(Type::String) } else { Value::from(out.text) };
        value.mark(out.sensitive)
    }

    fn parts(&mut self, parts: &[Part], out: &mut Output) {
        for part in parts {
            if self.exhausted {
                out.unknown = true;
                return;
            }
            match part {
                Part::Text(text) => {
                    self.grow(text.value.len(), text.span);
                    out.text.push_str(&text.value);
                }
                Part::Value(expression) => {
                    let value = self.evaluate(expression);
                    self.put(&value, expression.span, out);
                }
                Part::If { condition, yes, no } => self.if_part(condition, yes, no, out),
                Part::For { key_name, value_name, collection, body } => match self.iterated(collection) {
                    Err(value) => {
                        out.unknown = true;
                        out.sensitive |= value.is_sensitive();
                    }
                    Ok((pairs, sensitive)) => {
                        out.sensitive |= sensitive;
                        for (key, value) in pairs {
                            let names = [
                                key_name.as_ref().map(|n| (n.text.as_str(), key)),
                                Some((value_name.text.as_str(), value)),
                            ];
                            self.with_names(names, |e| {
                                if e.step(collection.span).is_some() {
                                    e.parts(body, out);
                                }
                            });
                        }
                    }
                },
            }
        }
    }

    fn put(&mut self, value: &Value, span: Span, out: &mut Output) {
        out.sensitive |= value.is_sensitive();
        if value.is_null() {
            self.error(
                code::TEMPLATE,
                span,
                "this is null, and cannot be put into a text",
                "give it a value, perhaps with `coalesce`",
            );
            out.unknown = true;
            return;
        }
        let Ok(text) = convert(value, &Type::String) else {
            let message = format!("{} cannot be put into a text", value.type_of().described());
            let help = "`join(\", \", …)` makes text of a list, `jsonencode(…)` of anything";
            self.error(code::TEMPLATE, span, message, help);
            out.unknown = true;
            return;
        };
        match text.as_str() {
            Some(text) => {
                self.grow(text.len(), span);
                out.text.push_str(text);
            }
            None => out.unknown = true,
        }
    }

    fn if_part(&mut self, condition: &Expression, yes: &[Part], no: &[Part], out: &mut Output) {
        let value = self.evaluate(condition);
        if late::holds(&value) {
            let (yes, no) = (self.text_of(yes), self.text_of(no));
            let chosen = late::conditional(&value, &yes, &no);
            self.put(&chosen, condition.span, out);
            return;
        }
        out.sensitive |= value.is_sensitive();
        let help = "it must be true or false";
        if value.is_null() {
            self.error(code::CONDITION, condition.span, "the condition is null", help);
            out.unknown = true;
            return;
        }
        match convert(&value, &Type::Bool).map(|v| v.as_bool()) {
            Ok(Some(true)) => self.parts(yes, out),
            Ok(Some(false)) => self.parts(no, out),
            Ok(None) => out.unknown = true,
            Err(_) => {
                let message = format!("the condition is {}, not a bool", value.type_of().described());
                self.error(code::CONDITION, condition.span, message, help);
                out.unknown = true;
            }
        }
    }
}
