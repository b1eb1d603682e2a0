//! The machines behind the cloud's instances: what the world asks of them, and what they tell it.
//!
//! Data and two traits. The world decides *that* a machine starts, stops or is captured; how a machine is made (namespaces,
//! or merely a script) is the business of who implements [`Machines`]. Nothing here knows of EC2's wire format.

use std::fmt;
use std::future::Future;
use std::net::Ipv4Addr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A captured file-system layer, kept under this name by whoever implements [`Machines`]. Letters, digits and `-` only.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LayerId(pub String);

impl fmt::Display for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything that a machine is made from.
#[derive(Clone)]
pub struct MachineSpec {
    /// `i-…`
    pub instance_id: String,
    /// What lies under the machine's own writable layer, lowest first; none: the bare base.
    pub layers: Vec<LayerId>,
    /// As [`Machines::reserve`] gave it.
    pub address: Ipv4Addr,
    pub hostname: String,
    /// The user that templates for this image log in as (`ubuntu`, `ec2-user`, `admin`, `rocky`); others exist too.
    pub login_user: String,
    /// Public keys in OpenSSH's form that may log in, one an entry, with their comments.
    pub authorized_keys: Vec<String>,
    /// Decoded, as the machine would read it from its metadata service.
    pub user_data: Option<Vec<u8>>,
    pub limits: Limits,
    /// What is wrong with the way to this machine, now and from now on.
    pub link: watch::Receiver<LinkFaults>,
}

/// What a machine may use; `None`: as much as there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    pub memory_mib: Option<u64>,
    pub processes: Option<u64>,
    pub disk_mib: Option<u64>,
}

/// Faults of the SSH server of one machine. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkFaults {
    /// Nobody listens: connections are refused. Open ones live on.
    pub refuse: bool,
    /// Connections are taken, and then nothing is ever said.
    pub hang: bool,
    /// So many of the machine's first connections are closed at once.
    pub drop_first: u32,
    /// Each connection is cut after so many bytes to the client.
    pub drop_after_bytes: Option<u64>,
    /// At most so many bytes a second to the client.
    pub bytes_per_second: Option<u64>,
    /// Before each answer to a new connection, milliseconds.
    pub delay_ms: u64,
    /// The host key is another one each time that this number changes.
    pub host_key: u32,
}

/// What a machine tells of its own accord.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happened {
    /// It is up and its SSH server listens (again, after a reboot or a start).
    Booted,
    /// User data has run to its end.
    UserDataDone { ok: bool },
    /// It was powered off from inside. Not told after [`Machines::stop`] or [`Machines::terminate`].
    PoweredOff,
    /// It was rebooted from inside; `Booted` follows.
    Rebooting,
    /// It ended by itself, or could not start.
    Failed { why: String },
}

/// The cloud, as machines see it. Calls return at once.
pub trait Host: Send + Sync {
    fn happened(&self, instance_id: &str, what: Happened);
    /// What the instance metadata service answers to `GET path` (`/latest/meta-data/instance-id`); `None`: 404. Tokens
    /// (`IMDSv2`) are the business of who serves it.
    fn metadata(&self, instance_id: &str, path: &str) -> Option<Vec<u8>>;
}

/// How much of a machine there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum Isolation {
    /// Commands run, isolated from the host.
    Real {
        /// What is not as on a machine of one's own (`network: the host's`), for people.
        limits: Vec<String>,
    },
    /// Commands are shown and answered from a script; none is run.
    Scripted {
        /// Why isolation cannot be had, and the command that would change it.
        because: String,
        remedy: Option<String>,
    },
}

/// How a scripted machine answers a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedAnswer {
    /// Text that the command, or a file that it runs, contains; `*` stands for anything.
    pub command: String,
    #[serde(default)]
    pub stdout: String,
    #[serde(default)]
    pub stderr: String,
    #[serde(default)]
    pub status: u8,
    /// How long it takes.
    #[serde(default)]
    pub ms: u64,
    /// After so many times this answer is used up; 0: never.
    #[serde(default)]
    pub times: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum MachineError {
    #[error("no machine {0}")]
    NoMachine(String),
    #[error("no layer {0}")]
    NoLayer(LayerId),
    #[error("{what}: {source}")]
    Io { what: String, source: std::io::Error },
    #[error("{0}")]
    Other(String),
}

pub type Outcome<'a, T = ()> = BoxFuture<'a, Result<T, MachineError>>;

/// Makes, runs and captures machines.
pub trait Machines: Send + Sync {
    fn isolation(&self) -> Isolation;
    /// The port at which every machine's SSH server listens; where each has a port of its own, that of this address.
    fn ssh_port(&self, address: Ipv4Addr) -> u16;
    /// An address for a machine to come, that no other machine on this computer has.
    fn reserve(&self) -> Result<Ipv4Addr, MachineError>;
    /// A new machine with an empty layer of its own. Returns when it is known to be starting; `Booted` or `Failed` follows.
    fn launch(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_>;
    /// A stopped machine, or one whose process died with an earlier kiln, goes on with its own layer.
    fn start(&self, spec: MachineSpec, host: Arc<dyn Host>) -> Outcome<'_>;
    /// Returns when nothing of it runs any more. `force`: without asking its init.
    fn stop<'a>(&'a self, instance_id: &'a str, force: bool) -> Outcome<'a>;
    /// `Booted` follows.
    fn reboot<'a>(&'a self, instance_id: &'a str) -> Outcome<'a>;
    /// Nothing is left of it when this returns, its address included. That it is gone already is a success.
    fn terminate<'a>(&'a self, instance_id: &'a str) -> Outcome<'a>;
    /// Copies the machine's own layer to a new one named `into`; gives its size in bytes. `reboot`: a running machine is
    /// stopped for it and started again.
    fn capture<'a>(&'a self, instance_id: &'a str, into: &'a LayerId, reboot: bool) -> Outcome<'a, u64>;
    /// No image needs this layer any more.
    fn drop_layer<'a>(&'a self, layer: &'a LayerId) -> Outcome<'a>;
    /// What the machine wrote to its console, at most the last 64 KiB.
    fn console(&self, instance_id: &str) -> Vec<u8>;
    /// Breaks every connection to the machine.
    fn cut(&self, instance_id: &str);
    /// Unpacks an archive of a root file system (tar, also gzip, xz or zstd) as a layer; gives its size in bytes.
    fn import<'a>(&'a self, archive: &'a Path, into: &'a LayerId) -> Outcome<'a, u64>;
    /// Writes the file system that these layers make to a tar.
    fn export<'a>(&'a self, layers: &'a [LayerId], to: &'a Path) -> Outcome<'a>;
    /// Ends every machine. What a start needs stays.
    fn close(&self) -> BoxFuture<'_, ()>;
}
