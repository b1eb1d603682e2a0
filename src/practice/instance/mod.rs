//! Machines: real ones, isolated on this computer, or scripted ones where isolation cannot be had.
//!
//! [`open`] finds out which, by a real start. A real machine is a process tree in namespaces of its own above a
//! copy-on-write disk ([`real`], [`agent`]); a scripted one takes files, shows commands and answers them from a scenario, and
//! runs none ([`scripted`]). Both are reached by the same SSH server ([`ssh`]).

mod addresses;
#[cfg(target_os = "linux")]
mod agent;
#[cfg(target_os = "linux")]
mod control;
mod files;
#[cfg(target_os = "linux")]
mod real;
mod scripted;
mod ssh;

use std::ffi::OsString;
#[cfg(target_os = "linux")]
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use super::machine::{Machines, ScriptedAnswer};
use addresses::Addresses;
use scripted::Scripted;

/// Where SDKs ask for metadata.
#[cfg(target_os = "linux")]
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
/// The way out of a machine's own network: an HTTP proxy that kiln serves.
#[cfg(target_os = "linux")]
const PROXY: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 253);
#[cfg(target_os = "linux")]
const PROXY_PORT: u16 = 3128;
/// Where `reboot` and its like write their word.
#[cfg(target_os = "linux")]
const POWER: &str = "/run/practice/power";

/// How machines are made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where their disks and layers lie.
    pub folder: PathBuf,
    /// kiln's own program, which is started again inside; it must play [`role`]s. `None`: this process's own.
    pub program: Option<PathBuf>,
    /// Of every machine's SSH server; `None`: 22 where that is allowed, else 2222.
    pub ssh_port: Option<u16>,
    /// Scripted even where real ones could be had.
    pub scripted: bool,
    /// Real ones share the host's network even where they could have their own.
    pub host_network: bool,
    /// What scripted ones answer, before what they know by themselves.
    pub answers: Vec<ScriptedAnswer>,
}

/// Real machines if one can be started here, else scripted ones; [`Machines::isolation`] tells which, and why.
pub async fn open(options: Options) -> Arc<dyn Machines> {
    // Every machine has a socket that listens.
    #[cfg(unix)]
    {
        let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let most = rustix::process::Rlimit { current: files.maximum, ..files };
        let _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, most);
    }
    let (because, remedy) = if options.scripted {
        ("it was asked for".to_owned(), None)
    } else {
        match open_real(&options).await {
            Ok(real) => return real,
            Err(refused) => refused,
        }
    };
    Arc::new(Scripted::new(Addresses::new(options.ssh_port), options.answers, because, remedy))
}

#[cfg(target_os = "linux")]
async fn open_real(options: &Options) -> Result<Arc<dyn Machines>, (String, Option<String>)> {
    let program = match options.program.clone().map_or_else(std::env::current_exe, Ok) {
        Ok(program) => program,
        Err(error) => return Err((format!("kiln does not find its own program: {error}"), None)),
    };
    match real::open(&options.folder, program, Addresses::new(options.ssh_port), options.host_network).await {
        Ok(real) => Ok(Arc::new(real)),
        Err(real::Refused { because, remedy }) => Err((because, remedy)),
    }
}

#[cfg(not(target_os = "linux"))]
async fn open_real(_: &Options) -> Result<Arc<dyn Machines>, (String, Option<String>)> {
    Err(("isolation needs Linux".to_owned(), Some("run kiln in a Linux virtual machine".to_owned())))
}

/// Plays the part of a machine's own process that the arguments ask for, if they do; gives the exit status. To be called
/// before anything else, for it needs the process's only thread.
pub fn role(arguments: &[OsString]) -> Option<u8> {
    #[cfg(target_os = "linux")]
    return agent::role(arguments);
    #[cfg(not(target_os = "linux"))]
    {
        let _ = arguments;
        None
    }
}

/// Variables by which programs inside find the way out.
#[cfg(target_os = "linux")]
fn proxy_variables() -> [(&'static str, String); 6] {
    let proxy = format!("http://{PROXY}:{PROXY_PORT}");
    let here = format!("localhost,127.0.0.1,{METADATA}");
    [
        ("http_proxy", proxy.clone()),
        ("https_proxy", proxy.clone()),
        ("HTTP_PROXY", proxy.clone()),
        ("HTTPS_PROXY", proxy),
        ("no_proxy", here.clone()),
        ("NO_PROXY", here),
    ]
}
