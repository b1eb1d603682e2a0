//! `kiln build`: evaluates the template, runs the plan, reports.

mod decide;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use self::decide::Decisions;
use super::report::json::JsonReport;
use super::report::machine::MachineReport;
use super::report::plain::{PlainReport, Style};
use super::report::{self, Report};
use super::settings;
use super::template_args::TemplateArgs;
use crate::cloud::Clouds;
use crate::engine::load::{self, LoadRequest, Loaded};
use crate::engine::{EngineHandle, RunInputs, StartRequest};
use crate::os::paths;
use crate::os::settings::Settings;
use crate::os::signal::{Signal, Signals};
use crate::plan::Purpose;
use crate::run::plan::{OnError, RunOptions};
use crate::run::{Command, Fact, RunState};
use crate::text::SourceId;

/// Build images from a template.
#[derive(Clone, Debug, Args)]
pub struct BuildArgs {
    #[command(flatten)]
    pub template: TemplateArgs,
    /// What to do when a step fails
    #[arg(long, value_enum, value_name = "WHAT")]
    pub on_error: Option<OnErrorArg>,
    /// How many builds run at once; 0: all
    #[arg(long, value_name = "N")]
    pub parallel_builds: Option<i64>,
    /// Replace images of the same name, and files of earlier runs
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub force: bool,
    /// One build after the other
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub debug: bool,
    /// Colours; by default on a terminal, unless `NO_COLOR` is set
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true, action = clap::ArgAction::Set)]
    pub color: Option<bool>,
    /// Begin each line with the time
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = false, hide_possible_values = true, action = clap::ArgAction::Set)]
    pub timestamp_ui: bool,
    /// Print Packer's machine-readable lines
    #[arg(long)]
    pub machine_readable: bool,
    /// Print for people, or one fact a line as JSON
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Rehearse in a practice cloud on this computer; AWS is not asked
    #[arg(long)]
    pub practice: bool,
    /// Write the result here too, as JSON
    #[arg(long, value_name = "FILE")]
    pub result: Option<PathBuf>,
    /// Packer's flags that change nothing here.
    #[command(flatten)]
    pub packer: PackerFlags,
}

/// Flags that Packer's scripts pass and that have nothing to decide in kiln.
#[derive(Clone, Debug, Args)]
pub struct PackerFlags {
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    warn_on_undeclared_var: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ignore_prerelease_plugins: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    use_sequential_evaluation: Option<bool>,
    #[arg(long, hide = true, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    skip_enforcement: Option<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Text,
    Json,
}

/// `-on-error`, as Packer spells it, and `hold`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum OnErrorArg {
    /// Release everything that was made
    Cleanup,
    /// Leave everything as it is
    Abort,
    /// Ask
    Ask,
    /// Run the error-cleanup-provisioner, then leave everything as it is
    RunCleanupProvisioner,
    /// Keep the machine and its connection until told what to do
    Hold,
}

impl From<OnErrorArg> for OnError {
    fn from(arg: OnErrorArg) -> Self {
        match arg {
            OnErrorArg::Cleanup => Self::Cleanup,
            OnErrorArg::Abort => Self::Abort,
            OnErrorArg::Ask => Self::Ask,
            OnErrorArg::RunCleanupProvisioner => Self::RunCleanupProvisioner,
            OnErrorArg::Hold => Self::Hold,
        }
    }
}

/// Runs the command; gives the exit status.
pub async fn run(args: BuildArgs) -> u8 {
    // From the first moment on: a signal while the template is evaluated must not be lost.
    let mut signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => return refuse(&format!("cannot listen for signals: {error}")),
    };
    let settings = match settings::for_template(&args.template.template, args.format == Format::Json) {
        Ok(settings) => settings,
        Err(status) => return status,
    };
    let state_dir = settings.state_dir.clone().or_else(paths::state_dir);
    if let Some(dir) = &state_dir
        && let Err(error) = crate::engine::log::install(dir)
    {
        // Whether a run can be written down at all shows when it starts.
        let _ = writeln!(io::stderr(), "kiln: cannot write the log: {error}");
    }
    let request = request(&args, &settings);
    let loaded = tokio::select! {
        loaded = load::load(request.clone()) => loaded,
        signal = signals.next() => return signal.status(),
    };
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return refuse(&error.to_string()),
    };
    report::print_diagnostics(&loaded, args.format == Format::Json);
    if loaded.evaluation.has_errors() {
        return 2;
    }
    let Some(plan) = loaded.evaluation.plan.clone() else {
        return refuse("no builds to run");
    };
    let Some(state_dir) = state_dir else {
        return refuse("there is no home folder to keep the run's journal in; set XDG_STATE_HOME");
    };
    let start = StartRequest {
        plan,
        secrets: loaded.evaluation.secrets.clone(),
        inputs: inputs(&loaded),
        state_dir,
        keep_runs: Some(settings.keep_runs as usize),
        clouds: Arc::new(Clouds::default()),
    };
    let engine = match crate::engine::start(start).await {
        Ok(engine) => engine,
        Err(error) => return refuse(&error.to_string()),
    };
    let report = choose_report(&args, &engine);
    let status = follow(&engine, report, signals, Decisions::new(request, loaded, &args)).await;
    if let Some(path) = &args.result
        && let Err(error) = std::fs::copy(engine.run_dir().join("result.json"), path)
    {
        let _ = writeln!(io::stderr(), "kiln: cannot write {}: {error}", path.display());
    }
    status
}

/// What the arguments ask to be evaluated.
fn request(args: &BuildArgs, settings: &Settings) -> LoadRequest {
    let parallel = match args.parallel_builds {
        Some(n) => u32::try_from(n).ok().filter(|n| *n > 0),
        None => settings.parallel,
    };
    let options = RunOptions {
        on_error: args.on_error.map(Into::into).or_else(|| settings::on_error(settings)).unwrap_or_default(),
        force: args.force,
        debug: args.debug,
        parallel,
        kiln_tags: settings.tags,
        ask_public_address: settings.public_address,
        interactive: interactive(args),
    };
    args.template.request(options, Purpose::Build)
}

/// What the run writes down of what it was made from.
fn inputs(loaded: &Loaded) -> RunInputs {
    let text = |id: &SourceId| loaded.sources.get(*id).map(|s| (s.name.clone(), s.text.to_string()));
    let var_files = loaded.inputs.auto_var_files.iter().chain(&loaded.inputs.var_files).cloned().collect();
    RunInputs { templates: loaded.files.iter().filter_map(text).collect(), var_files }
}

/// Whether a person is there to be asked.
fn interactive(args: &BuildArgs) -> bool {
    let plain = args.format == Format::Text && !args.machine_readable;
    plain && args.template.template != "-" && io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn choose_report(args: &BuildArgs, engine: &EngineHandle) -> Box<dyn Report> {
    let out = BufWriter::with_capacity(64 * 1024, io::stdout());
    if args.format == Format::Json {
        return Box::new(JsonReport::new(out));
    }
    if args.machine_readable {
        return Box::new(MachineReport::new(out));
    }
    let style = Style { colour: args.color.unwrap_or_else(report::colour_by_default), timestamps: args.timestamp_ui };
    let engine = engine.clone();
    Box::new(PlainReport::new(out, io::stderr(), style, Box::new(move |build| engine.log_path(build))))
}

/// Shows the run's facts until it ends; passes signals and decisions on. Gives the exit status.
async fn follow(
    engine: &EngineHandle,
    mut report: Box<dyn Report>,
    mut signals: Signals,
    mut decisions: Decisions,
) -> u8 {
    let mut subscription = engine.subscribe_from_start();
    let mut state = RunState::default();
    let mut first: Option<Signal> = None;
    let mut interrupts = 0;
    loop {
        let event = tokio::select! {
            biased;
            signal = signals.next() => {
                first.get_or_insert(signal);
                interrupts += 1;
                engine.send(match interrupts {
                    1 => Command::CancelAll,
                    2 => Command::Force,
                    _ => Command::Abandon,
                });
                say_of_signal(interrupts);
                continue;
            }
            event = subscription.next() => event,
            () = decisions.made(engine, &state) => continue,
        };
        let Some(event) = event else { break };
        state.apply(&event);
        decisions.make_room();
        report.event(&event, &state);
        if matches!(event.fact, Fact::Held { .. } | Fact::Asked { .. }) {
            // What led to it is read before the question.
            report.idle();
        }
        decisions.notice(&event, &state);
        if !subscription.has_more() {
            report.idle();
            decisions.prompt();
        }
    }
    let outcome = engine.ended().await;
    report.end(&outcome.state);
    match first {
        Some(signal) if outcome.status == 130 => signal.status(),
        _ => outcome.status,
    }
}

fn say_of_signal(count: u32) {
    let words = match count {
        1 => "cancelling: what was made is being released (again: do not wait for what is slow)",
        2 => "not waiting any more for what is slow (again: leave now)",
        _ => "leaving now",
    };
    let _ = writeln!(io::stderr(), "\n==> {words}");
}

/// The call or the template is wrong, and nothing was launched.
fn refuse(why: &str) -> u8 {
    let _ = writeln!(io::stderr(), "kiln: {why}");
    2
}

/// The template as it is on disk now, evaluated for the same run.
async fn load_again(request: &LoadRequest, before: &Loaded) -> Result<Loaded, String> {
    let again = LoadRequest { of_run: Some((before.inputs.start, before.inputs.seed)), ..request.clone() };
    load::load(again).await.map_err(|e| e.to_string())
}
