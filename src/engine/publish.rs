//! The fold of the running engine and the tail that faces follow.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;

use crate::run::{Event, RunState};

/// How many facts a face may be behind before it must read on from the journal.
const TAIL: usize = 4096;

/// State and tail, in step with each other.
pub(super) struct Published {
    inner: Mutex<Inner>,
}

struct Inner {
    state: RunState,
    /// `None` once the run is over.
    tail: Option<broadcast::Sender<Arc<Event>>>,
}

impl Published {
    pub fn new() -> Self {
        let (tail, _) = broadcast::channel(TAIL);
        Self { inner: Mutex::new(Inner { state: RunState::default(), tail: Some(tail) }) }
    }

    /// Folds facts and hands them to all who follow.
    pub fn publish(&self, events: Vec<Event>) {
        let mut inner = self.lock();
        for event in events {
            inner.state.apply(&event);
            if let Some(tail) = &inner.tail {
                // Nobody listening is no mistake.
                let _ = tail.send(Arc::new(event));
            }
        }
    }

    pub fn state(&self) -> RunState {
        self.lock().state.clone()
    }

    /// Looks at the state without copying it.
    pub fn with<T>(&self, look: impl FnOnce(&RunState) -> T) -> T {
        look(&self.lock().state)
    }

    pub fn subscribe(&self) -> (RunState, broadcast::Receiver<Arc<Event>>) {
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
