//! Takes one step of a build: with its pause, its deadline and its retries, promptly cancelled, never taking kiln down.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio_util::sync::CancellationToken;

use super::facts::StepFacts;
use super::shared::Shared;
use crate::component::contract::{Builder, Done, Facts, Machine, StepContext, StepResult};
use crate::run::event::{StepEnd, Tone};
use crate::run::plan::StepPart;
use crate::run::{Attempt, Fact, Failure, FailureKind, Plan, PlannedBuild, PlannedStep, StepId};
use crate::schema::duration;

/// An attempt with its machine.
pub(super) struct Live {
    pub shared: Arc<Shared>,
    pub plan: Arc<Plan>,
    pub build: Arc<PlannedBuild>,
    pub builder: &'static dyn Builder,
    pub attempt: Attempt,
    pub machine: Arc<Machine>,
    pub cancel: CancellationToken,
    /// Provisioners that ran to their end on this machine.
    pub ran: Vec<StepId>,
    /// The link must be opened anew before the next provisioner.
    pub reconnect: AtomicBool,
}

impl Live {
    /// Takes a step and writes down how it ended.
    pub async fn take(&self, step: &PlannedStep) -> Result<(), Failure> {
        let facts = self.facts(step, &self.cancel);
        facts.emit(Fact::StepStarted { step: step.id.clone() });
        let result = if step.part == StepPart::Provision {
            self.tolerate(step, self.provision(step, &facts, &self.cancel).await)
        } else {
            let config = self.shared.reveal(&self.build.config);
            let cx = self.context(step, facts.clone(), self.cancel.clone());
            self.guard(self.builder.step(step.id.as_str(), &config, &cx), &self.cancel).await
        };
        self.end(step, &facts, result).await
    }

    /// A failure that the template wants to go on after is told, and is none.
    fn tolerate(&self, step: &PlannedStep, result: StepResult) -> StepResult {
        match result {
            Err(failure) if step.meta.continue_on_error && !failure.is_cancelled() => {
                let text =
                    format!("{} failed, and the build goes on, as `continue_on_error` says: {failure}", step.title);
                self.shared.say(Some(&self.build.id), Tone::Warning, text);
                Ok(Done::Done)
            }
            result => result,
        }
    }

    /// Runs the error-cleanup-provisioner, whether or not the build is cancelled; only `Force` stops it.
    pub async fn error_cleanup(&self, step: &PlannedStep) -> Result<(), Failure> {
        let cancel = self.shared.force.child_token();
        let facts = self.facts(step, &cancel);
        facts.emit(Fact::StepStarted { step: step.id.clone() });
        let result = self.provision(step, &facts, &cancel).await;
        self.end(step, &facts, result).await
    }

    pub fn facts(&self, step: &PlannedStep, cancel: &CancellationToken) -> Arc<StepFacts> {
        Arc::new(StepFacts::new(
            self.shared.journal.clone(),
            (self.build.id.clone(), self.attempt, step.id.clone()),
            self.plan.options.interactive,
            cancel.clone(),
        ))
    }

    pub fn context(&self, step: &PlannedStep, facts: Arc<StepFacts>, cancel: CancellationToken) -> StepContext {
        StepContext {
            run: self.shared.run.clone(),
            build: self.build.clone(),
            step: step.clone(),
            attempt: self.attempt,
            options: self.plan.options.clone(),
            cancel,
            start: self.plan.start,
            seed: self.plan.seed,
            run_dir: self.shared.dir.clone(),
            template_dir: PathBuf::from(&self.plan.template_dir),
            cwd: PathBuf::from(&self.plan.cwd),
            facts,
            clouds: self.shared.clouds.clone(),
            machine: self.machine.clone(),
            host: self.shared.host.clone(),
        }
    }

    /// Writes down how a step ended. A step whose end cannot be written has failed.
    pub async fn end(&self, step: &PlannedStep, facts: &StepFacts, result: StepResult) -> Result<(), Failure> {
        let ended = match &result {
            Ok(Done::Done) => StepEnd::Done,
            Ok(Done::Skipped(why)) => StepEnd::Skipped { why: why.clone() },
            Err(failure) if failure.is_cancelled() => StepEnd::Cancelled,
            Err(failure) => StepEnd::Failed { failure: failure.clone() },
        };
        let recorded = facts.record(Fact::StepEnded { step: step.id.clone(), ended }).await;
        result.and(recorded)
    }

    async fn provision(&self, step: &PlannedStep, facts: &Arc<StepFacts>, cancel: &CancellationToken) -> StepResult {
        let Some(provisioner) = self.shared.components.provisioner(&step.component) else {
            return Err(Failure::config(format!("this version of kiln has no provisioner `{}`", step.component)));
        };
        let config = self.shared.reveal(&step.config);
        let mut tries_left = step.meta.max_retries;
        loop {
            let cancel_try = cancel.child_token();
            let cx = self.context(step, facts.clone(), cancel_try.clone());
            if let Some(pause) = step.meta.pause_before {
                cx.say(format!("Pausing {} before the next provisioner...", duration::format(pause)));
                cx.sleep(pause).await?;
            }
            let work = async {
                if provisioner.needs_communicator() && self.reconnect.swap(false, Ordering::Relaxed) {
                    let builder_config = self.shared.reveal(&self.build.config);
                    let opened = self.builder.reconnect(&builder_config, &cx).await;
                    self.reconnect.store(opened.is_err(), Ordering::Relaxed);
                    opened?;
                }
                provisioner.run(&config, &cx).await
            };
            let work = self.guard(work, &cancel_try);
            let result = match step.meta.timeout {
                Some(limit) => within(limit, work, &cx).await,
                None => work.await,
            };
            match result {
                Err(_) if cancel.is_cancelled() => return Err(Failure::cancelled()),
                Err(failure) if tries_left > 0 && failure.kind != FailureKind::Journal => {
                    let text = format!(
                        "Provisioner failed with \"{failure}\", retrying with {tries_left} {} left",
                        if tries_left == 1 { "try" } else { "tries" }
                    );
                    facts.emit(Fact::Said { step: Some(step.id.clone()), tone: Tone::Say, text });
                    self.reconnect.fetch_or(failure.kind == FailureKind::LinkLost, Ordering::Relaxed);
                    tries_left -= 1;
                }
                result => return result,
            }
        }
    }

    /// Ends a step that was cancelled even when it does not end by itself, and turns a panic into a failure of the step.
    pub async fn guard<T>(
        &self,
        step: impl Future<Output = Result<T, Failure>>,
        cancel: &CancellationToken,
    ) -> Result<T, Failure> {
        let mut step = pin!(AssertUnwindSafe(step).catch_unwind());
        let out_of_patience = async {
            cancel.cancelled().await;
            let forced = async {
                self.shared.force.cancelled().await;
                tokio::time::sleep(self.shared.pace.force_grace).await;
            };
            tokio::select! {
                () = tokio::time::sleep(self.shared.pace.cancel_grace) => {}
                () = forced => {}
            }
        };
        let result = tokio::select! {
            biased;
            result = &mut step => result,
            () = out_of_patience => return Err(Failure::cancelled()),
        };
        match result {
            Ok(Err(failure)) if cancel.is_cancelled() && failure.kind != FailureKind::Journal => {
                Err(Failure::cancelled())
            }
            Ok(result) => result,
            Err(panic) => {
                let why = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
                let message = format!("kiln made a mistake in this step: {}", why.unwrap_or("no reason is known"));
                Err(Failure::other(message).help("please report it, with the run's folder; what was made is released"))
            }
        }
    }
}

async fn within(limit: Duration, work: impl Future<Output = StepResult>, cx: &StepContext) -> StepResult {
    let shown = duration::format(limit);
    cx.say(format!("Setting a {shown} timeout for the next provisioner..."));
    let mut work = pin!(work);
    tokio::select! {
        result = &mut work => result,
        () = tokio::time::sleep(limit) => {
            cx.say("Cancelling provisioner after a timeout...");
            cx.cancel.cancel();
            // It ends by itself, or is dropped when its time of grace is over.
            let _ = work.await;
            Err(Failure::timed_out(format!("the provisioner did not end within its `timeout` of {shown}"))
                .help("raise `timeout`, or look at the last lines of its output for what it waited for"))
        }
    }
}
