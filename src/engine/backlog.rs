//! Output that is on its way: who prints faster than the disk takes it is made to wait, and a face that is slower than both is
//! told to read on. So memory stays bounded however much a machine prints.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::Notify;

/// So many bytes may be on their way. What is given in one go may go beyond it once.
pub(super) const LIMIT: usize = 4 << 20;

/// A count of bytes on their way.
#[derive(Default)]
pub(super) struct Backlog {
    bytes: AtomicUsize,
    room: Notify,
    /// Nobody takes them any more, so nobody is to wait.
    closed: AtomicBool,
}

/// Bytes of a backlog that somebody has taken; they count until this is dropped.
pub(super) struct Held {
    of: Arc<Backlog>,
    bytes: usize,
}

impl Backlog {
    pub fn add(&self, bytes: usize) {
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    pub fn is_full(&self) -> bool {
        self.bytes.load(Ordering::Acquire) >= LIMIT && !self.closed.load(Ordering::Acquire)
    }

    /// Returns when there is room.
    pub async fn room(&self) {
        loop {
            let notified = self.room.notified();
            tokio::pin!(notified);
            // Before the look, so that room made between the look and the wait is heard of.
            notified.as_mut().enable();
            if !self.is_full() {
                return;
            }
            notified.await;
        }
    }

    /// Takes over bytes that were added before.
    pub fn hold(self: &Arc<Self>, bytes: usize) -> Held {
        Held { of: self.clone(), bytes }
    }

    /// Lets all go on: nothing is taken any more.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.room.notify_waiters();
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let before = self.of.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
        if before >= LIMIT && before - self.bytes < LIMIT {
            self.of.room.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_comes_when_it_is_full_waits_until_enough_was_taken() {
        let backlog = Arc::new(Backlog::default());
        backlog.add(LIMIT - 1);
        assert!(!backlog.is_full() && backlog.room().now_or_never().is_some());
        backlog.add(2);
        let (first, second) = (backlog.hold(1), backlog.hold(1));
        let waiting = backlog.room();
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(first);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(second);
        waiting.await;
    }

    #[tokio::test]
    async fn nobody_waits_for_one_who_is_gone() {
        let backlog = Arc::new(Backlog::default());
        backlog.add(LIMIT);
        let waiting = backlog.room();
        tokio::pin!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        backlog.close();
        waiting.await;
    }
}
