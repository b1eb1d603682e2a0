//! One authenticated SSH session: made here, from the TCP connection up, by one attempt.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::client::{self, Handle, Msg};
use russh::{Channel, ChannelWriteHalf, Disconnect, Limits, Preferred, cipher, kex};
use tokio_util::sync::CancellationToken;

use super::auth;
use super::communicator::RemoteError;
use super::dial::{Limited, Stream, dial};
use super::failure::ConnectError;
use super::handler::{Client, Learnt};
use super::options::{Bastion, ConnectOptions};

/// How long a live link may take to open a channel; keep-alive notices a dead one earlier.
const OPEN_LIMIT: Duration = Duration::from_mins(1);
/// How long a machine may refuse channels because it has too many.
const REFUSAL_LIMIT: Duration = Duration::from_secs(3);

pub(super) struct Session {
    handle: Handle<Client>,
    learnt: Arc<Learnt>,
    /// Lives as long as what runs through it.
    bastion: Option<Box<Session>>,
    forwards_agent: bool,
    is_root: bool,
}

impl Session {
    /// One attempt; ends with `Cancelled` soon after `cancel` fires.
    pub(super) async fn open(options: &ConnectOptions, cancel: &CancellationToken) -> Result<Self, ConnectError> {
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(ConnectError::Cancelled),
            result = attempt(options) => result,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.handle.is_closed() || self.bastion.as_ref().is_some_and(|bastion| bastion.is_closed())
    }

    /// Whether the login is the superuser's.
    pub(super) fn is_root(&self) -> bool {
        self.is_root
    }

    /// The error of a link that broke, with the reason where it is known.
    pub(super) fn lost(&self) -> RemoteError {
        let of_bastion = || self.bastion.as_ref().and_then(|bastion| bastion.learnt.ended());
        let why = self.learnt.ended().or_else(of_bastion);
        RemoteError::LinkLost(why.unwrap_or_else(|| "the connection broke".to_owned()))
    }

    /// Opens a channel for a command or a subsystem. Those that were closed a moment ago still count at the machine until
    /// what ran in them has ended, so that a refusal is not taken for an answer at once.
    pub(super) async fn channel(&self) -> Result<Channel<Msg>, RemoteError> {
        let deadline = tokio::time::Instant::now() + REFUSAL_LIMIT;
        loop {
            match self.ask_for_channel().await {
                Err(RemoteError::Refused(_)) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                result => return result,
            }
        }
    }

    /// As [`Self::channel`], but a refusal is an answer.
    pub(super) async fn ask_for_channel(&self) -> Result<Channel<Msg>, RemoteError> {
        let channel = match tokio::time::timeout(OPEN_LIMIT, self.handle.channel_open_session()).await {
            Ok(Ok(channel)) => channel,
            Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
                let why =
                    format!("the machine does not open another channel ({reason:?}); sshd's MaxSessions limits them");
                return Err(RemoteError::Refused(why));
            }
            Ok(Err(_)) => return Err(self.lost()),
            Err(_) => return Err(RemoteError::LinkLost("the machine does not open a channel".to_owned())),
        };
        if self.forwards_agent {
            channel.agent_forward(false).await.map_err(|_| self.lost())?;
        }
        Ok(channel)
    }

    /// Opens a stream to a host and port as the machine sees them.
    pub(super) async fn tunnel(&self, host: &str, port: u16) -> Result<Channel<Msg>, russh::Error> {
        self.handle.channel_open_direct_tcpip(host, u32::from(port), "127.0.0.1", 0).await
    }

    pub(super) async fn close(&self) {
        // The link may be gone already; there is nobody to tell then.
        let _ = self.handle.disconnect(Disconnect::ByApplication, "", "en").await;
        if let Some(bastion) = &self.bastion {
            let _ = bastion.handle.disconnect(Disconnect::ByApplication, "", "en").await;
        }
    }
}

/// The sending half of a channel, which is closed when this goes away: a machine allows only some channels at once.
pub(super) struct Outbound {
    half: Option<ChannelWriteHalf<Msg>>,
    is_closed: Arc<AtomicBool>,
}

impl Outbound {
    pub(super) fn new(half: ChannelWriteHalf<Msg>) -> Self {
        Self { half: Some(half), is_closed: Arc::default() }
    }

    /// To be set when the machine has closed the channel: closing it twice would break the link.
    pub(super) fn closed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_closed)
    }
}

impl std::ops::Deref for Outbound {
    type Target = ChannelWriteHalf<Msg>;

    fn deref(&self) -> &Self::Target {
        // invariant: only `drop` takes it.
        self.half.as_ref().expect("there until it is dropped")
    }
}

impl Drop for Outbound {
    fn drop(&mut self) {
        if self.is_closed.load(Ordering::Acquire) {
            return;
        }
        if let (Some(half), Ok(runtime)) = (self.half.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                // On a dead link there is nobody to tell.
                let _ = half.close().await;
            });
        }
    }
}

async fn attempt(options: &ConnectOptions) -> Result<Session, ConnectError> {
    let Some(bastion) = &options.bastion else {
        let stream = dial(&options.host, options.port, options.proxy.as_ref(), options.dial_timeout).await?;
        return handshake(options, Box::new(stream), None).await;
    };
    let to_bastion = bastion_options(options, bastion);
    let through = |error| ConnectError::BastionFailed(Box::new(error));
    let bastion = Box::pin(attempt(&to_bastion)).await.map_err(through)?;
    let channel = match tokio::time::timeout(options.dial_timeout, bastion.tunnel(&options.host, options.port)).await {
        Ok(Ok(channel)) => channel,
        Ok(Err(russh::Error::ChannelOpenFailure(reason))) => {
            let why = match reason {
                russh::ChannelOpenFailure::AdministrativelyProhibited => {
                    "the bastion does not allow it (sshd's AllowTcpForwarding)".to_owned()
                }
                _ => "the bastion cannot connect to it".to_owned(),
            };
            return Err(through(ConnectError::Unreachable { address: options.address(), why }));
        }
        Ok(Err(error)) => {
            return Err(through(ConnectError::Unreachable { address: options.address(), why: error.to_string() }));
        }
        Err(_) => {
            return Err(through(ConnectError::TimedOut { address: options.address(), limit: options.dial_timeout }));
        }
    };
    handshake(options, Box::new(channel.into_stream()), Some(Box::new(bastion))).await
}

/// The bastion is reached as the target would be, but for its own name and identity; nothing is forwarded to it.
fn bastion_options(options: &ConnectOptions, bastion: &Bastion) -> ConnectOptions {
    ConnectOptions {
        host: bastion.host.clone(),
        port: bastion.port,
        user: bastion.user.clone(),
        auth: bastion.auth.clone(),
        bastion: None,
        agent_forwarding: false,
        local_tunnels: Vec::new(),
        remote_tunnels: Vec::new(),
        ..options.clone()
    }
}

async fn handshake(
    options: &ConnectOptions,
    stream: Box<dyn Stream>,
    bastion: Option<Box<Session>>,
) -> Result<Session, ConnectError> {
    let limit = options.handshake_timeout;
    match tokio::time::timeout(limit, greet(options, stream, bastion)).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::Handshake {
            address: options.address(),
            why: format!("it was not done within {} s", limit.as_secs()),
        }),
    }
}

async fn greet(
    options: &ConnectOptions,
    stream: Box<dyn Stream>,
    bastion: Option<Box<Session>>,
) -> Result<Session, ConnectError> {
    let address = options.address();
    let learnt = Arc::new(Learnt::default());
    let agent = auth::agent_socket(options.agent_socket.as_deref()).filter(|_| options.agent_forwarding);
    let forwards_agent = agent.is_some();
    let client = Client {
        address: address.clone(),
        host_keys: Arc::clone(&options.host_keys),
        learnt: Arc::clone(&learnt),
        remote_tunnels: options.remote_tunnels.clone(),
        agent,
    };
    let stalled = options.keep_alive.map(|interval| interval * 4);
    let stream = Limited::new(stream, options.read_write_timeout, options.read_write_timeout.or(stalled));
    let mut handle = match client::connect_stream(Arc::new(config(options)?), stream, client).await {
        Ok(handle) => handle,
        Err(error) => {
            return Err(match learnt.changed() {
                Some(changed) => ConnectError::HostKeyChanged { address, before: changed.before, now: changed.now },
                None => ConnectError::Handshake { address, why: handshake_in_words(&error) },
            });
        }
    };
    auth::authenticate(&mut handle, &address, &options.user, &options.auth, options.agent_socket.as_deref()).await?;
    if let Some(key) = learnt.key() {
        options.host_keys.remember(&address, &key);
    }
    for tunnel in &options.remote_tunnels {
        handle.tcpip_forward("localhost", u32::from(tunnel.port)).await.map_err(|_| ConnectError::Tunnel {
            port: tunnel.port,
            why: "the machine does not listen on it (in use, or forbidden by its sshd)".to_owned(),
        })?;
    }
    Ok(Session { handle, learnt, bastion, forwards_agent, is_root: options.user == "root" })
}

fn handshake_in_words(error: &russh::Error) -> String {
    match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            format!("no common {kind:?} algorithm; the machine offers {}", theirs.join(", "))
        }
        russh::Error::Version => "what answers there does not speak SSH".to_owned(),
        russh::Error::HUP | russh::Error::Disconnect => "the connection was closed".to_owned(),
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the connection was closed".to_owned()
        }
        other => other.to_string(),
    }
}

fn config(options: &ConnectOptions) -> Result<client::Config, ConnectError> {
    let mut preferred = Preferred { cipher: Cow::Borrowed(ciphers()), ..Preferred::default() };
    // Nothing to gain: what is sent is mostly compressed already, and the link is faster than the compressor.
    preferred.compression = Cow::Borrowed(&[russh::compression::NONE]);
    if !options.ciphers.is_empty() {
        preferred.cipher = Cow::Owned(named(&options.ciphers, "cipher", |name| cipher::Name::try_from(name).ok())?);
    }
    if !options.key_exchange.is_empty() {
        let mut names = named(&options.key_exchange, "key exchange", |name| kex::Name::try_from(name).ok())?;
        names.extend([kex::EXTENSION_SUPPORT_AS_CLIENT, kex::EXTENSION_OPENSSH_STRICT_KEX_AS_CLIENT]);
        preferred.kex = Cow::Owned(names);
    }
    // A server with keys of several kinds must be asked for the kind that is known of it.
    if let Some(known) = options.host_keys.algorithm(&options.address()) {
        let mut order: Vec<_> = preferred.key.to_vec();
        order.sort_by_key(|algorithm| !super::host_keys::same_kind(algorithm, &known));
        preferred.key = Cow::Owned(order);
    }
    Ok(client::Config {
        client_id: russh::SshId::Standard(Cow::Borrowed(concat!("SSH-2.0-kiln_", env!("CARGO_PKG_VERSION")))),
        preferred,
        limits: Limits { rekey_write_limit: 1 << 34, rekey_read_limit: 1 << 34, ..Limits::default() },
        window_size: 8 << 20,
        maximum_packet_size: 32 << 10,
        channel_buffer_size: 512,
        keepalive_interval: options.keep_alive,
        keepalive_max: 3,
        inactivity_timeout: None,
        nodelay: true,
        ..client::Config::default()
    })
}

fn named<T>(names: &[String], what: &str, find: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ConnectError> {
    names
        .iter()
        .map(|name| {
            find(name).ok_or_else(|| ConnectError::Options(format!("`{name}` is not a {what} that kiln knows")))
        })
        .collect()
}

const WITH_AES: &[cipher::Name] = &[
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::CHACHA20_POLY1305,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

const WITHOUT_AES: &[cipher::Name] = &[
    cipher::CHACHA20_POLY1305,
    cipher::AES_128_GCM,
    cipher::AES_256_GCM,
    cipher::AES_256_CTR,
    cipher::AES_192_CTR,
    cipher::AES_128_CTR,
];

/// AES-GCM is the fastest where the processor has instructions for it, `ChaCha20` elsewhere.
fn ciphers() -> &'static [cipher::Name] {
    #[cfg(target_arch = "x86_64")]
    let aes = std::arch::is_x86_feature_detected!("aes");
    #[cfg(target_arch = "aarch64")]
    let aes = std::arch::is_aarch64_feature_detected!("aes");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let aes = false;
    if aes { WITH_AES } else { WITHOUT_AES }
}
