//! Commands on the machine: their input, their output as it comes, and how they ended.

use std::time::Duration;

use bytes::Bytes;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelWriteHalf, Pty, Sig};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::communicator::{Exit, OutputSink, RemoteError};
use super::session::Session;

/// How long a cancelled command has to end by itself before it is killed.
const GRACE: Duration = Duration::from_millis(1500);

/// What a command reads from its standard input.
pub(super) enum Input {
    Bytes(Bytes),
    /// Pieces as they are made; its end is the input's end.
    Pieces(mpsc::Receiver<Bytes>),
}

impl Input {
    pub(super) fn nothing() -> Self {
        Self::Bytes(Bytes::new())
    }
}

/// Runs `command` on a fresh channel of `session`.
///
/// # Errors
/// `LinkLost` also when the channel ends without a status or signal: without proof of its end a command has not ended.
pub(super) async fn run(
    session: &Session,
    channel: Channel<Msg>,
    command: &str,
    input: Input,
    pty: bool,
    sink: &mut dyn OutputSink,
    cancel: &CancellationToken,
) -> Result<Exit, RemoteError> {
    let (mut from, to) = channel.split();
    if pty {
        // As Packer asks for it; without echo, or a script's input would appear in the log.
        let modes = [(Pty::ECHO, 0), (Pty::TTY_OP_ISPEED, 14_400), (Pty::TTY_OP_OSPEED, 14_400)];
        to.request_pty(true, "xterm", 80, 40, 0, 0, &modes).await.map_err(|_| session.lost())?;
    }
    to.exec(true, command).await.map_err(|_| session.lost())?;
    let mut granted = if pty { ["a terminal", "to run a command"].iter() } else { ["to run a command"].iter() };
    let feeding = feed(&to, input);
    tokio::pin!(feeding);
    let mut fed = false;
    let mut exit = None;
    loop {
        let message = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            message = from.wait() => message,
            () = &mut feeding, if !fed => {
                fed = true;
                continue;
            }
        };
        match message {
            Some(ChannelMsg::Data { data }) => sink.stdout(&data),
            Some(ChannelMsg::ExtendedData { data, .. }) => sink.stderr(&data),
            Some(ChannelMsg::ExitStatus { exit_status }) => exit = Some(Exit::Status(exit_status)),
            Some(ChannelMsg::ExitSignal { signal_name, .. }) => exit = Some(Exit::Signal(name(&signal_name))),
            Some(ChannelMsg::Success) => {
                granted.next();
            }
            Some(ChannelMsg::Failure) => {
                let what = granted.next().copied().unwrap_or("a request");
                return Err(RemoteError::Refused(format!("the machine's SSH server refused {what}")));
            }
            Some(ChannelMsg::Close) | None => {
                return exit.ok_or_else(|| match session.is_closed() {
                    true => session.lost(),
                    false => RemoteError::LinkLost("the command's channel closed without an exit status".to_owned()),
                });
            }
            Some(_) => {}
        }
    }
    // The link may be dead as well; then nobody hears this, and the command ends when the machine notices.
    let _ = tokio::time::timeout(GRACE, async {
        let _ = to.signal(Sig::TERM).await;
        while let Some(message) = from.wait().await {
            if matches!(message, ChannelMsg::ExitStatus { .. } | ChannelMsg::ExitSignal { .. } | ChannelMsg::Close) {
                break;
            }
        }
    })
    .await;
    let _ = tokio::time::timeout(GRACE, async {
        let _ = to.signal(Sig::KILL).await;
        let _ = to.close().await;
    })
    .await;
    Err(RemoteError::Cancelled)
}

/// Writes all input, then says that there is no more. A command that does not want its input is no error.
async fn feed(to: &ChannelWriteHalf<Msg>, input: Input) {
    match input {
        Input::Bytes(bytes) => {
            if !bytes.is_empty() && to.data_bytes(bytes).await.is_err() {
                return;
            }
        }
        Input::Pieces(mut pieces) => {
            while let Some(piece) = pieces.recv().await {
                if to.data_bytes(piece).await.is_err() {
                    return;
                }
            }
        }
    }
    let _ = to.eof().await;
}

fn name(signal: &Sig) -> String {
    match signal {
        Sig::Custom(name) => name.clone(),
        known => format!("{known:?}"),
    }
}

/// Keeps what a short command prints.
#[derive(Debug, Default)]
pub(super) struct Captured {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// More than any command of ours prints for a machine in order; what comes beyond is dropped.
const CAPTURE_LIMIT: usize = 64 << 20;

impl Captured {
    /// What it complained about, in one line.
    pub(super) fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(if self.stderr.is_empty() { &self.stdout } else { &self.stderr });
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        lines.join("; ")
    }
}

impl OutputSink for Captured {
    fn stdout(&mut self, bytes: &[u8]) {
        if self.stdout.len() + bytes.len() <= CAPTURE_LIMIT {
            self.stdout.extend_from_slice(bytes);
        }
    }

    fn stderr(&mut self, bytes: &[u8]) {
        if self.stderr.len() + bytes.len() <= CAPTURE_LIMIT {
            self.stderr.extend_from_slice(bytes);
        }
    }
}
