//! What kiln's own program does inside a machine's namespaces: it is started again as `kiln __machine ROLE …`, so that no
//! tool of the host or of the machine is needed there, and nothing of it can be reached from inside.
//!
//! Each role begins with the process's only thread, for user namespaces take no other.

mod accounts;
mod capability;
mod cloud_config;
mod enter;
mod init;
mod mounts;
mod netlink;
mod tree;
mod user_data;

pub use enter::{Entry, What};
pub use tree::Work;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The first argument of a process that plays a role.
pub const MARK: &str = "__machine";

/// Plays the role that the arguments name, if they name one; gives the exit status.
pub fn role(arguments: &[OsString]) -> Option<u8> {
    if arguments.get(1)? != MARK {
        return None;
    }
    let words: Vec<String> = arguments[2..].iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let rest = words.get(1..).unwrap_or_default();
    let done = match words.first().map(String::as_str) {
        Some("new") => new(&arguments[0], rest),
        Some("init") => init::run(),
        Some("enter") => return Some(enter::outer(&arguments[3..])),
        Some("inner") => enter::inner(&arguments[3..]),
        Some("tree") => tree::run(&arguments[3..]),
        _ => Err(io::Error::other("no such role")),
    };
    match done {
        Ok(()) => Some(0),
        Err(error) => {
            eprintln!("machine: {}: {error}", words.first().map_or("", String::as_str));
            Some(1)
        }
    }
}

/// First steps in a new user namespace: says which process this is, waits until its ids are mapped, and becomes `role`;
/// only with the second start does it get the namespace's capabilities.
fn new(program: &OsString, role: &[String]) -> io::Result<()> {
    let mut control = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // The host's /proc is still mounted, so this is the number that the host knows.
    let pid = std::fs::read_link("/proc/self")?;
    control.write_all(format!("{}\n", pid.display()).as_bytes())?;
    let mut granted = [0];
    control.read_exact(&mut granted)?;
    Err(Command::new(program).arg(MARK).args(role).exec())
}
