//! An OpenSSH server of the test's own, on loopback.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use kiln::remote::{Auth, Communicator, ConnectOptions, Exec, Exit, OutputSink, RemoteError, connect};
use tokio_util::sync::CancellationToken;

const SSHD: &str = "/usr/sbin/sshd";

/// Dies with the value.
pub struct Sshd {
    child: Child,
    pub port: u16,
    pub folder: tempfile::TempDir,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn user() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
}

pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Makes a key pair without a passphrase.
pub fn keygen(path: &Path, kind: &str) {
    let _ = std::fs::remove_file(path);
    let made = Command::new("ssh-keygen").args(["-q", "-N", "", "-t", kind, "-f"]).arg(path).status();
    assert!(made.expect("ssh-keygen is missing: apt-get install openssh-client").success());
}

impl Sshd {
    pub fn start() -> Self {
        Self::with("")
    }

    /// Starts it with more lines of configuration, which win over those given here.
    pub fn with(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        keygen(&folder.path().join("host"), "ed25519");
        keygen(&folder.path().join("id"), "ed25519");
        std::fs::copy(folder.path().join("id.pub"), folder.path().join("authorized")).unwrap();
        let port = free_port();
        let child = run(folder.path(), port, more);
        let sshd = Self { child, port, folder };
        sshd.wait();
        sshd
    }

    /// Ends the listener and all its sessions, as the machine's end would, and starts anew on the same port.
    pub fn restart(&mut self, more: &str) {
        self.kill();
        self.child = run(self.folder.path(), self.port, more);
        self.wait();
    }

    /// Ends the listener and all its sessions.
    pub fn kill(&mut self) {
        self.kill_sessions();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Ends all sessions; the listener stays.
    pub fn kill_sessions(&self) {
        for pid in below(self.child.id()) {
            let _ = Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
        }
    }

    fn wait(&self) {
        for _ in 0..1000 {
            if std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("sshd does not listen; its log: {}", self.log());
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub fn key(&self) -> PathBuf {
        self.folder.path().join("id")
    }

    pub fn options(&self) -> ConnectOptions {
        let mut options = ConnectOptions::new("127.0.0.1", self.port, user());
        options.auth = vec![Auth::Key { path: self.key() }];
        options
    }

    pub async fn connect(&self) -> Arc<dyn Communicator> {
        connect_with(self.options()).await
    }

    /// Adds a public key to those that are let in.
    pub fn authorize(&self, public: &str) {
        use std::io::Write as _;
        let path = self.folder.path().join("authorized");
        writeln!(std::fs::OpenOptions::new().append(true).open(path).unwrap(), "{}", public.trim()).unwrap();
    }
}

fn run(folder: &Path, port: u16, more: &str) -> Child {
    assert!(Path::new(SSHD).exists(), "{SSHD} is missing: apt-get install openssh-server");
    // Where Debian's sshd wants to lock itself in; only root can make it, and only root needs it.
    let _ = std::fs::create_dir_all("/run/sshd");
    let at = folder.display();
    let sftp = if more.contains("Subsystem") { "" } else { "Subsystem sftp internal-sftp" };
    // Bash reads the user's .bashrc for SSH unless it believes itself to be an inner shell; that is not what is tested here.
    let config = format!(
        "{more}\nListenAddress 127.0.0.1:{port}\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nPidFile none\n\
         StrictModes no\nUsePAM no\nPermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
         {sftp}\nSetEnv SHLVL=5\nMaxStartups 100\nLogLevel VERBOSE\n"
    );
    std::fs::write(folder.join("config"), config).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    Command::new(SSHD)
        .args(["-D", "-e", "-f"])
        .arg(folder.join("config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

/// All processes below one.
fn below(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let children: Vec<u32> = children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect();
    children.iter().flat_map(|child| std::iter::once(*child).chain(below(*child))).collect()
}

pub fn never() -> CancellationToken {
    CancellationToken::new()
}

pub async fn connect_with(options: ConnectOptions) -> Arc<dyn Communicator> {
    connect(options, &never()).await.unwrap_or_else(|error| panic!("{error}"))
}

/// Keeps what a command prints.
#[derive(Debug, Default)]
pub struct Printed {
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl OutputSink for Printed {
    fn stdout(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn stderr(&mut self, bytes: &[u8]) {
        self.err.extend_from_slice(bytes);
    }
}

impl Printed {
    pub fn out(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap()
    }
}

pub fn command(command: &str) -> Exec {
    Exec { command: command.to_owned(), ..Exec::default() }
}

pub async fn exec(link: &dyn Communicator, text: &str) -> (Result<Exit, RemoteError>, Printed) {
    let mut printed = Printed::default();
    let exit = link.exec(&command(text), &mut printed, &never()).await;
    (exit, printed)
}
