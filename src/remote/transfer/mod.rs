//! Files and folders to and from the machine. What arrives is compared with what was sent: its size always, its SHA-256
//! where the machine has a tool for it.
//!
//! SFTP carries single files, a `tar` stream folders, the old SCP protocol both where a template asks for it or where the
//! machine has nothing else. Like Packer, all write straight to the destination, whose folder must exist.

mod fetch;
mod file;
mod folder;
mod local;
mod meter;
mod scp;
mod scp_lines;
mod small;
mod verify;

use std::path::Path;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::communicator::{RemoteError, TransferProgress};
use super::options::TransferMethod;
use super::sftp::{Sftp, SftpError};
use super::ssh::{Link, until};
use meter::Meter;

/// Files up to this size, in bytes, go at once.
const SMALL: u64 = 128 << 10;

/// Requests that are under way at once.
const IN_FLIGHT: usize = 64;

pub(super) async fn upload(
    link: &Link,
    local: &Path,
    remote: &str,
    mode: Option<u32>,
    progress: TransferProgress<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let found = local::Found::file(local)?;
    let mode = mode.unwrap_or(found.mode) & 0o7777;
    let meter = Meter::new(progress, found.size);
    if found.size <= SMALL {
        let bytes = std::fs::read(local).map_err(|error| local::failed(local, &error))?;
        upload_bytes(link, &bytes, remote, mode, cancel).await?;
        meter.add(bytes.len() as u64);
        meter.end();
        return Ok(());
    }
    match open_sftp(link, cancel).await? {
        Some(sftp) => until(cancel, file::send_verified(link, &sftp, &found, remote, mode, &meter, cancel)).await?,
        None => scp::upload_file(link, &found, remote, mode, &meter, cancel).await?,
    }
    meter.end();
    Ok(())
}

pub(super) async fn upload_bytes(
    link: &Link,
    bytes: &[u8],
    remote: &str,
    mode: u32,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    if bytes.len() as u64 <= SMALL {
        let sftp = sftp_by_path(link, remote, cancel).await?;
        if let Some(sftp) = sftp
            && until(cancel, small::send_by_sftp(&sftp, bytes, remote, mode)).await?
        {
            return Ok(());
        }
        if small::send(link, bytes, remote, mode, cancel).await? {
            return Ok(());
        }
    }
    // Through a file of our own, as everything that follows sends files.
    let spool = tempfile::NamedTempFile::new().and_then(|mut file| {
        std::io::Write::write_all(&mut file, bytes)?;
        Ok(file)
    });
    let spool = spool.map_err(|error| local::failed(&std::env::temp_dir(), &error))?;
    let mut found = local::Found::file(spool.path())?;
    found.name = super::quote::base_name(remote).as_bytes().to_vec();
    let meter = Meter::new(&|_, _| {}, found.size);
    match open_sftp(link, cancel).await? {
        Some(sftp) => until(cancel, file::send_verified(link, &sftp, &found, remote, mode, &meter, cancel)).await,
        None => scp::upload_file(link, &found, remote, mode, &meter, cancel).await,
    }
}

pub(super) async fn upload_dir(
    link: &Link,
    local: &str,
    remote: &str,
    progress: TransferProgress<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let root = local.to_owned();
    let listing = tokio::task::spawn_blocking(move || local::walk(Path::new(&root)))
        .await
        .map_err(|error| RemoteError::Refused(error.to_string()))??;
    let whole = !local.ends_with('/');
    let meter = Meter::new(progress, listing.total);
    if link.options.transfer == TransferMethod::Scp {
        scp::upload_folder(link, &listing, whole, remote, &meter, cancel).await?;
    } else if !folder::send_as_tar(link, &listing, whole, remote, &meter, cancel).await? {
        match open_sftp(link, cancel).await? {
            Some(sftp) => {
                until(cancel, folder::send_by_sftp(link, &sftp, &listing, whole, remote, &meter, cancel)).await?;
            }
            None => scp::upload_folder(link, &listing, whole, remote, &meter, cancel).await?,
        }
    }
    meter.end();
    Ok(())
}

pub(super) async fn download(
    link: &Link,
    remote: &str,
    local: &Path,
    progress: TransferProgress<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    match open_sftp(link, cancel).await? {
        Some(sftp) => {
            let path = super::quote::for_sftp(remote);
            let open = sftp.open_to_read(path.as_bytes()).await.map_err(|error| error.about(remote))?;
            let attrs = sftp.fstat(&open).await.map_err(|error| error.about(remote))?;
            if attrs.is_dir() {
                return Err(RemoteError::Remote { path: remote.to_owned(), why: "is a directory".to_owned() });
            }
            let meter = Meter::new(progress, attrs.size.unwrap_or(0));
            until(cancel, fetch::file_verified(link, &sftp, &open, attrs, remote, local, &meter, cancel)).await?;
            meter.end();
            Ok(())
        }
        None => scp::download(link, remote, local, false, progress, cancel).await,
    }
}

pub(super) async fn download_dir(
    link: &Link,
    remote: &str,
    local: &Path,
    progress: TransferProgress<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    std::fs::create_dir_all(local).map_err(|error| local::failed(local, &error))?;
    match open_sftp(link, cancel).await? {
        Some(sftp) => until(cancel, fetch::folder(link, &sftp, remote, local, progress, cancel)).await,
        None => scp::download(link, remote, local, true, progress, cancel).await,
    }
}

/// See [`super::communicator::Communicator::remove`].
pub(super) async fn remove(link: &Link, remote: &str, cancel: &CancellationToken) -> Result<bool, RemoteError> {
    let Some(sftp) = sftp_by_path(link, remote, cancel).await? else { return Ok(false) };
    until(cancel, async {
        match sftp.remove(remote.as_bytes()).await {
            Ok(()) => Ok(true),
            Err(error) if error.is_absent() => Ok(true),
            Err(SftpError::Lost(error)) => Err(error),
            Err(_) => Ok(false),
        }
    })
    .await
}

/// SFTP, where it is wanted and means the same file as the shell: its idea of the home folder may be another.
async fn sftp_by_path(link: &Link, remote: &str, cancel: &CancellationToken) -> Result<Option<Arc<Sftp>>, RemoteError> {
    if remote.starts_with('/') { open_sftp(link, cancel).await } else { Ok(None) }
}

/// SFTP, where it is wanted; `None` also: the machine has none.
async fn open_sftp(link: &Link, cancel: &CancellationToken) -> Result<Option<Arc<Sftp>>, RemoteError> {
    if link.options.transfer == TransferMethod::Sftp { link.sftp(cancel).await } else { Ok(None) }
}
