//! What it takes to reach a machine. Not here: how it is done (`session.rs`), and when to try again (the builders).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::host_keys::HostKeys;

/// Text that is never shown: `Debug` prints dots.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for those who send it on its way.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// One way to prove who we are. A list of them is tried in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// A private key file without a passphrase (OpenSSH, PKCS#1, PKCS#8, SEC1 or `PuTTY` form); a leading `~` is expanded.
    Key { path: PathBuf },
    /// A private key's text, such as that of a temporary key.
    KeyText(Hidden),
    /// An OpenSSH user certificate, and the private key that it is for.
    Certificate { key: PathBuf, certificate: PathBuf },
    /// Each identity of the agent at `SSH_AUTH_SOCK`, in its order.
    Agent,
    /// The password, sent as such, and as the answer to every question of keyboard-interactive.
    Password(Hidden),
}

/// How files travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TransferMethod {
    /// SFTP; SCP where the machine has no SFTP.
    #[default]
    Sftp,
    /// The old `scp` protocol, as a template may ask.
    Scp,
}

/// A machine in between, which opens the connection to the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bastion {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub auth: Vec<Auth>,
}

/// A SOCKS5 proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Socks5 {
    pub host: String,
    pub port: u16,
    pub user: Option<String>,
    pub password: Option<Hidden>,
}

/// `PORT:HOST:PORT`: what connects to `port` on the listening side's loopback is led to `host:host_port` as the other side
/// sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tunnel {
    pub port: u16,
    pub host: String,
    pub host_port: u16,
}

impl std::str::FromStr for Tunnel {
    type Err = String;

    /// Reads Packer's notation, `8080:localhost:80`; an IPv6 address stands in brackets.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a tunnel: it must be PORT:HOST:PORT, such as 8080:localhost:80");
        let (port, rest) = text.split_once(':').ok_or_else(wrong)?;
        let (host, host_port) = rest.rsplit_once(':').ok_or_else(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() {
            return Err(wrong());
        }
        Ok(Self {
            port: port.parse().map_err(|_| wrong())?,
            host: host.to_owned(),
            host_port: host_port.parse().map_err(|_| wrong())?,
        })
    }
}

/// Everything that [`super::connect`] needs. `new` gives Packer's defaults.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// A name or an address.
    pub host: String,
    pub port: u16,
    pub user: String,
    /// In the order in which they are tried; must not be empty.
    pub auth: Vec<Auth>,
    /// For the TCP connection. Packer: 15 s.
    pub dial_timeout: Duration,
    /// From the TCP connection to the end of authentication. Packer: 60 s.
    pub handshake_timeout: Duration,
    /// A read or write on the connection that takes longer breaks it (`ssh_read_write_timeout`); `None`: no limit, apart
    /// from what keep-alive finds out.
    pub read_write_timeout: Option<Duration>,
    /// How often a silent link is asked for a sign of life; after three unanswered questions it counts as dead. Packer: 5 s.
    /// `None`: never.
    pub keep_alive: Option<Duration>,
    /// Commands get a terminal (`xterm`, 80 columns, 40 lines, no echo).
    pub pty: bool,
    pub transfer: TransferMethod,
    /// Names of the ciphers to offer, best first; empty: kiln's own choice.
    pub ciphers: Vec<String>,
    /// Names of the key exchanges to offer, best first; empty: kiln's own choice.
    pub key_exchange: Vec<String>,
    pub bastion: Option<Bastion>,
    pub proxy: Option<Socks5>,
    /// Lets commands on the machine use the local agent, where there is one.
    pub agent_forwarding: bool,
    /// Listens here, leads there.
    pub local_tunnels: Vec<Tunnel>,
    /// Listens on the machine, leads here.
    pub remote_tunnels: Vec<Tunnel>,
    /// Shared by all connections of one build.
    pub host_keys: Arc<HostKeys>,
    /// Where the agent listens; `None`: `SSH_AUTH_SOCK`.
    pub agent_socket: Option<PathBuf>,
}

impl ConnectOptions {
    pub fn new(host: impl Into<String>, port: u16, user: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port,
            user: user.into(),
            auth: Vec::new(),
            dial_timeout: Duration::from_secs(15),
            handshake_timeout: Duration::from_mins(1),
            read_write_timeout: None,
            keep_alive: Some(Duration::from_secs(5)),
            pty: false,
            transfer: TransferMethod::default(),
            ciphers: Vec::new(),
            key_exchange: Vec::new(),
            bastion: None,
            proxy: None,
            agent_forwarding: false,
            local_tunnels: Vec::new(),
            remote_tunnels: Vec::new(),
            host_keys: Arc::default(),
            agent_socket: None,
        }
    }

    /// `host:port`, for messages.
    pub fn address(&self) -> String {
        address(&self.host, self.port)
    }
}

/// `host:port`, an IPv6 address in brackets.
pub(super) fn address(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_in_the_debug_text() {
        let mut options = ConnectOptions::new("h", 22, "u");
        options.auth = vec![Auth::Password(Hidden::new("hunter2")), Auth::KeyText(Hidden::new("-----BEGIN"))];
        options.proxy = Some(Socks5 { host: "p".into(), port: 1, user: None, password: Some(Hidden::new("sesame")) });
        let shown = format!("{options:?}");
        for secret in ["hunter2", "BEGIN", "sesame"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn tunnels_are_read_in_packers_notation() {
        let tunnel = |host: &str| Tunnel { port: 8080, host: host.into(), host_port: 80 };
        assert_eq!("8080:localhost:80".parse(), Ok(tunnel("localhost")));
        assert_eq!("8080:[::1]:80".parse(), Ok(tunnel("::1")));
        for wrong in ["", "80", "80:80", "80::80", "x:localhost:80", "80:localhost:70000"] {
            assert!(wrong.parse::<Tunnel>().is_err(), "{wrong}");
        }
    }
}
