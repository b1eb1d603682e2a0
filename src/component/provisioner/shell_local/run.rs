//! Runs the scripts of `shell-local`.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

use super::Config;
use crate::component::contract::{Done, Facts, StepContext, StepResult};
use crate::component::late;
use crate::component::provisioner::environment::{assignments, quoted, variables};
use crate::component::provisioner::script::{codes, inline_text, inline_title};
use crate::os::process_group::{Ended, end_group, ended, lead_group, spawn, write_program};
use crate::run::{Failure, FailureKind, Stream};

/// From asking a cancelled script to end until it is ended.
const GRACE: Duration = Duration::from_secs(5);
/// How long to read on after the script ended, while something that it left running holds its output open.
const AFTERGLOW: Duration = Duration::from_secs(1);

const WINDOWS: bool = cfg!(target_os = "windows");

pub(super) async fn run(config: &Config, cx: &StepContext) -> StepResult {
    let here = match std::env::consts::OS {
        "macos" => "darwin",
        other => other,
    };
    if !config.only_on.is_empty() && !config.only_on.iter().any(|s| s == here) {
        return Ok(Done::Skipped("Skipping shell-local due to runtime OS".into()));
    }
    let format = match config.env_var_format.as_str() {
        "" if WINDOWS => "set %s=%s && ",
        "" => "%s='%s' ",
        written => written,
    };
    let mut environment = variables(&config.environment_vars, &config.env, cx)?;
    if !WINDOWS {
        environment.values_mut().for_each(|value| *value = quoted(value));
    }
    let environment = assignments(&environment, format);

    let lines: Vec<String> =
        if config.command.is_empty() { config.inline.clone() } else { vec![config.command.clone()] };
    if lines.is_empty() {
        for path in config.given().files() {
            cx.say(format!("Running local shell script: {path}"));
            // A shell looks a bare name up in PATH; what is meant is the file.
            let found = if path.contains(['/', '\\']) { path.to_owned() } else { format!("./{path}") };
            execute(config, cx, &environment, &found, "").await?;
        }
        return Ok(Done::Done);
    }
    let dot = late::dot(cx, []);
    let lines: Vec<String> =
        lines.iter().map(|line| late::render(cx, "inline", line, &dot)).collect::<Result<_, _>>()?;
    cx.say(format!("Running local shell script: {}", inline_title(lines.len())));
    // The folder goes away, with the script in it, when this ends in whatever way.
    let folder = tempfile::Builder::new()
        .prefix("packer-shell")
        .tempdir()
        .map_err(|e| Failure::other(format!("no temporary folder can be made: {e}")))?;
    let extension = match config.tempfile_extension.as_str() {
        "" if WINDOWS => ".cmd",
        written => written,
    };
    let path = folder.path().join(format!("script{extension}"));
    let text = if WINDOWS && config.inline_shebang.is_none() {
        format!("{}\r\n", lines.join("\r\n"))
    } else {
        inline_text(&lines, config.inline_shebang.as_deref())
    };
    write_program(&path, text.as_bytes())
        .map_err(|e| Failure::other(format!("{} cannot be written: {e}", path.display())))?;
    execute(config, cx, &environment, &path.to_string_lossy(), &config.command).await?;
    Ok(Done::Done)
}

async fn execute(
    config: &Config,
    cx: &StepContext,
    environment: &str,
    script: &str,
    command: &str,
) -> Result<(), Failure> {
    let unix = ["/bin/sh", "-c", "{{.Vars}} {{.Script}}"];
    let windows = ["cmd", "/V", "/C", "{{.Vars}}", "call", "{{.Script}}"];
    let template: Vec<&str> = match config.execute_command.as_slice() {
        [] if WINDOWS => windows.to_vec(),
        [] => unix.to_vec(),
        [only] if !WINDOWS => vec!["/bin/sh", "-c", only],
        written => written.iter().map(String::as_str).collect(),
    };
    let dot = late::dot(
        cx,
        [("Vars", environment.to_owned()), ("Script", script.to_owned()), ("Command", command.to_owned())],
    );
    let arguments: Vec<String> =
        template.iter().map(|text| late::render(cx, "execute_command", text, &dot)).collect::<Result<_, _>>()?;
    let Some((program, arguments)) = arguments.split_first() else {
        return Err(Failure::config("`execute_command` names no program"));
    };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(&cx.cwd);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    lead_group(&mut command);
    let child = spawn(&mut command)
        .map_err(|e| Failure::config(format!("`{program}` cannot be started: {e}")).help("check `execute_command`"))?;
    judge(config, watch(child, cx).await?)
}

/// Passes on what the child prints until it ends; ends its whole group when the step is cancelled.
async fn watch(mut child: Child, cx: &StepContext) -> Result<Ended, Failure> {
    let leader = child.id();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let facts = &*cx.facts;
    let output = async {
        tokio::join!(pass(stdout, Stream::Stdout, facts), pass(stderr, Stream::Stderr, facts));
    };
    tokio::pin!(output);
    let mut finished = false;
    loop {
        tokio::select! {
            () = &mut output, if !finished => finished = true,
            status = child.wait() => {
                if !finished {
                    let _ = tokio::time::timeout(AFTERGLOW, &mut output).await;
                }
                return status.map(ended).map_err(|e| Failure::other(format!("the script's end was not seen: {e}")));
            }
            () = cx.cancel.cancelled() => break,
        }
    }
    if let Some(leader) = leader {
        end_group(leader, false);
        let grace = async {
            let (_, ()) = tokio::join!(child.wait(), async {
                if !finished {
                    output.as_mut().await;
                }
            });
        };
        if tokio::time::timeout(GRACE, grace).await.is_err() {
            end_group(leader, true);
            let _ = child.wait().await;
        }
    }
    Err(Failure::cancelled())
}

async fn pass(from: Option<impl AsyncRead + Unpin>, stream: Stream, facts: &dyn Facts) {
    let Some(mut from) = from else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        facts.output(stream, &buffer[..n]);
        if let Some(room) = facts.room() {
            room.await;
        }
    }
}

fn judge(config: &Config, ended: Ended) -> Result<(), Failure> {
    let allowed = config.valid_exit_codes();
    match ended {
        Ended::Status(status) if allowed.contains(&i64::from(status)) => Ok(()),
        Ended::Signal(signal) if allowed.contains(&(128 + i64::from(signal))) => Ok(()),
        Ended::Status(status) => {
            let failure = Failure::new(
                FailureKind::Exit { status: u32::try_from(status).unwrap_or(u32::MAX) },
                format!(
                    "Script exited with non-zero exit status: {status}. Allowed exit codes are: {}",
                    codes(allowed)
                ),
            );
            Err(match status {
                126 => failure.help("the script is not executable: `chmod +x` makes it so"),
                127 => failure.help("the script, its interpreter or a command in it was not found"),
                _ => failure,
            })
        }
        Ended::Signal(signal) => Err(Failure::new(
            FailureKind::Signal { name: signal.to_string() },
            format!("Script was ended by the signal {signal}"),
        )),
    }
}
