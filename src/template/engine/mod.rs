//! The `{{ }}` language: Go's text/template as Packer's users meet it, with Packer's functions.
//!
//! A text is read (`lex`, `parse`) into a tree (`ast`) and evaluated (`eval`); a field that is rendered again while the build
//! runs is evaluated as far as it goes (`partial`). Every mistake has its place in the text. No text makes this hang,
//! panic or grow without end.
//!
//! Not here: what a variable's value is ([`super::variables`]), and when a field is rendered (its schema says so).

mod arguments;
mod ast;
mod builtin;
pub(super) mod civil;
mod eval;
mod expression;
mod fault;
pub(super) mod format;
mod function;
pub(super) mod layout;
mod lex;
mod number;
mod packer;
mod parse;
mod partial;
mod pipeline;
pub(super) mod quote;
pub(super) mod strftime;
mod value;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value as Json;

use self::eval::{Evaluator, Found, Output, Place, Scope};
use self::value::Val;
use super::inputs::Inputs;
use super::question::Question;
use super::tree::Text;
use super::variables::Variables;
use crate::run::value::{Piece, UnknownValue};
use crate::run::{SecretRef, Secrets, Value};
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
    render_with(text, stage, inputs, variables, None, secrets, findings).unwrap_or_else(|pending| unknown(&pending))
}

/// As [`render`], where some variables have no value yet.
///
/// # Errors
/// The name of the variable that must be evaluated first.
pub(super) fn render_with(
    text: &Text,
    stage: Stage<'_>,
    inputs: &Inputs,
    variables: &Variables,
    pending: Option<&BTreeSet<String>>,
    secrets: &Secrets,
    findings: &mut Findings,
) -> Result<Value, String> {
    if !text.value.contains("{{") {
        return Ok(Value::Text(text.value.clone()));
    }
    let (place, build_name, build_type, amazon) = match stage {
        Stage::Variable => (Place::Variable, None, None, false),
        Stage::Name => (Place::Name, None, None, false),
        Stage::Component { build_name, build_type, late, amazon } => {
            (Place::Component { late }, Some(build_name), Some(build_type), amazon)
        }
    };
    let late = place == Place::Component { late: true };
    let scope = Scope {
        place,
        amazon,
        dot: if late { Val::Late } else { Val::Missing },
        start: inputs.start,
        seed: inputs.seed,
        salt: format!("{}:{}:{}", text.span.source.0, text.span.start, build_name.unwrap_or_default()),
        cwd: &inputs.cwd,
        template_dir: &inputs.template_dir,
        build_name,
        build_type,
        env: Some(&inputs.env),
        answers: Some(&inputs.answers),
        variables: Some(variables),
        pending,
        secrets,
    };
    let (output, found) = evaluate(&text.value, &scope);
    if let Some(name) = found.pending {
        return Err(name);
    }
    let failed = found.faults.iter().any(|f| !f.warning);
    findings.diagnostics.extend(found.faults.into_iter().map(|f| f.into_diagnostic(text)));
    add_new(&mut findings.questions, found.questions);
    add_new(&mut findings.unset_env, found.unset_env);
    findings.secrets.merge(found.secrets);
    Ok(if failed {
        unknown("a text with a mistake in it")
    } else if let Some(question) = found.unknown {
        unknown(&question)
    } else {
        Value::from_pieces(output.pieces)
    })
}

fn unknown(question: &str) -> Value {
    Value::Unknown(UnknownValue { question: question.to_owned() })
}

fn add_new<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) {
    for item in from {
        if !to.contains(&item) {
            to.push(item);
        }
    }
}

/// Reads and evaluates a text.
fn evaluate(text: &str, scope: &Scope<'_>) -> (Output, Found) {
    let mut faults = Vec::new();
    let parsed = parse::parse(text, scope.amazon, &mut faults);
    let template = match parsed {
        Ok(template) => template,
        Err(fault) => {
            faults.push(fault);
            return (Output::default(), Found { faults, ..Found::default() });
        }
    };
    let late = scope.place == Place::Component { late: true };
    let mut evaluator = Evaluator::new(text, &template, scope);
    evaluator.found.faults = faults;
    let mut out = Output::default();
    if late && partial::is_late(&template) {
        evaluator.run_partial(&mut out);
    } else {
        evaluator.run(&mut out);
        if late {
            out = whole(&mut evaluator, out);
        }
    }
    (out, evaluator.found)
}

/// Text without anything late in it that will be rendered again: what would disturb that becomes a constant.
fn whole(evaluator: &mut Evaluator<'_>, out: Output) -> Output {
    let reveal = |piece: &Piece| match piece {
        Piece::Plain(text) => text.clone(),
        Piece::Secret(reference) => secret(evaluator, reference).to_owned(),
    };
    let text: String = out.pieces.iter().map(reveal).collect();
    if !partial::breaks(&text) {
        return out;
    }
    let constant = format!("{{{{{}}}}}", quote::quote(&text, '"', false));
    let mut quoted = Output::default();
    if out.pieces.iter().any(|p| matches!(p, Piece::Secret(_))) {
        let all = 0..evaluator.text.len();
        quoted.str(&evaluator.derived(&constant.into(), all));
    } else {
        quoted.plain(&constant);
    }
    quoted
}

fn secret<'e>(evaluator: &'e Evaluator<'_>, reference: &SecretRef) -> &'e str {
    let found = evaluator.found.secrets.reveal(reference);
    if found.is_empty() { evaluator.scope.secrets.reveal(reference) } else { found }
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

/// Renders a late field when its step is due. What the data does not have comes out as `<no value>`, as in Packer.
///
/// # Errors
/// A syntax error, or a `build` value that this builder does not have.
pub fn render_late(text: &str, scope: &LateScope<'_>) -> Result<String, LateError> {
    if !text.contains("{{") {
        return Ok(text.to_owned());
    }
    let secrets = Secrets::default();
    let scope = Scope {
        place: Place::Due,
        amazon: true,
        dot: Val::of_json(scope.dot),
        start: scope.start,
        seed: scope.seed,
        salt: format!("{}:{text}", scope.build_name),
        cwd: scope.cwd,
        template_dir: scope.template_dir,
        build_name: Some(scope.build_name),
        build_type: Some(scope.build_type),
        env: None,
        answers: None,
        variables: None,
        pending: None,
        secrets: &secrets,
    };
    let (output, found) = evaluate(text, &scope);
    if let Some(fault) = found.faults.into_iter().find(|f| !f.warning) {
        return Err(LateError { message: fault.message, offset: fault.range.start });
    }
    Ok(output.pieces.into_iter().map(|p| if let Piece::Plain(text) = p { text } else { String::new() }).collect())
}

/// A value that a text takes from the data of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// `Path` for `{{ .Path }}` and `{{ .Path.X }}`, `ID` for ``{{ build `ID` }}``.
    pub name: String,
    /// It is asked of `build`, not of the dot.
    pub build: bool,
    /// Where in the text.
    pub range: Range<usize>,
}

/// What a text takes from the data of its step, in order of the text; nothing of a text that cannot be read.
///
/// Inside `with`, `range` and defined templates the dot is another, so what stands there is left out.
#[must_use]
pub fn mentions(text: &str) -> Vec<Mention> {
    use self::ast::{Node, NodeKind, OperandKind, Pipe};
    fn of_pipe(pipe: &Pipe, found: &mut Vec<Mention>) {
        for command in &pipe.commands {
            if let [function, name] = command.operands.as_slice()
                && let (OperandKind::Function(called), OperandKind::Text(name)) = (&function.kind, &name.kind)
                && called == "build"
            {
                found.push(Mention { name: name.clone(), build: true, range: command.range.clone() });
            }
            for operand in &command.operands {
                match &operand.kind {
                    OperandKind::Field(names) => {
                        found.push(Mention { name: names[0].clone(), build: false, range: operand.range.clone() });
                    }
                    OperandKind::Variable(name, fields) if name.is_empty() && !fields.is_empty() => {
                        found.push(Mention { name: fields[0].clone(), build: false, range: operand.range.clone() });
                    }
                    OperandKind::Paren(pipe) => of_pipe(pipe, found),
                    _ => {}
                }
            }
        }
    }
    fn of_nodes(nodes: &[Node], found: &mut Vec<Mention>) {
        for node in nodes {
            match &node.kind {
                NodeKind::Action(pipe) | NodeKind::Template { argument: Some(pipe), .. } => of_pipe(pipe, found),
                NodeKind::If(branch) => {
                    of_pipe(&branch.pipe, found);
                    of_nodes(&branch.then, found);
                    of_nodes(&branch.otherwise, found);
                }
                NodeKind::With(branch) | NodeKind::Range(branch) => {
                    of_pipe(&branch.pipe, found);
                    of_nodes(&branch.otherwise, found);
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    if let Ok(template) = parse::parse(text, true, &mut Vec::new()) {
        of_nodes(&template.nodes, &mut found);
    }
    found
}
