//! Commands on the machine: their input, their output as it comes, and how they ended.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use russh::client::Msg;
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, Pty, Sig};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::communicator::{Exit, OutputSink, RemoteError};
use super::quote;
use super::session::{Outbound, Session};

/// How long a cancelled command has to end by itself after each signal.
const GRACE: Duration = Duration::from_secs(2);
/// How long the machine may take to find a command and send it a signal.
const STOP_LIMIT: Duration = Duration::from_secs(5);

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
    let to = Outbound::new(to);
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
    let mut full: Option<BoxFuture<'static, ()>> = None;
    loop {
        let message = tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            () = async { if let Some(room) = &mut full { room.await } }, if full.is_some() => {
                full = None;
                continue;
            }
            message = from.wait(), if full.is_none() => message,
            () = &mut feeding, if !fed => {
                fed = true;
                continue;
            }
        };
        match message {
            Some(ChannelMsg::Data { data }) => {
                sink.stdout(&data);
                full = sink.room();
            }
            Some(ChannelMsg::ExtendedData { data, .. }) => {
                sink.stderr(&data);
                full = sink.room();
            }
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
                to.closed().store(true, Ordering::Release);
                return exit.ok_or_else(|| {
                    if session.is_closed() {
                        session.lost()
                    } else {
                        RemoteError::LinkLost("the command's channel closed without an exit status".to_owned())
                    }
                });
            }
            Some(_) => {}
        }
    }
    end(session, &mut from, &to, command).await;
    Err(RemoteError::Cancelled)
}

/// Ends a command that nobody wants any longer, and waits until it has ended. The link may be dead as well; then nobody
/// hears this, and the command ends when the machine notices.
async fn end(session: &Session, from: &mut ChannelReadHalf, to: &Outbound, command: &str) {
    let _ = tokio::time::timeout(GRACE, to.signal(Sig::TERM)).await;
    // OpenSSH passes no signals on for root.
    if !session.is_root() && has_ended(from, to).await {
        return;
    }
    for signal in ["TERM", "KILL"] {
        let stopping = tokio::time::timeout(STOP_LIMIT, Box::pin(stop(session, command, signal)));
        tokio::pin!(stopping);
        let mut ended = false;
        loop {
            tokio::select! {
                _ = &mut stopping => break,
                // What it still prints is taken away: the link would be full of it, and no order get through.
                () = ending(from, to), if !ended => ended = true,
            }
        }
        if ended || has_ended(from, to).await {
            return;
        }
    }
}

/// Whether the command ends within its time of grace.
async fn has_ended(from: &mut ChannelReadHalf, to: &Outbound) -> bool {
    tokio::time::timeout(GRACE, ending(from, to)).await.is_ok()
}

/// Returns when the command has ended; what it prints until then is dropped.
async fn ending(from: &mut ChannelReadHalf, to: &Outbound) {
    while let Some(message) = from.wait().await {
        match message {
            ChannelMsg::ExitStatus { .. } | ChannelMsg::ExitSignal { .. } => return,
            ChannelMsg::Close => break,
            _ => {}
        }
    }
    to.closed().store(true, Ordering::Release);
}

/// Looks for a command among the processes of this very connection (on machines with `/proc`), and sends a signal to all
/// that is in its process group. When several commands run, it is the one whose command line has our words.
async fn stop(session: &Session, command: &str, signal: &str) {
    let line: String =
        command.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(80).collect();
    // The siblings of this shell are the connection's other channels; those of SFTP are no commands.
    let script = format!(
        "all= named=\n\
         for d in /proc/[0-9]*; do\n\
         p=${{d#/proc/}}; [ \"$p\" != $$ ] || continue\n\
         {{ read -r s <$d/stat; }} 2>/dev/null || continue\n\
         set -- ${{s##*) }}; [ \"$2\" = $PPID ] || continue\n\
         case $s in *'(sftp-server'*|*'(sshd'*) continue;; esac\n\
         all=\"$all -$p\"\n\
         if tr '\\000' ' ' 2>/dev/null <$d/cmdline | grep -qF -e {line}; then named=\"$named -$p\"; fi\n\
         done\n\
         set -- $all; [ $# -le 1 ] || set -- $named\n\
         [ $# = 0 ] || kill -{signal} \"$@\"",
        line = quote::word(&line)
    );
    let Ok(channel) = session.channel().await else { return };
    let (mut from, to) = channel.split();
    let to = Outbound::new(to);
    if to.exec(false, quote::posix(&script)).await.is_ok() {
        while let Some(message) = from.wait().await {
            if matches!(message, ChannelMsg::Close) {
                to.closed().store(true, Ordering::Release);
                return;
            }
        }
    }
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
