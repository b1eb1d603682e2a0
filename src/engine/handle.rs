//! What a face holds of a running engine: commands in, snapshot and tail out.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use tokio::sync::{broadcast, mpsc, watch};

use super::names::LogNames;
use super::publish::Published;
use super::read;
use super::redact::Redactor;
use super::shared::add_secrets;
use crate::run::state::BuildState;
use crate::run::{Command, Event, RunId, RunState, Secrets, Seq};

/// A running engine. Clones are handles to the same run; the run goes on when all are dropped.
#[derive(Clone)]
pub struct EngineHandle {
    pub(super) run: RunId,
    pub(super) dir: PathBuf,
    pub(super) commands: mpsc::UnboundedSender<Command>,
    pub(super) published: Arc<Published>,
    pub(super) outcome: watch::Receiver<Option<RunOutcome>>,
    pub(super) secrets: Arc<RwLock<Secrets>>,
    pub(super) redactor: Arc<RwLock<Redactor>>,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// 0 done, 1 a build failed, 3 done but something could not be released, 130 cancelled.
    pub status: u8,
    pub state: Arc<RunState>,
}

/// A snapshot, and every fact after it.
pub struct Subscription {
    /// The state up to and with fact number `seq`.
    pub snapshot: RunState,
    pub seq: Seq,
    dir: PathBuf,
    tail: broadcast::Receiver<Arc<Event>>,
    /// Facts that were missed, read from the journal.
    caught_up: std::collections::VecDeque<Arc<Event>>,
}

impl EngineHandle {
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        &self.run
    }

    /// `runs/<run>/`: journal, logs, result, inputs.
    #[must_use]
    pub fn run_dir(&self) -> &Path {
        &self.dir
    }

    /// Asks something of the run. What makes no sense now is answered by a fact (`Said`, tone error).
    pub fn send(&self, command: Command) {
        // A run that is over takes no commands, and that is no mistake of the sender.
        let _ = self.commands.send(command);
    }

    /// Takes in the values behind the references of a plan that is about to be sent as [`Command::Revise`]. They are hidden
    /// from now on.
    pub fn add_secrets(&self, secrets: Secrets) {
        add_secrets(&self.secrets, &self.redactor, secrets);
    }

    /// The state as it is now.
    #[must_use]
    pub fn state(&self) -> RunState {
        self.published.state()
    }

    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let (snapshot, tail) = self.published.subscribe();
        Subscription {
            seq: snapshot.seq,
            snapshot,
            dir: self.dir.clone(),
            tail,
            caught_up: std::collections::VecDeque::new(),
        }
    }

    /// Every fact of the run, from the first one on; the snapshot is empty.
    #[must_use]
    pub fn subscribe_from_start(&self) -> Subscription {
        let mut subscription = self.subscribe();
        let missed = read::events_after(&self.dir, 0).unwrap_or_default();
        let upto = subscription.seq;
        subscription.caught_up.extend(missed.into_iter().filter(|e| e.seq <= upto).map(Arc::new));
        subscription.snapshot = RunState::default();
        subscription.seq = 0;
        subscription
    }

    /// The log of a build's last attempt.
    #[must_use]
    pub fn log_path(&self, build: &BuildState) -> PathBuf {
        let names = self.published.with(|state| LogNames::of(state.builds.keys()));
        self.dir.join(names.log(&build.id, build.attempt))
    }

    /// Returns when the run has ended: all is cleaned up, the journal closed and `result.json` written.
    pub async fn ended(&self) -> RunOutcome {
        let mut outcome = self.outcome.clone();
        if let Ok(ended) = outcome.wait_for(Option::is_some).await
            && let Some(outcome) = ended.clone()
        {
            return outcome;
        }
        // The engine's task is gone without a word: that is a failed run.
        RunOutcome { status: 1, state: Arc::new(self.published.state()) }
    }
}

impl Subscription {
    /// Whether [`Self::next`] would return at once with a fact.
    #[must_use]
    pub fn has_more(&self) -> bool {
        !self.caught_up.is_empty() || !self.tail.is_empty()
    }

    /// The next fact, in order and without gaps; `None` after the last one of the run.
    ///
    /// A face that is slower than the engine never holds it up: what it missed is read from the journal and the logs.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            let event = match self.caught_up.pop_front() {
                Some(event) => event,
                None => match self.tail.recv().await {
                    Ok(event) => event,
                    Err(broadcast::error::RecvError::Closed) => return None,
                    Err(broadcast::error::RecvError::Lagged(_)) => {
                        let (dir, after) = (self.dir.clone(), self.seq);
                        let read = tokio::task::spawn_blocking(move || read::events_after(&dir, after)).await;
                        self.caught_up.extend(read.ok().and_then(Result::ok).into_iter().flatten().map(Arc::new));
                        continue;
                    }
                },
            };
            if event.seq > self.seq {
                self.seq = event.seq;
                return Some(event);
            }
        }
    }
}
