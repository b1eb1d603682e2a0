//! How far a transfer is, told not too often.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::remote::communicator::TransferProgress;

/// A report is due after this many bytes.
const STEP: u64 = 512 << 10;

pub(super) struct Meter<'a> {
    progress: TransferProgress<'a>,
    total: u64,
    done: AtomicU64,
}

impl<'a> Meter<'a> {
    pub(super) fn new(progress: TransferProgress<'a>, total: u64) -> Self {
        Self { progress, total, done: AtomicU64::new(0) }
    }

    pub(super) fn add(&self, bytes: u64) {
        let before = self.done.fetch_add(bytes, Ordering::Relaxed);
        if before / STEP != (before + bytes) / STEP {
            (self.progress)(before + bytes, self.total.max(before + bytes));
        }
    }

    /// Tells the final figure.
    pub(super) fn end(&self) {
        let done = self.done.load(Ordering::Relaxed);
        (self.progress)(done, done);
    }
}
