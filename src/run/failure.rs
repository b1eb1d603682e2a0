//! Why a step did not succeed, in a form that a screen, a log and a script can use.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A step's failure: what happened, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub struct Failure {
    pub kind: FailureKind,
    /// One sentence, without a final full stop, as Packer would print it or better.
    pub message: String,
    /// What the user can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "is")]
pub enum FailureKind {
    /// Somebody asked for it to stop.
    Cancelled,
    /// A deadline passed.
    TimedOut,
    /// The link to the machine broke.
    LinkLost,
    /// A command ended with a status that was not allowed.
    Exit {
        status: u32,
    },
    /// A command was ended by a signal.
    Signal {
        name: String,
    },
    /// AWS refused; the error code as AWS gives it, and the request id.
    Aws {
        code: String,
        request_id: Option<String>,
    },
    /// The configuration cannot work.
    Config,
    /// The journal cannot be written; nothing may go on.
    Journal,
    Other,
}

impl Failure {
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), help: None }
    }

    #[must_use]
    pub fn other(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Other, message)
    }

    #[must_use]
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Config, message)
    }

    #[must_use]
    pub fn cancelled() -> Self {
        Self::new(FailureKind::Cancelled, "cancelled")
    }

    #[must_use]
    pub fn timed_out(message: impl Into<String>) -> Self {
        Self::new(FailureKind::TimedOut, message)
    }

    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.kind == FailureKind::Cancelled
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
