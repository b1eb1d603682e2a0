//! Files and folders from the machine over SFTP.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio_util::sync::CancellationToken;

use super::local::{self, Sha256Sum};
use super::meter::Meter;
use super::verify::{self, SUM, Sent};
use super::{IN_FLIGHT, scp};
use crate::remote::communicator::{Exit, RemoteError, TransferProgress};
use crate::remote::exec::Input;
use crate::remote::quote;
use crate::remote::sftp::{Attrs, Open, Sftp};
use crate::remote::ssh::Link;

/// Files that are under way at once.
const FILES: usize = 16;

/// Fetches an open file, while the machine computes its sum.
#[expect(clippy::too_many_arguments, reason = "they belong to the transfer, the file and its destination")]
pub(super) async fn file_verified(
    link: &Link,
    sftp: &Sftp,
    open: &Open,
    attrs: Attrs,
    remote: &str,
    local: &Path,
    meter: &Meter<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let script = format!("{SUM}; sum < {}", quote::path(remote));
    let summing = link.capture(&script, Input::nothing(), cancel);
    let (fetched, summed) = futures_util::future::join(file(sftp, open, attrs, remote, local, meter), summing).await;
    let (sum, _) = fetched?;
    let captured = match summed {
        Ok((Exit::Status(0), captured)) => captured,
        Ok(_) | Err(RemoteError::Refused(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&captured.stdout);
    let same = text.lines().find_map(verify::sum_in).is_none_or(|found| found.eq_ignore_ascii_case(&verify::hex(&sum)));
    // A log that grows meanwhile has no one sum; it is fetched as it was.
    let is_steady = sftp.fstat(open).await.map_err(|error| error.about(remote))? == attrs;
    if same || !is_steady || attrs.size == Some(0) {
        return Ok(());
    }
    let why = "what arrived does not have the SHA-256 of the file: it was damaged on the way".to_owned();
    Err(RemoteError::Remote { path: remote.to_owned(), why })
}

/// Fetches an open file; gives the sum of what arrived, and its size.
async fn file(
    sftp: &Sftp,
    open: &Open,
    attrs: Attrs,
    remote: &str,
    local: &Path,
    meter: &Meter<'_>,
) -> Result<(Sha256Sum, u64), RemoteError> {
    let about = |error: crate::remote::sftp::SftpError| error.about(remote);
    let (to, writing) = local::write(local);
    // Files such as those in /proc have no size, and are read to their end, piece by piece.
    let size = attrs.size.filter(|size| *size > 0);
    let mut under_way = VecDeque::with_capacity(IN_FLIGHT);
    let (mut asked, mut arrived) = (0, 0);
    'pieces: loop {
        let at_once = if size.is_some() { IN_FLIGHT } else { 1 };
        while under_way.len() < at_once && size.is_none_or(|size| asked < size) {
            let left = size.map_or(u64::MAX, |size| size - asked);
            let length = u32::try_from(left).unwrap_or(u32::MAX).min(sftp.piece);
            under_way.push_back((sftp.read(open, asked, length).await.map_err(about)?, length));
            asked += u64::from(length);
        }
        let Some((pending, length)) = under_way.pop_front() else { break };
        let mut next = pending.data().await.map_err(about)?;
        let mut got = 0;
        loop {
            let Some(piece) = next else { break 'pieces };
            got += u32::try_from(piece.len()).unwrap_or(u32::MAX);
            arrived += piece.len() as u64;
            meter.add(piece.len() as u64);
            if piece.is_empty() || to.send(piece).await.is_err() {
                break 'pieces;
            }
            if got >= length {
                break;
            }
            if size.is_none() {
                asked = arrived;
                break;
            }
            // A server may give less than was asked for.
            next = sftp.read(open, arrived, length - got).await.map_err(about)?.data().await.map_err(about)?;
        }
    }
    drop(to);
    let written = local::joined(writing).await?;
    match size {
        Some(size) if size > written.1 => {
            let why = format!("only {} of its {size} bytes arrived", written.1);
            Err(RemoteError::Remote { path: remote.to_owned(), why })
        }
        _ => Ok(written),
    }
}

/// One file that is to be fetched.
struct Wanted {
    remote: Vec<u8>,
    local: PathBuf,
    size: u64,
}

/// Fetches what `remote` names (a folder, or all that a pattern matches) into the folder `local`. A folder keeps its name.
pub(super) async fn folder(
    link: &Link,
    sftp: &Sftp,
    remote: &str,
    local: &Path,
    progress: TransferProgress<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let mut wanted = Vec::new();
    for path in matches(link, remote, cancel).await? {
        let name = quote::base_name(&path);
        let to = if matches!(name, "" | "." | ".." | "~") { local.to_path_buf() } else { local.join(name) };
        let bytes = quote::for_sftp(&path).as_bytes().to_vec();
        gather(sftp, bytes, to, &mut wanted).await?;
    }
    let meter = Meter::new(progress, wanted.iter().map(|file| file.size).sum());
    let meter = &meter;
    let sent: Vec<Sent> = stream::iter(wanted)
        .map(|file| async move {
            let name = String::from_utf8_lossy(&file.remote).into_owned();
            let open = sftp.open_to_read(&file.remote).await.map_err(|error| error.about(&name))?;
            let attrs = sftp.fstat(&open).await.map_err(|error| error.about(&name))?;
            let (sum, size) = self::file(sftp, &open, attrs, &name, &file.local, meter).await?;
            sftp.close(&open).await.map_err(|error| error.about(&name))?;
            Ok::<_, RemoteError>(Sent { name: file.remote.clone(), size, sum })
        })
        .buffered(FILES)
        .try_collect()
        .await?;
    meter.end();
    verify::check(link, ".", &sent, true, cancel).await
}

/// The paths that a pattern matches; what is no pattern is itself.
async fn matches(link: &Link, remote: &str, cancel: &CancellationToken) -> Result<Vec<String>, RemoteError> {
    if !remote.contains(['*', '?', '[']) {
        return Ok(vec![remote.to_owned()]);
    }
    let script = format!("for p in {}; do [ -e \"$p\" ] && printf '%s\\000' \"$p\"; done; :", quote::pattern(remote));
    let (_, captured) = link.capture(&script, Input::nothing(), cancel).await?;
    let paths: Vec<String> = captured
        .stdout
        .split(|byte| *byte == 0)
        .filter(|path| !path.is_empty())
        .map(|path| String::from_utf8_lossy(path).into_owned())
        .collect();
    if paths.is_empty() {
        return Err(RemoteError::Remote { path: remote.to_owned(), why: "nothing matches".to_owned() });
    }
    Ok(paths)
}

/// Walks a folder on the machine, making the folders here; symbolic links are followed, as SCP does.
async fn gather(sftp: &Sftp, remote: Vec<u8>, local: PathBuf, wanted: &mut Vec<Wanted>) -> Result<(), RemoteError> {
    /// Deeper only a link that leads back to a folder that it is in can be.
    const DEEPEST: usize = 40;
    let mut left = vec![(remote, local, 0)];
    while let Some((remote, local, depth)) = left.pop() {
        let name = String::from_utf8_lossy(&remote).into_owned();
        let attrs = sftp.stat(&remote).await.map_err(|error| error.about(&name))?;
        if !attrs.is_dir() {
            wanted.push(Wanted { remote, local, size: attrs.size.unwrap_or(0) });
            continue;
        }
        if depth > DEEPEST {
            let why = "its folders are nested too deeply; does a link lead back to a folder that it is in?".to_owned();
            return Err(RemoteError::Remote { path: name, why });
        }
        std::fs::create_dir_all(&local).map_err(|error| local::failed(&local, &error))?;
        for entry in sftp.list(&remote).await.map_err(|error| error.about(&name))? {
            let as_path = crate::os::file_mode::path_of(&entry).filter(|_| !entry.contains(&b'/'));
            let Some(as_path) = as_path else {
                let why = "this system cannot have a file of that name".to_owned();
                return Err(RemoteError::Remote { path: scp::below(&name, &entry)?, why });
            };
            let mut path = remote.clone();
            if !path.ends_with(b"/") {
                path.push(b'/');
            }
            path.extend_from_slice(&entry);
            let to = local.join(as_path);
            left.push((path, to, depth + 1));
        }
    }
    Ok(())
}
