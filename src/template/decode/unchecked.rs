//! Components that are known by name only: nothing of them is checked but the language in their texts.

use super::super::engine::{self, Stage};
use super::super::tree::{Node, Text, Tree};
use super::Scope;

/// Renders every text of `body`, for its mistakes alone.
pub fn check_syntax(body: &Node, scope: &Scope<'_>, findings: &mut engine::Findings) {
    match &body.tree {
        Tree::String(text) => check(text, scope, findings),
        Tree::Array(items) => items.iter().for_each(|item| check_syntax(item, scope, findings)),
        Tree::Object(entries) => entries.iter().for_each(|entry| {
            check(&entry.key, scope, findings);
            check_syntax(&entry.value, scope, findings);
        }),
        Tree::Null | Tree::Bool(_) | Tree::Number(_) | Tree::Broken => {}
    }
}

fn check(text: &Text, scope: &Scope<'_>, findings: &mut engine::Findings) {
    if text.value.contains("{{") {
        // Which texts such a component renders late is not known, nor which cloud's functions it has: all may.
        let stage =
            Stage::Component { build_name: scope.build_name, build_type: scope.build_type, late: true, amazon: true };
        engine::render(text, stage, scope.inputs, scope.variables, scope.secrets, findings);
    }
}
