//! How far a transfer is, told not too often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::remote::communicator::TransferProgress;

/// A report is due after this many bytes, if the last one is so old.
const STEP: u64 = 512 << 10;
const PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Meter<'a> {
    progress: TransferProgress<'a>,
    total: u64,
    done: AtomicU64,
    since: Instant,
    /// When the last report was due, in [`PAUSE`]s from `since`; from 1.
    told: AtomicU64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(progress: TransferProgress<'a>, total: u64) -> Self {
        Self { progress, total, done: AtomicU64::new(0), since: Instant::now(), told: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, bytes: u64) {
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        if before / STEP == (before + bytes) / STEP {
            return;
        }
        let now = u64::try_from(self.since.elapsed().as_millis() / PAUSE.as_millis()).unwrap_or(u64::MAX - 1) + 1;
        if self.told.fetch_max(now, Ordering::Relaxed) < now {
            (self.progress)(before + bytes, self.total.max(before + bytes));
        }
    }

    /// Tells the final figure.
    pub(super) fn end(&self) {
        let done = self.done.load(Ordering::Relaxed);
        (self.progress)(done, done);
    }
}
