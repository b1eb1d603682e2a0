//! One machine's life: started, told of, ended, and started again when it rebooted.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::net::{TcpListener, UnixStream};
use tokio::process::Child;
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::super::super::machine::{Happened, Host, MachineError, MachineSpec};
use super::super::control::{self, Ask, Control, Setup, Tell};
use super::super::ssh::{Seed, Server};
use super::guest::Inside;
use super::limits::Groups;
use super::space::Ground;
use super::store::{self, Store};
use super::{metadata, proxy};

/// An init that was asked to end has so long, with all that it waits for.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why a machine is ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Intent {
    None,
    Stop,
    Reboot,
}

pub struct Machine {
    pub id: String,
    pub spec: Mutex<MachineSpec>,
    host: Arc<dyn Host>,
    ground: Arc<Ground>,
    store: Store,
    port: u16,
    seed: Seed,
    state: Mutex<State>,
    running: watch::Sender<bool>,
    /// How often its init has ended.
    ends: watch::Sender<u64>,
}

struct State {
    intent: Intent,
    alive: Option<Alive>,
}

/// What reaches a running machine.
struct Alive {
    init: OwnedFd,
    to_init: Arc<UnixStream>,
    server: Option<Server>,
}

/// A machine that was just started.
struct Started {
    child: Child,
    control: Control,
    inside: Arc<Inside>,
    _groups: Groups,
    end: CancellationToken,
}

impl Drop for Started {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

impl Machine {
    pub fn new(
        spec: MachineSpec,
        host: Arc<dyn Host>,
        ground: Arc<Ground>,
        store: Store,
        port: u16,
    ) -> Result<Arc<Self>, MachineError> {
        let failed = |source| MachineError::Io { what: format!("making {}", spec.instance_id), source };
        fs::create_dir_all(store.root.join(store::machine(&spec.instance_id))).map_err(failed)?;
        let seed = store.kept(&spec.instance_id).map_err(failed)?.seed;
        let state = Mutex::new(State { intent: Intent::None, alive: None });
        let (id, spec, running) = (spec.instance_id.clone(), Mutex::new(spec), watch::Sender::new(false));
        Ok(Arc::new(Self { id, spec, host, ground, store, port, seed, state, running, ends: watch::Sender::new(0) }))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn spec(&self) -> MachineSpec {
        self.spec.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn is_running(&self) -> bool {
        *self.running.borrow()
    }

    /// Starts it; returns when its init runs, and lives on by itself.
    pub async fn launch(self: &Arc<Self>) -> Result<(), MachineError> {
        if self.running.send_replace(true) {
            return Ok(());
        }
        self.state().intent = Intent::None;
        let (tell, told) = oneshot::channel();
        tokio::spawn(Arc::clone(self).life(tell));
        told.await.map_err(|_| MachineError::Other(format!("{} did not start", self.id)))?
    }

    async fn life(self: Arc<Self>, first: oneshot::Sender<Result<(), MachineError>>) {
        let mut first = Some(first);
        loop {
            let started = match self.begin().await {
                Ok(started) => started,
                Err(error) => {
                    self.running.send_replace(false);
                    match first.take() {
                        Some(first) => drop(first.send(Err(error))),
                        None => self.host.happened(&self.id, Happened::Failed { why: error.to_string() }),
                    }
                    return;
                }
            };
            if let Some(first) = first.take() {
                let _ = first.send(Ok(()));
            }
            let (happened, again) = self.follow(started).await;
            let again = again && self.state().intent != Intent::Stop;
            if !again {
                self.running.send_replace(false);
            }
            if let Some(happened) = happened {
                self.host.happened(&self.id, happened);
            }
            if !again {
                return;
            }
        }
    }

    async fn begin(&self) -> Result<Started, MachineError> {
        let spec = self.spec();
        let volumes = self.store.volumes(&self.id, &spec.layers)?;
        let failed = |source| MachineError::Io { what: format!("starting {}", self.id), source };
        let home = store::machine(&self.id);
        let console = fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(self.store.root.join(&home).join("console.log"))
            .map_err(failed)?;
        let groups = Groups::make(&self.id, spec.limits);
        let errors = console.try_clone().map_err(failed)?;
        let mut options = vec!["--pid", "--fork", "--uts", "--ipc", "--cgroup"];
        if self.ground.own_network {
            options.push("--net");
        }
        let (stdout, stderr) = (console.into(), errors.into());
        let space =
            self.ground.start(&options, &["init"], stdout, stderr, |pid| groups.add(pid)).await.map_err(failed)?;
        let init = Pid::from_raw(space.pid).ok_or_else(|| MachineError::Other("no init".to_owned()))?;
        let init = pidfd_open(init, PidfdFlags::empty()).map_err(|error| failed(error.into()))?;
        let setup = Setup {
            instance_id: self.id.clone(),
            hostname: spec.hostname,
            mount: home.join("mount"),
            home,
            volumes,
            many_ids: self.ground.ids.many(),
            own_network: self.ground.own_network,
            login_user: spec.login_user,
            authorized_keys: spec.authorized_keys,
            user_data: spec.user_data,
            processes: spec.limits.processes,
            disk_mib: spec.limits.disk_mib,
        };
        let control = Control::new(space.control);
        let to_init = control.sender();
        control::send(&to_init, &setup, None).await.map_err(failed)?;
        let end = CancellationToken::new();
        let mut place = None;
        if !self.ground.own_network {
            let listener = TcpListener::bind((spec.address, 0)).await.map_err(failed)?;
            place = listener.local_addr().ok().map(|address| format!("http://{address}"));
            tokio::spawn(metadata::serve(listener, self.id.clone(), Arc::clone(&self.host), end.clone()));
        }
        let limits = (spec.limits.processes, spec.limits.disk_mib);
        let (ground, entries) = (Arc::clone(&self.ground), groups.entries());
        let inside = Arc::new(Inside::new(ground, space.pid, Arc::clone(&to_init), entries, limits, place));
        let mut state = self.state();
        state.alive = Some(Alive { init, to_init, server: None });
        if state.intent == Intent::Stop
            && let Some(alive) = &state.alive
        {
            let _ = pidfd_send_signal(&alive.init, Signal::KILL);
        }
        Ok(Started { child: space.child, control, inside, _groups: groups, end })
    }

    /// Hears what the init tells until it has ended; gives what is to be told of that, and whether it starts again.
    async fn follow(&self, mut started: Started) -> (Option<Happened>, bool) {
        let (mut power, mut why) = (None, None);
        while let Ok(Some(told)) = started.control.receive::<Tell>().await {
            let file = if told.carries() { started.control.file() } else { None };
            match told {
                Tell::Metadata => self.serve(file, &started, true),
                Tell::Proxy => self.serve(file, &started, false),
                Tell::Ready => match self.listen(&started.inside) {
                    Ok(()) => self.host.happened(&self.id, Happened::Booted),
                    Err(error) => {
                        why = Some(format!("its SSH server cannot listen: {error}"));
                        self.kill();
                    }
                },
                Tell::UserData { ok } => self.host.happened(&self.id, Happened::UserDataDone { ok }),
                Tell::Login { id, login } => started.inside.login_told(id, login),
                Tell::Connected { id, error } => {
                    let connection = match (error, file) {
                        (None, Some(file)) => Ok(file),
                        (error, _) => Err(error.unwrap_or_default()),
                    };
                    started.inside.connection_told(id, connection);
                }
                Tell::Power { reboot } => {
                    power = Some(reboot);
                    // Nobody is let in any more.
                    self.state().alive.as_mut().and_then(|alive| alive.server.take());
                }
                Tell::Failed { why: said } => why = Some(said),
            }
        }
        let status = started.child.wait().await;
        // Connections end with their server.
        let intent = {
            let mut state = self.state();
            state.alive = None;
            std::mem::replace(&mut state.intent, Intent::None)
        };
        drop(started);
        self.ends.send_modify(|ends| *ends += 1);
        match (intent, power.or_else(|| reboot_by_signal(&status))) {
            (Intent::Stop, _) => {
                self.state().intent = Intent::Stop;
                (None, false)
            }
            (Intent::Reboot, _) => (None, true),
            (Intent::None, Some(true)) => (Some(Happened::Rebooting), true),
            (Intent::None, Some(false)) => (Some(Happened::PoweredOff), false),
            (Intent::None, None) => {
                let why = why.unwrap_or_else(|| "its init was killed".to_owned());
                (Some(Happened::Failed { why }), false)
            }
        }
    }

    fn serve(&self, file: Option<OwnedFd>, started: &Started, is_metadata: bool) {
        let listener = file.and_then(|file| {
            let listener = std::net::TcpListener::from(file);
            listener.set_nonblocking(true).ok()?;
            TcpListener::from_std(listener).ok()
        });
        let Some(listener) = listener else { return };
        if is_metadata {
            tokio::spawn(metadata::serve(listener, self.id.clone(), Arc::clone(&self.host), started.end.clone()));
        } else {
            tokio::spawn(proxy::serve(listener, started.end.clone()));
        }
    }

    fn listen(&self, inside: &Arc<Inside>) -> io::Result<()> {
        let spec = self.spec();
        let address = SocketAddr::new(IpAddr::V4(spec.address), self.port);
        let server = Server::open(address, self.seed, Arc::clone(inside) as _, spec.link)?;
        if let Some(alive) = &mut self.state().alive {
            alive.server = Some(server);
        }
        Ok(())
    }

    fn kill(&self) {
        if let Some(alive) = &self.state().alive {
            let _ = pidfd_send_signal(&alive.init, Signal::KILL);
        }
    }

    /// Ends it, and waits until nothing of it runs.
    pub async fn stop(&self, force: bool) {
        self.end(Intent::Stop, force).await;
    }

    /// Ends it to be started again; returns at once.
    pub fn reboot(self: &Arc<Self>) {
        let machine = Arc::clone(self);
        tokio::spawn(async move { machine.ask_end(Intent::Reboot, false).await });
    }

    async fn end(&self, intent: Intent, force: bool) {
        let mut running = self.running.subscribe();
        if !*running.borrow() {
            return;
        }
        self.ask_end(intent, force).await;
        let _ = running.wait_for(|running| !running).await;
    }

    async fn ask_end(&self, intent: Intent, force: bool) {
        let mut ends = self.ends.subscribe();
        let (to_init, init) = {
            let mut state = self.state();
            state.intent = intent;
            let Some(alive) = &mut state.alive else { return };
            let Ok(init) = alive.init.try_clone() else { return };
            alive.server = None;
            (Arc::clone(&alive.to_init), init)
        };
        if !force && control::send(&to_init, &Ask::End, None).await.is_ok() {
            let gone = ends.changed();
            if timeout(PATIENCE, gone).await.is_ok() {
                return;
            }
        }
        let _ = pidfd_send_signal(&init, Signal::KILL);
    }

    pub fn cut(&self) {
        if let Some(server) = self.state().alive.as_ref().and_then(|alive| alive.server.as_ref()) {
            server.cut();
        }
    }
}

/// `reboot(2)` in a PID namespace ends its init by a signal that says how: SIGHUP for a restart, SIGINT for the end.
fn reboot_by_signal(status: &io::Result<ExitStatus>) -> Option<bool> {
    match status.as_ref().ok()?.signal()? {
        1 => Some(true),
        2 => Some(false),
        _ => None,
    }
}
