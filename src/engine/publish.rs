//! The fold of the running engine and the tail that faces follow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use super::backlog::{Backlog, Held};
use crate::run::{Event, Fact, RunState, Seq};

/// How many facts a face may be behind before it must read on from the journal.
const TAIL: usize = 4096;

/// State and tail, in step with each other.
pub(super) struct Published {
    inner: Mutex<Inner>,
    /// Output in the tail that some face has not seen yet.
    unseen: Arc<Backlog>,
}

struct Inner {
    state: RunState,
    /// `None` once the run is over.
    tail: Option<broadcast::Sender<Tailed>>,
}

/// One fact in the tail.
#[derive(Clone)]
pub(super) struct Tailed {
    pub seq: Seq,
    /// `None`: so much output waits for slow faces that this one is to be read from the journal and the logs.
    pub event: Option<Arc<Event>>,
    _held: Option<Arc<Held>>,
}

impl Published {
    pub fn new() -> Self {
        let (tail, _) = broadcast::channel(TAIL);
        Self { inner: Mutex::new(Inner { state: RunState::default(), tail: Some(tail) }), unseen: Arc::default() }
    }

    /// Folds facts and hands them to all who follow. `written`: the journal and the logs have them.
    pub fn publish(&self, events: Vec<Event>, written: bool) {
        let mut inner = self.lock();
        for event in events {
            inner.state.apply(&event);
            if let Some(tail) = &inner.tail {
                // Nobody listening is no mistake.
                let _ = tail.send(self.tailed(event, written));
            }
        }
    }

    fn tailed(&self, event: Event, written: bool) -> Tailed {
        let seq = event.seq;
        let Fact::Output { text, .. } = &event.fact else {
            return Tailed { seq, event: Some(Arc::new(event)), _held: None };
        };
        if written && self.unseen.is_full() {
            return Tailed { seq, event: None, _held: None };
        }
        self.unseen.add(text.len());
        let held = Arc::new(self.unseen.hold(text.len()));
        Tailed { seq, event: Some(Arc::new(event)), _held: Some(held) }
    }

    pub fn state(&self) -> RunState {
        self.lock().state.clone()
    }

    /// Looks at the state without copying it.
    pub fn with<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        look(&self.lock().state)
    }

    pub fn subscribe(&self) -> (RunState, broadcast::Receiver<Tailed>) {
        let inner = self.lock();
        let tail = inner.tail.as_ref().map_or_else(|| broadcast::channel(1).1, broadcast::Sender::subscribe);
        (inner.state.clone(), tail)
    }

    /// No fact comes after this.
    pub fn close(&self) {
        self.lock().tail = None;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
