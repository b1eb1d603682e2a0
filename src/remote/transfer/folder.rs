//! A folder to the machine: as one `tar` stream, or file by file over SFTP.
//!
//! Where it lands is Packer's rule, which is SCP's: without a trailing slash on the local name the folder itself goes into
//! `remote` when that is there, and becomes `remote` when it is not; with one, its contents go into `remote`.

use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::local::{self, Found, Listing};
use super::meter::Meter;
use super::small::shell_words;
use super::verify::{self, Sent};
use super::{file, scp};
use crate::remote::communicator::{Exit, RemoteError};
use crate::remote::exec::Input;
use crate::remote::quote;
use crate::remote::sftp::Sftp;
use crate::remote::ssh::Link;

/// A piece of the stream, in bytes.
const PIECE: usize = 256 << 10;
/// Files that are under way at once over SFTP.
const FILES: usize = 16;
/// Says where the folder is.
const AT: &str = "kiln-at:";
/// The exit status of our script where there is no `tar`.
const NO_TAR: u32 = 96;

/// Sends a folder as a stream; `false`: the machine has no shell or no `tar` for this.
pub(super) async fn send_as_tar(
    link: &Link,
    listing: &Listing,
    whole: bool,
    remote: &str,
    meter: &Meter<'_>,
    cancel: &CancellationToken,
) -> Result<bool, RemoteError> {
    if listing.folders.iter().any(|(name, _)| name.contains(&b'\n')) {
        return Ok(false);
    }
    let Ok(name) = std::str::from_utf8(&listing.name) else { return Ok(false) };
    let target = quote::path(remote);
    let place = if whole {
        let (name, mode) = (quote::word(name), listing.mode | 0o700);
        format!(
            "d={target}; if [ -d \"$d\" ]; then d=\"$d\"/{name}; [ -d \"$d\" ] || mkdir -m {mode:o} \"$d\" || exit 1; \
             else mkdir -m {mode:o} \"$d\" || exit 1; fi"
        )
    } else {
        format!("d={target}; [ -d \"$d\" ] || mkdir -p \"$d\" || exit 1")
    };
    // Folders come first, by `mkdir`: `tar` would change the modes of those that are there already.
    let script = format!(
        "LC_ALL=C; export LC_ALL; echo {AT}; command -v tar >/dev/null 2>&1 || exit {NO_TAR}; {place}; cd \"$d\" >/dev/null || exit 1\n\
         while IFS= read -r m && [ -n \"$m\" ]; do IFS= read -r p; [ -d \"./$p\" ] || mkdir -m \"$m\" \"./$p\" || exit 1; done\n\
         case $(tar --version 2>/dev/null) in *GNU*) o=--overwrite;; *) o=;; esac\n\
         tar -xpom $o -f - && printf '{AT}%s\\n' \"$PWD\""
    );
    let (pieces, input) = mpsc::channel(8);
    let files = listing.files.clone();
    let folders = listing.folders.clone();
    let making = tokio::task::spawn_blocking(move || make(&files, &folders, pieces));
    // What the stream counts is what it takes from the disk; the channel's window keeps that close to what has arrived.
    let (counted, input) = count(input, meter);
    let capturing = link.capture(&script, Input::Pieces(input), cancel);
    let (captured, ()) = futures_util::future::join(capturing, counted).await;
    let (exit, captured) = match captured {
        Ok(result) => result,
        Err(RemoteError::Refused(_)) => return Ok(false),
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&captured.stdout);
    if !text.lines().any(|line| line.starts_with(AT)) || exit == Exit::Status(NO_TAR) {
        return Ok(false);
    }
    // A local file that could not be read breaks the stream, and is the better reason.
    let sent = local::joined(making).await?;
    if exit != Exit::Status(0) {
        return Err(RemoteError::Remote { path: remote.to_owned(), why: shell_words(&captured.complaint()) });
    }
    let at = text.rsplit(AT).next().unwrap_or_default().trim_end_matches('\n');
    verify::check(link, at, &sent, false, cancel).await?;
    Ok(true)
}

/// Passes pieces on and counts them.
fn count<'a>(
    mut from: mpsc::Receiver<(Bytes, u64)>,
    meter: &'a Meter<'_>,
) -> (impl Future<Output = ()> + 'a, mpsc::Receiver<Bytes>) {
    let (to, input) = mpsc::channel(2);
    let counting = async move {
        while let Some((piece, of_files)) = from.recv().await {
            if to.send(piece).await.is_err() {
                break;
            }
            meter.add(of_files);
        }
    };
    (counting, input)
}

/// Makes the stream: the folders as lines, an empty line, then the archive with the files.
fn make(
    files: &[Found],
    folders: &[(Vec<u8>, u32)],
    pieces: mpsc::Sender<(Bytes, u64)>,
) -> Result<Vec<Sent>, RemoteError> {
    let mut to = Pieces { buffer: BytesMut::with_capacity(PIECE), of_files: 0, pieces };
    let broken = |file: &Found, error: &io::Error| {
        // Nobody listens any more: what the machine says counts.
        if error.kind() == io::ErrorKind::BrokenPipe { None } else { Some(local::failed(&file.path, error)) }
    };
    let mut lines = Vec::new();
    for (name, mode) in folders {
        lines.extend_from_slice(format!("{:o}\n", mode | 0o700).as_bytes());
        lines.extend_from_slice(name);
        lines.push(b'\n');
    }
    lines.push(b'\n');
    if to.write_all(&lines).is_err() {
        return Ok(Vec::new());
    }
    let mut archive = tar::Builder::new(to);
    let mut sent = Vec::with_capacity(files.len());
    for file in files {
        let mut one = || -> io::Result<Sent> {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(tar::EntryType::Regular);
            header.set_size(file.size);
            header.set_mode(file.mode);
            header.set_mtime(0);
            header.set_uid(0);
            header.set_gid(0);
            let name =
                crate::os::file_mode::path_of(&file.name).ok_or_else(|| io::Error::other("its name cannot be sent"))?;
            let mut from = Exact { from: std::fs::File::open(&file.path)?, left: file.size, sum: Sha256::new() };
            archive.append_data(&mut header, name, &mut from)?;
            archive.get_mut().of_files += file.size;
            Ok(Sent { name: file.name.clone(), size: file.size, sum: from.sum.finalize().into() })
        };
        match one() {
            Ok(one) => sent.push(one),
            Err(error) => return broken(file, &error).map_or_else(|| Ok(Vec::new()), Err),
        }
    }
    if let Ok(mut to) = archive.into_inner() {
        let _ = to.flush();
    }
    Ok(sent)
}

/// Reads exactly as much as was announced, and sums it.
struct Exact {
    from: std::fs::File,
    left: u64,
    sum: Sha256,
}

impl Read for Exact {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        if wanted == 0 {
            return Ok(0);
        }
        let read = self.from.read(&mut buffer[..wanted])?;
        if read == 0 {
            return Err(io::Error::other("became shorter while it was sent"));
        }
        self.sum.update(&buffer[..read]);
        self.left -= read as u64;
        Ok(read)
    }
}

/// Gathers what is written, and passes it on in large pieces.
struct Pieces {
    buffer: BytesMut,
    /// Bytes of files that have been written since the last piece.
    of_files: u64,
    pieces: mpsc::Sender<(Bytes, u64)>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(PIECE)).freeze();
        let of_files = std::mem::take(&mut self.of_files);
        self.pieces.blocking_send((piece, of_files)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Sends a folder file by file, several at once.
pub(super) async fn send_by_sftp(
    link: &Link,
    sftp: &Sftp,
    listing: &Listing,
    whole: bool,
    remote: &str,
    meter: &Meter<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let there = sftp.stat(quote::for_sftp(remote).as_bytes()).await.is_ok_and(|attrs| attrs.is_dir());
    let name = String::from_utf8_lossy(&listing.name);
    let root = if whole && there { quote::join(remote, &name) } else { remote.to_owned() };
    let mut folders = vec![(Vec::new(), listing.mode)];
    folders.extend_from_slice(&listing.folders);
    for (name, mode) in folders {
        let path = scp::below(&root, &name)?;
        let bytes = quote::for_sftp(&path).as_bytes();
        if sftp.stat(bytes).await.is_ok_and(|attrs| attrs.is_dir()) {
            continue;
        }
        sftp.make_dir(bytes, mode | 0o700).await.map_err(|error| error.about(&path))?;
        // The server's umask took its part.
        sftp.set_mode_of(bytes, mode | 0o700).await.map_err(|error| error.about(&path))?;
    }
    let root = &root;
    let sent: Vec<Sent> = stream::iter(listing.files.clone())
        .map(|found| async move {
            let path = scp::below(root, &found.name)?;
            let sum = file::send(link, sftp, &found, &path, found.mode, meter, None, cancel).await?;
            Ok::<_, RemoteError>(Sent { name: found.name.clone(), size: found.size, sum })
        })
        .buffered(FILES)
        .try_collect()
        .await?;
    verify::check(link, root, &sent, true, cancel).await
}
