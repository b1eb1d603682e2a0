//! Number 1 of a machine: boots it, buries its orphans, answers kiln, and ends everything when kiln is gone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{DumpableBehavior, Pid, Resource, Signal, WaitOptions, WaitStatus};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::timeout;

use super::super::control::{self, Ask, Control, Setup, Tell};
use super::super::{METADATA, POWER, PROXY, PROXY_PORT};
use super::accounts::{self, Wanted};
use super::{capability, enter, mounts, netlink, tree, user_data};

/// What stops has so long to do so, as with systemd's own end, but shorter.
const GRACE: Duration = Duration::from_secs(3);
const DIAL: Duration = Duration::from_secs(20);

/// Who waits for which process.
#[derive(Clone, Default)]
pub struct Children(Rc<RefCell<HashMap<i32, oneshot::Sender<WaitStatus>>>>);

impl Children {
    /// Starts a program; its end is told by the receiver.
    pub fn spawn(&self, command: &mut Command) -> io::Result<oneshot::Receiver<WaitStatus>> {
        let child = command.spawn()?;
        let (tell, told) = oneshot::channel();
        // Nobody is waited for between the two: this is the only thread.
        self.0.borrow_mut().insert(child.id().cast_signed(), tell);
        Ok(told)
    }

    fn bury(&self) {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if let Some(tell) = self.0.borrow_mut().remove(&pid.as_raw_nonzero().get()) {
                let _ = tell.send(status);
            }
        }
    }
}

/// Plays the role until the machine ends. Standard input is the socket to kiln.
pub fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = StdStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    // Programs started here have no business with it.
    rustix::io::fcntl_setfd(io::stdin(), rustix::io::FdFlags::CLOEXEC)?;
    stream.set_nonblocking(true)?;
    let local = LocalSet::new();
    let ended = local.block_on(&runtime, async {
        let mut control = Control::new(UnixStream::from_std(stream)?);
        let Some(setup) = control.receive::<Setup>().await? else { return Ok(None) };
        let home = rustix::fs::open(
            &setup.home,
            rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
            rustix::fs::Mode::empty(),
        )?;
        let setup = Rc::new(setup);
        let end = match boot(&setup, &control.sender()).await {
            Ok(()) => live(&setup, control).await,
            Err(error) => {
                control::send(&control.sender(), &Tell::Failed { why: error.to_string() }, None).await?;
                Ok(())
            }
        };
        end.map(|()| Some((setup, home)))
    });
    runtime.shutdown_background();
    let everybody = Pid::from_raw(1);
    if let Some(all) = everybody {
        let _ = rustix::process::kill_process_group(all, Signal::KILL);
    }
    if let Some((setup, home)) = ended? {
        leave(&setup, &home)?;
    }
    Ok(())
}

/// What is left in the store can be deleted by who runs kiln, whatever programs inside did to it.
fn leave(setup: &Setup, home: &OwnedFd) -> io::Result<()> {
    rustix::process::fchdir(home)?;
    for volume in &setup.volumes {
        for folder in [&volume.upper, &volume.work] {
            let Ok(below) = folder.strip_prefix(&setup.home) else { continue };
            tree::open_to_owner(below)?;
        }
    }
    Ok(())
}

async fn boot(setup: &Setup, to: &Arc<UnixStream>) -> io::Result<()> {
    // Before anything of the machine runs: it can neither trace this process nor look at what it has open.
    rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    mounts::build(setup)?;
    rustix::system::sethostname(setup.hostname.as_bytes())?;
    if setup.own_network {
        netlink::loopback(&[METADATA, PROXY])?;
        for (address, port, what) in [(METADATA, 80, Tell::Metadata), (PROXY, PROXY_PORT, Tell::Proxy)] {
            let listener = std::net::TcpListener::bind((address, port))?;
            control::send(to, &what, Some(listener.as_fd())).await?;
        }
    }
    enter::limit(Resource::Nproc, setup.processes)?;
    enter::limit(Resource::Fsize, setup.disk_mib.map(|mib| mib.saturating_mul(1 << 20)))?;
    capability::bound()?;
    if user_data::is_new(&setup.instance_id) {
        first_boot(setup)?;
    }
    runtime_files(setup)?;
    control::send(to, &Tell::Ready, None).await
}

/// What each boot makes anew below /run.
fn runtime_files(setup: &Setup) -> io::Result<()> {
    let folder = Path::new(POWER).parent().unwrap_or(Path::new("/run"));
    fs::create_dir_all(folder)?;
    rustix::fs::mknodat(rustix::fs::CWD, POWER, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)?;
    if setup.many_ids {
        // For images without sudo: only members of its group can run it, as with sudo's own rules.
        let lift = folder.join("lift");
        if fs::copy("/usr/bin/setpriv", &lift).is_ok() {
            let group = ["sudo", "wheel"].iter().find_map(|name| accounts::group(name));
            chown(&lift, Some(0), Some(group.unwrap_or(0)))?;
            fs::set_permissions(&lift, fs::Permissions::from_mode(0o4750))?;
        }
    }
    fs::create_dir_all("/run/cloud-init")
}

fn first_boot(setup: &Setup) -> io::Result<()> {
    let hosts =
        format!("127.0.0.1 localhost\n127.0.1.1 {0}\n::1 localhost ip6-localhost ip6-loopback\n", setup.hostname);
    fs::write("/etc/hosts", hosts)?;
    fs::write("/etc/hostname", format!("{}\n", setup.hostname))?;
    let mut users: Vec<Wanted> = accounts::LOGINS.iter().map(|name| Wanted::login(name)).collect();
    if !users.iter().any(|user| user.name == setup.login_user) {
        users.push(Wanted::login(&setup.login_user));
    }
    users.push(Wanted { name: "root".to_owned(), ..Wanted::default() });
    for user in &mut users {
        user.keys.clone_from(&setup.authorized_keys);
    }
    accounts::make(&users, setup.many_ids)?;
    user_data::begin(&setup.instance_id)
}

async fn live(setup: &Rc<Setup>, mut control: Control) -> io::Result<()> {
    let children = Children::default();
    let to = control.sender();
    let mut dead = signal(SignalKind::child())?;
    let mut power = pipe::OpenOptions::new().read_write(true).open_receiver(POWER)?;
    if user_data::is_due() {
        let (setup, children, to) = (Rc::clone(setup), children.clone(), Arc::clone(&to));
        tokio::task::spawn_local(async move {
            let ok = user_data::run(&setup, &children).await;
            let _ = control::send(&to, &Tell::UserData { ok }, None).await;
        });
    } else {
        control::send(&to, &Tell::UserData { ok: true }, None).await?;
    }
    let mut word = [0; 256];
    loop {
        tokio::select! {
            asked = control.receive::<Ask>() => match asked {
                Ok(Some(Ask::End)) => return end(&children, &mut dead).await,
                Ok(Some(asked)) => answer(asked, &to),
                // kiln is gone.
                Ok(None) | Err(_) => return Ok(()),
            },
            _ = dead.recv() => children.bury(),
            read = power.read(&mut word) => {
                let told = String::from_utf8_lossy(&word[..read?]).into_owned();
                let told = told.trim();
                if let Some(name) = told.strip_prefix("hostname ") {
                    let _ = rustix::system::sethostname(name.as_bytes());
                    continue;
                }
                let reboot = told == "reboot";
                control::send(&to, &Tell::Power { reboot }, None).await?;
                return end(&children, &mut dead).await;
            }
        }
    }
}

fn answer(asked: Ask, to: &Arc<UnixStream>) {
    let to = Arc::clone(to);
    tokio::task::spawn_local(async move {
        match asked {
            Ask::Login { id, user } => {
                let _ = control::send(&to, &Tell::Login { id, login: accounts::find(&user) }, None).await;
            }
            Ask::Connect { id, host, port } => {
                let host = if host == "localhost" { "127.0.0.1".to_owned() } else { host };
                let dialled = match host.parse::<std::net::IpAddr>() {
                    Ok(address) => timeout(DIAL, tokio::net::TcpStream::connect((address, port)))
                        .await
                        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
                    Err(_) => Err(io::Error::other("the machine has no name service")),
                };
                let error = dialled.as_ref().err().map(ToString::to_string);
                let file = dialled.as_ref().ok().map(|stream| stream.as_fd());
                let _ = control::send(&to, &Tell::Connected { id, error }, file).await;
            }
            Ask::End => {}
        }
    });
}

/// SIGTERM to all, and a moment for them.
async fn end(children: &Children, dead: &mut tokio::signal::unix::Signal) -> io::Result<()> {
    let Some(everybody) = Pid::from_raw(1) else { return Ok(()) };
    let _ = rustix::process::kill_process_group(everybody, Signal::TERM);
    // What is stopped hears nothing.
    let _ = rustix::process::kill_process_group(everybody, Signal::CONT);
    let gone = async {
        let mut often = tokio::time::interval(Duration::from_millis(20));
        // Sessions are no children of this process: only a look tells when they are gone.
        while rustix::process::test_kill_process_group(everybody).is_ok() {
            tokio::select! {
                _ = dead.recv() => {}
                _ = often.tick() => {}
            }
            children.bury();
        }
    };
    let _ = timeout(GRACE, gone).await;
    Ok(())
}

/// A link that points at `to`, whatever was there.
pub fn link(to: &str, at: &str) -> io::Result<()> {
    let _ = fs::remove_file(at);
    symlink(to, at)
}
