//! The keys that every step may have beside its component's own: pauses, time limits, repetitions.

use crate::run::Value;
use crate::run::plan::StepMeta;
use crate::template::decode::Scope;
use crate::template::document::Block;
use crate::template::engine::{self, Findings, Stage};
use crate::template::tree::{Node, Tree};
use crate::text::Diagnostic;
use crate::text::code::structure;

/// What a block says of its step.
pub(super) fn meta(block: &Block, scope: &Scope<'_>, findings: &mut Findings) -> StepMeta {
    StepMeta {
        pause_before: block.pause_before.map(|(time, _)| time),
        timeout: block.timeout.map(|(time, _)| time),
        max_retries: block.max_retries.as_ref().map_or(0, |node| retries(node, scope, findings)),
        continue_on_error: block.continue_on_error,
        keep_input_artifact: block.keep_input_artifact,
    }
}

fn retries(node: &Node, scope: &Scope<'_>, findings: &mut Findings) -> u32 {
    let text = match &node.tree {
        Tree::Number(n) => n.clone(),
        Tree::String(text) => {
            let (build_name, build_type) = (scope.build_name, scope.build_type);
            let stage = Stage::Component { build_name, build_type, late: false, amazon: false };
            match engine::render(text, stage, scope.inputs, scope.variables, scope.secrets, findings) {
                Value::Text(text) => text,
                _ => return 0,
            }
        }
        Tree::Broken | Tree::Null => return 0,
        _ => node.described().to_owned(),
    };
    if text.is_empty() {
        return 0;
    }
    // Packer takes a negative number for none.
    if let Ok(count) = text.parse::<i64>() {
        return u32::try_from(count.max(0)).unwrap_or(u32::MAX);
    }
    let message = format!("`max_retries` must be a whole number; `{text}` is not");
    let help = "write how often it may be tried again, such as `3`";
    findings.diagnostics.push(Diagnostic::error(structure::BAD_RETRIES, node.span, message).help(help));
    0
}
