//! What the `shell` provisioner does on the machine: send, run, remove.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use super::Config;
use crate::component::contract::{Done, StepContext, StepResult};
use crate::component::late;
use crate::component::provisioner::environment::{assignments, quoted, variables};
use crate::component::provisioner::link::{ToFacts, failure};
use crate::component::provisioner::script::{codes, inline_text, inline_title, pause_text, signal_status};
use crate::remote::{Communicator, Exec, Exit, RemoteError};
use crate::run::{Failure, FailureKind};

/// Users' `execute_command`s hand the script to other users (`sudo -u app`), so these must be able to read it, as in Packer.
const SCRIPT_MODE: u32 = 0o755;
const VARIABLES_MODE: u32 = 0o600;

pub(super) async fn run(config: &Config, cx: &StepContext) -> StepResult {
    let machine = cx.communicator()?;
    let environment: BTreeMap<String, String> = variables(&config.environment_vars, &config.env, cx)?
        .into_iter()
        .map(|(name, value)| (name, quoted(&value)))
        .collect();
    let environment = assignments(&environment, config.env_var_format());
    for (name, script) in scripts(config, cx)? {
        cx.say(format!("Provisioning with shell script: {name}"));
        Script { config, cx, machine: &*machine, environment: &environment }.run(&script).await?;
    }
    let pause = config.pause_after.or_zero();
    if !pause.is_zero() {
        cx.say(pause_text(pause));
        cx.sleep(pause).await?;
    }
    Ok(Done::Done)
}

/// What to run, by the name that a screen shows.
fn scripts(config: &Config, cx: &StepContext) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    if !config.inline.is_empty() {
        let dot = late::dot(cx, []);
        let lines: Vec<String> =
            config.inline.iter().map(|line| late::render(cx, "inline", line, &dot)).collect::<Result<_, _>>()?;
        let text = inline_text(&lines, config.inline_shebang.as_deref());
        return Ok(vec![(inline_title(lines.len()), prepared(text.into_bytes(), config.binary))]);
    }
    let read = |path: &str| {
        let bytes = std::fs::read(cx.cwd.join(path))
            .map_err(|e| Failure::config(format!("the script `{path}` cannot be read: {e}")))?;
        Ok((path.to_owned(), prepared(bytes, config.binary)))
    };
    config.given().files().into_iter().map(read).collect()
}

/// UNIX line ends, the last line ended too; a binary script is left alone.
fn prepared(bytes: Vec<u8>, binary: bool) -> Vec<u8> {
    if binary {
        return bytes;
    }
    let mut text = Vec::with_capacity(bytes.len() + 1);
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        text.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        text.push(b'\n');
    }
    text
}

struct Script<'a> {
    config: &'a Config,
    cx: &'a StepContext,
    machine: &'a dyn Communicator,
    environment: &'a str,
}

impl Script<'_> {
    async fn run(&self, script: &[u8]) -> Result<(), Failure> {
        let path = self.remote_path();
        let variables = self.config.use_env_var_file.then(|| format!("{}/varfile_{}.sh", self.folder(), number()));
        self.patiently(|| self.machine.upload_bytes(script, &path, SCRIPT_MODE, &self.cx.cancel)).await?;
        if let Some(file) = &variables {
            let bytes = self.environment.as_bytes();
            self.patiently(|| self.machine.upload_bytes(bytes, file, VARIABLES_MODE, &self.cx.cancel)).await?;
        }
        let dot = late::dot(
            self.cx,
            [
                ("Path", path.clone()),
                ("Vars", self.environment.to_owned()),
                ("EnvVarFile", variables.clone().unwrap_or_default()),
            ],
        );
        let command = late::render(self.cx, "execute_command", self.config.execute_command(), &dot)?;
        let ended = self.exec(command).await;
        let judged = self.judge(ended);
        if !self.config.skip_clean && judged.as_ref().err().is_none_or(leaves_a_machine) {
            let removed = self.remove(&path, variables.as_deref()).await;
            // The script's own failure is what matters; that of removing it would hide it.
            if judged.is_ok() {
                removed?;
            }
        }
        judged
    }

    fn folder(&self) -> &str {
        self.config.remote_folder.trim_end_matches('/')
    }

    fn remote_path(&self) -> String {
        if !self.config.remote_path.is_empty() {
            return self.config.remote_path.clone();
        }
        let file = match self.config.remote_file.as_str() {
            "" => format!("script_{}.sh", number()),
            written => written.to_owned(),
        };
        format!("{}/{file}", self.folder())
    }

    async fn exec(&self, command: String) -> Result<Exit, RemoteError> {
        let exec = Exec { command, ..Exec::default() };
        self.machine.exec(&exec, &mut ToFacts(self.cx.facts.clone()), &self.cx.cancel).await
    }

    /// Whether the way in which the script ended is a success.
    fn judge(&self, ended: Result<Exit, RemoteError>) -> Result<(), Failure> {
        let allowed = self.config.valid_exit_codes();
        match ended {
            Ok(Exit::Status(status)) if allowed.contains(&i64::from(status)) => Ok(()),
            Ok(Exit::Status(status)) => Err(Failure::new(
                FailureKind::Exit { status },
                format!(
                    "Script exited with non-zero exit status: {status}. Allowed exit codes are: {}",
                    codes(allowed)
                ),
            )),
            Ok(Exit::Signal(name)) if signal_status(&name).is_some_and(|s| allowed.contains(&s)) => Ok(()),
            // A machine that goes down ends its processes before it ends the link.
            Ok(Exit::Signal(name))
                if self.config.may_disconnect() && matches!(name.as_str(), "TERM" | "HUP" | "KILL") =>
            {
                Ok(())
            }
            Ok(Exit::Signal(name)) => Err(Failure::new(
                FailureKind::Signal { name: name.clone() },
                format!("Script was ended by the signal {name}"),
            )
            .help(if name == "KILL" {
                "the machine may have run out of memory"
            } else {
                "something on the machine ended it"
            })),
            Err(RemoteError::LinkLost(why)) if self.config.may_disconnect() => {
                self.cx.detail(format!("The connection was lost, as expected: {why}"));
                Ok(())
            }
            Err(RemoteError::LinkLost(why)) => {
                Err(Failure::new(FailureKind::LinkLost, format!("Script disconnected unexpectedly: {why}")).help(
                    "if the script restarts the machine or its network on purpose, set `expect_disconnect` to true",
                ))
            }
            Err(error) => Err(failure(&error)),
        }
    }

    /// Removes script and variables. After a reboot it waits for the machine.
    async fn remove(&self, path: &str, variables: Option<&str>) -> Result<(), Failure> {
        let mut gone = true;
        for file in [Some(path), variables].into_iter().flatten() {
            gone = gone && self.patiently(|| self.machine.remove(file, &self.cx.cancel)).await?;
        }
        if gone { Ok(()) } else { self.remove_by_command(path, variables).await }
    }

    async fn remove_by_command(&self, path: &str, variables: Option<&str>) -> Result<(), Failure> {
        let command = match variables {
            Some(file) => format!("rm -f {path} {file}"),
            None => format!("rm -f {path}"),
        };
        let exec = Exec { command, ..Exec::default() };
        let exit = self
            .patiently(|| {
                let exec = exec.clone();
                async move { self.machine.exec(&exec, &mut ToFacts(self.cx.facts.clone()), &self.cx.cancel).await }
            })
            .await?;
        match exit {
            Exit::Status(0) => Ok(()),
            Exit::Status(status) => Err(Failure::new(
                FailureKind::Exit { status },
                format!("Error removing temporary script at {path}: `rm` exited with status {status}"),
            )
            .help("set `skip_clean` if another user must remove it")),
            Exit::Signal(name) => Err(Failure::other(format!("Error removing temporary script at {path}: {name}"))),
        }
    }

    /// Does what can be done twice, again while the machine cannot be reached, up to `start_retry_timeout`.
    async fn patiently<T, F>(&self, act: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, RemoteError>>,
    {
        let deadline = Instant::now() + self.config.patience();
        loop {
            let error = match act().await {
                Ok(done) => return Ok(done),
                Err(error @ RemoteError::LinkLost(_)) => error,
                Err(error) => return Err(failure(&error)),
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(failure(&error).help("the machine did not come back within `start_retry_timeout`"));
            }
            self.cx.waiting(Some("the machine to come back"));
            let back = self.machine.await_return(left, &self.cx.cancel).await;
            self.cx.waiting(None);
            match back {
                Ok(()) | Err(RemoteError::LinkLost(_)) => {}
                Err(error) => return Err(failure(&error)),
            }
            // A link that opens and breaks at once must not be tried in a busy loop.
            self.cx.sleep(Duration::from_millis(250).min(left)).await?;
        }
    }
}

/// After such an end the machine is still there to be tidied.
fn leaves_a_machine(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Exit { .. } | FailureKind::Signal { .. })
}

/// A number that nobody on the machine can guess: a name in a shared folder must not be taken beforehand.
fn number() -> u64 {
    rand::random()
}
