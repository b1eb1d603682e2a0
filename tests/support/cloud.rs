//! An EC2 that nobody here wrote (moto), with machines that answer SSH: `tests/support/cloud/`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock};

use serde_json::{Value, json};

/// Loads moto once for all tests of a binary; forks a cloud for each.
struct Clouds {
    _process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    count: u32,
}

static CLOUDS: OnceLock<Mutex<Clouds>> = OnceLock::new();

/// The port at which every machine's sshd listens, each on an address of its own.
pub const SSH_PORT: u16 = 2222;

/// One cloud, empty but for a few public images.
pub struct Cloud {
    pub dir: tempfile::TempDir,
    pub port: u16,
    tls: bool,
    pid: u64,
}

impl Clouds {
    fn start() -> Self {
        let python = python();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/cloud");
        let mut process = Command::new(&python)
            .arg(folder)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {}: {e}", python.display()));
        let orders = process.stdin.take().expect("piped");
        let mut answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut loaded = String::new();
        answers.read_line(&mut loaded).expect("readable");
        assert!(
            loaded.contains("loaded"),
            "the tests' cloud did not start; run scripts/test, which sets up what it needs"
        );
        Self { _process: process, orders, answers, count: 0 }
    }
}

/// The interpreter with moto in it.
fn python() -> PathBuf {
    let venv = std::env::var_os("KILN_TEST_PEERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers"), PathBuf::from);
    let python = venv.join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/test once, which makes it (moto from PyPI)", python.display());
    assert!(
        ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].iter().any(|p| Path::new(p).exists()),
        "OpenSSH's server is missing: install it (Debian: apt-get install openssh-server)"
    );
    python
}

impl Cloud {
    pub fn start() -> Self {
        Self::ordered(false)
    }

    /// One that is reached by TLS; [`Self::authority`] vouches for it.
    pub fn with_tls() -> Self {
        Self::ordered(true)
    }

    fn ordered(tls: bool) -> Self {
        let dir = tempfile::Builder::new().prefix("kiln-cloud").tempdir().expect("a temporary folder");
        let mut clouds = CLOUDS.get_or_init(|| Mutex::new(Clouds::start())).lock().expect("not poisoned");
        clouds.count += 1;
        // Test binaries may run side by side: their machines must not share addresses.
        let net = (std::process::id() % 700) * 75 + clouds.count % 75;
        let order = json!({ "dir": dir.path(), "net": net, "ssh_port": SSH_PORT, "tls": tls });
        writeln!(clouds.orders, "{order}").expect("the cloud takes orders");
        let mut answer = String::new();
        clouds.answers.read_line(&mut answer).expect("readable");
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|e| panic!("the cloud said {answer:?}: {e}"));
        let port = answer["port"].as_u64().and_then(|p| u16::try_from(p).ok()).expect("a port");
        Self { dir, port, tls, pid: answer["pid"].as_u64().expect("a pid") }
    }

    /// With faults or delays from the first call on; see `tests/support/cloud/front.py`.
    pub fn with(faults: &Value) -> Self {
        let cloud = Self::start();
        cloud.faults(faults);
        cloud
    }

    pub fn faults(&self, faults: &Value) {
        let path = self.dir.path().join("faults.json");
        let next = path.with_extension("next");
        std::fs::write(&next, faults.to_string()).expect("writable");
        std::fs::rename(next, path).expect("writable");
    }

    pub fn endpoint(&self) -> String {
        format!("http{}://127.0.0.1:{}", if self.tls { "s" } else { "" }, self.port)
    }

    /// The certificate of the authority, where it is reached by TLS.
    pub fn authority(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    /// All that exists beyond what the cloud comes with.
    pub fn state(&self) -> Value {
        self.control("GET", "state")
    }

    /// The guest powers itself off.
    pub fn power_off(&self, instance: &str) {
        self.control("POST", &format!("stop?id={instance}"));
    }

    /// Every connection to the machine breaks.
    pub fn cut(&self, instance: &str) {
        self.control("POST", &format!("cut?id={instance}"));
    }

    /// The machine goes down for so many seconds.
    pub fn reboot(&self, instance: &str, down: f64) {
        self.control("POST", &format!("reboot?id={instance}&down={down}"));
    }

    /// An instance profile that exists before any build.
    pub fn instance_profile(&self, name: &str) {
        self.control("POST", &format!("profile?name={name}"));
    }

    /// The user has an MFA device.
    pub fn mfa_device(&self, name: &str) {
        self.control("POST", &format!("mfa?name={name}"));
    }

    fn control(&self, method: &str, what: &str) -> Value {
        assert!(!self.tls, "orders go by plain HTTP");
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the cloud answers");
        write!(stream, "{method} /_test/{what} HTTP/1.0\r\nContent-Length: 0\r\n\r\n").expect("writable");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("readable");
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        serde_json::from_str(body).unwrap_or_else(|e| panic!("{answer:?}: {e}"))
    }

    /// Every call so far: `{"action", "fields", "region", "key", "status"}`.
    pub fn calls(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.dir.path().join("calls.jsonl")).unwrap_or_default();
        text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    /// The calls of one action.
    pub fn calls_of(&self, action: &str) -> Vec<Value> {
        self.calls().into_iter().filter(|c| c["action"] == action).collect()
    }

    /// Every SSH command so far: `i-… command`.
    pub fn commands(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("commands.log")).unwrap_or_default()
    }

    /// Ids of things of a kind that exist; instances only while they are not terminated.
    pub fn ids(&self, kind: &str) -> Vec<String> {
        let state = self.state();
        let things = state[kind].as_array().unwrap_or_else(|| panic!("no kind {kind}"));
        let alive = things.iter().filter(|t| t["state"] != "terminated" && t["state"] != "shutting-down");
        alive.map(|t| t["id"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// What a build should never leave: kinds and ids.
    pub fn left_over(&self) -> Vec<String> {
        let kinds =
            ["instances", "key_pairs", "security_groups", "volumes", "launch_templates", "roles", "instance_profiles"];
        kinds.iter().flat_map(|kind| self.ids(kind).into_iter().map(move |id| format!("{kind}: {id}"))).collect()
    }
}

impl Drop for Cloud {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.pid.to_string()).status();
    }
}
