//! What a new plan means for builds that are under way.
//!
//! Steps of the old and the new plan are matched by type and digest, in order. On a live machine everything at or after the
//! first step that is to run may differ. A difference before it means that the image is no longer what the template alone
//! makes: *patched*. A difference in what the machine was launched with cannot be made good: start over.

use std::collections::BTreeSet;

use crate::run::plan::StepPart;
use crate::run::{BuildId, Plan, PlannedBuild, PlannedStep, StepId, Value};

use super::digest::{self, FileDigests};

/// The new plan with its number, and what it changes in each build.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    pub plan: Plan,
    /// One for each build of the old plan.
    pub builds: Vec<Changes>,
    /// Builds that only the new plan has.
    pub added: Vec<BuildId>,
}

/// What the new plan changes in one build.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    pub build: BuildId,
    /// The new plan no longer has this build.
    pub gone: bool,
    /// Fields that the machine was launched with and that differ now: the build can only be started over.
    pub refused: Vec<String>,
    /// Each old step with the step of the new plan that does the same.
    pub kept: Vec<(StepId, StepId)>,
    /// Old steps of the provisioning that nothing in the new plan matches: changed or removed.
    pub lost: Vec<StepId>,
    /// New steps that nothing in the old plan matches: changed or added. They take effect.
    pub new: Vec<StepId>,
    /// Fields of the finishing steps (image name, tags, copies, sharing) that differ: they take effect.
    pub takes_effect: Vec<String>,
}

impl Changes {
    /// Why going on from `from` (a step of the new build) on the live machine makes a patched image; `None`: it does not.
    ///
    /// That is so when the steps before `from` are not, in the same order, those that ran before it in the old plan.
    #[must_use]
    pub fn patched(&self, old: &PlannedBuild, new: &PlannedBuild, ran: &[StepId], from: &StepId) -> Option<String> {
        let provisions = |b: &PlannedBuild| -> Vec<(StepId, String)> {
            b.steps
                .iter()
                .filter(|s| s.part == StepPart::Provision)
                .map(|s| (s.id.clone(), format!("{}:{}", s.component, s.digest)))
                .collect()
        };
        let all = provisions(new);
        let end = new.steps.iter().position(|s| s.id == *from)?;
        let before: Vec<String> = all
            .iter()
            .filter(|(id, _)| new.steps.iter().position(|s| s.id == *id).is_some_and(|i| i < end))
            .map(|(_, key)| key.clone())
            .collect();
        let done: Vec<String> =
            provisions(old).into_iter().filter(|(id, _)| ran.contains(id)).map(|(_, key)| key).collect();
        if before == done {
            return None;
        }
        let differing = before.iter().zip(&done).position(|(a, b)| a != b).unwrap_or(before.len().min(done.len()));
        Some(match (before.get(differing), done.get(differing)) {
            (Some(_), None) => {
                format!("{} steps before `{from}` did not run on this machine", before.len() - done.len())
            }
            (None, Some(_)) => {
                let again = done.len() - before.len();
                format!("{again} steps ran on this machine that the plan has not, or has only from `{from}` on")
            }
            _ => format!("step {} before `{from}` is not as it ran", differing + 1),
        })
    }

    /// Whether a live machine of this build can go on with the new plan.
    #[must_use]
    pub fn can_go_on(&self) -> bool {
        !self.gone && self.refused.is_empty()
    }
}

/// Makes `new` the revision after `old`, with the digests of `files` in place, and tells what it changes.
#[must_use]
pub fn revise(old: &Plan, mut new: Plan, files: &FileDigests) -> Revision {
    digest::seal(&mut new, files);
    new.revision = old.revision.saturating_add(1);
    let builds = old.builds.iter().map(|b| changes(b, new.build(&b.id))).collect();
    let added = new.builds.iter().filter(|b| old.build(&b.id).is_none()).map(|b| b.id.clone()).collect();
    Revision { plan: new, builds, added }
}

/// What the new plan of a build changes; both with the digests of their files in place.
#[must_use]
pub fn changes(old: &PlannedBuild, new: Option<&PlannedBuild>) -> Changes {
    let mut changes = Changes {
        build: old.id.clone(),
        gone: new.is_none(),
        refused: Vec::new(),
        kept: Vec::new(),
        lost: Vec::new(),
        new: Vec::new(),
        takes_effect: Vec::new(),
    };
    let Some(new) = new else { return changes };
    changes.refused = differing_fields(old, new, |part| part == StepPart::Prepare);
    if old.builder_type != new.builder_type {
        changes.refused.insert(0, "type".into());
    }
    changes.takes_effect = differing_fields(old, new, |part| part == StepPart::Finish)
        .into_iter()
        .filter(|field| !changes.refused.contains(field))
        .collect();
    match_steps(old, new, &mut changes);
    changes
}

/// The longest common sequence of the provisioners and post-processors, by type and digest.
fn match_steps(old: &PlannedBuild, new: &PlannedBuild, changes: &mut Changes) {
    let theirs = |b: &PlannedBuild| -> Vec<PlannedStep> {
        let of_builder = |s: &&PlannedStep| matches!(s.part, StepPart::Provision | StepPart::PostProcess { .. });
        b.steps.iter().filter(of_builder).cloned().collect()
    };
    let (before, after) = (theirs(old), theirs(new));
    let same = |i: usize, j: usize| before[i].component == after[j].component && before[i].digest == after[j].digest;
    let mut length = vec![vec![0u32; after.len() + 1]; before.len() + 1];
    for i in (0..before.len()).rev() {
        for j in (0..after.len()).rev() {
            length[i][j] = if same(i, j) { length[i + 1][j + 1] + 1 } else { length[i + 1][j].max(length[i][j + 1]) };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < before.len() || j < after.len() {
        if i < before.len() && j < after.len() && same(i, j) {
            changes.kept.push((before[i].id.clone(), after[j].id.clone()));
            (i, j) = (i + 1, j + 1);
        } else if j == after.len() || (i < before.len() && length[i + 1][j] >= length[i][j + 1]) {
            changes.lost.push(before[i].id.clone());
            i += 1;
        } else {
            changes.new.push(after[j].id.clone());
            j += 1;
        }
    }
}

/// The fields that the builder's own steps of a part read and that are not the same in both builds.
fn differing_fields(old: &PlannedBuild, new: &PlannedBuild, part: impl Fn(StepPart) -> bool) -> Vec<String> {
    let names = |b: &PlannedBuild| -> BTreeSet<String> {
        let steps = b.steps.iter().filter(|s| part(s.part));
        steps
            .filter_map(|s| if let Value::Map(map) = &s.config { Some(map.keys().cloned()) } else { None })
            .flatten()
            .collect()
    };
    let mut fields = names(old);
    fields.extend(names(new));
    let mut differing: Vec<String> = fields.into_iter().filter(|f| old.config.get(f) != new.config.get(f)).collect();
    // A file may have changed though its name did not.
    for step in old.steps.iter().filter(|s| part(s.part) && !s.files.is_empty()) {
        let now = new.steps.iter().find(|s| s.id == step.id);
        if now.is_some_and(|s| s.config == step.config && s.files == step.files && s.digest != step.digest) {
            differing.extend(step.files.iter().cloned());
        }
    }
    differing
}
