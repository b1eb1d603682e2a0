//! The state of one build and of its steps.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use crate::run::artifact::Artifact;
use crate::run::event::{BuildEnd, Event, Fact, Question, StepEnd};
use crate::run::failure::Failure;
use crate::run::id::{Attempt, BuildId, StepId};
use crate::run::plan::{PlannedBuild, StepPart};

/// One build, as its facts tell it. What is said of the steps and of the times is about the attempt that runs or ran last.
#[derive(Clone, Debug, PartialEq)]
pub struct BuildState {
    pub id: BuildId,
    pub phase: Phase,
    /// 0 before the first.
    pub attempt: Attempt,
    /// Revision of the plan that the attempt follows.
    pub revision: u32,
    /// The attempts before this one, oldest first.
    pub earlier: Vec<AttemptState>,
    /// In the plan's order.
    pub steps: IndexMap<StepId, StepState>,
    /// The step that runs, or ran last.
    pub current: Option<StepId>,
    /// Milliseconds since the UNIX epoch: start and end of the attempt.
    pub started: Option<i64>,
    pub ended: Option<i64>,
    /// What steps learnt about the machine, by name.
    pub learnt: BTreeMap<String, serde_json::Value>,
    /// Questions that nobody has answered yet.
    pub questions: Vec<Question>,
    /// What was made, in order, whether or not the build came to a good end.
    pub artifacts: Vec<Artifact>,
    /// Why the image is not what the template alone makes; empty: it is.
    pub patched: Vec<String>,
    /// Why the attempt failed or is held, and at which step.
    pub failure: Option<(Option<StepId>, Failure)>,
    /// Bytes of output in the attempt's log.
    pub log_bytes: u64,
    /// Something cancelled this attempt.
    cancelling: bool,
}

/// Where a build stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    Queued,
    Running,
    /// It stands still with its machine, until a command comes.
    Held,
    CleaningUp,
    Done,
    Failed,
    Cancelled,
}

/// An attempt that is over.
#[derive(Clone, Debug, PartialEq)]
pub struct AttemptState {
    pub attempt: Attempt,
    pub revision: u32,
    pub started: Option<i64>,
    pub ended: Option<i64>,
    pub failure: Option<(Option<StepId>, Failure)>,
    pub steps: IndexMap<StepId, StepState>,
}

/// One step of the running or last attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct StepState {
    pub title: String,
    pub part: StepPart,
    pub status: StepStatus,
    /// Milliseconds since the UNIX epoch.
    pub started: Option<i64>,
    pub ended: Option<i64>,
    /// What it waits for, in words.
    pub waiting: Option<String>,
    pub progress: Option<Progress>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum StepStatus {
    ToCome,
    Running,
    Ended(StepEnd),
}

/// `done` of `total` of `unit`; `note` says of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: Option<u64>,
    pub unit: String,
    pub note: String,
}

impl BuildState {
    pub(super) fn queued(planned: &PlannedBuild) -> Self {
        Self {
            id: planned.id.clone(),
            phase: Phase::Queued,
            attempt: 0,
            revision: 0,
            earlier: Vec::new(),
            steps: IndexMap::new(),
            current: None,
            started: None,
            ended: None,
            learnt: BTreeMap::new(),
            questions: Vec::new(),
            artifacts: Vec::new(),
            patched: Vec::new(),
            failure: None,
            log_bytes: 0,
            cancelling: false,
        }
    }

    /// Takes the steps of a plan; what is known of steps that stay is kept.
    pub(super) fn follow(&mut self, planned: &PlannedBuild) {
        let mut before = std::mem::take(&mut self.steps);
        for step in planned.steps.iter().chain(planned.error_cleanup.as_ref()) {
            let state = match before.shift_remove(&step.id) {
                Some(known) => StepState { title: step.title.clone(), part: step.part, ..known },
                None => StepState::to_come(step.title.clone(), step.part),
            };
            self.steps.insert(step.id.clone(), state);
        }
    }

    /// The word for where the build stands, the same on every screen, in the log and in the summary.
    #[must_use]
    pub fn word(&self) -> String {
        match self.phase {
            Phase::Queued => "queued".into(),
            Phase::Held => "held".into(),
            Phase::Done => "done".into(),
            Phase::Failed => "failed".into(),
            Phase::Cancelled => "cancelled".into(),
            Phase::CleaningUp if self.cancelling => "cancelling".into(),
            Phase::CleaningUp => "cleaning up".into(),
            Phase::Running if !self.questions.is_empty() => "asks".into(),
            Phase::Running => self.running_word(),
        }
    }

    fn running_word(&self) -> String {
        let Some((id, step)) = self.current.as_ref().and_then(|id| self.steps.get_key_value(id)) else {
            return "preparing".into();
        };
        match step.part {
            StepPart::Prepare => "preparing".into(),
            StepPart::Provision => {
                let provision = || self.steps.iter().filter(|(_, s)| s.part == StepPart::Provision);
                let place = provision().position(|(i, _)| i == id).map_or(0, |p| p.saturating_add(1));
                format!("provisioning {place}/{}", provision().count())
            }
            StepPart::Finish => "imaging".into(),
            StepPart::PostProcess { .. } => "finishing".into(),
        }
    }

    pub(super) fn apply(&mut self, event: &Event) {
        match &event.fact {
            Fact::AttemptStarted { revision, from } => self.start(event, *revision, from.as_ref()),
            Fact::StepStarted { step } => {
                self.current = Some(step.clone());
                self.phase = Phase::Running;
                if let Some(state) = self.steps.get_mut(step) {
                    *state = StepState::to_come(std::mem::take(&mut state.title), state.part);
                    state.status = StepStatus::Running;
                    state.started = Some(event.at);
                }
            }
            Fact::StepProgressed { step, done, total, unit, note } => {
                if let Some(state) = self.steps.get_mut(step) {
                    let progress = Progress { done: *done, total: *total, unit: unit.clone(), note: note.clone() };
                    state.progress = Some(progress);
                }
            }
            Fact::Waiting { step, on } => {
                if let Some(state) = self.steps.get_mut(step) {
                    state.waiting.clone_from(on);
                }
            }
            Fact::StepEnded { step, ended } => {
                self.questions.retain(|q| q.step.as_ref() != Some(step));
                self.cancelling |= *ended == StepEnd::Cancelled;
                if let StepEnd::Failed { failure } = ended {
                    self.failure = Some((Some(step.clone()), failure.clone()));
                }
                if let Some(state) = self.steps.get_mut(step) {
                    state.status = StepStatus::Ended(ended.clone());
                    state.ended = Some(event.at);
                    state.waiting = None;
                }
            }
            Fact::Output { text, .. } => self.log_bytes = self.log_bytes.saturating_add(text.len() as u64),
            Fact::OutputAt { bytes, .. } => self.log_bytes = self.log_bytes.saturating_add(*bytes),
            Fact::Learnt { name, value } => {
                self.learnt.insert(name.clone(), value.clone());
            }
            Fact::Asked { question } => self.questions.push(question.clone()),
            Fact::Answered { question, .. } => self.questions.retain(|q| q.id != *question),
            Fact::Held { step, failure } => {
                self.phase = Phase::Held;
                self.failure = Some((Some(step.clone()), failure.clone()));
            }
            Fact::Unheld => self.phase = Phase::Running,
            Fact::Patched { why } => self.patched.push(why.clone()),
            Fact::CleanUpStarted => self.phase = Phase::CleaningUp,
            Fact::Made { artifact } => self.artifacts.push(artifact.clone()),
            Fact::AttemptEnded { ended } => self.end(event, ended),
            _ => {}
        }
    }

    fn start(&mut self, event: &Event, revision: u32, from: Option<&StepId>) {
        if self.attempt > 0 {
            self.earlier.push(AttemptState {
                attempt: self.attempt,
                revision: self.revision,
                started: self.started,
                ended: self.ended.or(Some(event.at)),
                failure: self.failure.take(),
                steps: self.steps.clone(),
            });
        }
        // A live machine keeps what was done before `from`; a new one keeps nothing.
        let keep = from.and_then(|from| self.steps.get_index_of(from)).unwrap_or(0);
        for state in self.steps.values_mut().skip(keep) {
            *state = StepState::to_come(std::mem::take(&mut state.title), state.part);
        }
        if from.is_none() {
            self.learnt.clear();
            self.patched.clear();
        }
        self.attempt = event.attempt.unwrap_or_else(|| self.attempt.saturating_add(1));
        self.revision = revision;
        self.phase = Phase::Running;
        self.current = None;
        self.started = Some(event.at);
        self.ended = None;
        self.failure = None;
        self.questions.clear();
        self.artifacts.clear();
        self.log_bytes = 0;
        self.cancelling = false;
    }

    fn end(&mut self, event: &Event, ended: &BuildEnd) {
        self.ended = Some(event.at);
        self.questions.clear();
        match ended {
            BuildEnd::Done { artifacts } => {
                self.phase = Phase::Done;
                self.artifacts.clone_from(artifacts);
                self.failure = None;
            }
            BuildEnd::Failed { step, failure } => {
                self.phase = Phase::Failed;
                self.failure = Some((step.clone(), failure.clone()));
            }
            BuildEnd::Cancelled => self.phase = Phase::Cancelled,
        }
    }
}

impl StepState {
    fn to_come(title: String, part: StepPart) -> Self {
        Self { title, part, status: StepStatus::ToCome, started: None, ended: None, waiting: None, progress: None }
    }
}
