//! What Packer's blocks mean: from files to builds whose components are trees, the same that a JSON template gives.
//!
//! Not here: what a component's own keys mean (`decode`, by schema), which builds are wanted (`plan`).

mod body;
mod build;
mod data;
mod json;
mod local;
mod packer;
mod read;
mod reference;
#[cfg(test)]
mod tests;
mod variable;

use indexmap::IndexMap;

pub use self::body::{Reader, node};
pub use self::build::{Build, Chained, Used};
pub use self::read::Template;
pub use self::variable::VariableValue;
use super::eval::Scope;
use super::syntax;
use super::value::Value;
use crate::template::inputs::{Inputs, PACKER_VERSION};
use crate::template::question::Question;
use crate::text::{Diagnostic, SourceId, Sources};

/// All that came of a template's files.
#[derive(Debug, Default)]
pub struct Evaluated {
    pub template: Template,
    pub variables: IndexMap<String, VariableValue>,
    /// `var`, `local`, `data`, `path`, `packer`.
    pub scope: Scope,
    pub builds: Vec<Build>,
    /// Texts that came out sensitive.
    pub secrets: Vec<String>,
}

/// Reads the files of a template.
pub fn parse(files: &[SourceId], sources: &Sources, diagnostics: &mut Vec<Diagnostic>) -> Template {
    let bodies = files.iter().filter_map(|id| sources.get(*id)).map(|source| {
        if source.name.to_ascii_lowercase().ends_with(".json") {
            json::body(source, diagnostics)
        } else {
            syntax::parse(source, diagnostics)
        }
    });
    let bodies = bodies.collect();
    read::read(bodies, diagnostics)
}

/// Reads and evaluates the files of a template. `execute`: data sources are asked, else what they give is unknown.
pub fn evaluate(
    files: &[SourceId],
    sources: &mut Sources,
    inputs: &Inputs,
    execute: bool,
    diagnostics: &mut Vec<Diagnostic>,
    questions: &mut Vec<Question>,
) -> Evaluated {
    let template = parse(files, sources, diagnostics);
    let mut secrets = Vec::new();
    let mut reader = Reader { inputs, diagnostics, questions, secrets: &mut secrets, env: false };
    packer::check(&template, &mut reader);
    let variables = variable::resolve(&template, sources, &mut reader);
    let mut scope = base(inputs);
    scope.insert("var".into(), Value::object(variables.values().map(|v| (v.name.as_str(), v.value.clone()))));
    local::resolve(&template, &mut scope, execute, &mut reader);
    let builds = build::all(&template, &scope, &mut reader);
    Evaluated { template, variables, scope, builds, secrets }
}

/// The names that are known everywhere.
pub fn base(inputs: &Inputs) -> Scope {
    let slashes = |path: &str| Value::from(path.replace('\\', "/"));
    let path = Value::object([("root", slashes(&inputs.root)), ("cwd", slashes(&inputs.cwd))]);
    let packer = Value::object([
        ("version", Value::from(PACKER_VERSION)),
        ("versionFingerprint", Value::from("")),
        ("iterationID", Value::from("")),
    ]);
    Scope::from([("path".to_owned(), path), ("packer".to_owned(), packer)])
}
