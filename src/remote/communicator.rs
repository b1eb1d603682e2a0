//! The contract of a link to a machine. A dropped link is never a success and never skips anything.

use std::path::Path;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

/// A command for the machine's shell.
#[derive(Clone, Debug, Default)]
pub struct Exec {
    pub command: String,
    /// Written to its standard input, which is then closed.
    pub stdin: Option<Vec<u8>>,
    /// Overrides the link's own setting.
    pub pty: Option<bool>,
}

/// How a remote command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exit {
    Status(u32),
    /// Without `SIG`.
    Signal(String),
}

/// Takes what a command prints, as it comes.
pub trait OutputSink: Send {
    fn stdout(&mut self, bytes: &[u8]);
    fn stderr(&mut self, bytes: &[u8]);
    /// What to wait for before it is given more; `None`: it takes more now. The machine is made to wait too.
    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }
}

/// Bytes done so far of all files of a transfer, and of how many in all.
pub type TransferProgress<'a> = &'a (dyn Fn(u64, u64) + Send + Sync);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    #[error("the connection to the machine was lost: {0}")]
    LinkLost(String),
    #[error("cancelled")]
    Cancelled,
    #[error("{path}: {why}")]
    Local { path: String, why: String },
    #[error("{path} on the machine: {why}")]
    Remote { path: String, why: String },
    #[error("{0}")]
    Refused(String),
}

pub type RemoteFuture<'a, T> = BoxFuture<'a, Result<T, RemoteError>>;

/// A link to one machine. Every call may reconnect first when the link is down (a reboot); a link that breaks *while* a
/// command runs or bytes flow is an error. All calls end early with `Cancelled` when `cancel` fires, and then make an
/// honest attempt to stop the remote command.
pub trait Communicator: Send + Sync {
    /// Runs a command to its end.
    fn exec<'a>(
        &'a self,
        exec: &'a Exec,
        sink: &'a mut dyn OutputSink,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, Exit>;

    /// Sends one file; `mode` are permission bits for it, `None`: the local file's own. Size verified, SHA-256 where the
    /// machine has `sha256sum`.
    fn upload<'a>(
        &'a self,
        local: &'a Path,
        remote: &'a str,
        mode: Option<u32>,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()>;

    /// Sends bytes as a file.
    fn upload_bytes<'a>(
        &'a self,
        bytes: &'a [u8],
        remote: &'a str,
        mode: u32,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()>;

    /// Removes a file, if it is there, without a command; `false`: that cannot be had, and a command must do it.
    fn remove<'a>(&'a self, _remote: &'a str, _cancel: &'a CancellationToken) -> RemoteFuture<'a, bool> {
        Box::pin(std::future::ready(Ok(false)))
    }

    /// Sends a folder by Packer's rules (packer.md §5.3): without a trailing slash on `local` the folder itself, else its
    /// contents, into `remote`.
    fn upload_dir<'a>(
        &'a self,
        local: &'a str,
        remote: &'a str,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()>;

    /// Fetches one file.
    fn download<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()>;

    /// Fetches a folder (or what a glob names) into a local folder.
    fn download_dir<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()>;

    /// Waits, up to `limit`, until the machine that just rebooted answers again.
    fn await_return<'a>(&'a self, limit: std::time::Duration, cancel: &'a CancellationToken) -> RemoteFuture<'a, ()>;

    /// Says good-bye. Later calls may connect again.
    fn close(&self) -> BoxFuture<'_, ()>;
}
