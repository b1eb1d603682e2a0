//! The `{{ }}` language: Go's text/template as Packer's users meet it (packer.md §2.7).

use serde_json::Value as Json;

use super::inputs::Inputs;
use super::question::Question;
use super::tree::Text;
use super::variables::Variables;
use crate::run::{Secrets, Value};
use crate::text::Diagnostic;

/// What is being rendered, which decides what may be used in it.
#[derive(Clone, Copy, Debug)]
pub enum Stage<'a> {
    /// A variable's default or given value: `env`, `vault`, … allowed; `{{ .X }}` is protected and comes out as it stands.
    Variable,
    /// A builder's name.
    Name,
    /// A field of a component. `late`: dot-data and `build` values come out as they stand, to be rendered when the step is due
    /// (an action that mixes both kinds keeps its late part, with what is known already put in); else they are reported.
    Component { build_name: &'a str, build_type: &'a str, late: bool, amazon: bool },
}

/// What rendering found besides the value.
#[derive(Debug, Default)]
pub struct Findings {
    pub diagnostics: Vec<Diagnostic>,
    /// Not answered yet: the value is unknown.
    pub questions: Vec<Question>,
    /// Environment variables used that are not set (also through variables).
    pub unset_env: Vec<String>,
    /// Values behind new secret references (`text:{{…}}`) that the result names.
    pub secrets: Secrets,
}

/// Renders the text of one field.
///
/// The value is text, secret text where a sensitive variable went into it, or unknown. Mistakes are in `findings`; then the
/// value is unknown.
pub fn render(
    text: &Text,
    stage: Stage<'_>,
    inputs: &Inputs,
    variables: &Variables,
    secrets: &Secrets,
    findings: &mut Findings,
) -> Value {
    let _ = (stage, inputs, variables, secrets, findings);
    Value::Text(text.value.clone())
}

/// What late rendering may use.
#[derive(Clone, Debug)]
pub struct LateScope<'a> {
    /// The dot: `Path`, `Vars`, `SourceAMI`, and the values of `build`, which are dot-data too.
    pub dot: &'a Json,
    pub start: i64,
    pub seed: u64,
    pub cwd: &'a str,
    pub template_dir: &'a str,
    pub build_name: &'a str,
    pub build_type: &'a str,
}

/// A mistake in a text that has no source to point at; the offset is in the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LateError {
    pub message: String,
    pub offset: usize,
}

/// Renders a late field when its step is due.
///
/// # Errors
/// A syntax error, or a `build` value that this builder does not have.
pub fn render_late(text: &str, scope: &LateScope<'_>) -> Result<String, LateError> {
    let _ = scope;
    Ok(text.to_owned())
}
