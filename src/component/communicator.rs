//! How a builder reaches its machine: the `ssh_*`, `winrm_*` and key pair fields that builders share, and the options that they
//! come to.
//!
//! Not here: their rules ([`check`]), the connecting itself ([`super::builder::connect`]) and the protocol (`remote`).

mod check;

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::config::GoDuration;
use crate::remote::{Auth, Bastion, ConnectOptions, Hidden, HostKeys, Socks5, TransferMethod};

/// Packer's default for `ssh_port`.
pub const SSH_PORT: u16 = 22;
/// Packer's default for `ssh_proxy_port`.
pub const SOCKS_PORT: u16 = 1080;
/// Packer's default for `ssh_handshake_attempts`.
pub const HANDSHAKE_ATTEMPTS: u32 = 10;
/// Packer's default for `ssh_timeout`, where neither it nor `ssh_handshake_attempts` is written.
pub const SSH_TIMEOUT: Duration = Duration::from_secs(300);

/// The communicator's fields; a builder flattens this into its own config.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct CommunicatorConfig {
    /// How kiln talks to the machine: `ssh`, `winrm`, or `none` for a machine that is not provisioned at all.
    #[schemars(extend("default" = "ssh", "x-kiln-one-of" = ["ssh", "winrm", "none"], "x-kiln-not-built-values" = ["winrm"]))]
    pub communicator: String,
    /// Connects once, closes the connection, waits this long, and connects again: for machines that reboot or replace
    /// their SSH server shortly after the first boot.
    pub pause_before_connecting: GoDuration,

    /// The address to connect to. Builders that start machines find it themselves.
    pub ssh_host: String,
    /// The port of the machine's SSH server.
    #[schemars(extend("default" = 22))]
    pub ssh_port: Option<u16>,
    /// The user to log in as, such as `ubuntu`, `ec2-user`, `admin` or `root`: the source image decides.
    pub ssh_username: String,
    /// The password to log in with; it also answers every question of keyboard-interactive authentication.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub ssh_password: String,
    /// Name of a key pair that the cloud already has. kiln then needs its private key: `ssh_private_key_file` or
    /// `ssh_agent_auth`.
    #[schemars(extend("x-kiln-values-from" = "key-pairs"))]
    pub ssh_keypair_name: String,
    /// Name of the temporary key pair; by default `packer_` and a unique id.
    pub temporary_key_pair_name: String,
    /// Kind of the temporary key: `ed25519` or `rsa`. kiln makes `ed25519` unless told otherwise.
    #[schemars(extend("x-kiln-one-of" = ["rsa", "ed25519"]))]
    pub temporary_key_pair_type: String,
    /// Bits of a temporary RSA key: 2048 or more. Has no meaning for `ed25519`.
    pub temporary_key_pair_bits: Option<u32>,
    /// Takes the temporary key's line out of the image's `authorized_keys`. kiln does so unless this says `false`.
    #[schemars(extend("default" = true))]
    pub ssh_clear_authorized_keys: Option<bool>,
    /// Ciphers to offer, best first; by default kiln's own choice.
    pub ssh_ciphers: Vec<String>,
    /// Key exchange algorithms to offer, best first; by default kiln's own choice.
    pub ssh_key_exchange_algorithms: Vec<String>,
    /// Private key to log in with: a file in OpenSSH or PEM form, not encrypted. `~` is the home folder.
    pub ssh_private_key_file: String,
    /// Certificate (`id_ed25519-cert.pub`) that belongs to `ssh_private_key_file`.
    pub ssh_certificate_file: String,
    /// Runs commands in a terminal (a PTY), as some `sudo` rules demand. Standard error is then part of standard output.
    pub ssh_pty: bool,
    /// How long to try to connect before the build fails; 5 minutes where neither this nor `ssh_handshake_attempts` is set.
    #[schemars(extend("default" = "5m"))]
    pub ssh_timeout: Option<GoDuration>,
    /// The old name of `ssh_timeout`.
    #[schemars(extend("x-kiln-deprecated" = "use `ssh_timeout`"))]
    pub ssh_wait_timeout: Option<GoDuration>,
    /// Logs in with the keys of the running SSH agent; no temporary key is made.
    pub ssh_agent_auth: bool,
    /// Does not offer the local SSH agent to the machine.
    pub ssh_disable_agent_forwarding: bool,
    /// How often logging in may be refused before the build fails; 10 where neither this nor `ssh_timeout` is set.
    #[schemars(extend("default" = 10))]
    pub ssh_handshake_attempts: Option<u32>,
    /// A host to connect through. One of its own ways to log in must be given too.
    pub ssh_bastion_host: String,
    /// The port of the bastion's SSH server.
    #[schemars(extend("default" = 22))]
    pub ssh_bastion_port: Option<u16>,
    /// Logs in to the bastion with the keys of the running SSH agent.
    pub ssh_bastion_agent_auth: bool,
    /// The user to log in to the bastion as.
    pub ssh_bastion_username: String,
    /// The password for the bastion.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub ssh_bastion_password: String,
    /// Asks a person for what the bastion wants to know.
    #[schemars(extend("x-kiln-not-built" = "kiln cannot ask for a bastion's password yet; use a key, the agent or `ssh_bastion_password`"))]
    pub ssh_bastion_interactive: bool,
    /// Private key for the bastion; by default `ssh_private_key_file`.
    pub ssh_bastion_private_key_file: String,
    /// Certificate that belongs to the bastion's private key.
    pub ssh_bastion_certificate_file: String,
    /// How files travel: `scp` or `sftp`. kiln uses SFTP with many requests in flight unless `scp` is written.
    #[schemars(extend("x-kiln-one-of" = ["scp", "sftp"]))]
    pub ssh_file_transfer_method: String,
    /// A SOCKS5 proxy to connect through. Excludes a bastion.
    pub ssh_proxy_host: String,
    /// The proxy's port.
    #[schemars(extend("default" = 1080))]
    pub ssh_proxy_port: Option<u16>,
    /// The user to log in to the proxy as.
    pub ssh_proxy_username: String,
    /// The password for the proxy.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub ssh_proxy_password: String,
    /// How often to ask a silent connection for a sign of life; a negative time turns it off.
    #[schemars(extend("default" = "5s"))]
    pub ssh_keep_alive_interval: Option<GoDuration>,
    /// Gives a connection up that has been silent for this long; 0: never.
    pub ssh_read_write_timeout: GoDuration,
    /// Ports of the machine that lead back here, each `PORT:HOST:PORT`.
    pub ssh_remote_tunnels: Vec<String>,
    /// Ports of this host that lead to the machine, each `PORT:HOST:PORT`.
    pub ssh_local_tunnels: Vec<String>,
    /// A public key as bytes. Packer uses it between its own parts.
    #[schemars(extend("x-kiln-not-built" = "use `ssh_private_key_file`"))]
    pub ssh_public_key: Vec<i64>,
    /// A private key as bytes. Packer uses it between its own parts.
    #[schemars(extend("x-kiln-sensitive" = true, "x-kiln-not-built" = "use `ssh_private_key_file`"))]
    pub ssh_private_key: Vec<i64>,

    /// The user to log in as over WinRM.
    pub winrm_username: String,
    /// The password for WinRM.
    #[schemars(extend("x-kiln-sensitive" = true))]
    pub winrm_password: String,
    /// The address for WinRM; builders that start machines find it themselves.
    pub winrm_host: String,
    /// Does not use a proxy for WinRM.
    pub winrm_no_proxy: bool,
    /// The port for WinRM: 5985, or 5986 with `winrm_use_ssl`.
    #[schemars(extend("default" = 5985))]
    pub winrm_port: Option<u16>,
    /// How long to wait for WinRM.
    #[schemars(extend("default" = "30m"))]
    pub winrm_timeout: Option<GoDuration>,
    /// Uses HTTPS for WinRM.
    pub winrm_use_ssl: bool,
    /// Does not check the machine's HTTPS certificate.
    pub winrm_insecure: bool,
    /// Logs in with NTLM instead of basic authentication.
    pub winrm_use_ntlm: Option<bool>,
}

/// Which communicator a config asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ssh,
    WinRm,
    None,
}

impl CommunicatorConfig {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.communicator.as_str() {
            "none" => Kind::None,
            "winrm" => Kind::WinRm,
            _ => Kind::Ssh,
        }
    }

    /// The SSH port: the template's, else `env_default` (`KILN_SSH_PORT`), else 22.
    #[must_use]
    pub fn port(&self, env_default: Option<u16>) -> u16 {
        self.ssh_port.filter(|&n| n != 0).or(env_default).unwrap_or(SSH_PORT)
    }

    /// How long to try to connect; `None`: without end. Setting only `ssh_handshake_attempts` takes the limit away, as in
    /// Packer.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        let written = self.ssh_wait_timeout.or(self.ssh_timeout).map(GoDuration::or_zero).filter(|t| !t.is_zero());
        match (written, self.attempts_written()) {
            (Some(time), _) => Some(time),
            (None, Some(_)) => None,
            (None, None) => Some(SSH_TIMEOUT),
        }
    }

    /// How many refused logins are too many; `None`: no number is. Setting only `ssh_timeout` takes the limit away, as in
    /// Packer.
    #[must_use]
    pub fn handshake_attempts(&self) -> Option<u32> {
        let timeout_written = [self.ssh_wait_timeout, self.ssh_timeout].into_iter().flatten().any(|t| !t.is_zero());
        self.attempts_written().or((!timeout_written).then_some(HANDSHAKE_ATTEMPTS))
    }

    fn attempts_written(&self) -> Option<u32> {
        self.ssh_handshake_attempts.filter(|&n| n > 0)
    }

    /// How often to ask for a sign of life; `None`: never.
    #[must_use]
    pub fn keep_alive(&self) -> Option<Duration> {
        match self.ssh_keep_alive_interval {
            None => Some(Duration::from_secs(5)),
            Some(time) => time.get().map(|t| if t.is_zero() { Duration::from_secs(5) } else { t }),
        }
    }

    /// Whether the builder must make a temporary key: nothing else can open the machine.
    #[must_use]
    pub fn needs_temporary_key(&self) -> bool {
        self.kind() == Kind::Ssh
            && self.ssh_keypair_name.is_empty()
            && self.ssh_private_key_file.is_empty()
            && self.ssh_password.is_empty()
            && !self.ssh_agent_auth
    }

    /// What it takes to reach `host`. `temporary_key` is the private key that the builder made, in OpenSSH form.
    #[must_use]
    pub fn connect_options(
        &self,
        host: &str,
        env_port: Option<u16>,
        temporary_key: Option<&str>,
        host_keys: Arc<HostKeys>,
    ) -> ConnectOptions {
        let mut options = ConnectOptions::new(host, self.port(env_port), &self.ssh_username);
        let key = (self.ssh_private_key_file.as_str(), self.ssh_certificate_file.as_str());
        options.auth = auth(self.ssh_agent_auth, key, temporary_key, &self.ssh_password);
        options.read_write_timeout = Some(self.ssh_read_write_timeout.or_zero()).filter(|t| !t.is_zero());
        options.keep_alive = self.keep_alive();
        options.pty = self.ssh_pty;
        options.transfer = match self.ssh_file_transfer_method.as_str() {
            "scp" => TransferMethod::Scp,
            _ => TransferMethod::Sftp,
        };
        options.ciphers.clone_from(&self.ssh_ciphers);
        options.key_exchange.clone_from(&self.ssh_key_exchange_algorithms);
        options.bastion = (!self.ssh_bastion_host.is_empty()).then(|| self.bastion());
        options.proxy = (!self.ssh_proxy_host.is_empty()).then(|| Socks5 {
            host: self.ssh_proxy_host.clone(),
            port: self.ssh_proxy_port.filter(|&n| n != 0).unwrap_or(SOCKS_PORT),
            user: (!self.ssh_proxy_username.is_empty()).then(|| self.ssh_proxy_username.clone()),
            password: (!self.ssh_proxy_password.is_empty()).then(|| Hidden::new(&self.ssh_proxy_password)),
        });
        options.agent_forwarding = !self.ssh_disable_agent_forwarding;
        let tunnels = |texts: &[String]| texts.iter().filter_map(|t| t.parse().ok()).collect();
        options.local_tunnels = tunnels(&self.ssh_local_tunnels);
        options.remote_tunnels = tunnels(&self.ssh_remote_tunnels);
        options.host_keys = host_keys;
        options
    }

    fn bastion(&self) -> Bastion {
        // Without a key of its own the bastion takes the machine's, and then its certificate too, as in Packer.
        let key = if self.ssh_bastion_private_key_file.is_empty() {
            (self.ssh_private_key_file.as_str(), self.ssh_certificate_file.as_str())
        } else {
            (self.ssh_bastion_private_key_file.as_str(), self.ssh_bastion_certificate_file.as_str())
        };
        let user = if self.ssh_bastion_username.is_empty() { &self.ssh_username } else { &self.ssh_bastion_username };
        Bastion {
            host: self.ssh_bastion_host.clone(),
            port: self.ssh_bastion_port.filter(|&n| n != 0).unwrap_or(SSH_PORT),
            user: user.clone(),
            auth: auth(self.ssh_bastion_agent_auth, key, None, &self.ssh_bastion_password),
        }
    }
}

/// The ways to log in, in Packer's order: agent, key file, temporary key, password.
fn auth(agent: bool, (key, certificate): (&str, &str), temporary_key: Option<&str>, password: &str) -> Vec<Auth> {
    let mut ways = Vec::new();
    if agent {
        ways.push(Auth::Agent);
    }
    if !key.is_empty() {
        if !certificate.is_empty() {
            ways.push(Auth::Certificate { key: key.into(), certificate: certificate.into() });
        }
        ways.push(Auth::Key { path: key.into() });
    }
    ways.extend(temporary_key.map(|text| Auth::KeyText(Hidden::new(text))));
    if !password.is_empty() {
        ways.push(Auth::Password(Hidden::new(password)));
    }
    ways
}

#[cfg(test)]
#[path = "communicator_tests.rs"]
mod tests;
