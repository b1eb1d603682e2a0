//! Local files: found, read and hashed on threads of their own, so that the network never waits for them.

use std::collections::VecDeque;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::remote::communicator::RemoteError;

pub(super) type Sha256Sum = [u8; 32];

/// A local file that is to be sent.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    /// Below the folder that is sent, parts separated by `/`; for a single file its name. Bytes as on this machine.
    pub name: Vec<u8>,
    /// Permission bits.
    pub mode: u32,
    /// In bytes.
    pub size: u64,
}

impl Found {
    /// # Errors
    /// It is not there, or no regular file.
    pub(super) fn file(path: &Path) -> Result<Self, RemoteError> {
        let metadata = std::fs::metadata(path).map_err(|error| failed(path, &error))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).as_encoded_bytes().to_vec();
        Self::of(path.to_path_buf(), name, &metadata)
    }

    fn of(path: PathBuf, name: Vec<u8>, metadata: &Metadata) -> Result<Self, RemoteError> {
        if !metadata.is_file() {
            let why = if metadata.is_dir() { "is a directory" } else { "is not a regular file" };
            return Err(RemoteError::Local { path: path.display().to_string(), why: why.to_owned() });
        }
        Ok(Self { path, name, mode: crate::os::file_mode::of(metadata), size: metadata.len() })
    }
}

/// A folder that is to be sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    /// The folder's own name and mode.
    pub name: Vec<u8>,
    pub mode: u32,
    /// Names below the folder, parents before children, with their modes.
    pub folders: Vec<(Vec<u8>, u32)>,
    pub files: Vec<Found>,
    /// Of all files, in bytes.
    pub total: u64,
}

/// Finds all that is in a folder. Symbolic links are followed, as Packer's SCP does.
///
/// # Errors
/// Something cannot be read, or is neither file nor folder, or a link leads back to a folder that it is in.
pub(super) fn walk(root: &Path) -> Result<Listing, RemoteError> {
    let metadata = std::fs::metadata(root).map_err(|error| failed(root, &error))?;
    if !metadata.is_dir() {
        return Err(RemoteError::Local { path: root.display().to_string(), why: "is not a directory".to_owned() });
    }
    let real = root.canonicalize().map_err(|error| failed(root, &error))?;
    let name = root.file_name().or(real.file_name()).map(|name| name.as_encoded_bytes().to_vec());
    let mut listing =
        Listing { name: name.unwrap_or_default(), mode: crate::os::file_mode::of(&metadata), ..Listing::default() };
    let mut above = vec![real];
    enter(root, &[], &mut listing, &mut above)?;
    listing.total = listing.files.iter().map(|file| file.size).sum();
    Ok(listing)
}

fn enter(folder: &Path, name: &[u8], listing: &mut Listing, above: &mut Vec<PathBuf>) -> Result<(), RemoteError> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(|error| failed(folder, &error))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let mut below = name.to_vec();
        if !below.is_empty() {
            below.push(b'/');
        }
        below.extend_from_slice(entry.file_name().as_encoded_bytes());
        let metadata = std::fs::metadata(&path).map_err(|error| failed(&path, &error))?;
        if metadata.is_dir() {
            let real = path.canonicalize().map_err(|error| failed(&path, &error))?;
            if above.contains(&real) {
                let why = "this link leads back to a folder that it is in".to_owned();
                return Err(RemoteError::Local { path: path.display().to_string(), why });
            }
            listing.folders.push((below.clone(), crate::os::file_mode::of(&metadata)));
            above.push(real);
            enter(&path, &below, listing, above)?;
            above.pop();
        } else {
            listing.files.push(Found::of(path, below, &metadata)?);
        }
    }
    Ok(())
}

/// Pieces that wait to be filled again; about as many as are under way.
const KEPT: usize = 96;

/// Reads a file in pieces of `piece` bytes. The handle gives the sum of what was read, in the end.
pub(super) fn read(file: &Found, piece: usize) -> (mpsc::Receiver<Bytes>, JoinHandle<Result<Sha256Sum, RemoteError>>) {
    let (sender, receiver) = mpsc::channel(16);
    let file = file.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let failed = |error: &io::Error| failed(&file.path, error);
        let mut from = File::open(&file.path).map_err(|error| failed(&error))?;
        let mut sum = Sha256::new();
        let mut left = file.size;
        // Fresh memory costs the kernel more than reading the file: pieces that have gone out are filled again.
        let mut gone: VecDeque<Bytes> = VecDeque::new();
        while left > 0 {
            let mut bytes = match gone.pop_front().map(Bytes::try_into_mut) {
                Some(Ok(bytes)) => bytes,
                Some(Err(bytes)) => {
                    gone.push_front(bytes);
                    BytesMut::zeroed(piece)
                }
                None => BytesMut::zeroed(piece),
            };
            bytes.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            let mut filled = 0;
            while filled < bytes.len() {
                match from.read(&mut bytes[filled..]) {
                    Ok(0) => return Err(failed(&io::Error::other("became shorter while it was sent"))),
                    Ok(read) => filled += read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(failed(&error)),
                }
            }
            left -= filled as u64;
            let bytes = bytes.freeze();
            // Nobody listens any more: the transfer has ended, and knows why.
            if sender.blocking_send(bytes.clone()).is_err() {
                break;
            }
            sum.update(&bytes);
            if gone.len() < KEPT {
                gone.push_back(bytes);
            }
        }
        Ok(sum.finalize().into())
    });
    (receiver, reading)
}

/// The sum of what was written, and its size in bytes.
pub(super) type Summed = (Sha256Sum, u64);

/// Writes what it is given to a file. The handle gives the sum of it all, and its size.
pub(super) fn write(path: &Path) -> (mpsc::Sender<Bytes>, JoinHandle<Result<Summed, RemoteError>>) {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(16);
    let path = path.to_path_buf();
    let writing = tokio::task::spawn_blocking(move || {
        let failed = |error: io::Error| failed(&path, &error);
        let mut to = File::create(&path).map_err(failed)?;
        let (mut sum, mut size) = (Sha256::new(), 0);
        while let Some(bytes) = receiver.blocking_recv() {
            io::Write::write_all(&mut to, &bytes).map_err(failed)?;
            sum.update(&bytes);
            size += bytes.len() as u64;
        }
        Ok((sum.finalize().into(), size))
    });
    (sender, writing)
}

pub(super) fn failed(path: &Path, error: &io::Error) -> RemoteError {
    let why = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::StorageFull => "no space left on this disk".to_owned(),
        _ => error.to_string(),
    };
    RemoteError::Local { path: path.display().to_string(), why }
}

/// What a thread of ours gave; it never panics, but the runtime may be going down.
pub(super) async fn joined<T>(handle: JoinHandle<Result<T, RemoteError>>) -> Result<T, RemoteError> {
    handle.await.unwrap_or(Err(RemoteError::Cancelled))
}
