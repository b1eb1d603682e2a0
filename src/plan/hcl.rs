//! From an HCL2 template's files to a plan; from the builds on it is the same as from JSON.

use std::collections::BTreeMap;

use glob::Pattern;

use super::check::{Checker, Placed, Target};
use super::{Evaluation, Purpose, resolve, sensitive, tidy};
use crate::run::plan::RunOptions;
use crate::run::value::UnknownValue;
use crate::run::{SecretRef, Value as Planned};
use crate::template::document::{Document, VariableDeclaration};
use crate::template::hcl::blocks::{self, Build, Evaluated, VariableValue};
use crate::template::hcl::value::{Kind, Value};
use crate::template::inputs::Inputs;
use crate::template::tree::Text;
use crate::template::variables::Variable;
use crate::text::code::call as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, SourceId, Sources};

/// Evaluates the files of one template.
pub(super) fn evaluate(
    sources: &mut Sources,
    files: &[SourceId],
    inputs: &Inputs,
    options: &RunOptions,
    purpose: Purpose,
) -> Evaluation {
    let mut evaluation = Evaluation::default();
    let execute = purpose == Purpose::Build || inputs.execute_data;
    let (mut diagnostics, mut questions) = (Vec::new(), Vec::new());
    let evaluated = blocks::evaluate(files, sources, inputs, execute, &mut diagnostics, &mut questions);
    (evaluation.diagnostics, evaluation.questions) = (diagnostics, questions);
    hide(&evaluated, &mut evaluation);
    let selected = select(&evaluated.builds, inputs, purpose, &mut evaluation.diagnostics);
    evaluation.selected = selected.iter().map(|b| b.full_name.clone()).collect();
    let except = patterns(&inputs.except);
    let targets: Vec<Target<'_>> = selected.iter().map(|build| target(build, &evaluated.builds, &except)).collect();
    // Variables go into expressions, never into the texts of the template engine.
    let variables = std::mem::take(&mut evaluation.variables);
    let names = evaluated.builds.iter().map(|b| b.name.clone()).collect();
    let checked = Checker::new(inputs, &mut evaluation, purpose, names, true).check(&targets);
    evaluation.variables = variables;
    tidy(&mut evaluation);
    if !evaluation.diagnostics.is_empty() {
        evaluation.sensitive = sensitive::of_builds(&evaluated);
    }
    let open = evaluated.builds.iter().any(|b| !b.known());
    if !evaluation.has_errors() && evaluation.questions.is_empty() && !checked.builds.is_empty() && !open {
        let name = files.first().and_then(|id| sources.get(*id)).map_or("", |s| s.name.as_str());
        evaluation.plan = Some(resolve::resolve(&checked, name, inputs, options));
    }
    evaluation.document = Some(document(&evaluated));
    evaluation
}

/// What is wrong with the form of the files.
pub(super) fn syntax(sources: &Sources, files: &[SourceId]) -> Evaluation {
    let mut evaluation = Evaluation::default();
    blocks::parse(files, sources, &mut evaluation.diagnostics);
    tidy(&mut evaluation);
    evaluation
}

/// Puts the secrets on record, and the variables as they may be shown.
fn hide(evaluated: &Evaluated, evaluation: &mut Evaluation) {
    for variable in evaluated.variables.values() {
        if variable.sensitive {
            let mut texts = Vec::new();
            strings(&variable.value, &mut texts);
            for (i, text) in texts.into_iter().enumerate() {
                let name = if i == 0 { variable.name.clone() } else { format!("{}.{i}", variable.name) };
                evaluation.secrets.insert(SecretRef(format!("var:{name}")), text);
            }
        }
        evaluation.variables.insert(variable.name.clone(), shown(variable));
    }
    for (i, text) in evaluated.secrets.iter().enumerate() {
        if !evaluation.secrets.iter().any(|(_, known)| known == text) {
            evaluation.secrets.insert(SecretRef(format!("text:{i}")), text.as_str());
        }
    }
}

fn strings(value: &Value, found: &mut Vec<String>) {
    match value.kind() {
        Kind::String(text) if !text.is_empty() && !found.iter().any(|f| **f == **text) => found.push(text.to_string()),
        Kind::Number(n) => found.push(n.to_string()),
        _ => value.parts().for_each(|part| strings(part, found)),
    }
}

fn shown(variable: &VariableValue) -> Variable {
    let value = if variable.sensitive {
        Planned::from_pieces(vec![crate::run::value::Piece::Secret(SecretRef(format!("var:{}", variable.name)))])
    } else if variable.value.is_null() {
        Planned::Text("null".into())
    } else if variable.value.is_wholly_known() {
        Planned::Text(variable.value.to_console())
    } else {
        Planned::Unknown(UnknownValue { question: format!("the value of variable `{}`", variable.name) })
    };
    Variable {
        name: variable.name.clone(),
        declared: Some(variable.declared),
        value,
        origin: variable.origin.clone(),
        sensitive: variable.sensitive,
        unset_env: Vec::new(),
        given_at: variable.given_at.clone(),
    }
}

/// A pattern of `-only` or `-except`, as written and compiled; alternatives in braces are several patterns.
struct Wanted {
    written: String,
    patterns: Vec<Pattern>,
}

fn patterns(written: &[String]) -> Vec<Wanted> {
    let of = |text: &String| {
        let mut open = vec![text.clone()];
        let mut plain = Vec::new();
        while let Some(next) = open.pop() {
            match (next.find('{'), next.find('}')) {
                (Some(start), Some(end)) if start < end && open.len() < 256 => {
                    let inside = &next[start + 1..end];
                    open.extend(inside.split(',').map(|one| format!("{}{one}{}", &next[..start], &next[end + 1..])));
                }
                _ => plain.push(next),
            }
        }
        let patterns = plain.iter().filter_map(|p| Pattern::new(&p.replace("**", "*")).ok()).collect();
        Wanted { written: text.clone(), patterns }
    };
    written.iter().map(of).collect()
}

impl Wanted {
    fn meets(&self, name: &str) -> bool {
        self.patterns.iter().any(|p| p.matches(name))
    }
}

/// The builds that the call wants; patterns that meet nothing are warned of.
fn select<'b>(
    builds: &'b [Build],
    inputs: &Inputs,
    purpose: Purpose,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<&'b Build> {
    let (only, except) = (patterns(&inputs.only), patterns(&inputs.except));
    let names: Vec<&str> = builds.iter().map(|b| b.full_name.as_str()).collect();
    let others = |wanted: &Wanted| {
        let blocks = builds.iter().flat_map(|b| b.post_processors.iter().map(|p| p.block.raw_name()));
        blocks.into_iter().any(|name| wanted.meets(name))
    };
    for (flag, list) in [("-only", &only), ("-except", &except)] {
        for wanted in list {
            if names.iter().any(|n| wanted.meets(n)) || (flag == "-except" && others(wanted)) {
                continue;
            }
            let message = format!("`{flag}={}` names no build of this template", wanted.written);
            let dotted = names.iter().find(|n| n.ends_with(&format!(".{}", wanted.written)));
            let near = dotted.copied().or_else(|| did_you_mean(&wanted.written, names.iter().copied()));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")),
            };
            diagnostics.push(Diagnostic::warning(code::NO_SUCH_NAME, None, message).help(help));
        }
    }
    let left: Vec<&Build> = builds
        .iter()
        .filter(|b| only.is_empty() || only.iter().any(|w| w.meets(&b.full_name)))
        .filter(|b| !except.iter().any(|w| w.meets(&b.full_name)))
        .collect();
    if left.is_empty() && !builds.is_empty() && purpose == Purpose::Build {
        let names: Vec<_> = names.iter().map(|n| format!("`{n}`")).collect();
        diagnostics.push(
            Diagnostic::error(code::NOTHING_TO_BUILD, None, "`-only` and `-except` leave nothing to build")
                .help(format!("the template's builds are {}", names.join(", "))),
        );
    }
    left
}

fn target<'b>(build: &'b Build, all: &[Build], except: &[Wanted]) -> Target<'b> {
    let number = all.iter().position(|b| std::ptr::eq(b, build)).unwrap_or(0);
    let mut ended = None;
    let post_processors = build.post_processors.iter().filter(|p| {
        if except.iter().any(|w| w.meets(p.block.raw_name()) || w.meets(&p.block.type_name.value)) {
            ended = Some(p.chain);
        }
        ended != Some(p.chain)
    });
    let placed = |block, pointer: String| Placed { block, pointer };
    // A block is evaluated for each build anew, so its secrets are named after the build as well.
    let post_processors = post_processors.map(|p| {
        (p.chain, p.place, placed(&p.block, format!("/post-processors/{}/{}@{}", p.chain, p.place, build.full_name)))
    });
    let post_processors = post_processors.collect();
    Target {
        id: &build.full_name,
        raw_name: &build.name,
        name: &build.name,
        builder: placed(&build.builder, format!("/builders/{number}")),
        provisioners: build
            .provisioners
            .iter()
            .map(|p| (p.index, placed(&p.block, format!("/provisioners/{}@{}", p.index, build.full_name))))
            .collect(),
        error_cleanup: build.error_cleanup.as_ref().map(|b| placed(b, "/error-cleanup-provisioner".to_owned())),
        post_processors,
    }
}

/// What `inspect` shows.
fn document(evaluated: &Evaluated) -> Document {
    let mut document = Document::default();
    for variable in evaluated.variables.values() {
        let name = Text { value: variable.name.clone(), span: variable.declared, runs: Vec::new() };
        document.variables.push(VariableDeclaration { name, default: None, sensitive: variable.sensitive });
    }
    let mut seen: BTreeMap<(u32, u32), ()> = BTreeMap::new();
    for build in &evaluated.builds {
        let mut builder = build.builder.clone();
        builder.name = Some(Text { value: build.full_name.clone(), span: builder.type_name.span, runs: Vec::new() });
        document.builders.push(builder);
        for used in &build.provisioners {
            if seen.insert((used.block.span.source.0, used.block.span.start), ()).is_none() {
                document.provisioners.push(used.block.clone());
            }
        }
        let mut last = None;
        for chained in &build.post_processors {
            let key = (chained.block.span.source.0, chained.block.span.start);
            if seen.insert(key, ()).is_some() {
                continue;
            }
            match document.post_processors.last_mut().filter(|_| last == Some(chained.chain)) {
                Some(chain) => chain.push(chained.block.clone()),
                None => document.post_processors.push(vec![chained.block.clone()]),
            }
            last = Some(chained.chain);
        }
        if document.error_cleanup.is_none() {
            document.error_cleanup.clone_from(&build.error_cleanup);
        }
    }
    document
}
