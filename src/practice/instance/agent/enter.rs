//! A process of kiln becomes one of a machine: a login's shell or command, or the login's file service.
//!
//! Two steps, for a process cannot move to another PID namespace, only its children can: the outer one waits and passes the
//! end on, exactly; the inner one becomes the command. What the inner one is before that cannot be looked at from inside: it
//! has capabilities that nobody inside has.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::Command;

use rustix::fs::{Gid, Uid};
use rustix::process::{Pid, PidfdFlags, Resource, Rlimit, Signal, pidfd_open, setrlimit};
use rustix::thread::{
    ThreadNameSpaceType, move_into_thread_name_spaces, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};
use serde::{Deserialize, Serialize};
use tokio::signal::unix::{SignalKind, signal};

use super::super::files::disk::Disk;
use super::super::files::{scp, sftp};
use super::{MARK, capability};

/// Whom a process becomes, and where.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The machine's init, as the host numbers it.
    pub init: i32,
    pub own_network: bool,
    /// Control groups to join first: their `cgroup.procs`.
    pub cgroups: Vec<String>,
    pub uid: u32,
    pub gid: u32,
    pub groups: Vec<u32>,
    /// False where the machine has only one id, and groups cannot be set.
    pub many_ids: bool,
    pub home: String,
    /// Standard input is a terminal, to be the new session's own.
    pub terminal: bool,
    pub processes: Option<u64>,
    pub disk_mib: Option<u64>,
    pub what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The name that the program is told, the program and its arguments: the remaining arguments of the process.
    Program {
        called: String,
    },
    Sftp,
    Scp(scp::Call),
}

/// The outer step. Gives the status of what ran; ends by the same signal where a signal ended it.
pub fn outer(arguments: &[OsString]) -> u8 {
    match outer_or_error(arguments) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("machine: {error}");
            255
        }
    }
}

fn outer_or_error(arguments: &[OsString]) -> io::Result<u8> {
    let text = arguments.first().ok_or_else(|| io::Error::other("nothing to enter"))?;
    let entry: Entry = serde_json::from_slice(text.as_bytes())?;
    for group in &entry.cgroups {
        // A machine without limits is better than a session that cannot be had.
        let _ = fs::write(group, "0");
    }
    let program = fs::read_link("/proc/self/exe")?;
    let init = open(entry.init)?;
    if !matches!(entry.what, What::Program { .. }) {
        move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::USER)?;
        settle_in(&entry, &init)?;
        become_login(&entry)?;
        let (input, output) = (io::stdin().lock(), io::stdout().lock());
        return match &entry.what {
            What::Scp(call) => Ok(scp::serve(&mut Disk::new(), call, input, output)?),
            _ => sftp::serve(&mut Disk::new(), &entry.home, input, output).map(|()| 0),
        };
    }
    move_into_thread_name_spaces(init.as_fd(), ThreadNameSpaceType::USER | ThreadNameSpaceType::PROCESS_ID)?;
    let mut child = Command::new(program).arg(MARK).arg("inner").args(arguments).spawn()?;
    let status = child.wait()?;
    let Some(signal) = status.signal() else { return Ok(u8::try_from(status.code().unwrap_or(255)).unwrap_or(255)) };
    if let Some(signal) = Signal::from_named_raw(signal) {
        // Its core, if any, has been written by the child.
        let _ = limit(Resource::Core, Some(0));
        rustix::process::kill_process(rustix::process::getpid(), signal)?;
    }
    Ok(u8::try_from(128 + signal).unwrap_or(255))
}

/// The inner step, already in the machine's user and PID namespaces.
pub fn inner(arguments: &[OsString]) -> io::Result<()> {
    let wrong = || io::Error::other("nothing to run");
    let (text, program) = arguments.split_first().ok_or_else(wrong)?;
    let entry: Entry = serde_json::from_slice(text.as_bytes())?;
    let What::Program { called } = &entry.what else { return Err(wrong()) };
    let (path, rest) = program.split_first().ok_or_else(wrong)?;
    rustix::process::setsid()?;
    if entry.terminal {
        rustix::process::ioctl_tiocsctty(io::stdin())?;
        rustix::fs::fchown(io::stdin(), Some(Uid::from_raw(entry.uid)), None)?;
    }
    // Number 1 is the machine's init here.
    let init = open(1)?;
    settle_in(&entry, &init)?;
    become_login(&entry)?;
    hear_signals()?;
    Err(Command::new(path).arg0(called).args(rest).exec())
}

/// Lets programs be interrupted even where kiln itself was started with signals ignored, as by `nohup` or a shell's `&`:
/// what is caught here is back at its default with the start of another program, which what is ignored would not be.
fn hear_signals() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _inside = runtime.enter();
    for kind in [
        SignalKind::hangup(),
        SignalKind::interrupt(),
        SignalKind::quit(),
        SignalKind::terminate(),
        SignalKind::alarm(),
        SignalKind::child(),
        SignalKind::user_defined1(),
        SignalKind::user_defined2(),
    ] {
        drop(signal(kind)?);
    }
    Ok(())
}

fn open(pid: i32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(pid).ok_or_else(|| io::Error::other("no such machine"))?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn settle_in(entry: &Entry, init: &OwnedFd) -> io::Result<()> {
    let mut spaces = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::CONTROL_GROUP;
    if entry.own_network {
        spaces |= ThreadNameSpaceType::NETWORK;
    }
    Ok(move_into_thread_name_spaces(init.as_fd(), spaces)?)
}

fn become_login(entry: &Entry) -> io::Result<()> {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    // kiln may have raised its own.
    let files = rustix::process::getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: files.maximum.map(|most| most.min(1024)).or(Some(1024)), ..files })?;
    limit(Resource::Nproc, entry.processes)?;
    limit(Resource::Fsize, entry.disk_mib.map(|mib| mib.saturating_mul(1 << 20)))?;
    capability::bound()?;
    if entry.many_ids {
        let groups: Vec<Gid> = entry.groups.iter().chain([&entry.gid]).map(|gid| Gid::from_raw(*gid)).collect();
        set_thread_groups(&groups)?;
    }
    let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    if std::env::set_current_dir(&entry.home).is_err() {
        std::env::set_current_dir(Path::new("/"))?;
    }
    Ok(())
}

/// Sets a limit for this process and those that it starts; none where there is none.
pub fn limit(resource: Resource, most: Option<u64>) -> io::Result<()> {
    if most.is_some() {
        setrlimit(resource, Rlimit { current: most, maximum: most })?;
    }
    Ok(())
}
