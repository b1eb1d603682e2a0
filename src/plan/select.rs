//! `-only` and `-except`: which builds, and where post-processor chains end.
//!
//! For JSON templates Packer matches the rendered build names exactly. `-except` also names post-processors; a chain ends
//! before the one that is named.

use crate::run::Value;
use crate::schema::Kind;
use crate::template::document::{Block, Document};
use crate::template::engine::{self, Findings, Stage};
use crate::template::inputs::Inputs;
use crate::text::Diagnostic;
use crate::text::code::call as code;
use crate::text::diagnostic::did_you_mean;

use super::check::{Placed, Target};
use super::{Evaluation, Purpose};

/// A builder that is to be built.
#[derive(Clone, Debug)]
pub struct Selected {
    /// Its place in the template, from 0.
    pub index: usize,
    /// As `only` of provisioners means it: the name as written, else the type.
    pub raw_name: String,
    /// The rendered name.
    pub name: String,
}

#[derive(Clone, Debug, Default)]
pub struct Selection {
    pub builders: Vec<Selected>,
    /// The raw names of all builders of the template.
    pub all_names: Vec<String>,
}

/// Renders the names and keeps the builders that the call wants. Names that match nothing are warned of.
pub(super) fn select(document: &Document, inputs: &Inputs, evaluation: &mut Evaluation, purpose: Purpose) -> Selection {
    let mut all = Vec::new();
    for (index, block) in document.builders.iter().enumerate() {
        let raw = block.raw_name();
        let name = match &block.name {
            Some(text) if text.value.contains("{{") => {
                let mut findings = Findings::default();
                let variables = &evaluation.variables;
                let value = engine::render(text, Stage::Name, inputs, variables, &evaluation.secrets, &mut findings);
                evaluation.diagnostics.extend(findings.diagnostics);
                evaluation.questions.extend(findings.questions);
                evaluation.secrets.merge(findings.secrets);
                match value {
                    Value::Text(name) => name,
                    Value::Secret(_) => {
                        let message =
                            "a builder's name is shown everywhere; it cannot be made from a sensitive variable";
                        evaluation.diagnostics.push(Diagnostic::error(code::SECRET_NAME, text.span, message));
                        raw.to_owned()
                    }
                    _ => raw.to_owned(),
                }
            }
            _ => raw.to_owned(),
        };
        let same = all.iter().find(|s: &&Selected| s.name == name && s.raw_name != raw);
        if let Some(same) = same {
            let first = &document.builders[same.index];
            let message = format!("two builders come to have the name `{name}`");
            let span = block.name.as_ref().map_or(block.type_name.span, |n| n.span);
            evaluation.diagnostics.push(
                Diagnostic::error(code::SAME_NAME, span, message)
                    .related(first.name.as_ref().map_or(first.type_name.span, |n| n.span), "the other one")
                    .help("give each builder a `name` of its own; Packer would drop one of them without a word"),
            );
        }
        all.push(Selected { index, raw_name: raw.to_owned(), name });
    }
    warn_of_strangers(document, inputs, &all, &mut evaluation.diagnostics);
    let all_names = all.iter().map(|s| s.raw_name.clone()).collect();
    let had_any = !all.is_empty();
    let builders: Vec<Selected> = all
        .into_iter()
        .filter(|s| inputs.only.is_empty() || inputs.only.contains(&s.name))
        .filter(|s| !inputs.except.contains(&s.name))
        .collect();
    if had_any && builders.is_empty() && purpose == Purpose::Build {
        let message = "`-only` and `-except` leave nothing to build";
        let names: Vec<String> = document.builders.iter().map(|b| format!("`{}`", b.raw_name())).collect();
        let help = format!("the template's builders are {}", names.join(", "));
        evaluation.diagnostics.push(Diagnostic::error(code::NOTHING_TO_BUILD, None, message).help(help));
    }
    Selection { builders, all_names }
}

fn warn_of_strangers(document: &Document, inputs: &Inputs, all: &[Selected], diagnostics: &mut Vec<Diagnostic>) {
    let builders = || all.iter().map(|s| s.name.as_str());
    let others = || document.post_processors.iter().flatten().map(Block::raw_name);
    for (flag, wanted) in [("-only", &inputs.only), ("-except", &inputs.except)] {
        for name in wanted {
            let except = flag == "-except";
            if builders().any(|n| n == name) || (except && others().any(|n| n == name)) {
                continue;
            }
            let what = if except { "builder or post-processor" } else { "builder" };
            let message = format!("`{flag}={name}` names no {what} of this template");
            let candidates: Vec<&str> = builders().chain(others().filter(|_| except)).collect();
            let by_type = all.iter().find(|s| {
                document.builders[s.index].type_name.value == *name
                    || format!("{}.{}", document.builders[s.index].type_name.value, s.name) == *name
            });
            let near = by_type.map(|s| s.name.as_str()).or_else(|| did_you_mean(name, candidates.iter().copied()));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if name.contains(['*', '?', '[']) => {
                    "in JSON templates names match exactly; patterns are for HCL2".into()
                }
                None => {
                    let mut known: Vec<String> = candidates.iter().map(|n| format!("`{n}`")).collect();
                    known.dedup();
                    format!("there are {}", known.join(", "))
                }
            };
            diagnostics.push(Diagnostic::warning(code::NO_SUCH_NAME, None, message).help(help));
        }
    }
}

/// Whether a provisioner or post-processor runs for the builder of this raw name.
fn applies(block: &Block, raw_builder: &str) -> bool {
    let named = |list: &[crate::template::tree::Text]| list.iter().any(|t| t.value == raw_builder);
    (block.only.is_empty() || named(&block.only)) && !named(&block.except)
}

/// The selected builds with their components.
pub(super) fn targets<'a>(document: &'a Document, selection: &'a Selection, inputs: &Inputs) -> Vec<Target<'a>> {
    selection.builders.iter().map(|selected| target(document, selected, inputs)).collect()
}

fn target<'a>(document: &'a Document, selected: &'a Selected, inputs: &Inputs) -> Target<'a> {
    let placed = |block, pointer| Placed { block, pointer };
    let provisioners = document.provisioners.iter().enumerate().filter(|(_, b)| applies(b, &selected.raw_name));
    let mut post_processors = Vec::new();
    for (chain, blocks) in document.post_processors.iter().enumerate() {
        let before_end = blocks.iter().take_while(|b| !inputs.except.iter().any(|name| name == b.raw_name()));
        for (place, block) in before_end.enumerate().filter(|(_, b)| applies(b, &selected.raw_name)) {
            post_processors.push((chain, place, placed(block, format!("/post-processors/{chain}/{place}"))));
        }
    }
    Target {
        id: &selected.name,
        raw_name: &selected.raw_name,
        name: &selected.name,
        builder: placed(&document.builders[selected.index], format!("/builders/{}", selected.index)),
        provisioners: provisioners.map(|(i, block)| (i, placed(block, format!("/provisioners/{i}")))).collect(),
        error_cleanup: document.error_cleanup.as_ref().map(|b| placed(b, "/error-cleanup-provisioner".to_owned())),
        post_processors,
    }
}

/// Components that are for none of the builders. With a selection, what it leaves out is not among them, as for Packer.
pub(super) fn idle<'a>(document: &'a Document, selection: &Selection) -> Vec<(Kind, Placed<'a>)> {
    let idle = |block: &Block| !selection.all_names.iter().any(|name| applies(block, name));
    let mut found = Vec::new();
    for (i, block) in document.provisioners.iter().enumerate().filter(|(_, b)| idle(b)) {
        found.push((Kind::Provisioner, Placed { block, pointer: format!("/provisioners/{i}") }));
    }
    for (chain, blocks) in document.post_processors.iter().enumerate() {
        for (place, block) in blocks.iter().enumerate().filter(|(_, b)| idle(b)) {
            let pointer = format!("/post-processors/{chain}/{place}");
            found.push((Kind::PostProcessor, Placed { block, pointer }));
        }
    }
    found
}
