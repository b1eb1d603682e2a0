//! From checked components to a plan.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::component::contract::OutlineStep;
use crate::run::plan::{RunOptions, StepMeta, StepPart};
use crate::run::{Plan, PlannedBuild, PlannedStep, Value};
use crate::template::inputs::Inputs;

use super::check::{Checked, CheckedBuild, Part};
use super::digest;

/// The plan of what was checked, sealed without the contents of files.
pub(super) fn resolve(checked: &Checked, template: &str, inputs: &Inputs, options: &RunOptions) -> Plan {
    let mut plan = Plan {
        revision: 1,
        digest: String::new(),
        template: template.to_owned(),
        template_dir: inputs.template_dir.clone(),
        cwd: inputs.cwd.clone(),
        start: inputs.start,
        seed: inputs.seed,
        options: options.clone(),
        builds: checked.builds.iter().map(|b| build(b, Path::new(&inputs.cwd))).collect(),
    };
    digest::seal(&mut plan, &BTreeMap::new());
    plan
}

fn build(checked: &CheckedBuild, cwd: &Path) -> PlannedBuild {
    let outline = checked.builder.outline(&checked.part.revealed);
    let own = |steps: Vec<OutlineStep>, part| steps.into_iter().map(move |s| own_step(checked, s, part));
    let mut steps: Vec<PlannedStep> = own(outline.prepare, StepPart::Prepare).collect();
    for path in checked.files() {
        let name = path.to_string_lossy().into_owned();
        let reader = steps.iter().position(|s| holds(&s.config, &name)).unwrap_or(0);
        if let Some(step) = steps.get_mut(reader) {
            step.files.push(absolute(&path, cwd));
        }
    }
    for (index, provisioner, part) in &checked.provisioners {
        let id = format!("provision-{}", index + 1);
        let title = provisioner.title(&part.revealed);
        steps.push(step(&id, StepPart::Provision, title, part, &provisioner.files(&part.revealed), cwd));
    }
    steps.extend(own(outline.finish, StepPart::Finish));
    for (chain, place, post_processor, part) in &checked.post_processors {
        let id = format!("post-{}-{}", chain + 1, place + 1);
        let number = |n: usize| u32::try_from(n + 1).unwrap_or(u32::MAX);
        let at = StepPart::PostProcess { chain: number(*chain), place: number(*place) };
        let title = part.type_name.clone();
        steps.push(step(&id, at, title, part, &post_processor.files(&part.revealed), cwd));
    }
    let error_cleanup = checked.error_cleanup.as_ref().map(|(provisioner, part)| {
        let title = provisioner.title(&part.revealed);
        step("error-cleanup", StepPart::Provision, title, part, &provisioner.files(&part.revealed), cwd)
    });
    PlannedBuild {
        id: checked.id.as_str().into(),
        name: checked.name.clone(),
        builder_type: checked.builder_type.clone(),
        config: checked.part.value.clone(),
        span: Some(checked.part.span),
        steps,
        error_cleanup,
    }
}

fn step(id: &str, part: StepPart, title: String, of: &Part, files: &[PathBuf], cwd: &Path) -> PlannedStep {
    PlannedStep {
        id: id.into(),
        part,
        component: of.type_name.clone(),
        title,
        config: of.value.clone(),
        digest: String::new(),
        span: Some(of.span),
        meta: of.meta.clone(),
        files: files.iter().map(|path| absolute(path, cwd)).collect(),
    }
}

/// A step of the builder's own: its config is what it reads.
fn own_step(build: &CheckedBuild, outline: OutlineStep, part: StepPart) -> PlannedStep {
    let read = outline.reads.iter().filter_map(|name| Some(((*name).to_owned(), build.part.value.get(name)?.clone())));
    PlannedStep {
        id: outline.id.into(),
        part,
        component: build.builder_type.clone(),
        title: outline.title,
        config: Value::Map(read.collect()),
        digest: String::new(),
        span: Some(build.part.span),
        meta: StepMeta::default(),
        files: Vec::new(),
    }
}

/// Whether a text somewhere in the value is `text`.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::Text(t) => t == text,
        Value::List(items) => items.iter().any(|v| holds(v, text)),
        Value::Map(map) => map.values().any(|v| holds(v, text)),
        _ => false,
    }
}

fn absolute(path: &Path, cwd: &Path) -> String {
    let path = path.strip_prefix(".").unwrap_or(path);
    cwd.join(path).to_string_lossy().into_owned()
}
