//! An SFTP client made for speed: every request can be sent before the one before it is answered, and data goes out without
//! being copied. (The crates for SFTP take names and handles for UTF-8 text, and give each request its own time limit,
//! which a slow disk on the machine breaks; here only the death of the link ends a wait.)

mod wire;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::communicator::RemoteError;
use super::session::{Outbound, Session};
pub(super) use wire::Attrs;
use wire::Reply;

/// What every SFTP server must take.
const SAFE_PIECE: u32 = 32 << 10;
/// More brings nothing, and OpenSSH's server stops at 255 KiB.
const LARGEST_PIECE: u32 = 255 << 10;
/// A longer packet is not SFTP.
const LONGEST_PACKET: usize = 4 << 20;

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum SftpError {
    /// The server said no: its code and words.
    Status {
        code: u32,
        message: String,
    },
    /// There is no SFTP there.
    Missing,
    Lost(RemoteError),
}

impl SftpError {
    /// As an error about `path`.
    pub(super) fn about(self, path: &str) -> RemoteError {
        match self {
            Self::Status { code, message } => RemoteError::Remote { path: path.to_owned(), why: words(code, &message) },
            Self::Missing => RemoteError::Refused("the machine has no SFTP".to_owned()),
            Self::Lost(error) => error,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Status { code: 2, .. })
    }

    pub(super) fn is_eof(&self) -> bool {
        matches!(self, Self::Status { code: 1, .. })
    }

    /// The server's word for all that it has no other word for.
    pub(super) fn is_vague(&self) -> bool {
        matches!(self, Self::Status { code: 4, .. })
    }
}

fn words(code: u32, message: &str) -> String {
    let known = match code {
        2 => "no such file or directory",
        3 => "permission denied",
        8 => "the machine's SFTP server does not support this",
        _ if message.is_empty() => return format!("the machine's SFTP server failed (code {code})"),
        _ => return message.to_owned(),
    };
    known.to_owned()
}

type Answer = oneshot::Receiver<Reply>;
type Waiting = Arc<Lock<Option<HashMap<u32, oneshot::Sender<Reply>>>>>;

/// One SFTP channel. Requests go out in the order of the calls.
pub(super) struct Sftp {
    session: Arc<Session>,
    to: Mutex<Outbound>,
    waiting: Waiting,
    next: AtomicU32,
    reader: JoinHandle<()>,
    /// Cancelled when the channel has ended or is of no use: who waits for room to send would wait forever.
    ended: CancellationToken,
    /// The largest piece to write or read with one request, in bytes.
    pub piece: u32,
}

impl Drop for Sftp {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// A file or folder that is open on the machine.
#[derive(Clone, Debug)]
pub(super) struct Open(Bytes);

/// A request whose answer is still to come.
pub(super) struct Pending {
    answer: Answer,
    session: Arc<Session>,
}

impl Pending {
    async fn reply(self) -> Result<Reply, SftpError> {
        match self.answer.await {
            Ok(Reply::Status { code, message }) if code != 0 => Err(SftpError::Status { code, message }),
            Ok(reply) => Ok(reply),
            Err(_) => Err(SftpError::Lost(self.session.lost())),
        }
    }

    /// Waits for a plain yes.
    pub(super) async fn done(self) -> Result<(), SftpError> {
        match self.reply().await? {
            Reply::Status { .. } => Ok(()),
            other => Err(odd(&other)),
        }
    }

    /// Waits for data; `None` at the file's end.
    pub(super) async fn data(self) -> Result<Option<Bytes>, SftpError> {
        match self.reply().await {
            Ok(Reply::Data(data)) => Ok(Some(data)),
            Err(error) if error.is_eof() => Ok(None),
            Ok(other) => Err(odd(&other)),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn opened(self) -> Result<Open, SftpError> {
        match self.reply().await? {
            Reply::Handle(handle) => Ok(Open(handle)),
            other => Err(odd(&other)),
        }
    }

    pub(super) async fn attrs(self) -> Result<Attrs, SftpError> {
        match self.reply().await? {
            Reply::Attrs(attrs) => Ok(attrs),
            other => Err(odd(&other)),
        }
    }
}

fn odd(reply: &Reply) -> SftpError {
    let kind = match reply {
        Reply::Status { .. } => "a status",
        Reply::Handle(_) => "a handle",
        Reply::Data(_) => "data",
        Reply::Names(_) => "names",
        Reply::Attrs(_) => "attributes",
        Reply::Extended(_) => "an extension's answer",
    };
    SftpError::Status { code: 5, message: format!("the machine's SFTP server answered with {kind} out of turn") }
}

impl Sftp {
    /// Starts the machine's SFTP server on a fresh channel.
    pub(super) async fn start(session: Arc<Session>, channel: russh::Channel<Msg>) -> Result<Self, SftpError> {
        let (mut from, to) = channel.split();
        let to = Outbound::new(to);
        let lost = |_| SftpError::Lost(session.lost());
        to.request_subsystem(true, "sftp").await.map_err(lost)?;
        let mut hello = BytesMut::new();
        hello.put_u32(5);
        hello.put_u8(wire::INIT);
        hello.put_u32(3);
        to.data_bytes(hello.freeze()).await.map_err(lost)?;
        let mut buffer = BytesMut::new();
        let version = loop {
            match from.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    buffer.extend_from_slice(&data);
                    match take_packet(&mut buffer) {
                        Ok(Some(packet)) if packet.first() == Some(&wire::VERSION) => break packet,
                        Ok(None) => {}
                        _ => return Err(SftpError::Missing),
                    }
                }
                Some(ChannelMsg::Close) => {
                    to.closed().store(true, Ordering::Release);
                    return Err(SftpError::Missing);
                }
                Some(ChannelMsg::Failure | ChannelMsg::Eof | ChannelMsg::ExitStatus { .. }) => {
                    return Err(SftpError::Missing);
                }
                None if session.is_closed() => return Err(SftpError::Lost(session.lost())),
                None => return Err(SftpError::Missing),
                Some(_) => {}
            }
        };
        let waiting: Waiting = Arc::new(Lock::new(Some(HashMap::new())));
        let ended = CancellationToken::new();
        let reading = read(from, buffer, Arc::clone(&waiting), to.closed());
        let at_end = ended.clone().drop_guard();
        let reader = tokio::spawn(async move {
            reading.await;
            drop(at_end);
        });
        let mut sftp =
            Self { session, to: Mutex::new(to), waiting, next: AtomicU32::new(1), reader, ended, piece: SAFE_PIECE };
        if wire::has_extension(version, "limits@openssh.com") {
            sftp.piece = sftp.limits().await?;
        }
        Ok(sftp)
    }

    /// The largest piece that the server both reads and writes.
    async fn limits(&self) -> Result<u32, SftpError> {
        let pending =
            self.send(wire::EXTENDED, |body| wire::put_string(body, b"limits@openssh.com"), Bytes::new()).await?;
        let Ok(Reply::Extended(mut body)) = pending.reply().await else { return Ok(SAFE_PIECE) };
        let mut next = || body.try_get_u64().unwrap_or(0);
        let (_, read, write) = (next(), next(), next());
        let fit = |limit: u64| match u32::try_from(limit) {
            Ok(0) => SAFE_PIECE,
            Ok(limit) => limit.min(LARGEST_PIECE),
            Err(_) => LARGEST_PIECE,
        };
        Ok(fit(read).min(fit(write)))
    }

    /// Whether it runs in this session, and can still be used.
    pub(super) fn serves(&self, session: &Arc<Session>) -> bool {
        Arc::ptr_eq(&self.session, session) && !self.ended.is_cancelled()
    }

    /// Sends a request: what `body` writes, then `data` as it is. Dropped half-way, it ends the use of the channel.
    async fn send(&self, kind: u8, body: impl FnOnce(&mut BytesMut), data: Bytes) -> Result<Pending, SftpError> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let mut packet = wire::packet(kind, id, body);
        wire::set_length(&mut packet, data.len());
        let (sender, answer) = oneshot::channel();
        match &mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(waiting) => waiting.insert(id, sender),
            None => return Err(SftpError::Lost(self.session.lost())),
        };
        let sending = async {
            let to = self.to.lock().await;
            let half_way = self.ended.clone().drop_guard();
            to.data_bytes(packet.freeze()).await?;
            if !data.is_empty() {
                to.data_bytes(data).await?;
            }
            half_way.disarm();
            Ok::<_, russh::Error>(())
        };
        tokio::select! {
            biased;
            () = self.ended.cancelled() => Err(SftpError::Lost(self.session.lost())),
            sent = sending => match sent {
                Ok(()) => Ok(Pending { answer, session: Arc::clone(&self.session) }),
                Err(_) => Err(SftpError::Lost(self.session.lost())),
            },
        }
    }

    async fn open(&self, path: &[u8], flags: u32, attrs: Attrs) -> Result<Open, SftpError> {
        let body = |body: &mut BytesMut| {
            wire::put_string(body, path);
            body.put_u32(flags);
            attrs.put(body);
        };
        self.send(wire::OPEN, body, Bytes::new()).await?.opened().await
    }

    pub(super) async fn open_to_read(&self, path: &[u8]) -> Result<Open, SftpError> {
        self.open(path, wire::READ_FLAG, Attrs::default()).await
    }

    /// Makes the file, or empties it.
    pub(super) async fn create(&self, path: &[u8]) -> Result<Open, SftpError> {
        // Not for others until it has its own mode.
        self.open(path, wire::WRITE_FLAG | wire::CREATE_FLAG | wire::TRUNCATE_FLAG, Attrs::of_mode(0o600)).await
    }

    /// As [`Self::create`], and what is written can be read back.
    pub(super) async fn create_to_compare(&self, path: &[u8]) -> Result<Open, SftpError> {
        let flags = wire::READ_FLAG | wire::WRITE_FLAG | wire::CREATE_FLAG | wire::TRUNCATE_FLAG;
        self.open(path, flags, Attrs::of_mode(0o600)).await
    }

    /// Opens a file that is there, to write more of it.
    pub(super) async fn open_to_write(&self, path: &[u8]) -> Result<Open, SftpError> {
        self.open(path, wire::WRITE_FLAG, Attrs::default()).await
    }

    pub(super) async fn remove(&self, path: &[u8]) -> Result<(), SftpError> {
        self.send(wire::REMOVE, |body| wire::put_string(body, path), Bytes::new()).await?.done().await
    }

    pub(super) async fn close(&self, open: &Open) -> Result<(), SftpError> {
        self.of_handle(wire::CLOSE, open).await?.done().await
    }

    pub(super) async fn fstat(&self, open: &Open) -> Result<Attrs, SftpError> {
        self.of_handle(wire::FSTAT, open).await?.attrs().await
    }

    async fn of_handle(&self, kind: u8, open: &Open) -> Result<Pending, SftpError> {
        self.send(kind, |body| wire::put_string(body, &open.0), Bytes::new()).await
    }

    /// Sends a piece of at most `self.piece` bytes.
    pub(super) async fn write(&self, open: &Open, offset: u64, data: Bytes) -> Result<Pending, SftpError> {
        let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let body = |body: &mut BytesMut| {
            wire::put_string(body, &open.0);
            body.put_u64(offset);
            body.put_u32(length);
        };
        self.send(wire::WRITE, body, data).await
    }

    /// Asks for a piece. The answer may be shorter.
    pub(super) async fn read(&self, open: &Open, offset: u64, length: u32) -> Result<Pending, SftpError> {
        let body = |body: &mut BytesMut| {
            wire::put_string(body, &open.0);
            body.put_u64(offset);
            body.put_u32(length);
        };
        self.send(wire::READ, body, Bytes::new()).await
    }

    pub(super) async fn set_mode(&self, open: &Open, mode: u32) -> Result<(), SftpError> {
        let body = |body: &mut BytesMut| {
            wire::put_string(body, &open.0);
            Attrs::of_mode(mode).put(body);
        };
        self.send(wire::FSETSTAT, body, Bytes::new()).await?.done().await
    }

    pub(super) async fn set_mode_of(&self, path: &[u8], mode: u32) -> Result<(), SftpError> {
        let body = |body: &mut BytesMut| {
            wire::put_string(body, path);
            Attrs::of_mode(mode).put(body);
        };
        self.send(wire::SETSTAT, body, Bytes::new()).await?.done().await
    }

    /// Follows symbolic links.
    pub(super) async fn stat(&self, path: &[u8]) -> Result<Attrs, SftpError> {
        self.send(wire::STAT, |body| wire::put_string(body, path), Bytes::new()).await?.attrs().await
    }

    pub(super) async fn make_dir(&self, path: &[u8], mode: u32) -> Result<(), SftpError> {
        let body = |body: &mut BytesMut| {
            wire::put_string(body, path);
            Attrs::of_mode(mode).put(body);
        };
        self.send(wire::MKDIR, body, Bytes::new()).await?.done().await
    }

    /// The names in a folder, without `.` and `..`.
    pub(super) async fn list(&self, path: &[u8]) -> Result<Vec<Vec<u8>>, SftpError> {
        let pending = self.send(wire::OPENDIR, |body| wire::put_string(body, path), Bytes::new()).await?;
        let open = pending.opened().await?;
        let mut names = Vec::new();
        loop {
            match self.of_handle(wire::READDIR, &open).await?.reply().await {
                Ok(Reply::Names(more)) => names.extend(more.into_iter().map(|(name, _)| name.to_vec())),
                Err(error) if error.is_eof() => break,
                Ok(other) => return Err(odd(&other)),
                Err(error) => return Err(error),
            }
        }
        self.close(&open).await?;
        names.retain(|name| name != b"." && name != b"..");
        Ok(names)
    }
}

/// Hands each answer to who waits for it; when the channel ends, nobody waits any longer.
async fn read(mut from: ChannelReadHalf, mut buffer: BytesMut, waiting: Waiting, is_closed: Arc<AtomicBool>) {
    let take = |id| waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut()?.remove(&id);
    'read: while let Some(message) = from.wait().await {
        match message {
            ChannelMsg::Data { data } => buffer.extend_from_slice(&data),
            ChannelMsg::Close => {
                is_closed.store(true, Ordering::Release);
                break;
            }
            _ => continue,
        }
        loop {
            match take_packet(&mut buffer) {
                Ok(Some(packet)) => {
                    if let Some((id, reply)) = wire::reply(packet)
                        && let Some(sender) = take(id)
                    {
                        // Who asked may have gone away.
                        let _ = sender.send(reply);
                    }
                }
                Ok(None) => break,
                Err(()) => break 'read,
            }
        }
    }
    waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// A whole packet from the front of the buffer, without its length; `Err`: this is not SFTP.
fn take_packet(buffer: &mut BytesMut) -> Result<Option<Bytes>, ()> {
    let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if length > LONGEST_PACKET {
        return Err(());
    }
    if buffer.len() < 4 + length {
        buffer.reserve(4 + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(4);
    Ok(Some(buffer.split_to(length).freeze()))
}
