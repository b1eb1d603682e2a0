//! Starts processes of kiln's own program in new namespaces, with util-linux's `unshare`.

use std::io;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::super::agent::{MARK, Work};
use super::ids::Ids;

/// A first sign of life comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(20);

/// What every start needs.
#[derive(Clone, Debug)]
pub struct Ground {
    /// kiln's program.
    pub program: PathBuf,
    pub ids: Ids,
    /// The store: every process begins there.
    pub store: PathBuf,
    /// Whether machines have a network namespace.
    pub own_network: bool,
}

/// A process in namespaces of its own that waits for its ids.
pub struct Space {
    pub child: Child,
    /// The process inside, as the host numbers it.
    pub pid: i32,
    pub control: UnixStream,
}

impl Ground {
    /// Starts `role` with `unshare`'s options; it has its ids when this returns, but for `before`, which is done first.
    pub async fn start(
        &self,
        options: &[&str],
        role: &[&str],
        stdout: Stdio,
        stderr: Stdio,
        before: impl FnOnce(i32),
    ) -> io::Result<Space> {
        let (own, theirs) = StdStream::pair()?;
        own.set_nonblocking(true)?;
        let mut child = Command::new("unshare")
            .args(["--user", "--mount"])
            .args(options)
            .arg("--")
            .arg(&self.program)
            .args([MARK, "new"])
            .args(role)
            .current_dir(&self.store)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => io::Error::other("util-linux's `unshare` is not installed"),
                _ => error,
            })?;
        let mut control = UnixStream::from_std(own)?;
        let hello = async {
            let mut line = Vec::new();
            loop {
                match control.read_u8().await? {
                    b'\n' => break,
                    byte => line.push(byte),
                }
            }
            String::from_utf8_lossy(&line).parse::<i32>().map_err(io::Error::other)
        };
        let pid = match timeout(PATIENCE, hello).await {
            Ok(Ok(pid)) => pid,
            silent => {
                let _ = child.start_kill();
                let mut why = String::new();
                if let Some(mut errors) = child.stderr.take() {
                    let _ = timeout(PATIENCE, errors.read_to_string(&mut why)).await;
                }
                let _ = child.wait().await;
                let why = why.trim();
                return Err(match silent {
                    Ok(Err(_)) if !why.is_empty() => io::Error::other(why.to_owned()),
                    Ok(Err(error)) => io::Error::new(error.kind(), format!("no namespaces: {error}")),
                    _ => io::Error::new(io::ErrorKind::TimedOut, "`unshare` said nothing"),
                });
            }
        };
        before(pid);
        self.ids
            .grant(pid)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("mapping the machine's ids: {error}")))?;
        control.write_all(&[1]).await?;
        Ok(Space { child, pid, control })
    }

    /// Has work on file trees done with a machine's ids; gives the number of bytes that it measured.
    pub async fn work(&self, work: &Work) -> io::Result<u64> {
        let text = serde_json::to_string(work)?;
        let mut space = self.start(&[], &["tree", &text], Stdio::piped(), Stdio::piped(), |_| ()).await?;
        let output = output(&mut space).await?;
        String::from_utf8_lossy(&output).trim().parse().map_err(io::Error::other)
    }

    /// Has it written to a file what the work gives.
    pub async fn work_to(&self, work: &Work, to: &Path) -> io::Result<()> {
        let text = serde_json::to_string(work)?;
        let file = std::fs::File::create(to)?;
        let mut space = self.start(&[], &["tree", &text], file.into(), Stdio::piped(), |_| ()).await?;
        output(&mut space).await.map(|_| ())
    }
}

async fn output(space: &mut Space) -> io::Result<Vec<u8>> {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let read_out = async {
        match &mut space.child.stdout {
            Some(stdout) => stdout.read_to_end(&mut out).await.map(|_| ()),
            None => Ok(()),
        }
    };
    let read_err = async {
        match &mut space.child.stderr {
            Some(stderr) => stderr.read_to_end(&mut err).await.map(|_| ()),
            None => Ok(()),
        }
    };
    tokio::try_join!(read_out, read_err)?;
    let status = space.child.wait().await?;
    if status.success() {
        return Ok(out);
    }
    let why = String::from_utf8_lossy(&err);
    Err(io::Error::other(why.trim().trim_start_matches("machine: tree: ").to_owned()))
}
