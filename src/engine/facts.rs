//! How facts get from steps to the supervisor.

use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::backlog::{Backlog, Held};
use super::log;
use super::redact::Redactor;
use crate::component::contract::Facts;
use crate::run::event::{Question, Tone};
use crate::run::{Attempt, BuildId, Fact, Failure, FailureKind, Secrets, StepId, Stream};

/// When so many bytes of output wait, they go at once.
pub(super) const OUTPUT_BATCH: usize = 64 * 1024;

/// What the supervisor is told.
pub(super) enum Message {
    Fact {
        build: Option<BuildId>,
        attempt: Option<Attempt>,
        fact: Fact,
        /// Output of the same step, which came first.
        after: Option<Arc<OutputBuffer>>,
        durable: Option<oneshot::Sender<Result<(), Failure>>>,
    },
    /// Output waits here.
    Output(Arc<OutputBuffer>),
    /// So much output waits here that it should go now.
    OutputNow(Arc<OutputBuffer>),
    Ask {
        build: BuildId,
        attempt: Attempt,
        question: Question,
        reply: oneshot::Sender<String>,
    },
    Answer {
        build: BuildId,
        question: u64,
        answer: String,
    },
    /// No more facts: the answer comes when everything is written and published.
    Close(oneshot::Sender<()>),
}

/// The way to the supervisor.
#[derive(Clone)]
pub(super) struct Journal {
    pub sender: mpsc::UnboundedSender<Message>,
    pub redactor: Arc<RwLock<Redactor>>,
    /// Output that is not written yet, of all builds.
    pub backlog: Arc<Backlog>,
}

/// Output of one step that the supervisor has not taken yet.
pub(super) struct OutputBuffer {
    pub build: BuildId,
    pub attempt: Attempt,
    pub step: StepId,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    pieces: Vec<(Stream, Vec<u8>)>,
    bytes: usize,
    told: bool,
    told_now: bool,
}

/// The facts of one step.
pub(super) struct StepFacts {
    journal: Journal,
    output: Arc<OutputBuffer>,
    interactive: bool,
    cancel: CancellationToken,
}

impl Journal {
    /// Says a fact; it is written soon.
    pub fn emit(&self, build: Option<&BuildId>, attempt: Option<Attempt>, fact: Fact) {
        self.send(build, attempt, fact, None, None);
    }

    /// Says a fact; returns when it is on disk.
    pub async fn record(&self, build: Option<&BuildId>, attempt: Option<Attempt>, fact: Fact) -> Result<(), Failure> {
        let (sender, receiver) = oneshot::channel();
        self.send(build, attempt, fact, None, Some(sender));
        receiver.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Hides secrets that were not known at the start.
    pub fn hide_all(&self, secrets: &Secrets) {
        log::hide_all(secrets);
        let open = self.redactor.write().unwrap_or_else(PoisonError::into_inner).hide_all(secrets);
        self.name_open(open);
    }

    /// Warns of secrets that cannot be hidden.
    pub fn name_open(&self, names: Vec<String>) {
        for name in names {
            let text =
                format!("the value of {name} is too short or too common to hide: it may appear in output and logs");
            self.emit(None, None, Fact::Said { step: None, tone: Tone::Warning, text });
        }
    }

    fn send(
        &self,
        build: Option<&BuildId>,
        attempt: Option<Attempt>,
        fact: Fact,
        after: Option<Arc<OutputBuffer>>,
        durable: Option<oneshot::Sender<Result<(), Failure>>>,
    ) {
        // After the end of the run nobody takes facts; who waits for durability learns it from the dropped sender.
        let _ = self.sender.send(Message::Fact { build: build.cloned(), attempt, fact, after, durable });
    }
}

impl OutputBuffer {
    /// Takes what waits; it counts as on its way until it is let go.
    pub fn take(&self, backlog: &Arc<Backlog>) -> (Vec<(Stream, Vec<u8>)>, Held) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { pieces, bytes, .. } = std::mem::take(&mut *waiting);
        (pieces, backlog.hold(bytes))
    }
}

impl StepFacts {
    pub fn new(
        journal: Journal,
        (build, attempt, step): (BuildId, Attempt, StepId),
        interactive: bool,
        cancel: CancellationToken,
    ) -> Self {
        let output = Arc::new(OutputBuffer { build, attempt, step, waiting: Mutex::default() });
        Self { journal, output, interactive, cancel }
    }

    fn send(&self, fact: Fact, durable: Option<oneshot::Sender<Result<(), Failure>>>) {
        let output = &self.output;
        self.journal.send(Some(&output.build), Some(output.attempt), fact, Some(output.clone()), durable);
    }
}

impl Facts for StepFacts {
    fn emit(&self, fact: Fact) {
        self.send(fact, None);
    }

    fn record(&self, fact: Fact) -> BoxFuture<'_, Result<(), Failure>> {
        let (sender, receiver) = oneshot::channel();
        self.send(fact, Some(sender));
        Box::pin(async move { receiver.await.unwrap_or_else(|_| Err(closed())) })
    }

    fn output(&self, stream: Stream, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let mut waiting = self.output.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        match waiting.pieces.last_mut() {
            Some((last, piece)) if *last == stream => piece.extend_from_slice(bytes),
            _ => waiting.pieces.push((stream, bytes.to_vec())),
        }
        waiting.bytes = waiting.bytes.saturating_add(bytes.len());
        self.journal.backlog.add(bytes.len());
        let message = if waiting.bytes >= OUTPUT_BATCH && !waiting.told_now {
            (waiting.told, waiting.told_now) = (true, true);
            Message::OutputNow(self.output.clone())
        } else if !waiting.told {
            waiting.told = true;
            Message::Output(self.output.clone())
        } else {
            return;
        };
        drop(waiting);
        let _ = self.journal.sender.send(message);
    }

    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        let backlog = self.journal.backlog.clone();
        backlog.is_full().then(|| -> BoxFuture<'static, ()> { Box::pin(async move { backlog.room().await }) })
    }

    fn hide(&self, secret: &str) {
        log::hide(secret);
        self.journal.redactor.write().unwrap_or_else(PoisonError::into_inner).hide(secret);
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, String> {
        Box::pin(async move {
            if !self.interactive {
                return question.default;
            }
            let default = question.default.clone();
            let question = Question { step: Some(self.output.step.clone()), ..question };
            let (reply, answer) = oneshot::channel();
            let (build, attempt) = (self.output.build.clone(), self.output.attempt);
            let _ = self.journal.sender.send(Message::Ask { build, attempt, question, reply });
            tokio::select! {
                answer = answer => answer.unwrap_or(default),
                () = self.cancel.cancelled() => default,
            }
        })
    }
}

fn closed() -> Failure {
    Failure::new(FailureKind::Journal, "the run is over: nothing more can be written to its journal")
}
