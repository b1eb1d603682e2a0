//! Machines at a distance: SSH sessions, commands, transfers.
//!
//! Not here: when to connect, and where to (the builders); what to run (the provisioners).

pub mod communicator;
mod failure;
mod host_keys;
mod options;

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
    let _ = cancel;
    Err(ConnectError::Options(format!("{}: SSH is not here yet", options.address())))
}
