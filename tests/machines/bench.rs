//! A store with machines in it, and the clients that reach them.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kiln::practice::instance::{self, Options};
use kiln::practice::machine::{Happened, Host, Isolation, LayerId, Limits, LinkFaults, MachineSpec, Machines};
use std::net::Ipv4Addr;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::watch;

const PATIENCE: Duration = Duration::from_secs(120);

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn program() -> PathBuf {
    std::env::var_os("KILN_TEST_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_kiln").into(), PathBuf::from)
}

/// What machines told.
pub struct Told {
    all: Mutex<Vec<(String, Happened)>>,
    count: watch::Sender<usize>,
}

impl Host for Told {
    fn happened(&self, id: &str, what: Happened) {
        let mut all = self.all.lock().unwrap();
        all.push((id.to_owned(), what));
        self.count.send_replace(all.len());
    }

    fn metadata(&self, id: &str, path: &str) -> Option<Vec<u8>> {
        (path == "/latest/meta-data/instance-id").then(|| id.as_bytes().to_vec())
    }
}

impl Told {
    /// Waits until so many of a machine's reports are like this.
    pub async fn times(&self, id: &str, count: usize, like: impl Fn(&Happened) -> bool) {
        let mut changed = self.count.subscribe();
        let enough = changed.wait_for(|_| {
            let all = self.all.lock().unwrap();
            if let Some((_, Happened::Failed { why })) =
                all.iter().find(|(there, what)| there == id && matches!(what, Happened::Failed { .. }) && !like(what))
            {
                panic!("{id} failed: {why}");
            }
            all.iter().filter(|(there, what)| there == id && like(what)).count() >= count
        });
        let in_time = tokio::time::timeout(PATIENCE, enough).await.is_ok();
        assert!(in_time, "{id} told only {:?}", self.all.lock().unwrap());
    }

    pub async fn booted(&self, id: &str, count: usize) {
        self.times(id, count, |what| *what == Happened::Booted).await;
    }
}

pub struct Bench {
    pub folder: TempDir,
    pub machines: Arc<dyn Machines>,
    pub told: Arc<Told>,
    pub key: String,
    pub link: watch::Sender<LinkFaults>,
}

/// What a test wants of a machine beside the usual.
#[derive(Default)]
pub struct Wish {
    pub layers: Vec<LayerId>,
    pub user_data: Option<Vec<u8>>,
    pub limits: Limits,
}

impl Bench {
    pub async fn real() -> Self {
        let bench = Self::open(Options::default()).await;
        // Where it is not to be had these tests have nothing to say.
        assert!(matches!(bench.machines.isolation(), Isolation::Real { .. }), "{:?}", bench.machines.isolation());
        bench
    }

    pub async fn open(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::at(folder, options).await
    }

    pub async fn at(folder: TempDir, options: Options) -> Self {
        let key = folder.path().join("key");
        if !key.exists() {
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-C", "me@here", "-f"]).arg(&key);
            assert!(make.status().await.unwrap().success());
        }
        let options = Options { folder: folder.path().join("store"), program: Some(program()), ..options };
        let machines = instance::open(options).await;
        let told = Arc::new(Told { all: Mutex::default(), count: watch::Sender::new(0) });
        let key = std::fs::read_to_string(key.with_extension("pub")).unwrap();
        Self { folder, machines, told, key, link: watch::Sender::new(LinkFaults::default()) }
    }

    pub fn spec(&self, id: &str, wish: Wish) -> MachineSpec {
        MachineSpec {
            instance_id: id.to_owned(),
            layers: wish.layers,
            address: self.machines.reserve().unwrap(),
            hostname: "ip-10-0-0-1".to_owned(),
            login_user: "ubuntu".to_owned(),
            authorized_keys: vec![self.key.clone()],
            user_data: wish.user_data,
            limits: wish.limits,
            link: self.link.subscribe(),
        }
    }

    /// Whether logins have ids of their own here.
    pub fn has_users(&self) -> bool {
        matches!(self.machines.isolation(), Isolation::Real { limits } if !limits.iter().any(|limit| limit.starts_with("users")))
    }

    /// Launches and waits until it has booted.
    pub async fn launch(&self, id: &str, wish: Wish) -> Ipv4Addr {
        let spec = self.spec(id, wish);
        let address = spec.address;
        self.machines.launch(spec, self.told.clone()).await.unwrap();
        self.told.booted(id, 1).await;
        address
    }

    fn options(&self, address: Ipv4Addr) -> Vec<String> {
        let port = self.machines.ssh_port(address);
        let mut options = vec!["-F".to_owned(), "/dev/null".to_owned()];
        for option in [
            format!("Port={port}"),
            format!("IdentityFile={}", self.folder.path().join("key").display()),
            "IdentitiesOnly=yes".to_owned(),
            "IdentityAgent=none".to_owned(),
            "BatchMode=yes".to_owned(),
            "StrictHostKeyChecking=no".to_owned(),
            "UserKnownHostsFile=/dev/null".to_owned(),
            "LogLevel=ERROR".to_owned(),
        ] {
            options.extend(["-o".to_owned(), option]);
        }
        options
    }

    /// A client of OpenSSH with what it needs to get in.
    pub fn client(&self, program: &str, address: Ipv4Addr) -> Command {
        let mut command = Command::new(program);
        command.args(self.options(address)).kill_on_drop(true).stdin(Stdio::null());
        command
    }

    pub async fn ssh(&self, at: (&str, Ipv4Addr), command: &str) -> Output {
        let (user, address) = at;
        let mut ssh = self.client("ssh", address);
        ssh.arg(format!("{user}@{address}")).arg(command);
        finished(ssh.output()).await
    }

    /// The output of a command that must succeed.
    pub async fn says(&self, at: (&str, Ipv4Addr), command: &str) -> String {
        let output = self.ssh(at, command).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{command}: {text} {}", String::from_utf8_lossy(&output.stderr));
        text.trim_end().to_owned()
    }

    pub async fn ssh_with(&self, at: (&str, Ipv4Addr), command: &str, input: &[u8]) -> Output {
        let (user, address) = at;
        let mut ssh = self.client("ssh", address);
        ssh.arg(format!("{user}@{address}")).arg(command);
        run_with(ssh, input).await
    }
}

pub async fn run_with(mut command: Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let feed = async move {
        // A program that does not read to the end is its own business.
        let _ = stdin.write_all(input).await;
        drop(stdin);
    };
    let (output, ()) = finished(async { tokio::join!(child.wait_with_output(), feed) }).await;
    output.unwrap()
}

trait Finished {
    type Value;
    fn value(self) -> Self::Value;
}

impl Finished for std::io::Result<Output> {
    type Value = Output;
    fn value(self) -> Output {
        self.unwrap()
    }
}

impl<T> Finished for (T, ()) {
    type Value = Self;
    fn value(self) -> Self {
        self
    }
}

async fn finished<F: Future>(future: F) -> <F::Output as Finished>::Value
where
    F::Output: Finished,
{
    tokio::time::timeout(PATIENCE, future).await.expect("a client did not end").value()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end().to_owned()
}

/// Status, or the signal as a shell has it.
pub fn status(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default())
}

/// Whether a process of this computer was started with this argument.
pub fn runs(argument: &str) -> bool {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let mut lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    lines.any(|line| line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes()))
}

/// An argument of `sleep` that no other test and no other run of these tests has.
pub fn token(number: u32) -> String {
    format!("{}.{}", 70_000 + number, std::process::id())
}

/// Processes that this one started, and those that they did.
pub fn descendants(of: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    let pairs: Vec<(u32, u32)> = entries
        .filter_map(|entry| {
            let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok()?;
            Some((entry.file_name().to_str()?.parse().ok()?, parent))
        })
        .collect();
    let mut found = vec![of];
    let mut at = 0;
    while at < found.len() {
        let one = found[at];
        found.extend(pairs.iter().filter(|(_, parent)| *parent == one).map(|(pid, _)| *pid));
        at += 1;
    }
    found.split_off(1)
}

/// Waits until these processes have ended, buried or not.
pub async fn ended(pids: &[u32]) {
    let live = |pid: &&u32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty());
    let all = async {
        let mut often = tokio::time::interval(Duration::from_millis(10));
        while pids.iter().any(|pid| live(&pid)) {
            often.tick().await;
        }
    };
    let left = || pids.iter().filter(live).collect::<Vec<_>>();
    tokio::time::timeout(PATIENCE, all).await.unwrap_or_else(|_| panic!("{:?} still run", left()));
}

/// Waits until a process has this argument.
pub async fn started(argument: &str) {
    let up = async {
        let mut often = tokio::time::interval(Duration::from_millis(10));
        while !runs(argument) {
            often.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, up).await.unwrap_or_else(|_| panic!("{argument} does not run"));
}

pub fn layer(name: &str) -> LayerId {
    LayerId(name.to_owned())
}

/// Size, time, permissions and owner of everything below a folder, and what is in small files.
pub fn picture(folder: &Path) -> Vec<String> {
    use std::os::unix::fs::MetadataExt;
    let mut found = Vec::new();
    let mut rest = vec![folder.to_path_buf()];
    while let Some(folder) = rest.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(data) = entry.metadata() else { continue };
            let content = if data.is_file() && data.len() < 65_536 { std::fs::read(entry.path()).ok() } else { None };
            let sum =
                content.map(|bytes| bytes.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte)));
            let (owner, mode) = (data.uid(), data.mode());
            let time = (data.mtime(), data.ctime());
            found.push(format!("{} {} {time:?} {mode:o} {owner} {sum:?}", entry.path().display(), data.len()));
            if data.is_dir() {
                rest.push(entry.path());
            }
        }
    }
    found.sort();
    found
}
