//! Texts of a field: rendered, kept secret where the field is.

use super::super::engine::{self, Findings, Stage};
use super::super::tree::Text;
use super::walk::{At, Walk};
use crate::run::value::{Piece, SecretText};
use crate::run::{SecretRef, Value};
use crate::schema::Context;

impl Walk<'_> {
    /// Renders a text as its field wants it. `None`: it could not be, or is not known yet; that has been told.
    pub(super) fn render(&mut self, text: &Text, at: &At<'_>) -> Option<Value> {
        if !text.value.contains("{{") || at.field.context == Context::Verbatim {
            return Some(Value::Text(text.value.clone()));
        }
        let stage = Stage::Component {
            build_name: self.scope.build_name,
            build_type: self.scope.build_type,
            late: matches!(at.field.context, Context::Late(_)),
            amazon: self.scope.amazon,
        };
        let mut findings = Findings::default();
        let value =
            engine::render(text, stage, self.scope.inputs, self.scope.variables, self.scope.secrets, &mut findings);
        let secret = at.secret();
        self.out.diagnostics.extend(findings.diagnostics.into_iter().map(|d| if secret { d.secret() } else { d }));
        self.out.questions.extend(findings.questions);
        self.out.secrets.merge(findings.secrets);
        if !findings.unset_env.is_empty() {
            let unset = self.out.unset_env.entry(at.path.clone()).or_default();
            unset.extend(findings.unset_env);
            unset.sort_unstable();
            unset.dedup();
        }
        if matches!(value, Value::Unknown(_)) {
            self.out.places.forget_value(&at.path);
            return None;
        }
        Some(value)
    }

    /// The text of a rendered value, secrets in place.
    pub(super) fn reveal(&self, value: &Value) -> String {
        match value {
            Value::Text(text) => text.clone(),
            Value::Secret(text) => text
                .pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Plain(text) => text.as_str(),
                    Piece::Secret(reference) => match self.out.secrets.reveal(reference) {
                        "" => self.scope.secrets.reveal(reference),
                        known => known,
                    },
                })
                .collect(),
            _ => String::new(),
        }
    }

    /// The value as the plan may hold it: what a sensitive field says becomes a reference.
    pub(super) fn guard(&mut self, value: Value, at: &At<'_>) -> Value {
        if !at.secret() {
            return value;
        }
        let whole = match &value {
            Value::Text(text) => !text.is_empty(),
            Value::Secret(text) => text.pieces.iter().any(|p| matches!(p, Piece::Plain(t) if !t.is_empty())),
            _ => false,
        };
        if !whole {
            return value;
        }
        let reference = SecretRef(format!("template:{}", at.pointer));
        let text = self.reveal(&value);
        self.out.secrets.insert(reference.clone(), text);
        Value::Secret(SecretText { pieces: vec![Piece::Secret(reference)] })
    }
}
