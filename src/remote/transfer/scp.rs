//! The old SCP protocol, spoken with the machine's own `scp` program.
//!
//! One side sends lines (`C0644 12 name` before a file's bytes, `D0755 0 name` into a folder, `E` out of it), the other
//! answers each with a zero byte, or with 1 or 2 and a line that says what is wrong.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use russh::{ChannelMsg, ChannelReadHalf};
use tokio_util::sync::CancellationToken;

use super::local::{self, Found, Listing, Sha256Sum};
use super::meter::Meter;
use super::scp_lines::{fields, header, split};
use super::until;
use super::verify::{self, Sent};
use crate::remote::communicator::{RemoteError, TransferProgress};
use crate::remote::quote;
use crate::remote::session::{Outbound, Session};
use crate::remote::ssh::Link;

/// Bytes that go out at once.
const PIECE: usize = 256 << 10;
/// No line of the protocol is longer.
const LONGEST_LINE: usize = 16 << 10;

/// `scp` at work on the machine.
struct Scp {
    session: Arc<Session>,
    to: Outbound,
    heard: Heard,
    path: String,
}

/// What the machine says.
struct Heard {
    from: ChannelReadHalf,
    is_closed: Arc<AtomicBool>,
    buffer: BytesMut,
    stderr: Vec<u8>,
    status: Option<u32>,
}

impl Heard {
    /// Waits for more bytes; `false`: there are no more.
    async fn more(&mut self, session: &Session) -> Result<bool, RemoteError> {
        loop {
            match self.from.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    self.buffer.extend_from_slice(&data);
                    return Ok(true);
                }
                Some(ChannelMsg::ExtendedData { data, .. }) if self.stderr.len() < LONGEST_LINE => {
                    self.stderr.extend_from_slice(&data);
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => self.status = Some(exit_status),
                Some(ChannelMsg::Failure) => {
                    return Err(RemoteError::Refused("the machine refused to run scp".to_owned()));
                }
                Some(ChannelMsg::Close) | None => {
                    self.is_closed.store(true, Ordering::Release);
                    return if self.status.is_some() { Ok(false) } else { Err(session.lost()) };
                }
                Some(_) => {}
            }
        }
    }
}

impl Scp {
    async fn start(link: &Link, options: &str, path: &str, cancel: &CancellationToken) -> Result<Self, RemoteError> {
        let (session, channel) = link.channel(cancel).await?;
        let (from, to) = channel.split();
        let to = Outbound::new(to);
        let word = if options.ends_with('f') { quote::pattern(path) } else { quote::path(path) };
        to.exec(true, format!("scp -{options} {word}")).await.map_err(|_| session.lost())?;
        let is_closed = to.closed();
        let heard = Heard { from, is_closed, buffer: BytesMut::new(), stderr: Vec::new(), status: None };
        Ok(Self { session, to, heard, path: path.to_owned() })
    }

    fn says(&self, why: impl Into<String>) -> RemoteError {
        RemoteError::Remote { path: self.path.clone(), why: why.into() }
    }

    /// The error of an end that came too early.
    fn ended(&self) -> RemoteError {
        let words = String::from_utf8_lossy(&self.heard.stderr);
        match self.heard.status {
            Some(127) => RemoteError::Refused("the machine has no scp".to_owned()),
            _ if !words.trim().is_empty() => self.says(super::small::shell_words(words.trim())),
            status => self.says(format!("scp on the machine ended early (status {})", status.unwrap_or_default())),
        }
    }

    async fn byte(&mut self) -> Result<u8, RemoteError> {
        while self.heard.buffer.is_empty() {
            if !self.heard.more(&self.session).await? {
                return Err(self.ended());
            }
        }
        Ok(self.heard.buffer.get_u8())
    }

    async fn line(&mut self) -> Result<Vec<u8>, RemoteError> {
        let mut line = Vec::new();
        loop {
            match self.byte().await? {
                b'\n' => return Ok(line),
                byte if line.len() < LONGEST_LINE => line.push(byte),
                _ => return Err(self.says("what answers there is not scp")),
            }
        }
    }

    /// Takes the other side's yes.
    async fn yes(&mut self) -> Result<(), RemoteError> {
        match self.byte().await? {
            0 => Ok(()),
            1 | 2 => Err(self.no().await),
            // A login script that prints something is the usual reason.
            _ => Err(self.says("what answers there is not scp; does a login script on the machine print something?")),
        }
    }

    async fn no(&mut self) -> RemoteError {
        let line = self.line().await.unwrap_or_default();
        let text = String::from_utf8_lossy(&line).into_owned();
        self.says(super::small::shell_words(text.trim_start_matches("scp: ").trim()))
    }

    /// Listens meanwhile: who has ended makes no room for more bytes.
    async fn send(&mut self, bytes: impl Into<Bytes>) -> Result<(), RemoteError> {
        let sending = self.to.data_bytes(bytes);
        tokio::pin!(sending);
        loop {
            tokio::select! {
                biased;
                sent = &mut sending => return sent.map_err(|_| self.session.lost()),
                more = self.heard.more(&self.session) => if !more? {
                    return Err(self.ended());
                },
            }
        }
    }

    /// Sends one file below where we are.
    async fn file(
        &mut self,
        file: &Found,
        name: &[u8],
        mode: u32,
        meter: &Meter<'_>,
    ) -> Result<Sha256Sum, RemoteError> {
        self.send(header('C', mode, file.size, name)?).await?;
        self.yes().await?;
        let (mut pieces, reading) = local::read(file, PIECE);
        while let Some(piece) = pieces.recv().await {
            let length = piece.len() as u64;
            self.send(piece).await?;
            meter.add(length);
        }
        let sum = local::joined(reading).await?;
        self.send(Bytes::from_static(&[0])).await?;
        self.yes().await?;
        Ok(sum)
    }

    /// Says that all is sent, and demands that the other side is content.
    async fn finish(mut self) -> Result<(), RemoteError> {
        self.to.eof().await.map_err(|_| self.session.lost())?;
        while self.heard.more(&self.session).await? {}
        if self.heard.status == Some(0) { Ok(()) } else { Err(self.ended()) }
    }
}

/// The path of a name below a folder, as text.
pub(super) fn below(folder: &str, name: &[u8]) -> Result<String, RemoteError> {
    if name.is_empty() {
        return Ok(folder.to_owned());
    }
    match std::str::from_utf8(name) {
        Ok(name) => Ok(quote::join(folder, name)),
        Err(_) => Err(RemoteError::Local {
            path: String::from_utf8_lossy(name).into_owned(),
            why: "its name is not UTF-8, and the machine has no tar to take it as it is".to_owned(),
        }),
    }
}

pub(super) async fn upload_file(
    link: &Link,
    file: &Found,
    remote: &str,
    mode: u32,
    meter: &Meter<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let (folder, name) = (quote::parent(remote), quote::base_name(remote).as_bytes());
    // `-d`: without it a folder that is not there would become the file.
    let mut scp = Scp::start(link, "dt", folder, cancel).await?;
    let sum = until(cancel, async {
        scp.yes().await?;
        remote.clone_into(&mut scp.path);
        let sum = scp.file(file, name, mode, meter).await?;
        scp.finish().await?;
        Ok(sum)
    })
    .await?;
    verify::check(link, folder, &[Sent { name: name.to_vec(), size: file.size, sum }], true, cancel).await
}

pub(super) async fn upload_folder(
    link: &Link,
    listing: &Listing,
    whole: bool,
    remote: &str,
    meter: &Meter<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let script = format!("[ -d {} ]", quote::path(remote));
    let there = match link.capture(&script, crate::remote::exec::Input::nothing(), cancel).await {
        Ok((exit, _)) => exit == crate::remote::communicator::Exit::Status(0),
        Err(RemoteError::Refused(_)) => true,
        Err(error) => return Err(error),
    };
    let name = String::from_utf8_lossy(&listing.name);
    let root = if whole && there { quote::join(remote, &name) } else { remote.to_owned() };
    let mut scp = Scp::start(link, "rt", remote, cancel).await?;
    let sent = until(cancel, async {
        scp.yes().await?;
        // `scp -rt` makes a folder that is not there from the first `D` line only.
        let wrapped = whole || !there;
        if wrapped {
            scp.send(header('D', listing.mode, 0, &listing.name)?).await?;
            scp.yes().await?;
        }
        let sent = tree(&mut scp, listing, meter).await?;
        if wrapped {
            scp.send(Bytes::from_static(b"E\n")).await?;
            scp.yes().await?;
        }
        scp.finish().await?;
        Ok(sent)
    })
    .await?;
    verify::check(link, &root, &sent, true, cancel).await
}

/// Sends everything below the root: each folder is entered once, its files first.
async fn tree(scp: &mut Scp, listing: &Listing, meter: &Meter<'_>) -> Result<Vec<Sent>, RemoteError> {
    let mut sent = Vec::new();
    let mut inside: Vec<Vec<u8>> = Vec::new();
    let root = (Vec::new(), 0);
    for (folder, mode) in std::iter::once(&root).chain(&listing.folders) {
        if !folder.is_empty() {
            let (above, name) = split(folder);
            while inside.last().is_some_and(|last| last != above) {
                inside.pop();
                scp.send(Bytes::from_static(b"E\n")).await?;
                scp.yes().await?;
            }
            scp.send(header('D', *mode, 0, name)?).await?;
            scp.yes().await?;
            inside.push(folder.clone());
        }
        for file in listing.files.iter().filter(|file| split(&file.name).0 == folder.as_slice()) {
            let sum = scp.file(file, split(&file.name).1, file.mode, meter).await?;
            sent.push(Sent { name: file.name.clone(), size: file.size, sum });
        }
    }
    for _ in inside {
        scp.send(Bytes::from_static(b"E\n")).await?;
        scp.yes().await?;
    }
    Ok(sent)
}

/// Fetches a file to `local`, or with `whole` folders and all that a pattern names into `local`.
pub(super) async fn download(
    link: &Link,
    remote: &str,
    local: &Path,
    whole: bool,
    progress: TransferProgress<'_>,
    cancel: &CancellationToken,
) -> Result<(), RemoteError> {
    let mut scp = Scp::start(link, if whole { "rf" } else { "f" }, remote, cancel).await?;
    let meter = Meter::new(progress, 0);
    let sent = until(cancel, async {
        let mut inside: Vec<(PathBuf, Vec<u8>)> = vec![(local.to_path_buf(), Vec::new())];
        let mut sent = Vec::new();
        scp.send(Bytes::from_static(&[0])).await?;
        // The end of what comes is the end of the channel.
        while !scp.heard.buffer.is_empty() || scp.heard.more(&scp.session).await? {
            let line = scp.line().await?;
            match line.first() {
                Some(1 | 2) => {
                    let text = String::from_utf8_lossy(&line[1..]).into_owned();
                    return Err(scp.says(super::small::shell_words(text.trim_start_matches("scp: ").trim())));
                }
                Some(b'T') => {}
                Some(b'E') if inside.len() > 1 => {
                    inside.pop();
                }
                Some(b'D' | b'C') => {
                    let Some((size, name)) = fields(&line) else {
                        return Err(scp.says("what answers there is not scp"));
                    };
                    let (folder, below) = inside.last().cloned().unwrap_or_default();
                    let mut known_as = below;
                    if !known_as.is_empty() {
                        known_as.push(b'/');
                    }
                    known_as.extend_from_slice(name);
                    let as_path = crate::os::file_mode::path_of(name)
                        .ok_or_else(|| scp.says("this system cannot have a file of that name"))?;
                    if line[0] == b'D' {
                        let path = folder.join(as_path);
                        std::fs::create_dir_all(&path).map_err(|error| local::failed(&path, &error))?;
                        inside.push((path, known_as));
                    } else {
                        let path = if whole { folder.join(as_path) } else { local.to_path_buf() };
                        let (sum, size) = take(&mut scp, &path, size, &meter).await?;
                        sent.push(Sent { name: known_as, size, sum });
                    }
                }
                _ => return Err(scp.says("what answers there is not scp")),
            }
            scp.send(Bytes::from_static(&[0])).await?;
        }
        if scp.heard.status != Some(0) || sent.is_empty() && !whole {
            return Err(scp.ended());
        }
        Ok(sent)
    })
    .await?;
    meter.end();
    // With a pattern the files may come from several folders, and their sizes are proof enough.
    if whole { Ok(()) } else { verify::check(link, quote::parent(remote), &sent, true, cancel).await }
}

/// Takes one file's bytes.
async fn take(scp: &mut Scp, path: &Path, size: u64, meter: &Meter<'_>) -> Result<(Sha256Sum, u64), RemoteError> {
    scp.send(Bytes::from_static(&[0])).await?;
    let (to, writing) = local::write(path);
    let mut left = size;
    while left > 0 {
        if scp.heard.buffer.is_empty() && !scp.heard.more(&scp.session).await? {
            return Err(scp.ended());
        }
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(scp.heard.buffer.len());
        let piece = scp.heard.buffer.split_to(length).freeze();
        left -= length as u64;
        meter.add(length as u64);
        if to.send(piece).await.is_err() {
            break;
        }
    }
    drop(to);
    let written = local::joined(writing).await?;
    scp.yes().await?;
    Ok(written)
}
