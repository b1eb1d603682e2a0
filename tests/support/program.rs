//! kiln as a user calls it: the real binary, in an environment made from nothing.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;

use super::cloud::{Cloud, SSH_PORT};

/// A user with a home and a working folder.
pub struct Kiln {
    pub dir: tempfile::TempDir,
    environment: Vec<(String, String)>,
}

/// How a call of kiln ended.
#[derive(Debug)]
pub struct Ended {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Kiln {
    /// A user without a cloud.
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("kiln-user").tempdir().expect("a temporary folder");
        for folder in ["home", "work", "state", "tmp"] {
            std::fs::create_dir(dir.path().join(folder)).expect("writable");
        }
        Self { dir, environment: Vec::new() }
    }

    /// A user of this cloud, with credentials in the environment.
    pub fn on(cloud: &Cloud) -> Self {
        let mut kiln = Self::new();
        kiln.set("AWS_ENDPOINT_URL", &cloud.endpoint());
        kiln.set("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE");
        kiln.set("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");
        kiln.set("KILN_SSH_PORT", &SSH_PORT.to_string());
        kiln
    }

    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// The working folder.
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Writes a file into the working folder.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).expect("writable");
        }
        std::fs::write(&path, text).expect("writable");
        path
    }

    /// Where kiln keeps its runs.
    pub fn runs(&self) -> PathBuf {
        self.dir.path().join("state/kiln/runs")
    }

    /// The folder of the only run so far.
    pub fn run_dir(&self) -> Option<PathBuf> {
        std::fs::read_dir(self.runs()).ok()?.flatten().map(|e| e.path()).find(|p| p.join("journal.jsonl").exists())
    }

    /// The facts of the only run so far.
    pub fn journal(&self) -> Vec<Value> {
        let text =
            self.run_dir().and_then(|d| std::fs::read_to_string(d.join("journal.jsonl")).ok()).unwrap_or_default();
        text.lines().filter_map(|l| serde_json::from_str(l).ok()).collect()
    }

    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
        command.args(arguments).current_dir(self.work()).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.dir.path().join("home")).env("TMPDIR", self.dir.path().join("tmp"));
        command.env("XDG_STATE_HOME", self.dir.path().join("state"));
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("LANG", "C.UTF-8");
        command.envs(self.environment.iter().map(|(k, v)| (k, v)));
        command.stdin(Stdio::null());
        command
    }

    /// Runs kiln to its end.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        self.command(arguments).output().expect("kiln starts").into()
    }

    /// Runs kiln with a text on its standard input.
    pub fn run_with_input<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>, input: &str) -> Ended {
        use std::io::Write;
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kiln starts");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("kiln reads");
        child.wait_with_output().expect("kiln ends").into()
    }

    /// Starts kiln and leaves it running.
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kiln starts")
    }

    /// Every byte that kiln wrote to disk, by file.
    pub fn written(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        collect(&self.dir.path().join("state"), &mut files);
        collect(&self.dir.path().join("tmp"), &mut files);
        files
    }
}

impl Default for Kiln {
    fn default() -> Self {
        Self::new()
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if let Ok(bytes) = std::fs::read(&path) {
            files.push((path, bytes));
        }
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Ended {
    /// # Panics
    /// When kiln ended otherwise; shows what it said.
    #[track_caller]
    pub fn expect(self, status: i32) -> Self {
        assert_eq!(self.status, status, "status\n--- stdout\n{}\n--- stderr\n{}", self.stdout, self.stderr);
        self
    }
}
