//! What a schema says of a single field's value: it must be there, be one of some, be built.

use super::walk::{At, Walk};
use crate::run::Value;
use crate::text::code::field as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Severity, Span};

impl Walk<'_> {
    /// A required field must be written and not be empty. `whole` is where a missing one is reported.
    pub(super) fn check_presence(&mut self, at: &At<'_>, value: Option<&Value>, whole: Span) {
        let empty = match value {
            None => true,
            Some(Value::Text(text)) => text.is_empty(),
            Some(Value::List(list)) => list.is_empty(),
            Some(_) => false,
        };
        if !at.field.required || !empty || self.out.places.unknown(&at.path) {
            return;
        }
        let diagnostic = if self.out.places.written(&at.path) {
            let message = format!("`{}` must not be empty", at.path);
            Diagnostic::error(code::REQUIRED, self.out.places.value(&at.path), message)
        } else {
            let message = format!("{} needs `{}`", self.scope.component, at.path);
            let mut diagnostic = Diagnostic::error(code::REQUIRED, whole, message);
            if let Some(first) = at.field.help.lines().next().filter(|l| !l.is_empty()) {
                diagnostic = diagnostic.help(format!("add `{}`: {first}", at.field.name));
            }
            diagnostic
        };
        let diagnostic = match self.out.unset_env.get(&at.path) {
            Some(unset) => diagnostic.help(unset_env(unset)),
            None => diagnostic,
        };
        self.out.diagnostics.push(if at.secret() { diagnostic.secret() } else { diagnostic });
    }

    /// Of fields with a list of values, only those may stand there.
    pub(super) fn check_choice(&mut self, value: &Value, span: Span, at: &At<'_>) {
        let (field, Value::Text(text)) = (at.field, value) else { return };
        if text.is_empty() || text.contains("{{") {
            return;
        }
        if field.not_built_values.contains(text) {
            let message = format!("kiln does not do `{}`: `{text}` yet", at.path);
            let help = match field.one_of.iter().filter(|v| !field.not_built_values.contains(v)).collect::<Vec<_>>() {
                built if built.is_empty() => "this value is checked; building with it comes later".to_owned(),
                built => format!("what can be built: {}", quoted(built)),
            };
            let diagnostic = Diagnostic::error(code::NOT_BUILT_VALUE, span, message).help(help);
            self.tell_not_built(diagnostic);
        } else if !field.one_of.is_empty() && !field.one_of.contains(text) {
            let message = format!("`{}` cannot be `{text}`", at.path);
            let diagnostic = Diagnostic::error(code::NOT_ONE_OF, span, message);
            let all = format!("it must be one of {}", quoted(&field.one_of));
            let diagnostic = match did_you_mean(text, field.one_of.iter().map(String::as_str)) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`? {all}")),
                None => diagnostic.help(all),
            };
            self.out.diagnostics.push(diagnostic);
        }
    }

    /// Deprecated fields, and fields that this version does nothing with.
    pub(super) fn check_built(&mut self, at: &At<'_>, value: &Value) {
        let key = self.out.places.key(&at.path);
        if let Some(instead) = &at.field.deprecated {
            let message = format!("`{}` is deprecated", at.path);
            self.out.diagnostics.push(Diagnostic::warning(code::DEPRECATED, key, message).help(instead.clone()));
        }
        let off = match value {
            Value::Null | Value::Bool(false) => true,
            Value::Number(n) => n.as_f64() == Some(0.0),
            Value::Text(text) => text.is_empty(),
            Value::List(list) => list.is_empty(),
            Value::Map(map) => map.is_empty(),
            _ => false,
        };
        if let Some(missing) = at.field.not_built.as_ref().filter(|_| !off) {
            let message = format!("kiln does not do `{}` yet", at.path);
            let diagnostic = Diagnostic::error(code::NOT_BUILT, key, message);
            self.tell_not_built(if missing.is_empty() { diagnostic } else { diagnostic.help(missing.clone()) });
        }
    }

    fn tell_not_built(&mut self, mut diagnostic: Diagnostic) {
        if !self.scope.strict {
            diagnostic.severity = Severity::Warning;
        }
        self.out.diagnostics.push(diagnostic);
    }
}

/// Which environment variables would have to be set, as a sentence.
#[must_use]
pub fn unset_env(names: &[String]) -> String {
    match names {
        [one] => format!("its value comes from the environment variable `{one}`, which is not set"),
        many => format!("its value comes from environment variables that are not set: {}", quoted(many)),
    }
}

fn quoted<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|n| format!("`{}`", n.as_ref())).collect::<Vec<_>>().join(", ")
}
