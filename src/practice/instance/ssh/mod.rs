//! A machine's SSH server, in kiln: keys, commands, terminals, SFTP, scp and forwarded connections. What a login then does is
//! the machine's business ([`Guest`]).

mod connection;
mod link;
mod session;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::super::machine::{BoxFuture, LinkFaults};
use link::Link;

pub type Reader = Pin<Box<dyn AsyncRead + Send>>;
pub type Writer = Pin<Box<dyn AsyncWrite + Send>>;

/// Who logs in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    /// The lines of its `authorized_keys`.
    pub keys: Vec<String>,
}

/// What a client asks for on one channel.
#[derive(Clone, Debug)]
pub struct Job {
    pub kind: Kind,
    pub variables: Vec<(String, String)>,
    pub terminal: Option<Terminal>,
    pub client: SocketAddr,
    pub server: SocketAddr,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Shell,
    Command(Vec<u8>),
    Sftp,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terminal {
    pub name: String,
    pub columns: u16,
    pub rows: u16,
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Status(u32),
    /// By its number on this system.
    Signal(i32),
}

/// What was started for a channel.
pub struct Running {
    pub input: Option<Writer>,
    pub output: Reader,
    /// With a terminal there is only one stream.
    pub errors: Option<Reader>,
    pub exit: BoxFuture<'static, Exit>,
    pub steer: Box<dyn Steer>,
}

/// What a client can still do to it.
pub trait Steer: Send + Sync {
    fn resize(&self, columns: u16, rows: u16);
    /// `name` as in RFC 4254: `TERM`.
    fn signal(&self, name: &str);
}

pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// The machine behind the server.
pub trait Guest: Send + Sync + 'static {
    /// `None`: there is no such user.
    fn account<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Option<Account>>;
    fn start<'a>(&'a self, user: &'a str, job: Job) -> BoxFuture<'a, io::Result<Running>>;
    /// A connection that the machine makes.
    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Duplex>>>;
}

/// One server. It ends, with all its connections, when it is dropped.
pub struct Server {
    open: CancellationToken,
    cut: watch::Sender<CancellationToken>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.open.cancel();
    }
}

/// What the machine's host keys are made from; the same seed gives the same keys.
pub type Seed = [u8; 32];

fn host_key(seed: &Seed, number: u32) -> PrivateKey {
    let mut seed = *seed;
    for (byte, more) in seed.iter_mut().zip(number.to_be_bytes()) {
        *byte ^= more;
    }
    PrivateKey::from(Ed25519Keypair::from_seed(&seed))
}

fn config(seed: &Seed, number: u32) -> Arc<server::Config> {
    Arc::new(server::Config {
        server_id: russh::SshId::Standard("SSH-2.0-OpenSSH_practice".into()),
        keys: vec![host_key(seed, number)],
        methods: (&[russh::MethodKind::PublicKey][..]).into(),
        auth_rejection_time: Duration::from_millis(50),
        auth_rejection_time_initial: Some(Duration::ZERO),
        max_auth_attempts: 20,
        inactivity_timeout: None,
        keepalive_interval: Some(Duration::from_secs(30)),
        keepalive_max: 4,
        nodelay: true,
        ..server::Config::default()
    })
}

impl Server {
    /// Listens at `address`; connections are taken from when this returns.
    pub fn open(
        address: SocketAddr,
        seed: Seed,
        guest: Arc<dyn Guest>,
        mut faults: watch::Receiver<LinkFaults>,
    ) -> io::Result<Self> {
        let listener = listen(address)?;
        let open = CancellationToken::new();
        let cut = watch::Sender::new(open.child_token());
        let server = Self { open: open.clone(), cut: cut.clone() };
        tokio::spawn(async move {
            let mut listener = Some(listener);
            let mut taken = 0_u32;
            loop {
                let refuse = faults.borrow_and_update().refuse;
                if refuse {
                    listener = None;
                } else if listener.is_none() {
                    listener = listen(address).ok();
                }
                let accepted = async {
                    match &listener {
                        Some(listener) => listener.accept().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = open.cancelled() => return,
                    changed = faults.changed() => if changed.is_err() {
                        // Nobody is left to change them: as they are.
                        let (_, fixed) = watch::channel(faults.borrow().clone());
                        faults = fixed;
                        let Some(listener) = &listener else { return };
                        loop {
                            tokio::select! {
                                () = open.cancelled() => return,
                                accepted = listener.accept() => if let Ok((stream, client)) = accepted {
                                    taken = taken.saturating_add(1);
                                    take(stream, client, address, taken, &faults, seed, &guest, cut.borrow().clone());
                                }
                            }
                        }
                    },
                    accepted = accepted => match accepted {
                        Ok((stream, client)) => {
                            taken = taken.saturating_add(1);
                            take(stream, client, address, taken, &faults, seed, &guest, cut.borrow().clone());
                        }
                        // Out of files, as a rule: others may close theirs.
                        Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                    },
                }
            }
        });
        Ok(server)
    }

    /// Breaks every connection; new ones can be made.
    pub fn cut(&self) {
        self.cut.send_replace(self.open.child_token()).cancel();
    }
}

/// Bound as servers are, so that one that was just closed is no hindrance.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(128)
}

/// Whether a server could listen there now.
pub fn is_free(address: SocketAddr) -> bool {
    listen(address).is_ok()
}

#[expect(clippy::too_many_arguments, reason = "what a connection is made of")]
fn take(
    stream: tokio::net::TcpStream,
    client: SocketAddr,
    address: SocketAddr,
    number: u32,
    faults: &watch::Receiver<LinkFaults>,
    seed: Seed,
    guest: &Arc<dyn Guest>,
    cut: CancellationToken,
) {
    let (mut faults, guest) = (faults.clone(), Arc::clone(guest));
    tokio::spawn(async move {
        let now = faults.borrow().clone();
        if number <= now.drop_first {
            return;
        }
        let _ = stream.set_nodelay(true);
        let quiet = async {
            // Only the cut or the end of the machine breaks the silence.
            while faults.borrow_and_update().hang {
                if faults.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            tokio::time::sleep(Duration::from_millis(now.delay_ms)).await;
        };
        tokio::select! {
            () = cut.cancelled() => return,
            () = quiet => {}
        }
        let stream = Link::new(stream, &now, cut.clone());
        let handler = connection::Connection::new(guest, client, address);
        let run = async {
            if let Ok(session) = server::run_stream(config(&seed, now.host_key), stream, handler).await {
                let _ = session.await;
            }
        };
        tokio::select! {
            () = cut.cancelled() => {}
            () = run => {}
        }
    });
}
