//! Machines at a distance: SSH sessions, commands, transfers.
//!
//! Not here: when to connect, and where to (the builders); what to run (the provisioners).

mod auth;
pub mod communicator;
mod dial;
mod exec;
mod failure;
mod handler;
mod host_keys;
mod options;
mod quote;
mod session;
mod sftp;
mod ssh;
mod transfer;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

pub use communicator::{Communicator, Exec, Exit, OutputSink, RemoteError, TransferProgress};
pub use failure::ConnectError;
pub use host_keys::HostKeys;
pub use options::{Auth, Bastion, ConnectOptions, Hidden, Socks5, TransferMethod, Tunnel};

/// Makes one attempt to reach the machine and to be let in. To try again, and for how long, is the caller's decision;
/// [`ConnectError::may_pass`] says whether it can help.
///
/// # Errors
/// What stopped it; `Cancelled` soon after `cancel` fires.
pub async fn connect(
    options: ConnectOptions,
    cancel: &CancellationToken,
) -> Result<Arc<dyn Communicator>, ConnectError> {
    ssh::connect(options, cancel).await
}
