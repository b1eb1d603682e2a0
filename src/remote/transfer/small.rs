//! Small files, such as scripts: over SFTP all requests under way at once, or one command that takes the bytes, sets the
//! mode and tells size and sum.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::verify::{SUM, differs, hex, sum_in, wrong_size};
use crate::remote::communicator::{Exit, RemoteError};
use crate::remote::exec::Input;
use crate::remote::quote;
use crate::remote::sftp::{Sftp, SftpError};
use crate::remote::ssh::Link;

/// Says that a shell runs our script.
const HERE: &str = "kiln-here";

/// Sends the bytes and reads them back; `false`: the server does not do that, and the shell has better words for why.
pub(super) async fn send_by_sftp(sftp: &Sftp, bytes: &[u8], remote: &str, mode: u32) -> Result<bool, RemoteError> {
    let there = match try_by_sftp(sftp, bytes, remote, mode).await {
        Ok(there) => there,
        Err(SftpError::Lost(error)) => return Err(error),
        Err(_) => return Ok(false),
    };
    match there {
        Some(there) if there == bytes => Ok(true),
        Some(there) if there.len() == bytes.len() => Err(differs(remote)),
        Some(there) => Err(wrong_size(remote, bytes.len() as u64, there.len() as u64)),
        None => Ok(false),
    }
}

/// What is in the file after it was sent; `None`: the server reads in smaller pieces than it may.
async fn try_by_sftp(sftp: &Sftp, bytes: &[u8], remote: &str, mode: u32) -> Result<Option<Vec<u8>>, SftpError> {
    let open = sftp.create_to_compare(remote.as_bytes()).await?;
    let bytes = Bytes::copy_from_slice(bytes);
    let pieces: Vec<_> = (0..bytes.len()).step_by(sftp.piece as usize).collect();
    let piece = |at: usize| bytes.slice(at..bytes.len().min(at + sftp.piece as usize));
    // A server does what concerns one file in the order of the requests.
    let (mut writing, mut reading) = (Vec::new(), Vec::new());
    for &at in &pieces {
        writing.push(sftp.write(&open, at as u64, piece(at)).await?);
    }
    for &at in pieces.iter().chain([&bytes.len()]) {
        reading.push(sftp.read(&open, at as u64, sftp.piece).await?);
    }
    let (moded, closed) = futures_util::future::join(sftp.set_mode(&open, mode & 0o7777), sftp.close(&open)).await;
    for pending in writing {
        pending.done().await?;
    }
    let mut there = Vec::with_capacity(bytes.len());
    for (pending, &at) in reading.into_iter().zip(pieces.iter().chain([&bytes.len()])) {
        if let Some(data) = pending.data().await? {
            there.extend_from_slice(&data);
        }
        if there.len() < bytes.len().min(at + sftp.piece as usize) {
            return Ok(None);
        }
    }
    moded?;
    closed?;
    Ok(Some(there))
}

/// Sends the bytes; `false`: the machine has no shell for this.
pub(super) async fn send(
    link: &Link,
    bytes: &[u8],
    remote: &str,
    mode: u32,
    cancel: &CancellationToken,
) -> Result<bool, RemoteError> {
    let path = quote::path(remote);
    // The file is not for others until it has its own mode.
    let script = format!(
        "LC_ALL=C; export LC_ALL; echo {HERE}; {SUM}; umask 077; cat > {path} && chmod {mode:o} {path} && wc -c < {path} && \
         {{ sum < {path} || :; }}",
        mode = mode & 0o7777,
    );
    let (exit, captured) = match link.capture(&script, Input::Bytes(Bytes::copy_from_slice(bytes)), cancel).await {
        Ok(result) => result,
        Err(RemoteError::Refused(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&captured.stdout);
    let mut lines = text.lines().skip_while(|line| line.trim() != HERE).skip(1);
    if !text.lines().any(|line| line.trim() == HERE) {
        return Ok(false);
    }
    if exit != Exit::Status(0) {
        return Err(RemoteError::Remote { path: remote.to_owned(), why: shell_words(&captured.complaint()) });
    }
    let size = lines.next().and_then(|line| line.trim().parse::<u64>().ok());
    match size {
        Some(size) if size != bytes.len() as u64 => return Err(wrong_size(remote, bytes.len() as u64, size)),
        Some(_) => {}
        None => {
            return Err(RemoteError::Remote { path: remote.to_owned(), why: "its size could not be read".to_owned() });
        }
    }
    let sum: [u8; 32] = Sha256::digest(bytes).into();
    match lines.next().and_then(sum_in) {
        Some(found) if !found.eq_ignore_ascii_case(&hex(&sum)) => Err(differs(remote)),
        _ => Ok(true),
    }
}

/// The reason in a shell's complaint: `sh: 1: cannot create /x: Permission denied` becomes `permission denied`.
pub(super) fn shell_words(complaint: &str) -> String {
    for known in [
        "No such file or directory",
        "Permission denied",
        "No space left on device",
        "Is a directory",
        "Read-only file system",
        "Text file busy",
    ] {
        if complaint.contains(known) {
            let mut words = known.to_owned();
            words[..1].make_ascii_lowercase();
            return words;
        }
    }
    if complaint.contains("Directory nonexistent") || complaint.contains("nonexistent directory") {
        return "no such file or directory: its folder must exist".to_owned();
    }
    if complaint.is_empty() { "the machine did not take it".to_owned() } else { complaint.to_owned() }
}
