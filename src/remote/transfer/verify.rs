//! What really is on the machine: sums and sizes of files there, by one command for all of them.

use std::fmt::Write as _;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::local::Sha256Sum;
use crate::remote::communicator::{Exit, RemoteError};
use crate::remote::exec::Input;
use crate::remote::quote;
use crate::remote::ssh::Link;

/// Defines `sum`: the SHA-256 of its input or of files, in `sha256sum`'s format. OpenSSL's tool uses the processor's own
/// instructions, which older `sha256sum` do not.
pub(super) const SUM: &str = "sum() { if command -v openssl >/dev/null 2>&1 && openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; \
     then openssl dgst -sha256 -r \"$@\"; elif command -v sha256sum >/dev/null 2>&1; then sha256sum \"$@\"; else return 97; fi; }";

/// What was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// As the machine knows it, relative to the folder of the check.
    pub name: Vec<u8>,
    pub size: u64,
    pub sum: Sha256Sum,
}

pub(super) fn hex(sum: &Sha256Sum) -> String {
    sum.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The sum at the start of a line of `sha256sum` (which marks odd names with a backslash).
pub(super) fn sum_in(line: &str) -> Option<&str> {
    let line = line.strip_prefix('\\').unwrap_or(line);
    let sum = line.get(..64)?;
    let ends = line.get(64..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '));
    (ends && sum.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(sum)
}

/// Compares files in `folder` with what was sent. A machine without the tools, or whose shell is not for us, leaves it at
/// what the transfer itself has proved; `sizes_known` says whether that includes the sizes.
pub(super) async fn check(
    link: &Link,
    folder: &str,
    sent: &[Sent],
    sizes_known: bool,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    if sent.is_empty() {
        return Ok(());
    }
    let mut names = Vec::new();
    for sent in sent {
        // No name may pass for an option.
        if !sent.name.starts_with(b"/") {
            names.extend_from_slice(b"./");
        }
        names.extend_from_slice(&sent.name);
        names.push(0);
    }
    let sizes = if sizes_known { "exit 97" } else { "xargs -0 -n 1 wc -c" };
    let script = format!(
        "LC_ALL=C; export LC_ALL; cd {} || exit 98; command -v xargs >/dev/null 2>&1 || exit 97\n\
         if command -v openssl >/dev/null 2>&1 && openssl dgst -sha256 -r </dev/null >/dev/null 2>&1; \
         then xargs -0 openssl dgst -sha256 -r; \
         elif command -v sha256sum >/dev/null 2>&1; then xargs -0 sha256sum; else {sizes}; fi",
        quote::path(folder)
    );
    let (exit, captured) = match link.capture(&script, Input::Bytes(Bytes::from(names)), cancel).await {
        Ok(result) => result,
        Err(RemoteError::Refused(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&captured.stdout);
    let lines: Vec<&str> = text.lines().collect();
    let name_of = |sent: &Sent| quote::join(folder, &String::from_utf8_lossy(&sent.name));
    if exit == Exit::Status(0) {
        let sums: Vec<&str> = lines.iter().filter_map(|line| sum_in(line)).collect();
        if sums.len() == sent.len() {
            for (sent, found) in sent.iter().zip(sums) {
                if !found.eq_ignore_ascii_case(&hex(&sent.sum)) {
                    return Err(differs(&name_of(sent)));
                }
            }
            return Ok(());
        }
        let sizes: Vec<u64> = lines.iter().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        if sizes.len() == sent.len() {
            return match sent.iter().zip(sizes).find(|(sent, size)| sent.size != *size) {
                Some((sent, size)) => Err(wrong_size(&name_of(sent), sent.size, size)),
                None => Ok(()),
            };
        }
    }
    match exit {
        // A file that vanished or cannot be read back says so.
        Exit::Status(status) if ![97, 98, 126, 127, 0].contains(&status) && !captured.stderr.is_empty() => {
            Err(RemoteError::Remote {
                path: folder.to_owned(),
                why: format!("what was sent cannot be read back: {}", captured.complaint()),
            })
        }
        _ if sizes_known => Ok(()),
        _ => Err(RemoteError::Remote {
            path: folder.to_owned(),
            why: "nothing on the machine can confirm what was sent (no sha256sum, no wc)".to_owned(),
        }),
    }
}

pub(super) fn differs(path: &str) -> RemoteError {
    let why = "its SHA-256 is not that of what was sent: it was damaged on the way, or something changed it".to_owned();
    RemoteError::Remote { path: path.to_owned(), why }
}

pub(super) fn wrong_size(path: &str, expected: u64, found: u64) -> RemoteError {
    RemoteError::Remote { path: path.to_owned(), why: format!("it has {found} bytes instead of {expected}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_from_either_tool() {
        let sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(sum_in(&format!("{sum}  a b")), Some(sum));
        assert_eq!(sum_in(&format!("\\{sum}  a\\nb")), Some(sum));
        assert_eq!(sum_in(&format!("{sum} *stdin")), Some(sum));
        assert_eq!(sum_in(sum), Some(sum));
        assert_eq!(sum_in(&format!("{sum}0")), None);
        assert_eq!(sum_in("no such file"), None);
        assert_eq!(hex(&[0xab; 32]), "ab".repeat(32));
    }
}
