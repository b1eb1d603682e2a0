//! The start of a run: its folder, its lock, its inputs, its journal; then the tasks that do the work.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, RwLock};

use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::components::{Catalogue, Components};
use super::facts::{Journal, Message};
use super::handle::{EngineHandle, RunOutcome};
use super::inputs::{self, RunInputs};
use super::journal::Writer;
use super::log;
use super::names::LogNames;
use super::publish::Published;
use super::redact::{self, Redactor};
use super::result::{self, RunResult};
use super::run_loop::RunLoop;
use super::shared::{Pace, Shared};
use super::supervisor::{Supervisor, now};
use crate::cloud::Clouds;
use crate::os::lock::Lock;
use crate::os::{paths, private_file};
use crate::run::event::Tone;
use crate::run::plan::StepPart;
use crate::run::{Event, Fact, Plan, RunId, Secrets};

/// All that a run needs.
pub struct StartRequest {
    pub plan: Plan,
    /// The values behind the plan's references.
    pub secrets: Secrets,
    pub inputs: RunInputs,
    /// kiln's state folder (`os::paths::state_dir`): the run gets `runs/<run>/` in it.
    pub state_dir: PathBuf,
    /// How many runs to keep, this one included; `None`: all. A run that lives, or left something behind, is always kept.
    pub keep_runs: Option<usize>,
    /// The process's clients; checks before the run may have used them already.
    pub clouds: Arc<Clouds>,
}

/// Why nothing was started. Nothing was launched then, and no journal is left behind.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot write the journal of the run, so nothing was started: {path}: {source}")]
    Journal { path: PathBuf, source: io::Error },
    /// This version cannot run a component of the plan.
    #[error("{build}: the {kind} `{component}` cannot be run by this version of kiln")]
    NotBuilt { build: String, kind: &'static str, component: String },
    #[error("the plan has no builds")]
    Nothing,
}

/// Starts a run. When it returns, the journal with the plan is on disk.
///
/// # Errors
/// See [`StartError`].
pub async fn start(request: StartRequest) -> Result<EngineHandle, StartError> {
    start_with(request, Arc::new(Catalogue), Pace::default()).await
}

/// As [`start`], with other components and other waits.
///
/// # Errors
/// See [`StartError`].
pub async fn start_with(
    request: StartRequest,
    components: Arc<dyn Components>,
    pace: Pace,
) -> Result<EngineHandle, StartError> {
    log::hide_all(&request.secrets);
    let started = begin(request, components, pace).await;
    if let Err(error) = &started {
        tracing::error!("no run was started: {error}");
    }
    started
}

async fn begin(request: StartRequest, components: Arc<dyn Components>, pace: Pace) -> Result<EngineHandle, StartError> {
    check(&request.plan, &*components)?;
    let StartRequest { plan, secrets, inputs, state_dir, keep_runs, clouds } = request;
    let host = paths::host_name();
    let (redactor, cannot_hide) = Redactor::new(&secrets);
    let names = LogNames::of(plan.builds.iter().map(|b| &b.id));
    let runs = state_dir.join("runs");
    let failed_at = runs.clone();
    let prepared = {
        let (plan, host, redactor, secrets) = (plan.clone(), host.clone(), redactor.clone(), secrets.clone());
        tokio::task::spawn_blocking(move || prepare(&runs, plan, host, &inputs, (&secrets, &redactor), keep_runs)).await
    };
    let Prepared { run, dir, lock, writer, first } = prepared
        .unwrap_or_else(|panic| Err((failed_at, io::Error::other(panic))))
        .map_err(|(path, source)| StartError::Journal { path, source })?;

    let (sender, messages) = mpsc::unbounded_channel::<Message>();
    let journal = Journal { sender, redactor: Arc::new(RwLock::new(redactor)), backlog: Arc::default() };
    let published = Arc::new(Published::new());
    let at_once = match plan.options {
        _ if plan.options.debug => 1,
        ref options => options.parallel.filter(|n| *n > 0).map_or(plan.builds.len(), |n| n as usize),
    };
    let supervisor = Supervisor::start((journal.clone(), messages), published.clone(), names, writer, first);
    let shared = Arc::new(Shared {
        run: run.clone(),
        dir: dir.clone(),
        host,
        components,
        clouds,
        secrets: Arc::new(RwLock::new(secrets)),
        journal,
        published: published.clone(),
        plan: Mutex::new(Arc::new(plan)),
        followed: Mutex::default(),
        force: CancellationToken::new(),
        slots: Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))),
        pace,
    });
    shared.journal.name_open(cannot_hide);
    let options = &shared.plan().options;
    if options.debug && !options.interactive {
        shared.say(None, Tone::Warning, "nobody is there to ask, so -debug does not pause between steps");
    }
    let (commands, receiver) = mpsc::unbounded_channel();
    let (ended, outcome) = watch::channel(None);
    let handle = EngineHandle {
        run,
        dir,
        commands,
        published,
        outcome,
        secrets: shared.secrets.clone(),
        journal: shared.journal.clone(),
    };
    tokio::spawn(async move {
        let status = RunLoop::run(shared.clone(), receiver).await;
        let outcome = close(&shared, status).await;
        drop(supervisor);
        drop(lock);
        let _ = ended.send(Some(outcome));
    });
    Ok(handle)
}

/// The end of a run: the result is written before the journal says that it is over.
async fn close(shared: &Shared, status: u8) -> RunOutcome {
    let state = shared.published.state();
    let (dir, at) = (shared.dir.clone(), now());
    let written = tokio::task::spawn_blocking(move || {
        let json = serde_json::to_vec_pretty(&RunResult::of(&state, &dir, status, at))?;
        private_file::write(&dir.join(result::FILE), &json)
    });
    if let Ok(Err(e)) = written.await {
        shared.say(None, Tone::Error, format!("cannot write {}: {e}", result::FILE));
    }
    let _ = shared.journal.record(None, None, Fact::RunEnded { status }).await;
    let (sender, closed) = tokio::sync::oneshot::channel();
    if shared.journal.sender.send(Message::Close(sender)).is_ok() {
        let _ = closed.await;
    }
    RunOutcome { status, state: Arc::new(shared.published.state()) }
}

fn check(plan: &Plan, components: &dyn Components) -> Result<(), StartError> {
    if plan.builds.is_empty() {
        return Err(StartError::Nothing);
    }
    for build in &plan.builds {
        let not_built = |kind, component: &str| {
            Err(StartError::NotBuilt { build: build.id.to_string(), kind, component: component.to_owned() })
        };
        if components.builder(&build.builder_type).is_none() {
            return not_built("builder", &build.builder_type);
        }
        for step in build.steps.iter().chain(&build.error_cleanup) {
            match step.part {
                StepPart::Provision if components.provisioner(&step.component).is_none() => {
                    return not_built("provisioner", &step.component);
                }
                StepPart::PostProcess { .. } if components.post_processor(&step.component).is_none() => {
                    return not_built("post-processor", &step.component);
                }
                _ => {}
            }
        }
    }
    Ok(())
}

struct Prepared {
    run: RunId,
    dir: PathBuf,
    lock: Lock,
    writer: Writer,
    first: Event,
}

type At<T> = Result<T, (PathBuf, io::Error)>;

/// Folder, lock, inputs, journal, in this order; what failed is taken away again.
fn prepare(
    runs: &Path,
    plan: Plan,
    host: String,
    inputs: &RunInputs,
    (secrets, redactor): (&Secrets, &Redactor),
    keep_runs: Option<usize>,
) -> At<Prepared> {
    private_file::create_dir(runs).map_err(|e| (runs.to_owned(), e))?;
    if let Some(keep) = keep_runs {
        super::prune::prune(runs, keep.saturating_sub(1));
    }
    let (run, dir) = new_folder(runs).map_err(|e| (runs.to_owned(), e))?;
    let filled = (|| {
        private_file::create_dir(&dir.join("keys"))?;
        let lock = Lock::take(&dir.join("lock"))?.ok_or_else(|| io::Error::other("the run's lock is held"))?;
        let sensitive = secrets.iter().filter_map(|(name, _)| name.0.strip_prefix("var:")).collect();
        inputs::write(&dir, inputs, &plan, redactor, &sensitive)?;
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let mut fact = Fact::RunStarted { run: run.clone(), version, host, plan: Box::new(plan) };
        redact::facts::redact(redactor, &mut fact);
        let first = Event { seq: 1, at: now(), build: None, attempt: None, fact };
        let writer = Writer::create(&dir, &first)?;
        Ok((lock, writer, first))
    })();
    match filled {
        Ok((lock, writer, first)) => Ok(Prepared { run, dir, lock, writer, first }),
        Err(e) => {
            // Nothing was launched: there is no run.
            let _ = std::fs::remove_dir_all(&dir);
            Err((dir, e))
        }
    }
}

/// A name that sorts by time, and its folder, which nobody else has.
fn new_folder(runs: &Path) -> io::Result<(RunId, PathBuf)> {
    let stamp = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S").to_string();
    loop {
        let name = format!("{stamp}-{:04x}", rand::random::<u16>());
        let dir = runs.join(&name);
        match private_file::create_new_dir(&dir) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| (name.into(), dir)),
        }
    }
}
