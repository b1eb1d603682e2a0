//! A build that stands still with its machine: what it can be told, and how it goes on.

use std::sync::atomic::Ordering;

use super::build::{BuildActor, Order, machine_steps};
use super::step::Live;
use crate::plan::revise;
use crate::run::event::{BuildEnd, StepEnd};
use crate::run::plan::StepPart;
use crate::run::{Fact, Failure, FailureKind, PlannedStep, StepId};

/// What comes after a step that failed.
pub(super) enum Next {
    /// On with the machine step of this place.
    GoOn(usize),
    Give(Given),
}

/// An attempt that is given up.
pub(super) struct Given {
    pub end: BuildEnd,
    /// What was made stays.
    pub leave: bool,
    /// A new attempt on a new machine follows.
    pub start_over: bool,
}

impl Given {
    pub fn cancelled() -> Self {
        Self { end: BuildEnd::Cancelled, leave: false, start_over: false }
    }

    pub fn failed(step: &PlannedStep, failure: Failure) -> Self {
        let end = BuildEnd::Failed { step: Some(step.id.clone()), failure };
        Self { end, leave: false, start_over: false }
    }

    pub fn leave(self) -> Self {
        Self { leave: true, ..self }
    }
}

impl BuildActor {
    /// Stands still until an order comes. Other builds may run meanwhile.
    pub async fn hold(&mut self, live: &mut Live, step: &PlannedStep, failure: Failure) -> Next {
        self.slot = None;
        // What was meant for an earlier hold must not decide this one.
        while self.orders.try_recv().is_ok() {}
        self.say_fact(Fact::Held { step: step.id.clone(), failure: failure.clone() }).await;
        loop {
            let order = tokio::select! {
                biased;
                () = live.cancel.cancelled() => return Next::Give(Given::cancelled()),
                order = self.orders.recv() => order,
            };
            match order {
                None => return Next::Give(Given::failed(step, failure)),
                Some(Order::CleanUp) => {
                    self.say_fact(Fact::Unheld).await;
                    Self::error_cleanup(live, step, &failure).await;
                    return Next::Give(Given::failed(step, failure));
                }
                Some(Order::Abort) => {
                    self.say_fact(Fact::Unheld).await;
                    return Next::Give(Given::failed(step, failure).leave());
                }
                Some(Order::Retry { from: None }) => {
                    self.say_fact(Fact::Unheld).await;
                    return Next::Give(Given { start_over: true, ..Given::failed(step, failure) });
                }
                Some(Order::Skip) if step.part != StepPart::Provision => {
                    self.refuse("only a provisioner can be skipped");
                }
                Some(Order::Skip) => return self.skip(live, step).await,
                Some(Order::Retry { from: Some(from) }) => match self.go_on(live, step, &failure, &from).await {
                    Ok(next) => return next,
                    Err(why) => self.refuse(&why),
                },
            }
        }
    }

    async fn skip(&mut self, live: &Live, step: &PlannedStep) -> Next {
        if !self.take_slot(&live.cancel).await {
            return Next::Give(Given::cancelled());
        }
        self.say_fact(Fact::Unheld).await;
        let ended = StepEnd::Skipped { why: "it failed, and was skipped by hand".into() };
        self.say_fact(Fact::StepEnded { step: step.id.clone(), ended }).await;
        self.say_fact(Fact::Patched { why: format!("`{}` failed and was skipped", step.title) }).await;
        let after = machine_steps(&live.build).position(|s| s.id == step.id).map_or(0, |at| at + 1);
        Next::GoOn(after)
    }

    /// A new attempt on the live machine, under the plan as it is now; the text says why that cannot be.
    async fn go_on(
        &mut self,
        live: &mut Live,
        failed: &PlannedStep,
        failure: &Failure,
        from: &StepId,
    ) -> Result<Next, String> {
        let next = self.live(self.shared.plan(), live.machine.clone(), &live.cancel).map_err(|f| f.message)?;
        let changes = revise::changes(&live.build, Some(&next.build));
        if !changes.can_go_on() {
            let fields = changes.refused.iter().map(|f| format!("`{f}`")).collect::<Vec<_>>().join(", ");
            return Err(format!("the machine was launched with another value of {fields}: the build must start over"));
        }
        let place = machine_steps(&next.build).position(|s| s.id == *from);
        let Some((place, step)) = place.and_then(|at| Some((at, machine_steps(&next.build).nth(at)?))) else {
            return Err(format!("the plan has no step `{from}` that works on the machine"));
        };
        if step.part == StepPart::Prepare && step.id != failed.id {
            return Err(format!("`{from}` makes the machine: the build must start over"));
        }
        let patched = changes.patched(&live.build, &next.build, &live.ran, from);
        if !self.take_slot(&live.cancel).await {
            return Ok(Next::Give(Given::cancelled()));
        }
        self.say_fact(Fact::Unheld).await;
        self.attempt = self.attempt.saturating_add(1);
        *live = Live { attempt: self.attempt, ..next };
        self.shared.follow(&live.build);
        let before = machine_steps(&live.build).take(place).filter(|s| s.part == StepPart::Provision);
        live.ran = before.map(|s| s.id.clone()).collect();
        let lost = failure.kind == FailureKind::LinkLost || live.machine.communicator().is_none();
        live.reconnect.store(lost, Ordering::Relaxed);
        self.say_fact(Fact::AttemptStarted { revision: live.plan.revision, from: Some(from.clone()) }).await;
        if let Some(why) = patched {
            self.say_fact(Fact::Patched { why }).await;
        }
        Ok(Next::GoOn(place))
    }

    /// Facts of a held build that cannot be written make its next step fail, which is soon enough.
    async fn say_fact(&self, fact: Fact) {
        let _ = self.shared.journal.record(Some(&self.id), Some(self.attempt), fact).await;
    }
}
