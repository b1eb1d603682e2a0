//! Between a step and the machine: output becomes facts, errors become failures.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::component::contract::Facts;
use crate::remote::{OutputSink, RemoteError};
use crate::run::{Failure, FailureKind, Stream};

/// Passes on what the machine prints.
pub struct ToFacts(pub Arc<dyn Facts>);

impl OutputSink for ToFacts {
    fn stdout(&mut self, bytes: &[u8]) {
        self.0.output(Stream::Stdout, bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.0.output(Stream::Stderr, bytes);
    }

    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        self.0.room()
    }
}

/// The failure of a step that could not do what it had to on the machine.
pub fn failure(error: &RemoteError) -> Failure {
    match error {
        RemoteError::Cancelled => Failure::cancelled(),
        RemoteError::LinkLost(_) => Failure::new(FailureKind::LinkLost, error.to_string()),
        RemoteError::Local { .. } => Failure::config(error.to_string()),
        RemoteError::Remote { .. } | RemoteError::Refused(_) => Failure::other(error.to_string()),
    }
}
