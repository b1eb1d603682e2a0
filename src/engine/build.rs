//! One build: its attempts, one after the other, until the run ends.

use std::fmt::Write as _;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::clean_up::clean_up;
use super::hold::{Given, Next};
use super::post_process::post_process;
use super::shared::Shared;
use super::step::Live;
use crate::component::contract::{Builder, Facts, Machine, Provisioner};
use crate::run::event::{BuildEnd, Question, Tone};
use crate::run::plan::{OnError, StepPart};
use crate::run::{Attempt, BuildId, Fact, Failure, FailureKind, Plan, PlannedBuild, PlannedStep, StepId};

/// What a build can be told while it is held or at rest.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    Retry { from: Option<StepId> },
    Skip,
    CleanUp,
    Abort,
}

/// The task of one build.
pub(super) struct BuildActor {
    pub shared: Arc<Shared>,
    pub id: BuildId,
    pub orders: mpsc::UnboundedReceiver<Order>,
    /// The token of the attempt that runs; who orders a new attempt puts a new one here.
    pub cancel: Arc<Mutex<CancellationToken>>,
    /// The right to run for the first time, handed out in the plan's order.
    pub first_slot: Option<oneshot::Receiver<OwnedSemaphorePermit>>,
    pub slot: Option<OwnedSemaphorePermit>,
    /// Told each time that an attempt is over.
    pub rest: mpsc::UnboundedSender<BuildId>,
    pub attempt: Attempt,
}

impl BuildActor {
    pub async fn run(mut self) {
        loop {
            let cancel = self.cancel.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let (end, start_over) = if self.take_slot(&cancel).await {
                self.attempt(&cancel).await
            } else {
                self.attempt = self.attempt.max(1);
                (BuildEnd::Cancelled, false)
            };
            if !start_over {
                // What was meant for a hold that is over must not begin a new attempt.
                while self.orders.try_recv().is_ok() {
                    self.refuse("the build has ended meanwhile");
                }
                // Before the fact is out: who reads it may give the next order at once.
                let _ = self.rest.send(self.id.clone());
            }
            let fact = Fact::AttemptEnded { ended: end };
            let _ = self.shared.journal.record(Some(&self.id), Some(self.attempt), fact).await;
            // Only now: the next build must not be seen to begin before this one is seen to end.
            self.slot = None;
            if !start_over && !self.told_to_start_over().await {
                return;
            }
        }
    }

    /// Rests until a new attempt is ordered; `false`: the run is over.
    async fn told_to_start_over(&mut self) -> bool {
        loop {
            match self.orders.recv().await {
                None => return false,
                Some(Order::Retry { from: None }) => return true,
                Some(Order::Retry { from: Some(_) }) => self.refuse("its machine is gone: it can only start over"),
                Some(Order::Skip | Order::CleanUp | Order::Abort) => self.refuse("it is not held"),
            }
            let _ = self.rest.send(self.id.clone());
        }
    }

    /// Waits for the right to run; `false`: cancelled before.
    pub async fn take_slot(&mut self, cancel: &CancellationToken) -> bool {
        if self.slot.is_some() {
            return true;
        }
        let (first, slots) = (self.first_slot.take(), self.shared.slots.clone());
        let slot = async {
            match first {
                Some(first) => first.await.ok(),
                None => slots.acquire_owned().await.ok(),
            }
        };
        self.slot = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            slot = slot => slot,
        };
        self.slot.is_some()
    }

    pub fn refuse(&self, why: &str) {
        self.shared.say(Some(&self.id), Tone::Error, format!("not done: {why}"));
    }

    /// One attempt, with what follows it on the same machine. The second value: start over with a new one.
    async fn attempt(&mut self, cancel: &CancellationToken) -> (BuildEnd, bool) {
        self.attempt = self.attempt.saturating_add(1);
        let plan = self.shared.plan();
        let mut live = match self.live(plan, Arc::new(Machine::default()), cancel) {
            Ok(live) => live,
            Err(failure) => return (BuildEnd::Failed { step: None, failure }, false),
        };
        self.shared.follow(&live.build);
        let started = Fact::AttemptStarted { revision: live.plan.revision, from: None };
        if let Err(failure) = self.shared.journal.record(Some(&self.id), Some(self.attempt), started).await {
            return (BuildEnd::Failed { step: None, failure }, false);
        }
        let given = self.machine_steps(&mut live).await;
        if given.as_ref().is_some_and(|given| given.leave) {
            self.leave().await;
        } else {
            clean_up(&self.shared, &live.build, self.attempt, live.builder, &live.machine).await;
        }
        match given {
            Some(given) => (given.end, given.start_over),
            None => (self.finish(&live).await, false),
        }
    }

    /// Takes the steps up to the finished image; `None`: all of them came to a good end.
    async fn machine_steps(&mut self, live: &mut Live) -> Option<Given> {
        let mut at = 0;
        loop {
            let build = live.build.clone();
            // A cancel that comes after the last step finds a finished image, which stays.
            let step = machine_steps(&build).nth(at)?;
            if live.cancel.is_cancelled() {
                return Some(Given::cancelled());
            }
            match live.take(step).await {
                Ok(()) => {
                    if step.part == StepPart::Provision {
                        live.ran.push(step.id.clone());
                    }
                    self.pause_for_debug(live, step).await;
                    at += 1;
                }
                Err(_) if live.cancel.is_cancelled() => return Some(Given::cancelled()),
                Err(failure) => match self.failed(live, step, failure).await {
                    Next::GoOn(index) => at = index,
                    Next::Give(given) => return Some(given),
                },
            }
        }
    }

    async fn failed(&mut self, live: &mut Live, step: &PlannedStep, failure: Failure) -> Next {
        let options = &live.plan.options;
        let mode = match options.on_error {
            _ if failure.kind == FailureKind::Journal => OnError::Cleanup,
            mode @ (OnError::Ask | OnError::Hold) if !options.interactive => {
                let word = if mode == OnError::Ask { "ask" } else { "hold" };
                let text = format!("Nobody is there to ask, so -on-error={word} cleans up");
                self.shared.say(Some(&self.id), Tone::Warning, text);
                OnError::Cleanup
            }
            mode => mode,
        };
        match mode {
            OnError::Cleanup => {
                Self::error_cleanup(live, step, &failure).await;
                Next::Give(Given::failed(step, failure))
            }
            OnError::Abort => Next::Give(Given::failed(step, failure).leave()),
            OnError::RunCleanupProvisioner => {
                Self::error_cleanup(live, step, &failure).await;
                Next::Give(Given::failed(step, failure).leave())
            }
            OnError::Ask | OnError::Hold => self.hold(live, step, failure).await,
        }
    }

    /// The error-cleanup-provisioner: when provisioning failed, and there is a machine to talk to.
    pub async fn error_cleanup(live: &Live, step: &PlannedStep, failure: &Failure) {
        let Some(cleanup) = &live.build.error_cleanup else { return };
        let linked = live.machine.communicator().is_some() && failure.kind != FailureKind::LinkLost;
        let needs = live.shared.components.provisioner(&cleanup.component).is_none_or(Provisioner::needs_communicator);
        if step.part != StepPart::Provision || (needs && !linked) {
            return;
        }
        let build = Some(&live.build.id);
        live.shared.say(
            build,
            Tone::Say,
            "Provisioning step had errors: Running the cleanup provisioner, if present...",
        );
        if let Err(why) = live.error_cleanup(cleanup).await {
            live.shared.say(build, Tone::Error, format!("the error-cleanup-provisioner failed: {why}"));
        }
    }

    /// Leaves everything where it is, and says what that is.
    async fn leave(&self) {
        let owned: Vec<_> = self.shared.published.with(|state| state.owned(&self.id).cloned().collect());
        let mut list = String::new();
        for resource in &owned {
            let fact = Fact::Left { key: resource.key.clone() };
            let _ = self.shared.journal.record(Some(&self.id), Some(self.attempt), fact).await;
            let id = resource.id.clone().unwrap_or_else(|| format!("perhaps, to be found by {}", resource.find));
            // Writing to a string cannot fail.
            let _ = write!(list, "\n  {} {id} ({})", resource.kind, resource.region);
        }
        if !list.is_empty() {
            self.shared.say(Some(&self.id), Tone::Error, format!("Left as it is, as -on-error says:{list}"));
        }
    }

    /// From the finished image, with everything temporary gone, to the last post-processor.
    async fn finish(&self, live: &Live) -> BuildEnd {
        let config = self.shared.reveal(&live.build.config);
        let Some(built) = live.builder.artifact(&config, &live.machine.learnt()) else {
            return BuildEnd::Done { artifacts: Vec::new() };
        };
        self.shared.journal.emit(Some(&self.id), Some(self.attempt), Fact::Made { artifact: built.clone() });
        let done = post_process(live, built).await;
        match done.failure {
            Some(_) if live.cancel.is_cancelled() => BuildEnd::Cancelled,
            Some((step, failure)) => BuildEnd::Failed { step: Some(step), failure },
            None => BuildEnd::Done { artifacts: done.artifacts },
        }
    }

    /// As Packer's `-debug`.
    async fn pause_for_debug(&self, live: &Live, step: &PlannedStep) {
        if !live.plan.options.debug || !live.plan.options.interactive {
            return;
        }
        let text = format!("Pausing after run of step '{}'. Press enter to continue.", step.title);
        let question = Question { id: 0, step: None, text, choices: Vec::new(), default: String::new() };
        live.facts(step, &live.cancel).ask(question).await;
    }

    pub fn live(&self, plan: Arc<Plan>, machine: Arc<Machine>, cancel: &CancellationToken) -> Result<Live, Failure> {
        let Some(build) = plan.build(&self.id).cloned() else {
            return Err(Failure::config(format!("the new plan has no build `{}`", self.id)));
        };
        let builder: &'static dyn Builder =
            self.shared.components.builder(&build.builder_type).ok_or_else(|| {
                Failure::config(format!("this version of kiln has no builder `{}`", build.builder_type))
            })?;
        Ok(Live {
            shared: self.shared.clone(),
            plan,
            build: Arc::new(build),
            builder,
            attempt: self.attempt,
            machine,
            cancel: cancel.clone(),
            ran: Vec::new(),
            reconnect: AtomicBool::new(false),
        })
    }
}

/// The steps up to the finished image, in order.
pub(super) fn machine_steps(build: &PlannedBuild) -> impl Iterator<Item = &PlannedStep> {
    build.steps.iter().filter(|s| !matches!(s.part, StepPart::PostProcess { .. }))
}
