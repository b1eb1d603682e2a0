//! The run as a whole: starts the builds, passes commands on, ends when all builds are at rest.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::build::{BuildActor, Order};
use super::clean_up::{clean_up, release_context};
use super::facts::Message;
use super::shared::Shared;
use crate::component::contract::Machine;
use crate::run::event::{BuildEnd, Tone};
use crate::run::{BuildId, Command, Fact, Failure};

pub(super) struct RunLoop {
    shared: Arc<Shared>,
    builds: HashMap<BuildId, Control>,
    tasks: JoinSet<()>,
    names: HashMap<tokio::task::Id, BuildId>,
    resting: HashSet<BuildId>,
    /// Told by a build each time that an attempt of it is over.
    rest: mpsc::UnboundedSender<BuildId>,
    rested: mpsc::UnboundedReceiver<BuildId>,
    abandoned: bool,
}

/// The way to a build's task.
struct Control {
    orders: mpsc::UnboundedSender<Order>,
    cancel: Arc<Mutex<CancellationToken>>,
}

impl RunLoop {
    /// Runs all builds to their end; gives the exit status.
    pub async fn run(shared: Arc<Shared>, mut commands: mpsc::UnboundedReceiver<Command>) -> u8 {
        let (rest, rested) = mpsc::unbounded_channel();
        let mut run = Self {
            shared,
            builds: HashMap::new(),
            tasks: JoinSet::new(),
            names: HashMap::new(),
            resting: HashSet::new(),
            rest,
            rested,
            abandoned: false,
        };
        run.start();
        let every = run.shared.pace.renew_every;
        let mut renewal = tokio::time::interval_at(Instant::now() + every, every);
        renewal.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut listening = true;
        while run.resting.len() < run.builds.len() && !run.abandoned {
            tokio::select! {
                biased;
                command = commands.recv(), if listening => match command {
                    Some(command) => run.obey(command),
                    None => listening = false,
                },
                Some(build) = run.rested.recv() => {
                    run.resting.insert(build);
                }
                Some(ended) = run.tasks.join_next_with_id() => {
                    if let Err(why) = ended {
                        run.lost(&why);
                    }
                }
                _ = renewal.tick() => run.renew(),
            }
        }
        if run.abandoned {
            run.tasks.abort_all();
            return 130;
        }
        // Without orders to wait for, the tasks end.
        run.builds.clear();
        while run.tasks.join_next().await.is_some() {}
        run.shared.published.with(crate::run::RunState::outcome)
    }

    fn start(&mut self) {
        let mut first = Vec::new();
        for build in &self.shared.plan().builds {
            let (orders, receiver) = mpsc::unbounded_channel();
            let (slot, first_slot) = oneshot::channel();
            let cancel = Arc::new(Mutex::new(CancellationToken::new()));
            let actor = BuildActor {
                shared: self.shared.clone(),
                id: build.id.clone(),
                orders: receiver,
                cancel: cancel.clone(),
                first_slot: Some(first_slot),
                slot: None,
                rest: self.rest.clone(),
                attempt: 0,
            };
            let task = self.tasks.spawn(actor.run());
            self.names.insert(task.id(), build.id.clone());
            self.builds.insert(build.id.clone(), Control { orders, cancel });
            first.push(slot);
        }
        // The first turns go in the plan's order, whatever order the tasks wake up in.
        let slots = self.shared.slots.clone();
        tokio::spawn(async move {
            for waiting in first {
                let Ok(slot) = slots.clone().acquire_owned().await else { return };
                // A build that was cancelled meanwhile gives its turn back by not taking it.
                let _ = waiting.send(slot);
            }
        });
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Cancel { build } => self.cancel(&build),
            Command::CancelAll => self.builds.values().for_each(Control::cancel),
            Command::Force => {
                self.builds.values().for_each(Control::cancel);
                self.shared.force.cancel();
            }
            Command::Abandon => {
                self.builds.values().for_each(Control::cancel);
                self.shared.force.cancel();
                self.abandoned = true;
            }
            Command::Revise { plan } => {
                for build in plan.builds.iter().filter(|b| !self.builds.contains_key(&b.id)) {
                    let text =
                        format!("`{}` is new in the plan: this run goes on without it; build it by itself", build.id);
                    self.shared.say(None, Tone::Warning, text);
                }
                self.shared.revise((*plan).clone());
                self.shared.journal.emit(None, None, Fact::Revised { plan });
            }
            Command::Retry { build, from } => self.order(&build, Order::Retry { from }),
            Command::Skip { build } => self.order(&build, Order::Skip),
            Command::CleanUp { build } => self.order(&build, Order::CleanUp),
            Command::Abort { build } => self.order(&build, Order::Abort),
            Command::Answer { build, question, answer } => {
                let _ = self.shared.journal.sender.send(Message::Answer { build, question, answer });
            }
        }
    }

    fn cancel(&self, build: &BuildId) {
        match self.builds.get(build) {
            Some(control) => control.cancel(),
            None => self.unknown(build),
        }
    }

    /// Only a build that is held or at rest takes orders; for others they would come at a moment that nobody meant.
    fn order(&mut self, build: &BuildId, order: Order) {
        while let Ok(build) = self.rested.try_recv() {
            self.resting.insert(build);
        }
        let Some(control) = self.builds.get(build) else { return self.unknown(build) };
        if control.orders.is_closed() {
            return self.shared.say(
                Some(build),
                Tone::Error,
                "not done: kiln made a mistake in this build; start another run",
            );
        }
        let held = self
            .shared
            .published
            .with(|state| state.builds.get(build).is_some_and(|b| b.phase == crate::run::state::Phase::Held));
        if !held && !self.resting.contains(build) {
            return self.shared.say(Some(build), Tone::Error, "not done: the build is neither held nor at its end");
        }
        if self.resting.remove(build) {
            // Here, not where the order is taken: a cancel that comes right after it must find the new attempt's token.
            *control.cancel.lock().unwrap_or_else(PoisonError::into_inner) = CancellationToken::new();
        }
        let _ = control.orders.send(order);
    }

    fn unknown(&self, build: &BuildId) {
        self.shared.say(None, Tone::Error, format!("not done: this run has no build `{build}`"));
    }

    /// A build's task broke down: what it made is released here.
    fn lost(&mut self, why: &tokio::task::JoinError) {
        let Some(build) = self.names.remove(&why.id()) else { return };
        let shared = self.shared.clone();
        let failure =
            Failure::other(format!("kiln made a mistake: {why}")).help("please report it, with the run's folder");
        let (rest, id) = (self.rest.clone(), build.clone());
        // In a task of its own: commands must be heard meanwhile.
        self.tasks.spawn(async move {
            let attempt = shared.published.with(|state| state.builds.get(&id).map_or(1, |b| b.attempt));
            let planned = shared.followed(&id);
            let builder = planned.as_ref().and_then(|p| shared.components.builder(&p.builder_type));
            if let (Some(planned), Some(builder)) = (planned, builder) {
                clean_up(&shared, &planned, attempt, builder, &Machine::default()).await;
            }
            let ended = BuildEnd::Failed { step: None, failure };
            let _ = shared.journal.record(Some(&id), Some(attempt), Fact::AttemptEnded { ended }).await;
            let _ = rest.send(id);
        });
    }

    /// Moves on the time until which what the builds own counts as in use.
    fn renew(&self) {
        for build in self.builds.keys() {
            let (owned, attempt) = self.shared.published.with(|state| {
                let owned: Vec<_> = state.owned(build).cloned().collect();
                (owned, state.builds.get(build).map_or(1, |b| b.attempt))
            });
            let Some(planned) = self.shared.followed(build).filter(|_| !owned.is_empty()) else { continue };
            let Some(builder) = self.shared.components.builder(&planned.builder_type) else { continue };
            let (shared, build) = (self.shared.clone(), build.clone());
            tokio::spawn(async move {
                let cx = release_context(&shared, &planned, attempt);
                if let Err(why) = builder.renew(&owned, &cx).await {
                    let text =
                        format!("cannot move on the time until which this build's things count as in use: {why}");
                    shared.say(Some(&build), Tone::Warning, text);
                }
            });
        }
    }
}

impl Control {
    fn cancel(&self) {
        self.cancel.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }
}
