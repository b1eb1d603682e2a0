//! Digests of steps and plans: equal digests do equal things.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::run::{Plan, PlannedStep};

/// SHA-256 of local files, in hex, by absolute path. Of a folder it is over the names and contents in it.
pub type FileDigests = BTreeMap<String, String>;

/// Puts the digest of every step and of the plan in place. A file that `files` does not know counts by its path alone.
pub fn seal(plan: &mut Plan, files: &FileDigests) {
    for build in &mut plan.builds {
        for step in build.steps.iter_mut().chain(build.error_cleanup.as_mut()) {
            step.digest = of_step(step, files);
        }
    }
    plan.digest = String::new();
    // The run's start and seed differ each time; what is built, and how, is what counts.
    let plan_facts = (&plan.template, &plan.template_dir, &plan.cwd, &plan.options, &plan.builds);
    plan.digest = of(&plan_facts);
}

fn of_step(step: &PlannedStep, files: &FileDigests) -> String {
    let contents: Vec<_> = step.files.iter().map(|path| (path, files.get(path))).collect();
    of(&(&step.component, step.part, &step.config, &step.meta, contents))
}

fn of(value: &impl Serialize) -> String {
    let mut digest = Sha256::new();
    // A plan's values serialise: they are JSON to begin with. Were one not to, its digest would match no other.
    match serde_json::to_vec(value) {
        Ok(bytes) => digest.update(&bytes),
        Err(error) => digest.update(error.to_string()),
    }
    digest.finalize().iter().fold(String::new(), |mut text, byte| {
        // invariant: writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
