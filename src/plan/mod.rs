//! From a template to a plan: check, resolve, select, revise. Pure; what needs the world comes back as questions.
//!
//! Every mistake of the template comes out of one evaluation: one in a builder hides none in another, nor in a provisioner.
//! A plan comes out when there is no mistake and no open question.
//!
//! Not here: what a component checks of its own fields (`component`), and who asks for an evaluation (`engine::load`, the
//! editor).

pub mod check;
mod conceal;
pub mod digest;
mod hcl;
#[cfg(test)]
mod hcl_tests;
mod meta;
mod places;
pub mod resolve;
pub mod revise;
pub mod select;
mod sensitive;
#[cfg(test)]
mod tests;

use crate::run::plan::RunOptions;
use crate::run::{Plan, Secrets};
use crate::template::document::{self, Document};
use crate::template::inputs::Inputs;
use crate::template::json;
use crate::template::question::Question;
use crate::template::variables::{self, Variables};
use crate::text::{Diagnostic, SourceId, Sources, Span};

/// What an evaluation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `kiln validate`: what is known but not built yet is a warning.
    Validate,
    /// `kiln build`: the same is an error.
    Build,
    /// While somebody types: as [`Purpose::Validate`]; only questions about files are answered.
    Edit,
}

/// All that came of a template.
#[derive(Debug, Default)]
pub struct Evaluation {
    /// In the order of the text, each once.
    pub diagnostics: Vec<Diagnostic>,
    /// What evaluation would need from the world; with the answers in the inputs it gets further.
    pub questions: Vec<Question>,
    pub variables: Variables,
    /// `None` when the text could not be read at all.
    pub document: Option<Document>,
    /// The builds that `-only` and `-except` leave, by name as Packer shows it.
    pub selected: Vec<String>,
    /// `None` while there are errors or open questions, or when nothing is left to build.
    pub plan: Option<Plan>,
    /// The values behind the plan's references.
    pub secrets: Secrets,
    /// Where a value of a sensitive field or variable is written, whether or not it could be read; filled only when there are
    /// diagnostics, which must not quote it.
    pub sensitive: Vec<Span>,
}

impl Evaluation {
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// Evaluates the template that is in `sources` under `template`. Var-files and arguments are taken into `sources` too.
#[must_use]
pub fn evaluate(
    sources: &mut Sources,
    template: SourceId,
    inputs: &Inputs,
    options: &RunOptions,
    purpose: Purpose,
) -> Evaluation {
    let mut evaluation = Evaluation::default();
    let Some(source) = sources.get(template).cloned() else { return evaluation };
    if is_hcl(&source.name) {
        return evaluate_hcl(sources, &[template], inputs, options, purpose);
    }
    let root = json::parse(&source, &mut evaluation.diagnostics);
    let Some(root) = root else { return evaluation };
    let document = document::read(&root, &mut evaluation.diagnostics);
    evaluation.variables = variables::resolve(
        &document,
        inputs,
        sources,
        &mut evaluation.diagnostics,
        &mut evaluation.questions,
        &mut evaluation.secrets,
    );
    let selection = select::select(&document, inputs, &mut evaluation, purpose);
    evaluation.selected = selection.builders.iter().map(|b| b.name.clone()).collect();
    let targets = select::targets(&document, &selection, inputs);
    let mut checker = check::Checker::new(inputs, &mut evaluation, purpose, selection.all_names.clone(), false);
    let checked = checker.check(&targets);
    if let Some(first) = targets.first() {
        checker.check_idle(first, &select::idle(&document, &selection));
    }
    tidy(&mut evaluation);
    if !evaluation.diagnostics.is_empty() {
        evaluation.sensitive = sensitive::places(&root, &document, &evaluation.variables);
    }
    if !evaluation.has_errors() && evaluation.questions.is_empty() && !checked.builds.is_empty() {
        evaluation.plan = Some(resolve::resolve(&checked, &source.name, inputs, options));
    }
    evaluation.document = Some(document);
    evaluation
}

/// Evaluates an HCL2 template, which may be in several files of `sources`.
#[must_use]
pub fn evaluate_hcl(
    sources: &mut Sources,
    files: &[SourceId],
    inputs: &Inputs,
    options: &RunOptions,
    purpose: Purpose,
) -> Evaluation {
    hcl::evaluate(sources, files, inputs, options, purpose)
}

/// As [`syntax`], of an HCL2 template in several files.
#[must_use]
pub fn syntax_hcl(sources: &Sources, files: &[SourceId]) -> Evaluation {
    hcl::syntax(sources, files)
}

/// What is wrong with the form of a template, as far as its text alone tells (`-syntax-only`). Variables have no values, and
/// no plan comes out.
#[must_use]
pub fn syntax(sources: &Sources, template: SourceId) -> Evaluation {
    let mut evaluation = Evaluation::default();
    let Some(source) = sources.get(template) else { return evaluation };
    if is_hcl(&source.name) {
        return hcl::syntax(sources, &[template]);
    }
    if let Some(root) = json::parse(source, &mut evaluation.diagnostics) {
        let document = document::read(&root, &mut evaluation.diagnostics);
        if !evaluation.diagnostics.is_empty() {
            evaluation.sensitive = sensitive::places(&root, &document, &evaluation.variables);
        }
        evaluation.document = Some(document);
    }
    evaluation
}

/// Whether Packer would read a file of this name as HCL2.
#[must_use]
pub fn is_hcl(name: &str) -> bool {
    [".pkr.hcl", ".pkr.json", ".hcl"].iter().any(|ending| name.ends_with(ending))
}

/// Diagnostics in the order of the text, each once; questions likewise.
fn tidy(evaluation: &mut Evaluation) {
    let diagnostics = std::mem::take(&mut evaluation.diagnostics);
    for diagnostic in diagnostics {
        if !evaluation.diagnostics.contains(&diagnostic) {
            evaluation.diagnostics.push(diagnostic);
        }
    }
    evaluation.diagnostics.sort_by_key(|d| d.span.map(|s| (s.source, s.start)));
    evaluation.questions.sort_unstable();
    evaluation.questions.dedup();
}
