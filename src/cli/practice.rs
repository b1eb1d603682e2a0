//! `kiln practice`: a practice cloud that serves until it is told to stop. `kiln build --practice`: the same build with such a
//! cloud around it.
//!
//! Not here: the cloud itself (`practice`), which knows nothing of kiln.

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;

use crate::os::process_group::{self, Ended};
use crate::os::signal::{Signal, Signals};
use crate::os::{paths, private_file};
use crate::practice::instance;
use crate::practice::machine::{Isolation, Machines};
use crate::practice::scenario::Scenario;
use crate::practice::{Options, Practice};

#[derive(Clone, Debug, Args)]
pub struct PracticeArgs {
    /// Port of the endpoint; 0: any that is free
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    port: u16,
    /// Port of every machine's SSH server; by default 22 where that is allowed, else 2222
    #[arg(long, value_name = "PORT")]
    ssh_port: Option<u16>,
    /// Keep images and machines in this folder, for the next time; by default they are forgotten
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// What is slow, missing or broken in this cloud
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// Machines show commands and answer from a script; nothing is run
    #[arg(long)]
    scripted: bool,
}

/// What a cloud of the command line is made from.
struct Cloud {
    practice: Practice,
    machines: Arc<dyn Machines>,
    /// Removed in the end.
    _forgotten: Option<tempfile::TempDir>,
}

impl Cloud {
    async fn start(args: PracticeArgs, rehearsal: bool) -> Result<Self, String> {
        let scenario = match &args.scenario {
            Some(path) => Scenario::read(path).map_err(|error| error.to_string())?,
            None => Scenario::default(),
        };
        let made = |dir: &Path| {
            private_file::create_dir(dir)
                .map_err(|error| format!("the folder {} cannot be made: {error}", dir.display()))
        };
        let forgotten = match &args.dir {
            Some(_) => None,
            None => Some(tempfile::tempdir().map_err(|error| format!("no temporary folder can be made: {error}"))?),
        };
        let folder = args.dir.as_deref().or(forgotten.as_ref().map(tempfile::TempDir::path)).unwrap_or(Path::new("."));
        // Machines are told of it from other folders than this one.
        made(folder)?;
        let folder = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
        let machines = instance::open(instance::Options {
            folder: folder.join("machines"),
            ssh_port: args.ssh_port,
            scripted: args.scripted,
            answers: scenario.answer.clone(),
            ..instance::Options::default()
        })
        .await;
        let dir = args.dir.is_some().then(|| folder.join("cloud"));
        let options = Options { port: args.port, dir, scenario, rehearsal, ..Options::default() };
        let practice = Practice::start(options, Arc::clone(&machines)).await.map_err(|error| error.to_string())?;
        Ok(Self { practice, machines, _forgotten: forgotten })
    }

    fn tell_isolation(&self) {
        match self.machines.isolation() {
            Isolation::Real { limits } => {
                let limits = if limits.is_empty() { String::new() } else { format!(" ({})", limits.join("; ")) };
                tell(&format!("its machines are real: isolated from this computer, gone when this ends{limits}"));
            }
            Isolation::Scripted { because, remedy } => {
                tell(&format!("its machines are scripted: commands are shown and answered, none is run ({because})"));
                if let Some(remedy) = remedy {
                    tell(&format!("to have real ones: {remedy}"));
                }
            }
        }
    }
}

/// Serves until a signal comes. Gives the exit status: 0, or 2 when it cannot start.
pub async fn serve(args: PracticeArgs) -> u8 {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return refuse(&format!("cannot listen for signals: {error}")),
    };
    let cloud = match Cloud::start(args, true).await {
        Ok(cloud) => cloud,
        Err(why) => return refuse(&why),
    };
    cloud.tell_isolation();
    let mut out = std::io::stdout().lock();
    for (name, value) in cloud.practice.exports() {
        // Nobody is told when a stream is closed.
        let _ = writeln!(out, "export {name}={value}");
    }
    // A comment for the shell, and the end of the exports for programs that read them.
    let _ = writeln!(out, "# Ctrl-C ends this cloud");
    let _ = out.flush();
    drop(out);
    signals.next().await;
    cloud.practice.stop().await;
    0
}

/// Runs this very command again without `--practice`, with a practice cloud instead of AWS. `arguments` begin with the
/// program's name. Images are kept between rehearsals, so that one build can start from another's. Gives its exit status.
pub async fn rehearse(arguments: Vec<OsString>) -> u8 {
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return refuse(&format!("cannot listen for signals: {error}")),
    };
    let Some(state) = paths::state_dir() else { return refuse("this user has no home folder; set XDG_STATE_HOME") };
    let args =
        PracticeArgs { port: 0, ssh_port: None, dir: Some(state.join("practice")), scenario: None, scripted: false };
    let cloud = match Cloud::start(args, true).await {
        Ok(cloud) => cloud,
        Err(why) => return refuse(&why),
    };
    tell("this is a rehearsal in a practice cloud on this computer; AWS is not asked");
    cloud.tell_isolation();
    let status = run_inside(&cloud.practice, arguments, &mut signals).await;
    for stand_in in cloud.practice.cloud().stand_ins() {
        tell(&stand_in);
    }
    cloud.practice.stop().await;
    status
}

async fn run_inside(practice: &Practice, arguments: Vec<OsString>, signals: &mut Signals) -> u8 {
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return refuse(&format!("kiln does not find its own program: {error}")),
    };
    let mut command = tokio::process::Command::new(program);
    command.args(arguments.into_iter().skip(1).filter(|argument| argument != FLAG));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command.envs(practice.exports());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return refuse(&format!("kiln cannot be started again: {error}")),
    };
    loop {
        tokio::select! {
            ended = child.wait() => return match ended.map(process_group::ended) {
                Ok(Ended::Status(status)) => u8::try_from(status).unwrap_or(1),
                Ok(Ended::Signal(signal)) => u8::try_from(128 + signal).unwrap_or(1),
                Err(error) => refuse(&format!("kiln's end is not known: {error}")),
            },
            signal = signals.next() => {
                // A terminal has told the build itself.
                let from_terminal = matches!(signal, Signal::Interrupt | Signal::HangUp) && std::io::stdin().is_terminal();
                if !from_terminal && let Some(pid) = child.id() {
                    process_group::ask_to_end(pid);
                }
            }
        }
    }
}

/// The flag of `kiln build`, as clap gets it.
const FLAG: &str = "--practice";

fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "practice: {text}");
}

fn refuse(why: &str) -> u8 {
    let _ = writeln!(std::io::stderr(), "kiln: {why}");
    2
}
