//! What kiln and a machine's init say to each other over the socket that is the init's standard input: JSON, a message a
//! line, some with an open file. The end of the stream is the end of the machine.

use std::collections::VecDeque;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A file system of a machine: an overlay. Paths are relative to the store, but for `lower`, which may be absolute.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Volume {
    /// `/`, or a folder of the machine below it.
    pub at: String,
    /// Topmost first.
    pub lower: Vec<PathBuf>,
    pub upper: PathBuf,
    pub work: PathBuf,
}

/// All that an init needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Setup {
    pub instance_id: String,
    pub hostname: String,
    /// Where the root is put together, relative to the store.
    pub mount: PathBuf,
    /// The machine's folder in the store, for what is left of it to be put in order at its end.
    pub home: PathBuf,
    /// The root first.
    pub volumes: Vec<Volume>,
    /// Whether logins have ids of their own; else each is uid 0 under its own home.
    pub many_ids: bool,
    pub own_network: bool,
    /// The logins that take the keys.
    pub login_user: String,
    pub authorized_keys: Vec<String>,
    #[serde(default)]
    pub user_data: Option<Vec<u8>>,
    pub processes: Option<u64>,
    pub disk_mib: Option<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    Login {
        id: u64,
        user: String,
    },
    Connect {
        id: u64,
        host: String,
        port: u16,
    },
    /// SIGTERM to all, a moment, then the end.
    End,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tell {
    /// With a listening socket inside for the metadata service, if there is one.
    Metadata,
    /// With a listening socket inside for the way out.
    Proxy,
    /// Logins can begin.
    Ready,
    UserData {
        ok: bool,
    },
    Login {
        id: u64,
        login: Option<Login>,
    },
    /// With the connection, unless it was refused.
    Connected {
        id: u64,
        error: Option<String>,
    },
    /// Asked for from inside; the end follows.
    Power {
        reboot: bool,
    },
    Failed {
        why: String,
    },
}

impl Tell {
    /// Whether an open file comes with it.
    pub fn carries(&self) -> bool {
        matches!(self, Self::Metadata | Self::Proxy | Self::Connected { error: None, .. })
    }
}

/// A user as a machine knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    pub home: String,
    pub shell: String,
    /// The lines of its `authorized_keys`.
    pub keys: Vec<String>,
    /// From `/etc/environment`.
    pub variables: Vec<(String, String)>,
}

/// One end of the socket.
pub struct Control {
    stream: Arc<UnixStream>,
    read: VecDeque<u8>,
    files: VecDeque<OwnedFd>,
}

impl Control {
    pub fn new(stream: UnixStream) -> Self {
        Self { stream: Arc::new(stream), read: VecDeque::new(), files: VecDeque::new() }
    }

    /// For [`send`], beside the one who receives.
    pub fn sender(&self) -> Arc<UnixStream> {
        Arc::clone(&self.stream)
    }

    /// The next message; `None`: the other side is gone. Nothing is lost when the future is dropped.
    pub async fn receive<T: DeserializeOwned>(&mut self) -> io::Result<Option<T>> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return serde_json::from_slice(&line).map(Some).map_err(io::Error::from);
            }
            let (bytes, files) = self.stream.async_io(Interest::READABLE, || receive(self.stream.as_fd())).await?;
            if bytes.is_empty() {
                return Ok(None);
            }
            self.read.extend(bytes);
            self.files.extend(files);
        }
    }

    /// The file that came with the message received last.
    pub fn file(&mut self) -> Option<OwnedFd> {
        self.files.pop_front()
    }
}

/// Sends one message, with an open file.
pub async fn send(stream: &UnixStream, message: &impl Serialize, file: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let mut rest = &line[..];
    let files: Vec<BorrowedFd<'_>> = file.into_iter().collect();
    let mut with = !files.is_empty();
    while !rest.is_empty() {
        let sent = stream
            .async_io(Interest::WRITABLE, || {
                let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
                let mut control = SendAncillaryBuffer::new(&mut space);
                if with {
                    control.push(SendAncillaryMessage::ScmRights(&files));
                }
                let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
                Ok(rustix::net::sendmsg(stream, &[IoSlice::new(rest)], &mut control, flags)?)
            })
            .await?;
        with = false;
        rest = &rest[sent..];
    }
    Ok(())
}

fn receive(socket: BorrowedFd<'_>) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    let mut bytes = vec![0; 16 << 10];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let got = rustix::net::recvmsg(socket, &mut [IoSliceMut::new(&mut bytes)], &mut control, flags)?;
    let files = control
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    bytes.truncate(got.bytes);
    Ok((bytes, files))
}
