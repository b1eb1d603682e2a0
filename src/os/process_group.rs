//! Child processes in a group of their own, so that a child's own children can be ended with it.

use std::path::Path;
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};

use tokio::process::{Child, Command};

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Status(i32),
    /// The number of the signal that ended it.
    Signal(i32),
}

/// Lets the command, once started, lead a group of its own. Elsewhere than on UNIX it does nothing.
pub fn lead_group(command: &mut Command) {
    #[cfg(unix)]
    command.process_group(0);
    #[cfg(not(unix))]
    let _ = command;
}

/// Asks a group to end (`TERM`), or ends it (`KILL`). `leader` is the process that leads it; that it is gone is fine.
pub fn end_group(leader: u32, force: bool) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};
        let Some(pid) = i32::try_from(leader).ok().and_then(Pid::from_raw) else { return };
        let _ = kill_process_group(pid, if force { Signal::KILL } else { Signal::TERM });
    }
    #[cfg(not(unix))]
    let _ = (leader, force);
}

/// Asks one process to end (`TERM`). That it is gone is fine.
pub fn ask_to_end(process: u32) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return };
        let _ = kill_process(pid, Signal::TERM);
    }
    #[cfg(not(unix))]
    let _ = process;
}

/// How it ended, with a signal told apart from a status.
#[must_use]
pub fn ended(status: ExitStatus) -> Ended {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Ended::Signal(signal);
    }
    Ended::Status(status.code().unwrap_or(-1))
}

/// Writes a program that its owner alone may read and run, and closes the file.
///
/// # Errors
/// What the file system says.
pub fn write_program(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let _held = WRITING_OR_SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
    std::fs::write(path, content)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Starts a command.
///
/// # Errors
/// What the system says.
pub fn spawn(command: &mut Command) -> std::io::Result<Child> {
    let _held = WRITING_OR_SPAWNING.lock().unwrap_or_else(PoisonError::into_inner);
    command.spawn()
}

/// A child that is started while a program is being written holds that file open for a moment, and the system then refuses
/// to run it ("text file busy").
static WRITING_OR_SPAWNING: Mutex<()> = Mutex::new(());
