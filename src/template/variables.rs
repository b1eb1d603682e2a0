//! User variables: defaults, var-files, `-var`, references among themselves.

mod given;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use indexmap::IndexMap;

use self::given::Given;
use super::document::{Document, VariableDeclaration};
use super::engine::{Findings, Stage, render_with};
use super::inputs::Inputs;
use super::question::Question;
use super::tree::Text;
use crate::run::value::UnknownValue;
use crate::run::{SecretRef, Secrets, Value};
use crate::text::code::variable as code;
use crate::text::diagnostic::did_you_mean;
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
    /// Where var-files and arguments write a value for it, also one that a later one overrides.
    pub given_at: Vec<Span>,
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
    let given = given::all(inputs, sources, diagnostics);
    let mut drafts: IndexMap<String, Draft<'_>> = IndexMap::new();
    for declaration in &document.variables {
        let draft = Draft { declaration: Some(declaration), given: None };
        drafts.entry(declaration.name.value.clone()).or_insert(draft);
    }
    for (name, given) in given.last {
        if let Some(draft) = drafts.get_mut(&name) {
            draft.given = Some(given);
            continue;
        }
        diagnostics.push(undeclared(&name, &given, document));
        drafts.insert(name, Draft { declaration: None, given: Some(given) });
    }
    let mut resolution = Resolution {
        inputs,
        drafts: &drafts,
        pending: drafts.keys().cloned().collect(),
        done: Variables::new(),
        diagnostics,
        questions,
        secrets,
    };
    for name in drafts.keys() {
        resolution.resolve(name);
    }
    let mut done = resolution.done;
    for (name, place) in given.written {
        if let Some(variable) = done.get_mut(&name) {
            variable.given_at.push(place);
        }
    }
    drafts.keys().filter_map(|name| done.swap_remove(name).map(|v| (name.clone(), v))).collect()
}

fn undeclared(name: &str, given: &Given, document: &Document) -> Diagnostic {
    let near = did_you_mean(name, document.variables.iter().map(|d| d.name.value.as_str()));
    let help = match near {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("declare `{name}` in the template's `variables`, or leave it out"),
    };
    Diagnostic::warning(code::UNDECLARED, given.name, format!("the template declares no variable `{name}`")).help(help)
}

/// What is known of a variable before it is rendered.
struct Draft<'a> {
    declaration: Option<&'a VariableDeclaration>,
    given: Option<Given>,
}

impl Draft<'_> {
    fn text(&self) -> Option<&Text> {
        match &self.given {
            Some(given) => Some(&given.value),
            None => self.declaration.and_then(|d| d.default.as_ref()),
        }
    }

    /// Where the variable is named.
    fn place(&self) -> Option<Span> {
        self.declaration.map(|d| d.name.span).or_else(|| self.given.as_ref().map(|g| g.name))
    }

    fn is_sensitive(&self) -> bool {
        self.declaration.is_some_and(|d| d.sensitive)
    }

    fn origin(&self, inputs: &Inputs) -> Origin {
        match (&self.given, self.text()) {
            (Some(given), _) => given.origin.clone(),
            (None, None) => Origin::Missing,
            (None, Some(text)) => match environment_name(&text.value) {
                Some(name) => Origin::Environment { set: inputs.env.contains_key(&name), name },
                None => Origin::Default,
            },
        }
    }
}

/// The variable of the environment that a text consists of: ``{{env `NAME`}}``.
fn environment_name(text: &str) -> Option<String> {
    let inside = text.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let name = inside.strip_prefix("env")?.trim_start();
    let mark = name.chars().next().filter(|c| matches!(c, '`' | '"'))?;
    let name = name[1..].strip_suffix(mark)?;
    (!name.contains([mark, '\\'])).then(|| name.to_owned())
}

struct Resolution<'a> {
    inputs: &'a Inputs,
    drafts: &'a IndexMap<String, Draft<'a>>,
    /// Not evaluated yet.
    pending: BTreeSet<String>,
    done: Variables,
    diagnostics: &'a mut Vec<Diagnostic>,
    questions: &'a mut Vec<Question>,
    secrets: &'a mut Secrets,
}

impl Resolution<'_> {
    /// Evaluates a variable, and before it those that it asks for, in whatever form it does so.
    fn resolve(&mut self, name: &str) {
        let mut path = vec![name.to_owned()];
        while let Some(current) = path.last().cloned() {
            if !self.pending.contains(&current) {
                path.pop();
                continue;
            }
            match self.evaluate(&current) {
                None => {
                    path.pop();
                }
                Some(needed) => match path.iter().position(|n| *n == needed) {
                    Some(start) => {
                        self.circle(&path[start..]);
                        path.truncate(start);
                    }
                    None => path.push(needed),
                },
            }
        }
    }

    /// Evaluates one variable, or gives the name of the one that must come first.
    fn evaluate(&mut self, name: &str) -> Option<String> {
        let draft = self.drafts.get(name)?;
        let mut findings = Findings::default();
        let value = match draft.text() {
            None => {
                self.diagnostics.push(required(name, draft));
                unknown(format!("the value of variable `{name}`"))
            }
            Some(text) => {
                let pending = Some(&self.pending);
                match render_with(text, Stage::Variable, self.inputs, &self.done, pending, self.secrets, &mut findings)
                {
                    Ok(value) => value,
                    Err(needed) => return Some(needed),
                }
            }
        };
        let sensitive = draft.is_sensitive();
        self.diagnostics.extend(findings.diagnostics.into_iter().map(|d| if sensitive { d.secret() } else { d }));
        self.questions.extend(findings.questions);
        self.secrets.merge(findings.secrets);
        let value = if sensitive { self.hidden(name, value) } else { value };
        self.finish(name, value, findings.unset_env);
        None
    }

    /// The value of a sensitive variable: its reference. An empty one hides nothing.
    fn hidden(&mut self, name: &str, value: Value) -> Value {
        let revealed = match value.reveal(self.secrets) {
            serde_json::Value::String(text) if !text.is_empty() => text,
            _ => return value,
        };
        let reference = SecretRef(format!("var:{name}"));
        self.secrets.insert(reference.clone(), revealed);
        Value::from_pieces(vec![crate::run::value::Piece::Secret(reference)])
    }

    fn finish(&mut self, name: &str, value: Value, unset_env: Vec<String>) {
        let Some(draft) = self.drafts.get(name) else { return };
        let variable = Variable {
            name: name.to_owned(),
            declared: draft.declaration.map(|d| d.name.span),
            value,
            origin: draft.origin(self.inputs),
            sensitive: draft.is_sensitive(),
            unset_env,
            given_at: Vec::new(),
        };
        self.pending.remove(name);
        self.done.insert(name.to_owned(), variable);
    }

    /// Reports variables that need each other; none of them has a value.
    fn circle(&mut self, names: &[String]) {
        let Some(first) = names.first() else { return };
        let path: Vec<_> = names.iter().chain([first]).map(|n| format!("`{n}`")).collect();
        let place = |name: &String| self.drafts.get(name).and_then(Draft::place);
        let mut found = Diagnostic::error(
            code::CYCLE,
            place(first),
            format!("variables refer to each other in a circle: {}", path.join(" → ")),
        )
        .help("take one of these references out");
        for name in &names[1..] {
            if let Some(span) = place(name) {
                found = found.related(span, format!("`{name}` is part of the circle"));
            }
        }
        self.diagnostics.push(found);
        for name in names {
            self.finish(name, unknown(format!("the value of variable `{name}`")), Vec::new());
        }
    }
}

fn unknown(question: String) -> Value {
    Value::Unknown(UnknownValue { question })
}

fn required(name: &str, draft: &Draft<'_>) -> Diagnostic {
    Diagnostic::error(code::REQUIRED, draft.place(), format!("variable `{name}` is required and has no value"))
        .label("null: it must be given")
        .help(format!("give it with `-var {name}=VALUE` or in a `-var-file`, or write a default here"))
}
