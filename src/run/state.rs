//! The fold over facts. Screen, summary, clean-up, resume and history all read this.
//!
//! Not here: where facts come from. `apply` is pure and never fails: a fact about what it does not know is skipped.

mod build;
mod resources;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;

pub use build::{AttemptState, BuildState, Phase, Progress, StepState, StepStatus};
pub use resources::{Fate, Owned};

use super::event::{Event, Fact};
use super::id::{BuildId, RunId, Seq};
use super::plan::Plan;
use super::resource::Resource;

/// The state of a run: what its facts, applied in order, come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// `None` before the first fact.
    pub run: Option<RunId>,
    /// kiln's version, and the machine that it runs on.
    pub version: String,
    pub host: String,
    /// Number of the last fact applied.
    pub seq: Seq,
    /// Milliseconds since the UNIX epoch.
    pub started: Option<i64>,
    pub ended: Option<i64>,
    /// The exit status, once the run has ended.
    pub status: Option<u8>,
    /// The plan that new attempts follow.
    pub plan: Option<std::sync::Arc<Plan>>,
    /// In the plan's order.
    pub builds: IndexMap<BuildId, BuildState>,
    /// Everything that the run made or meant to make, by key, in the order of the facts.
    pub resources: IndexMap<String, Owned>,
}

impl RunState {
    /// Takes in the next fact.
    pub fn apply(&mut self, event: &Event) {
        self.seq = event.seq;
        match &event.fact {
            Fact::RunStarted { run, version, host, plan } => {
                self.run = Some(run.clone());
                self.version.clone_from(version);
                self.host.clone_from(host);
                self.started = Some(event.at);
                for planned in &plan.builds {
                    self.builds.insert(planned.id.clone(), BuildState::queued(planned));
                }
                self.follow(plan);
            }
            Fact::Revised { plan } => self.follow(plan),
            Fact::RunEnded { status } => {
                self.status = Some(*status);
                self.ended = Some(event.at);
            }
            Fact::Intended { .. }
            | Fact::Created { .. }
            | Fact::Released { .. }
            | Fact::Kept { .. }
            | Fact::ReleaseFailed { .. }
            | Fact::Left { .. } => resources::apply(&mut self.resources, &event.fact),
            _ => {
                if let Some(build) = event.build.as_ref().and_then(|id| self.builds.get_mut(id)) {
                    build.apply(event);
                }
            }
        }
    }

    /// What a build owns still and did not mean to keep: clean-up, the summary and a resumed run go by this.
    pub fn owned(&self, build: &BuildId) -> impl Iterator<Item = &Resource> {
        let build = build.clone();
        self.resources.values().filter(move |o| o.resource.build == build && o.fate.is_owned()).map(|o| &o.resource)
    }

    /// What the run owns still, of all builds, with what became of it.
    pub fn left(&self) -> impl Iterator<Item = &Owned> {
        self.resources.values().filter(|o| o.fate.is_owned())
    }

    /// Milliseconds from the first start of a build to the last end of one; `None` while none has ended.
    #[must_use]
    pub fn worked(&self) -> Option<i64> {
        let started = self.builds.values().filter_map(|b| b.earlier.first().map_or(b.started, |first| first.started));
        let ended = self.builds.values().filter_map(|b| b.ended);
        Some(ended.max()?.saturating_sub(started.min()?))
    }

    /// What the exit status would be if the run ended now: cancelled before failed before not released.
    #[must_use]
    pub fn outcome(&self) -> u8 {
        if self.builds.values().any(|b| b.phase == Phase::Cancelled) {
            130
        } else if self.builds.values().any(|b| b.phase != Phase::Done) {
            1
        } else if self.left().next().is_some() {
            3
        } else {
            0
        }
    }

    /// Which builds a run has is settled when it starts: what a revision adds to them stays out.
    fn follow(&mut self, plan: &Plan) {
        for planned in &plan.builds {
            if let Some(build) = self.builds.get_mut(&planned.id) {
                build.follow(planned);
            }
        }
        self.plan = Some(std::sync::Arc::new(plan.clone()));
    }
}
