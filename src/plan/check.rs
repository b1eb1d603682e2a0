//! Checks every component of the selected builds, and decodes them for the plan.
//!
//! A provisioner is decoded once for each build that it runs in, since `override`, `build_name` and the like may change it;
//! what is wrong with it is said once.

use std::cell::RefCell;
use std::path::PathBuf;

use serde_json::Value as Json;

use crate::component::catalogue::{self, Entry};
use crate::component::contract::{Builder, CheckContext, PostProcessor, Provisioner};
use crate::run::plan::StepMeta;
use crate::run::{Secrets, Value};
use crate::schema::Kind;
use crate::template::decode::{self, Decoded, Scope};
use crate::template::document::Block;
use crate::template::engine::Findings;
use crate::template::inputs::Inputs;
use crate::template::question::{Answer, Question};
use crate::text::code::{call as code, field as field_code};
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Span};

use super::conceal::conceal;
use super::meta::meta;
use super::{Evaluation, Purpose};

/// The builds that can go into a plan.
#[derive(Default)]
pub struct Checked {
    pub builds: Vec<CheckedBuild>,
}

pub struct CheckedBuild {
    /// As it is shown.
    pub id: String,
    /// What `build_name` gives.
    pub name: String,
    pub builder_type: String,
    pub builder: &'static dyn Builder,
    pub part: Part,
    /// With the place in the template, from 0.
    pub provisioners: Vec<(usize, &'static dyn Provisioner, Part)>,
    pub error_cleanup: Option<(&'static dyn Provisioner, Part)>,
    /// With chain and place in it, from 0.
    pub post_processors: Vec<(usize, usize, &'static dyn PostProcessor, Part)>,
}

/// A decoded component.
#[derive(Clone)]
pub struct Part {
    pub type_name: String,
    pub value: Value,
    /// The value with its secrets in place. Never written anywhere.
    pub revealed: Json,
    pub span: Span,
    pub meta: StepMeta,
}

/// What a block is decoded for.
#[derive(Clone, Copy)]
struct For<'s> {
    raw_name: &'s str,
    name: &'s str,
    builder_type: &'s str,
}

/// A build to be checked: its components, with pointers to them.
pub(super) struct Target<'a> {
    /// As it is shown.
    pub id: &'a str,
    /// What `override` means by it.
    pub raw_name: &'a str,
    /// What `build_name` gives.
    pub name: &'a str,
    pub builder: Placed<'a>,
    /// Each with its place, from 0.
    pub provisioners: Vec<(usize, Placed<'a>)>,
    pub error_cleanup: Option<Placed<'a>>,
    /// Chain by chain; each with its chain and its place there, from 0.
    pub post_processors: Vec<(usize, usize, Placed<'a>)>,
}

/// A component and the pointer to it in the template.
#[derive(Clone)]
pub(super) struct Placed<'a> {
    pub block: &'a Block,
    pub pointer: String,
}

pub(super) struct Checker<'a> {
    inputs: &'a Inputs,
    evaluation: &'a mut Evaluation,
    purpose: Purpose,
    /// What rules over several fields know of the builders.
    builder_names: Vec<String>,
    hcl: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn new(
        inputs: &'a Inputs,
        evaluation: &'a mut Evaluation,
        purpose: Purpose,
        builder_names: Vec<String>,
        hcl: bool,
    ) -> Self {
        Self { inputs, evaluation, purpose, builder_names, hcl }
    }

    pub(super) fn check(&mut self, targets: &[Target<'_>]) -> Checked {
        let mut checked = Checked::default();
        for it in targets {
            let target = it.target();
            let found = self.entry(Kind::Builder, it.builder.block);
            let part = self.part(Kind::Builder, found, it.builder.block, &it.builder.pointer, target);
            let (Some(Entry::Builder(builder)), Some(part)) = (found, part) else {
                // The rest is looked at all the same: a builder that cannot be read hides nothing.
                self.provisioners(it, None);
                self.post_processors(it, None);
                continue;
            };
            let mut build = CheckedBuild {
                id: it.id.to_owned(),
                name: it.name.to_owned(),
                builder_type: target.builder_type.to_owned(),
                builder,
                part,
                provisioners: Vec::new(),
                error_cleanup: None,
                post_processors: Vec::new(),
            };
            self.provisioners(it, Some(&mut build));
            self.post_processors(it, Some(&mut build));
            checked.builds.push(build);
        }
        checked
    }

    fn provisioners(&mut self, it: &Target<'_>, mut build: Option<&mut CheckedBuild>) {
        let target = it.target();
        let cleanup = it.error_cleanup.iter().map(|placed| (None, placed));
        let all = it.provisioners.iter().map(|(i, placed)| (Some(*i), placed)).chain(cleanup);
        for (index, Placed { block, pointer }) in all {
            let found = self.entry(Kind::Provisioner, block);
            let part = self.part(Kind::Provisioner, found, block, pointer, target);
            let Some(Entry::Provisioner(provisioner)) = found else { continue };
            let Some(build) = build.as_deref_mut() else { continue };
            if provisioner.needs_communicator() && !build.builder.has_communicator(&build.part.revealed) {
                let message =
                    format!("`{}` needs a machine, and `{}` connects to none", block.type_name.value, build.id);
                let except = if self.hcl {
                    format!("except = [\"{}.{}\"]", target.builder_type, target.raw_name)
                } else {
                    format!("\"except\": [\"{}\"]", target.raw_name)
                };
                let help =
                    format!("set `communicator` to `ssh` in the builder, or keep this one from it with `{except}`");
                let diagnostic = Diagnostic::error(code::NO_MACHINE, block.type_name.span, message).help(help);
                self.evaluation.diagnostics.push(diagnostic);
            }
            let Some(part) = part else { continue };
            match index {
                Some(index) => build.provisioners.push((index, provisioner, part)),
                None => build.error_cleanup = Some((provisioner, part)),
            }
        }
    }

    fn post_processors(&mut self, it: &Target<'_>, mut build: Option<&mut CheckedBuild>) {
        let target = it.target();
        // The chain that is looked at, and whether what goes in is still what the builder made.
        let mut at = (usize::MAX, true);
        for (chain, place, Placed { block, pointer }) in &it.post_processors {
            if at.0 != *chain {
                at = (*chain, true);
            }
            let found = self.entry(Kind::PostProcessor, block);
            let part = self.part(Kind::PostProcessor, found, block, pointer, target);
            let Some(Entry::PostProcessor(post_processor)) = found else { continue };
            let Some(part) = part else { continue };
            let destroys = post_processor.destroys_input(&part.revealed, part.meta.keep_input_artifact);
            if at.1 && destroys && target.builder_type.starts_with("amazon-") {
                self.refuse_destruction(block, part.meta.keep_input_artifact);
            }
            at.1 &= !matches!(block.type_name.value.as_str(), "artifice" | "compress");
            if let Some(build) = build.as_deref_mut() {
                build.post_processors.push((*chain, *place, post_processor, part));
            }
        }
    }

    /// Components that run in none of the selected builds, looked at as if in the first: their mistakes are mistakes all the
    /// same.
    pub(super) fn check_idle(&mut self, first: &Target<'_>, idle: &[(Kind, Placed<'_>)]) {
        for (kind, Placed { block, pointer }) in idle {
            let found = self.entry(*kind, block);
            self.part(*kind, found, block, pointer, first.target());
        }
    }

    fn refuse_destruction(&mut self, block: &Block, keep: Option<bool>) {
        let type_name = &block.type_name.value;
        let message = format!("`{type_name}` would delete the image: its input is not kept");
        let help = if keep == Some(false) {
            "remove `keep_input_artifact`, which is false".to_owned()
        } else if type_name == "compress" {
            "an AMI has no files to compress; remove it, or put `artifice` before it to name the files".to_owned()
        } else {
            "set `keep_input_artifact` to `true`".to_owned()
        };
        let diagnostic = Diagnostic::error(code::DESTROYS_IMAGE, block.type_name.span, message).help(help);
        self.evaluation.diagnostics.push(diagnostic);
    }

    /// The catalogue's entry for a block; of one that is not built or not known it tells.
    fn entry(&mut self, kind: Kind, block: &Block) -> Option<Entry> {
        let type_name = block.type_name.value.as_str();
        let found = catalogue::find(kind, type_name);
        let word = kind.word();
        let diagnostic = match found {
            None => {
                let message = format!("there is no {word} `{type_name}`");
                let diagnostic = Diagnostic::error(code::UNKNOWN_TYPE, block.type_name.span, message);
                match did_you_mean(type_name, catalogue::types(kind)) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                        format!("Change to `{near}`"),
                        block.type_name.span,
                        format!("\"{near}\""),
                    ),
                    None => diagnostic.help(format!("kiln knows the {word}s of Packer and of its usual plug-ins")),
                }
            }
            Some(Entry::NotBuilt) => {
                let message = format!("kiln does not do the {word} `{type_name}` yet");
                let help = match kind {
                    Kind::Builder => "its fields are not checked; leave it out with `-except`, or choose with `-only`",
                    Kind::Provisioner => "its fields are not checked; `shell` and `file` can do much of the same",
                    Kind::PostProcessor => "its fields are not checked; leave it out with `-except`",
                };
                if self.purpose == Purpose::Build {
                    Diagnostic::error(code::TYPE_NOT_BUILT, block.type_name.span, message)
                } else {
                    Diagnostic::warning(code::TYPE_NOT_BUILT, block.type_name.span, message)
                }
                .help(help)
            }
            Some(_) => return found,
        };
        self.evaluation.diagnostics.push(diagnostic);
        found
    }

    /// Decodes a block for a build and applies its component's rules. `None`: nothing is known of its fields.
    fn part(
        &mut self,
        kind: Kind,
        found: Option<Entry>,
        block: &Block,
        pointer: &str,
        target: For<'_>,
    ) -> Option<Part> {
        let over = block.overrides.iter().find(|(name, _)| name.value == target.raw_name).map(|(_, node)| node);
        let laid_over;
        let body = match over {
            Some(over) => {
                laid_over = decode::overlay(&block.body, over);
                &laid_over
            }
            None => &block.body,
        };
        let secrets = self.evaluation.secrets.clone();
        let type_name = block.type_name.value.as_str();
        let scope = Scope {
            component: type_name,
            at: block.type_name.span,
            pointer,
            build_name: target.name,
            build_type: target.builder_type,
            amazon: type_name.starts_with("amazon-"),
            strict: self.purpose == Purpose::Build,
            hcl: self.hcl,
            inputs: self.inputs,
            variables: &self.evaluation.variables,
            secrets: &secrets,
        };
        let fields = catalogue::schema(kind, type_name).and_then(|c| c.fields.clone());
        let Some(fields) = fields else {
            let mut findings = Findings::default();
            decode::check_syntax(body, &scope, &mut findings);
            self.evaluation.diagnostics.extend(findings.diagnostics);
            self.evaluation.questions.extend(findings.questions);
            return None;
        };
        let mut decoded = decode::decode(body, &fields, &scope);
        if clash(&secrets, &decoded.secrets) {
            // The same field holds another secret in another build: name it after the build.
            let pointer = format!("{pointer}@{}", target.name);
            decoded = decode::decode(body, &fields, &Scope { pointer: &pointer, ..scope });
        }
        let mut findings = Findings::default();
        let meta = meta(block, &scope, &mut findings);
        self.evaluation.diagnostics.append(&mut findings.diagnostics);
        self.evaluation.questions.append(&mut findings.questions);
        self.evaluation.diagnostics.append(&mut decoded.diagnostics);
        self.evaluation.questions.append(&mut decoded.questions);
        self.evaluation.secrets.merge(std::mem::take(&mut decoded.secrets));
        if self.hcl {
            conceal(&mut decoded.value, &self.evaluation.secrets);
        }
        let revealed = decoded.value.reveal(&self.evaluation.secrets);
        if let Some(found) = found {
            self.rules(found, &revealed, &decoded);
        }
        Some(Part { type_name: type_name.to_owned(), value: decoded.value, revealed, span: block.span, meta })
    }

    /// The component's own rules over several fields.
    fn rules(&mut self, found: Entry, config: &Json, decoded: &Decoded) {
        let mut diagnostics = Vec::new();
        let questions = RefCell::new(Vec::new());
        let answers = &self.inputs.answers;
        let ask = |question: Question| match answers.get(&question) {
            Some(Answer::Yes) => Some(true),
            Some(Answer::No) => Some(false),
            Some(_) => None,
            None => {
                questions.borrow_mut().push(question);
                None
            }
        };
        let mut file_exists = |path: &str| ask(Question::FileExists { path: path.to_owned() });
        let mut region_set = |profile: &str, file: &str| {
            ask(Question::AwsRegion { profile: profile.to_owned(), shared_credentials_file: file.to_owned() })
        };
        let mut cx = CheckContext {
            places: &decoded.places,
            diagnostics: &mut diagnostics,
            file_exists: &mut file_exists,
            region_set: &mut region_set,
            build: self.purpose == Purpose::Build,
            builder_names: &self.builder_names,
        };
        match found {
            Entry::Builder(builder) => builder.check(config, &mut cx),
            Entry::Provisioner(provisioner) => provisioner.check(config, &mut cx),
            Entry::PostProcessor(post_processor) => post_processor.check(config, &mut cx),
            Entry::NotBuilt => {}
        }
        for diagnostic in &mut diagnostics {
            name_unset_env(diagnostic, decoded);
        }
        self.evaluation.diagnostics.append(&mut diagnostics);
        self.evaluation.questions.append(&mut questions.into_inner());
    }
}

impl Target<'_> {
    fn target(&self) -> For<'_> {
        For { raw_name: self.raw_name, name: self.name, builder_type: &self.builder.block.type_name.value }
    }
}

/// Whether the same reference stands for two values.
fn clash(before: &Secrets, new: &Secrets) -> bool {
    new.iter().any(|(reference, value)| {
        let old = before.reveal(reference);
        !old.is_empty() && old != value
    })
}

/// Where a field is empty because an environment variable is not set, its mistake says so.
fn name_unset_env(diagnostic: &mut Diagnostic, decoded: &Decoded) {
    if diagnostic.code == field_code::REQUIRED {
        return;
    }
    let here =
        |path: &str| diagnostic.span.is_some_and(|s| s == decoded.places.value(path) || s == decoded.places.key(path));
    if let Some((_, unset)) = decoded.unset_env.iter().find(|(path, _)| here(path)) {
        let reason = decode::unset_env(unset);
        diagnostic.help = Some(match diagnostic.help.take() {
            Some(help) => format!("{help}; {reason}"),
            None => reason,
        });
    }
}

impl CheckedBuild {
    /// The local files that its builder sends.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        self.builder.files(&self.part.revealed)
    }
}
