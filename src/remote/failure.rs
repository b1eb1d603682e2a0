//! Why a connection did not come about, in words that help.

use std::time::Duration;

/// Why one attempt to connect failed. The texts are sentences without a final full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there (yet).
    #[error("{address} refused the connection: nothing listens on that port")]
    Refused { address: String },
    #[error("{address} did not answer within {}", in_words(*.limit))]
    TimedOut { address: String, limit: Duration },
    #[error("{address} cannot be reached: {why}")]
    Unreachable { address: String, why: String },
    /// It answered, but the talk broke down before anybody was asked who they are.
    #[error("the SSH handshake with {address} failed: {why}")]
    Handshake { address: String, why: String },
    #[error("{address} did not let user `{user}` in (tried {}; it takes {})", list(.tried), list(.offered))]
    AuthRefused { address: String, user: String, tried: Vec<String>, offered: Vec<String> },
    #[error("{address} showed another host key than before: it was {before}, it is {now}")]
    HostKeyChanged { address: String, before: String, now: String },
    #[error("the SSH key {path} cannot be used: {why}")]
    BadKey { path: String, why: String },
    #[error("the SSH agent cannot be used: {why}")]
    Agent { why: String },
    #[error("through the bastion: {0}")]
    BastionFailed(Box<ConnectError>),
    #[error("the SOCKS5 proxy {proxy} did not lead to {address}: {why}")]
    ProxyFailed { proxy: String, address: String, why: String },
    #[error("the tunnel on port {port} cannot be opened: {why}")]
    Tunnel { port: u16, why: String },
    #[error("{0}")]
    Options(String),
    #[error("cancelled")]
    Cancelled,
}

impl ConnectError {
    /// What the user can do.
    pub fn help(&self) -> Option<&'static str> {
        Some(match self {
            Self::Refused { .. } => {
                "the machine may still be booting; else check `ssh_port` and that sshd runs in the image"
            }
            Self::TimedOut { .. } | Self::Unreachable { .. } => {
                "check the security group, the subnet's route to the internet (is a public address associated?), and `ssh_interface`"
            }
            Self::Handshake { .. } => {
                "is it an SSH server that listens there? `ssh_ciphers` and `ssh_key_exchange_algorithms` may rule out what it speaks"
            }
            Self::AuthRefused { .. } => {
                "check `ssh_username` (ubuntu, ec2-user, admin, …: it depends on the image) and that the key is the machine's"
            }
            Self::HostKeyChanged { .. } => {
                "another machine answers at this address, or something on the machine made new host keys; the build does not go on with it"
            }
            Self::BadKey { .. } => {
                "give a private key without a passphrase, or load it into an agent and set `ssh_agent_auth`"
            }
            Self::Agent { .. } => "start an agent, load a key with ssh-add, and export SSH_AUTH_SOCK",
            Self::BastionFailed(inner) => return inner.help(),
            Self::ProxyFailed { .. } => {
                "check `ssh_proxy_host`, `ssh_proxy_port`, and the proxy's user name and password"
            }
            Self::Tunnel { .. } => "choose another port, or free it",
            Self::Options(_) | Self::Cancelled => return None,
        })
    }

    /// Whether a later attempt can go better without anybody changing the template: a machine that boots refuses, is silent
    /// or does not yet know its keys.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Refused { .. }
            | Self::TimedOut { .. }
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::AuthRefused { .. }
            | Self::ProxyFailed { .. } => true,
            Self::BastionFailed(inner) => inner.may_pass(),
            Self::HostKeyChanged { .. }
            | Self::BadKey { .. }
            | Self::Agent { .. }
            | Self::Tunnel { .. }
            | Self::Options(_)
            | Self::Cancelled => false,
        }
    }

    /// Whether the machine was reached and said no to our identity: what Packer's `ssh_handshake_attempts` counts.
    pub fn is_auth(&self) -> bool {
        match self {
            Self::AuthRefused { .. } => true,
            Self::BastionFailed(inner) => inner.is_auth(),
            _ => false,
        }
    }

    /// The error of a TCP connection that did not come about.
    pub(super) fn of_dial(address: &str, error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused { address: address.to_owned() },
            _ => Self::Unreachable { address: address.to_owned(), why: error.to_string() },
        }
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}

fn in_words(limit: Duration) -> String {
    if limit.subsec_millis() == 0 { format!("{} s", limit.as_secs()) } else { format!("{:.1} s", limit.as_secs_f64()) }
}
