//! Plans of scripted components.

use crate::run::plan::{OnError, RunOptions, StepMeta, StepPart};
use crate::run::*;

pub fn step(id: &str, part: StepPart) -> PlannedStep {
    PlannedStep {
        id: id.into(),
        part,
        component: "fake".into(),
        title: id.into(),
        config: Value::Map(indexmap::IndexMap::new()),
        digest: id.into(),
        span: None,
        meta: StepMeta::default(),
        files: Vec::new(),
    }
}

pub fn build(id: &str, provisioners: &[&str]) -> PlannedBuild {
    let mut steps = vec![step("launch", StepPart::Prepare)];
    steps.extend(provisioners.iter().map(|id| step(id, StepPart::Provision)));
    steps.push(step("image", StepPart::Finish));
    PlannedBuild {
        id: id.into(),
        name: id.into(),
        builder_type: "fake".into(),
        config: Value::Map(indexmap::IndexMap::new()),
        span: None,
        steps,
        error_cleanup: Some(step("error-cleanup", StepPart::Provision)),
    }
}

pub fn plan(builds: Vec<PlannedBuild>, on_error: OnError) -> Plan {
    let options = RunOptions { on_error, interactive: true, ..RunOptions::default() };
    Plan { revision: 1, options, builds, ..Plan::default() }
}
