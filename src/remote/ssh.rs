//! The communicator over SSH: it keeps one session, and makes a new one when the old one is gone.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use russh::Channel;
use russh::client::Msg;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::communicator::{Communicator, Exec, Exit, OutputSink, RemoteError, RemoteFuture, TransferProgress};
use super::exec::{Captured, Input, run};
use super::failure::ConnectError;
use super::options::{ConnectOptions, Tunnel};
use super::session::Session;
use super::sftp::{Sftp, SftpError};
use super::{quote, transfer};

/// How long an operation that finds the link down tries to make a new one.
const RECONNECT_LIMIT: Duration = Duration::from_secs(15);
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a machine that answers with the boot that it had before may still be about to go down.
const STILL_UP: Duration = Duration::from_secs(5);

pub(super) struct SshCommunicator {
    link: Arc<Link>,
    /// Accepts connections to local tunnels; ends with this.
    _tunnels: JoinSet<()>,
}

/// The session, and what it takes to make another.
pub(super) struct Link {
    pub options: ConnectOptions,
    current: Mutex<Option<Arc<Session>>>,
    /// When the machine was first seen in the boot that it is in.
    seen: Mutex<Instant>,
    sftp: Mutex<Kept>,
}

/// Closes SFTP when it goes away, unless all was done.
struct Tidy<'a> {
    link: &'a Link,
    armed: bool,
}

impl Drop for Tidy<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.link.give_up_sftp();
        }
    }
}

/// What is known of SFTP in a session: its server on the machine costs as much to start as a command.
enum Kept {
    Nothing,
    Missing(Weak<Session>),
    Open(Arc<Sftp>),
}

/// See [`super::connect`].
pub(super) async fn connect(
    options: ConnectOptions,
    cancel: &CancellationToken,
) -> Result<Arc<dyn Communicator>, ConnectError> {
    if options.auth.is_empty() {
        return Err(ConnectError::Options("there is nothing to log in with: no key, agent or password".to_owned()));
    }
    let mut listeners = Vec::new();
    for tunnel in &options.local_tunnels {
        let bound = tokio::net::TcpListener::bind(("127.0.0.1", tunnel.port)).await;
        let listener = bound.map_err(|error| ConnectError::Tunnel { port: tunnel.port, why: error.to_string() })?;
        listeners.push((listener, tunnel.clone()));
    }
    let session = Session::open(&options, cancel).await?;
    let link = Arc::new(Link {
        options,
        current: Mutex::new(Some(Arc::new(session))),
        seen: Mutex::new(Instant::now()),
        sftp: Mutex::new(Kept::Nothing),
    });
    let mut tunnels = JoinSet::new();
    for (listener, tunnel) in listeners {
        tunnels.spawn(lead(listener, tunnel, Arc::downgrade(&link)));
    }
    Ok(Arc::new(SshCommunicator { link, _tunnels: tunnels }))
}

/// Leads each connection to the local port through the session of that moment.
async fn lead(listener: tokio::net::TcpListener, tunnel: Tunnel, link: Weak<Link>) {
    while let Ok((mut local, _)) = listener.accept().await {
        let Some(link) = link.upgrade() else { return };
        let tunnel = tunnel.clone();
        tokio::spawn(async move {
            let Ok(session) = link.session(&CancellationToken::new()).await else { return };
            let Ok(channel) = session.tunnel(&tunnel.host, tunnel.host_port).await else { return };
            // Either side may end it at any time.
            let _ = tokio::io::copy_bidirectional(&mut local, &mut channel.into_stream()).await;
        });
    }
}

/// How long the machine has been up (Linux), and whether it is about to go down (systemd).
async fn up_for(session: &Session) -> Result<(Option<Duration>, bool), RemoteError> {
    let command = "cat /proc/uptime; systemctl is-system-running";
    let mut captured = Captured::default();
    let channel = session.channel().await?;
    let never = CancellationToken::new();
    run(session, channel, &quote::posix(command), Input::nothing(), false, &mut captured, &never).await?;
    let text = String::from_utf8_lossy(&captured.stdout);
    let seconds = text.split_whitespace().next().and_then(|word| word.parse().ok());
    let up = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok((up, text.lines().any(|line| line.trim() == "stopping")))
}

impl Link {
    /// The live session; a new one when there is none.
    async fn session(&self, cancel: &CancellationToken) -> Result<Arc<Session>, RemoteError> {
        let mut current = self.current.lock().await;
        if let Some(session) = current.as_ref().filter(|session| !session.is_closed()) {
            return Ok(Arc::clone(session));
        }
        // Dropped first: a port that its tunnels hold on the machine must be free again.
        *current = None;
        self.give_up_sftp();
        let deadline = Instant::now() + RECONNECT_LIMIT;
        loop {
            match Session::open(&self.options, cancel).await {
                Ok(session) => {
                    let session = Arc::new(session);
                    *current = Some(Arc::clone(&session));
                    return Ok(session);
                }
                Err(error) if error.may_pass() && Instant::now() + PAUSE < deadline => pause(cancel).await?,
                Err(error) => return Err(of_reconnect(error)),
            }
        }
    }

    /// A new channel; on a link that turns out to be dead, over a new one.
    pub(super) async fn channel(
        &self,
        cancel: &CancellationToken,
    ) -> Result<(Arc<Session>, Channel<Msg>), RemoteError> {
        let session = self.session(cancel).await?;
        let opened = until(cancel, session.ask_for_channel()).await;
        let opened = match opened {
            Err(RemoteError::Refused(_)) => {
                // A machine that opens one channel only.
                self.give_up_sftp();
                until(cancel, session.channel()).await
            }
            opened => opened,
        };
        match opened {
            Ok(channel) => Ok((session, channel)),
            Err(RemoteError::LinkLost(_)) => {
                self.drop_session(&session).await;
                let session = self.session(cancel).await?;
                let channel = until(cancel, session.channel()).await?;
                Ok((session, channel))
            }
            Err(error) => Err(error),
        }
    }

    /// Runs a short command of kiln's own, without a terminal.
    pub(super) async fn capture(
        &self,
        script: &str,
        input: Input,
        cancel: &CancellationToken,
    ) -> Result<(Exit, Captured), RemoteError> {
        let (session, channel) = self.channel(cancel).await?;
        let mut captured = Captured::default();
        let command = quote::posix(script);
        let exit = run(&session, channel, &command, input, false, &mut captured, cancel).await?;
        Ok((exit, captured))
    }

    /// SFTP, started when it is first asked for; `None`: the machine has none.
    pub(super) async fn sftp(&self, cancel: &CancellationToken) -> Result<Option<Arc<Sftp>>, RemoteError> {
        let mut kept = self.sftp.lock().await;
        let session = self.session(cancel).await?;
        match &*kept {
            Kept::Open(sftp) if sftp.serves(&session) => return Ok(Some(Arc::clone(sftp))),
            Kept::Missing(of) if Weak::as_ptr(of) == Arc::as_ptr(&session) => return Ok(None),
            _ => *kept = Kept::Nothing,
        }
        let (session, channel) = self.channel(cancel).await?;
        match until(cancel, async { Ok(Sftp::start(Arc::clone(&session), channel).await) }).await? {
            Ok(sftp) => {
                let sftp = Arc::new(sftp);
                *kept = Kept::Open(Arc::clone(&sftp));
                Ok(Some(sftp))
            }
            Err(SftpError::Missing) => {
                *kept = Kept::Missing(Arc::downgrade(&session));
                Ok(None)
            }
            Err(error) => Err(error.about("SFTP")),
        }
    }

    /// One more SFTP in the session that there is.
    pub(super) async fn another_sftp(&self, cancel: &CancellationToken) -> Result<Sftp, RemoteError> {
        let session = self.session(cancel).await?;
        let starting = async {
            let channel = session.ask_for_channel().await?;
            Sftp::start(Arc::clone(&session), channel).await.map_err(|error| error.about("SFTP"))
        };
        until(cancel, starting).await
    }

    /// Does a transfer. One that breaks off leaves files open at the machine, and writes that nobody waits for.
    async fn transfer(&self, work: impl Future<Output = Result<(), RemoteError>>) -> Result<(), RemoteError> {
        let mut broken_off = Tidy { link: self, armed: true };
        let result = work.await;
        broken_off.armed = result.is_err();
        result
    }

    /// Closes an SFTP that nothing uses.
    fn give_up_sftp(&self) {
        if let Ok(mut kept) = self.sftp.try_lock() {
            *kept = Kept::Nothing;
        }
    }

    async fn drop_session(&self, dead: &Arc<Session>) {
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|session| Arc::ptr_eq(session, dead)) {
            *current = None;
        }
    }

    /// Drops the old link, then connects until the machine is up in another boot than before, or plainly stays in this one.
    async fn await_return(&self, limit: Duration, cancel: &CancellationToken) -> Result<(), RemoteError> {
        let deadline = Instant::now() + limit;
        let mut current = self.current.lock().await;
        self.give_up_sftp();
        if let Some(old) = current.take() {
            let _ = tokio::time::timeout(PAUSE, old.close()).await;
        }
        let seen = *self.seen.lock().await;
        let mut up_since = None;
        loop {
            let known = seen.elapsed();
            let last = match Session::open(&self.options, cancel).await {
                Ok(session) => match up_for(&session).await {
                    Ok((_, true)) => "it is still going down".to_owned(),
                    Ok((up, false)) => {
                        let since = *up_since.get_or_insert_with(Instant::now);
                        let rebooted = up.is_none_or(|up| up < known);
                        if rebooted || since.elapsed() >= STILL_UP {
                            *self.seen.lock().await = Instant::now();
                            *current = Some(Arc::new(session));
                            return Ok(());
                        }
                        session.close().await;
                        "it has not gone down".to_owned()
                    }
                    Err(error) => {
                        up_since = None;
                        error.to_string()
                    }
                },
                Err(error) if error.may_pass() => {
                    up_since = None;
                    error.to_string()
                }
                Err(error) => return Err(of_reconnect(error)),
            };
            if Instant::now() + PAUSE >= deadline {
                let why = format!("the machine did not come back within {} s: {last}", limit.as_secs());
                return Err(RemoteError::LinkLost(why));
            }
            pause(cancel).await?;
        }
    }
}

async fn pause(cancel: &CancellationToken) -> Result<(), RemoteError> {
    until(cancel, async {
        tokio::time::sleep(PAUSE).await;
        Ok(())
    })
    .await
}

/// Does `work` until `cancel` fires.
pub(super) async fn until<T>(
    cancel: &CancellationToken,
    work: impl Future<Output = Result<T, RemoteError>>,
) -> Result<T, RemoteError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(RemoteError::Cancelled),
        result = work => result,
    }
}

fn of_reconnect(error: ConnectError) -> RemoteError {
    match error {
        ConnectError::Cancelled => RemoteError::Cancelled,
        error if error.may_pass() => RemoteError::LinkLost(error.to_string()),
        error => RemoteError::Refused(error.to_string()),
    }
}

impl Communicator for SshCommunicator {
    fn exec<'a>(
        &'a self,
        exec: &'a Exec,
        sink: &'a mut dyn OutputSink,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, Exit> {
        async move {
            let (session, channel) = self.link.channel(cancel).await?;
            let input = exec.stdin.clone().map_or_else(Input::nothing, |bytes| Input::Bytes(Bytes::from(bytes)));
            let pty = exec.pty.unwrap_or(self.link.options.pty);
            run(&session, channel, &exec.command, input, pty, sink, cancel).await
        }
        .boxed()
    }

    fn upload<'a>(
        &'a self,
        local: &'a Path,
        remote: &'a str,
        mode: Option<u32>,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.link.transfer(transfer::upload(&self.link, local, remote, mode, progress, cancel)).boxed()
    }

    fn upload_bytes<'a>(
        &'a self,
        bytes: &'a [u8],
        remote: &'a str,
        mode: u32,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.link.transfer(transfer::upload_bytes(&self.link, bytes, remote, mode, cancel)).boxed()
    }

    fn remove<'a>(&'a self, remote: &'a str, cancel: &'a CancellationToken) -> RemoteFuture<'a, bool> {
        transfer::remove(&self.link, remote, cancel).boxed()
    }

    fn upload_dir<'a>(
        &'a self,
        local: &'a str,
        remote: &'a str,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.link.transfer(transfer::upload_dir(&self.link, local, remote, progress, cancel)).boxed()
    }

    fn download<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.link.transfer(transfer::download(&self.link, remote, local, progress, cancel)).boxed()
    }

    fn download_dir<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        progress: TransferProgress<'a>,
        cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.link.transfer(transfer::download_dir(&self.link, remote, local, progress, cancel)).boxed()
    }

    fn await_return<'a>(&'a self, limit: Duration, cancel: &'a CancellationToken) -> RemoteFuture<'a, ()> {
        self.link.await_return(limit, cancel).boxed()
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        async move {
            if let Some(session) = self.link.current.lock().await.take() {
                session.close().await;
            }
        }
        .boxed()
    }
}
