//! Small files, such as scripts: one command takes the bytes, sets the mode and tells size and sum.

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::verify::{SUM, differs, hex, sum_in, wrong_size};
use crate::remote::communicator::{Exit, RemoteError};
use crate::remote::exec::Input;
use crate::remote::quote;
use crate::remote::ssh::Link;

/// Says that a shell runs our script.
const HERE: &str = "kiln-here";

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
