//! The local SSH agent, where it listens: for authentication and for agent forwarding.

use std::io;
use std::path::Path;

#[cfg(unix)]
pub async fn open(path: &Path) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(path).await
}

#[cfg(windows)]
pub async fn open(path: &Path) -> io::Result<tokio::net::windows::named_pipe::NamedPipeClient> {
    tokio::net::windows::named_pipe::ClientOptions::new().open(path)
}
