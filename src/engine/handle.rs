//! What a face holds of a running engine: commands in, snapshot and tail out.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use super::facts::Journal;
use super::names::LogNames;
use super::publish::{Published, Tailed};
use super::read::Reader;
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
    pub(super) journal: Journal,
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
    tail: broadcast::Receiver<Tailed>,
    /// What reads facts that were missed; `None` while it does.
    reader: Option<Reader>,
    reading: Option<JoinHandle<(Reader, std::io::Result<Vec<Event>>)>>,
    /// Facts that are next: read from the journal, or taken from the tail.
    caught_up: VecDeque<Arc<Event>>,
    /// The first fact after a gap, which is read first.
    after_gap: Option<Arc<Event>>,
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
        self.journal.hide_all(&secrets);
        self.secrets.write().unwrap_or_else(PoisonError::into_inner).merge(secrets);
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
            tail,
            reader: Some(Reader::new(&self.dir)),
            reading: None,
            caught_up: VecDeque::new(),
            after_gap: None,
        }
    }

    /// Every fact of the run, from the first one on; the snapshot is empty.
    #[must_use]
    pub fn subscribe_from_start(&self) -> Subscription {
        let mut subscription = self.subscribe();
        subscription.snapshot = RunState::default();
        subscription.seq = 0;
        subscription.read_on();
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
    pub fn has_more(&mut self) -> bool {
        loop {
            // What was read after a gap may overlap with what came before it, or with the fact after it.
            while self.caught_up.front().is_some_and(|event| event.seq <= self.seq) {
                self.caught_up.pop_front();
            }
            if !self.caught_up.is_empty() || self.is_behind() {
                return true;
            }
            // What the tail holds may have been read from the journal already.
            match self.tail.try_recv() {
                Ok(tailed) => self.take(tailed),
                Err(TryRecvError::Lagged(_)) => {}
                Err(TryRecvError::Empty | TryRecvError::Closed) => return false,
            }
        }
    }

    /// Whether the journal has facts that were missed and not read yet.
    fn is_behind(&self) -> bool {
        self.reading.is_some() || self.reader.as_ref().is_some_and(Reader::has_more)
    }

    /// The next fact, in order and without gaps; `None` after the last one of the run. Can be dropped and called again
    /// without losing one.
    ///
    /// A face that is slower than the engine never holds it up: what it missed is read from the journal and the logs.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        loop {
            if let Some(event) = self.caught_up.pop_front() {
                if event.seq > self.seq {
                    self.seq = event.seq;
                    return Some(event);
                }
            } else if self.is_behind() {
                self.catch_up().await;
            } else {
                match self.tail.recv().await {
                    Ok(tailed) => self.take(tailed),
                    Err(RecvError::Closed) => return None,
                    // The next one's number tells how much was missed.
                    Err(RecvError::Lagged(_)) => {}
                }
            }
        }
    }

    /// Takes in what came next in the tail. Only to be called when nothing waits to be given out.
    fn take(&mut self, Tailed { seq, event, .. }: Tailed) {
        if seq <= self.seq {
            return;
        }
        match event {
            Some(event) if seq == self.seq.saturating_add(1) => self.caught_up.push_back(event),
            event => {
                self.after_gap = event;
                self.read_on();
            }
        }
    }

    fn read_on(&mut self) {
        let Some(mut reader) = self.reader.take() else { return };
        let after = self.seq;
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let missed = reader.after(after);
            (reader, missed)
        }));
    }

    async fn catch_up(&mut self) {
        if self.reading.is_none() {
            self.read_on();
        }
        let Some(reading) = &mut self.reading else { return };
        let read = reading.await;
        self.reading = None;
        if let Ok((reader, missed)) = read {
            self.reader = Some(reader);
            self.caught_up.extend(missed.into_iter().flatten().map(Arc::new));
        }
        if !self.is_behind() {
            self.caught_up.extend(self.after_gap.take());
        }
    }
}
