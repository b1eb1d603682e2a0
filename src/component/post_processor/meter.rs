//! Reading files in a thread of its own: counted, shown, and ended when the step is cancelled.

use std::io::{self, Read};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::component::contract::{Facts, StepContext};
use crate::run::{Fact, Failure, StepId};

/// A face is told each time that this many bytes more are done.
const EACH: u64 = 4 << 20;

/// Counts what is read of all files of a step.
pub struct Meter {
    facts: Arc<dyn Facts>,
    step: StepId,
    cancel: CancellationToken,
    total: u64,
    done: u64,
    shown: u64,
}

impl Meter {
    /// For `total` bytes.
    pub fn new(cx: &StepContext, total: u64) -> Self {
        Self { facts: cx.facts.clone(), step: cx.step.id.clone(), cancel: cx.cancel.clone(), total, done: 0, shown: 0 }
    }

    /// A reader that counts; `name` says of what.
    pub fn read<'a, R: Read>(&'a mut self, inner: R, name: &'a str) -> Metered<'a, R> {
        Metered { inner, meter: self, name }
    }

    /// The failure of an I/O error; a cancelled step's is no error.
    pub fn failure(&self, what: &str, error: &io::Error) -> Failure {
        if self.cancel.is_cancelled() { Failure::cancelled() } else { Failure::other(format!("{what}: {error}")) }
    }

    fn count(&mut self, n: usize, name: &str) {
        self.done = self.done.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
        if self.done - self.shown < EACH && self.done < self.total {
            return;
        }
        self.shown = self.done;
        self.facts.emit(Fact::StepProgressed {
            step: self.step.clone(),
            done: self.done,
            total: Some(self.total),
            unit: "bytes".into(),
            note: name.into(),
        });
    }
}

/// See [`Meter::read`].
pub struct Metered<'a, R> {
    inner: R,
    meter: &'a mut Meter,
    name: &'a str,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.meter.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        let n = self.inner.read(buffer)?;
        if n > 0 {
            self.meter.count(n, self.name);
        }
        Ok(n)
    }
}

/// Runs what blocks in a thread of its own.
///
/// # Errors
/// Its own failure.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(Failure::other(format!("the work broke off: {error}"))),
    }
}
