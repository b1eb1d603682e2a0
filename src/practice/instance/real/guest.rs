//! A running machine as its SSH server sees it: users from its own files, commands entered into its namespaces.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal};
use tokio::net::{TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

use super::super::super::machine::BoxFuture;
use super::super::agent::{Entry, MARK, What};
use super::super::control::{self, Ask, Login};
use super::super::files::scp;
use super::super::proxy_variables;
use super::super::ssh::{Account, Duplex, Exit, Guest, Job, Kind, Running, Steer};
use super::pty;
use super::space::Ground;

type Asked<T> = Mutex<HashMap<u64, oneshot::Sender<T>>>;

/// What reaches into a machine while it runs.
pub struct Inside {
    pub ground: Arc<Ground>,
    pub init: i32,
    pub to_init: Arc<UnixStream>,
    pub cgroups: Vec<String>,
    pub limits: (Option<u64>, Option<u64>),
    /// Where metadata is served when that is not its own address.
    pub metadata: Option<String>,
    number: AtomicU64,
    logins: Asked<Option<Login>>,
    connections: Asked<Result<OwnedFd, String>>,
}

fn put<T>(asked: &Asked<T>, id: u64, answer: T) {
    if let Some(waiting) = asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) {
        let _ = waiting.send(answer);
    }
}

impl Inside {
    pub fn new(
        ground: Arc<Ground>,
        init: i32,
        to_init: Arc<UnixStream>,
        cgroups: Vec<String>,
        limits: (Option<u64>, Option<u64>),
        metadata: Option<String>,
    ) -> Self {
        let (number, logins, connections) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        Self { ground, init, to_init, cgroups, limits, metadata, number, logins, connections }
    }

    pub fn login_told(&self, id: u64, login: Option<Login>) {
        put(&self.logins, id, login);
    }

    pub fn connection_told(&self, id: u64, connection: Result<OwnedFd, String>) {
        put(&self.connections, id, connection);
    }

    async fn ask<T>(&self, asked: &Asked<T>, make: impl FnOnce(u64) -> Ask) -> io::Result<T> {
        let id = self.number.fetch_add(1, Ordering::Relaxed);
        let (tell, told) = oneshot::channel();
        asked.lock().unwrap_or_else(PoisonError::into_inner).insert(id, tell);
        control::send(&self.to_init, &make(id), None).await?;
        told.await.map_err(|_| io::Error::other("the machine ended"))
    }

    async fn login(&self, user: &str) -> io::Result<Option<Login>> {
        self.ask(&self.logins, |id| Ask::Login { id, user: user.to_owned() }).await
    }

    fn variables(&self, login: &Login, job: &Job) -> Vec<(String, String)> {
        let own = |name: &str, value: String| (name.to_owned(), value);
        let (client, server) = (job.client, job.server);
        let mut all = vec![
            own("HOME", login.home.clone()),
            own("USER", login.name.clone()),
            own("LOGNAME", login.name.clone()),
            own("SHELL", login.shell.clone()),
            own("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            own("LANG", "C.UTF-8".to_owned()),
            own("SSH_CLIENT", format!("{} {} {}", client.ip(), client.port(), server.port())),
            own("SSH_CONNECTION", format!("{} {} {} {}", client.ip(), client.port(), server.ip(), server.port())),
        ];
        if self.ground.own_network {
            all.extend(proxy_variables().map(|(name, value)| (name.to_owned(), value)));
        }
        if let Some(at) = &self.metadata {
            all.push(own("AWS_EC2_METADATA_SERVICE_ENDPOINT", at.clone()));
        }
        all.extend(login.variables.clone());
        if let Some(terminal) = &job.terminal {
            all.push(own("TERM", terminal.name.clone()));
        }
        all.extend(job.variables.clone());
        all
    }

    async fn run(&self, user: &str, job: Job) -> io::Result<Running> {
        let login = self.login(user).await?.ok_or_else(|| io::Error::other("the user is gone"))?;
        let called = login.shell.rsplit('/').next().unwrap_or("sh");
        let (what, program): (What, Vec<OsString>) = match &job.kind {
            Kind::Sftp => (What::Sftp, Vec::new()),
            Kind::Shell => (What::Program { called: format!("-{called}") }, vec![login.shell.clone().into()]),
            Kind::Command(line) => match std::str::from_utf8(line).ok().and_then(scp::Call::parse) {
                Some(call) if job.terminal.is_none() => (What::Scp(call), Vec::new()),
                _ => {
                    let line = OsString::from_vec(line.clone());
                    (What::Program { called: called.to_owned() }, vec![login.shell.clone().into(), "-c".into(), line])
                }
            },
        };
        let entry = Entry {
            init: self.init,
            own_network: self.ground.own_network,
            cgroups: self.cgroups.clone(),
            uid: login.uid,
            gid: login.gid,
            groups: login.groups.clone(),
            many_ids: self.ground.ids.many(),
            home: login.home.clone(),
            terminal: job.terminal.is_some(),
            processes: self.limits.0,
            disk_mib: self.limits.1,
            what,
        };
        let mut command = Command::new(&self.ground.program);
        command
            .args([MARK, "enter"])
            .arg(serde_json::to_string(&entry)?)
            .args(&program)
            .env_clear()
            .envs(self.variables(&login, &job))
            .current_dir("/")
            .process_group(0);
        let terminal = match &job.terminal {
            None => {
                command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
                None
            }
            Some(terminal) => {
                let (master, slave) = pty::open(self.init, terminal.columns, terminal.rows)?;
                command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
                Some(master)
            }
        };
        let mut child = command.spawn()?;
        // The terminal's other side must not stay open here.
        drop(command);
        let outer = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let steer = Box::new(Process { outer, terminal: terminal.clone() });
        if let Some(master) = terminal {
            let (input, output) = (Some(Box::pin(master.clone()) as _), Box::pin(master) as _);
            return Ok(Running { input, output, errors: None, exit: Box::pin(ended(child)), steer });
        }
        let missing = || io::Error::other("a stream is missing");
        let input = Some(Box::pin(child.stdin.take().ok_or_else(missing)?) as _);
        let output = Box::pin(child.stdout.take().ok_or_else(missing)?);
        let errors = Some(Box::pin(child.stderr.take().ok_or_else(missing)?) as _);
        Ok(Running { input, output, errors, exit: Box::pin(ended(child)), steer })
    }
}

async fn ended(mut child: Child) -> Exit {
    match child.wait().await {
        Ok(status) => match status.signal() {
            Some(signal) => Exit::Signal(signal),
            None => Exit::Status(status.code().unwrap_or(255).unsigned_abs()),
        },
        Err(_) => Exit::Status(255),
    }
}

struct Process {
    /// The step outside of the machine; what it waits for is its only child.
    outer: Option<Pid>,
    terminal: Option<pty::Master>,
}

impl Steer for Process {
    fn resize(&self, columns: u16, rows: u16) {
        if let Some(terminal) = &self.terminal {
            terminal.resize(columns, rows);
        }
    }

    fn signal(&self, name: &str) {
        let signal = match name {
            "ABRT" => Signal::ABORT,
            "ALRM" => Signal::ALARM,
            "FPE" => Signal::FPE,
            "HUP" => Signal::HUP,
            "ILL" => Signal::ILL,
            "INT" => Signal::INT,
            "KILL" => Signal::KILL,
            "PIPE" => Signal::PIPE,
            "QUIT" => Signal::QUIT,
            "SEGV" => Signal::SEGV,
            "TERM" => Signal::TERM,
            "USR1" => Signal::USR1,
            "USR2" | "USR2@openssh.com" => Signal::USR2,
            _ => return,
        };
        let Some(outer) = self.outer else { return };
        let outer = outer.as_raw_nonzero();
        let children = fs::read_to_string(format!("/proc/{outer}/task/{outer}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|pid| pid.parse().ok()).filter_map(Pid::from_raw) {
            // To all of its session's first group, as sshd does.
            if rustix::process::kill_process_group(child, signal).is_err() {
                let _ = rustix::process::kill_process(child, signal);
            }
        }
    }
}

impl Guest for Inside {
    fn account<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Option<Account>> {
        Box::pin(async move {
            let login = self.login(user).await.ok().flatten()?;
            Some(Account { name: login.name, keys: login.keys })
        })
    }

    fn start<'a>(&'a self, user: &'a str, job: Job) -> BoxFuture<'a, io::Result<Running>> {
        Box::pin(self.run(user, job))
    }

    fn connect<'a>(&'a self, host: &'a str, port: u16) -> BoxFuture<'a, io::Result<Box<dyn Duplex>>> {
        Box::pin(async move {
            let told = self.ask(&self.connections, |id| Ask::Connect { id, host: host.to_owned(), port }).await?;
            let stream = std::net::TcpStream::from(told.map_err(io::Error::other)?);
            stream.set_nonblocking(true)?;
            Ok(Box::new(TcpStream::from_std(stream)?) as Box<dyn Duplex>)
        })
    }
}
