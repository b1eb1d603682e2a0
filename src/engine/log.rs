//! kiln's own log: `kiln.log` beside `runs/`, with what a person looks for who was not there.
//!
//! Everything goes through one writer that takes the secrets out, whoever logs it. With `PACKER_LOG` (not empty, not `0`) the
//! lines, and more of them, go to standard error too, or to the file that `PACKER_LOG_PATH` names, as with Packer; the path alone
//! is enough. Not here:
//! the journal, which is the truth.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

use super::redact::Redactor;
use crate::os::log_file::LogFile;
use crate::os::private_file;
use crate::run::event::{BuildEnd, StepEnd, Tone};
use crate::run::{Event, Fact, RunState, Secrets};

/// Name of the log in kiln's state folder.
pub const FILE: &str = "kiln.log";
/// Bytes after which a new one begins.
const LIMIT: u64 = 1 << 20;

/// The process's log, once [`install`] was called.
static LOG: OnceLock<Arc<Log>> = OnceLock::new();

struct Log {
    redactor: RwLock<Redactor>,
    sinks: Mutex<Sinks>,
}

struct Sinks {
    file: Option<LogFile>,
    elsewhere: Elsewhere,
}

/// Where the lines go besides.
enum Elsewhere {
    Nowhere,
    Stderr,
    File(File),
}

/// Begins the process's log in this state folder. Later calls change nothing.
///
/// # Errors
/// When the log, or the file of `PACKER_LOG_PATH`, cannot be opened: the rest works all the same.
pub fn install(state_dir: &Path) -> io::Result<()> {
    let env = |name| std::env::var_os(name).filter(|v: &std::ffi::OsString| !v.is_empty());
    // As in Packer, a path alone switches it on too.
    let told = env("PACKER_LOG").map_or_else(|| env("PACKER_LOG_PATH").is_some(), |v| v != "0");
    let mut failed = None;
    let mut keep = |error: io::Error, path: &Path| {
        failed.get_or_insert_with(|| io::Error::new(error.kind(), format!("{}: {error}", path.display())));
    };
    let elsewhere = match env("PACKER_LOG_PATH").filter(|_| told) {
        Some(path) => match private_file::create(Path::new(&path)) {
            Ok(file) => Elsewhere::File(file),
            Err(e) => {
                keep(e, Path::new(&path));
                Elsewhere::Stderr
            }
        },
        None if told => Elsewhere::Stderr,
        None => Elsewhere::Nowhere,
    };
    let path = state_dir.join(FILE);
    let file = LogFile::open(&path, LIMIT).map_err(|e| keep(e, &path)).ok();
    let log = Arc::new(Log { redactor: RwLock::default(), sinks: Mutex::new(Sinks { file, elsewhere }) });
    if LOG.set(log.clone()).is_ok() {
        let (ours, others) = if told { (Level::DEBUG, Level::INFO) } else { (Level::INFO, Level::WARN) };
        let lines = tracing_subscriber::fmt::layer().with_writer(Writer(log)).with_ansi(false).with_target(false);
        let filter = Targets::new().with_default(others).with_target("kiln", ours);
        // A library user that has a subscriber of its own keeps it.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(filter).with(lines));
    }
    failed.map_or(Ok(()), Err)
}

/// Hides these values in every line from now on.
pub(super) fn hide_all(secrets: &Secrets) {
    if let Some(log) = LOG.get() {
        log.redactor.write().unwrap_or_else(PoisonError::into_inner).hide_all(secrets);
    }
}

/// Hides this value in every line from now on.
pub(super) fn hide(secret: &str) {
    if let Some(log) = LOG.get() {
        log.redactor.write().unwrap_or_else(PoisonError::into_inner).hide(secret);
    }
}

/// Logs what matters of a fact that comes after this state.
pub(super) fn note(event: &Event, state: &RunState) {
    let Some((level, text)) = line(event, state) else { return };
    match level {
        Level::ERROR => tracing::error!("{text}"),
        Level::WARN => tracing::warn!("{text}"),
        _ => tracing::info!("{text}"),
    }
}

/// The line for a fact; `None`: it is for the journal only.
fn line(event: &Event, state: &RunState) -> Option<(Level, String)> {
    let id = |key: &str| state.resources.get(key).and_then(|o| o.resource.id.clone()).unwrap_or_else(|| key.into());
    let (level, text) = match &event.fact {
        Fact::RunStarted { run, version, plan, .. } => {
            let text = format!("{run}: started by kiln {version}: {} with {} builds", plan.template, plan.builds.len());
            return Some((Level::INFO, text));
        }
        Fact::RunEnded { status } => (Level::INFO, format!("ended with status {status}")),
        Fact::AttemptStarted { revision, .. } => {
            (Level::INFO, format!("attempt {} started, revision {revision}", event.attempt.unwrap_or(1)))
        }
        Fact::AttemptEnded { ended: BuildEnd::Done { .. } } => (Level::INFO, "done".into()),
        Fact::AttemptEnded { ended: BuildEnd::Cancelled } => (Level::WARN, "cancelled".into()),
        Fact::AttemptEnded { ended: BuildEnd::Failed { failure, .. } } => (Level::ERROR, format!("failed: {failure}")),
        Fact::StepEnded { step, ended: StepEnd::Failed { failure } } => {
            (Level::WARN, format!("step {step} failed: {failure}"))
        }
        Fact::Held { step, .. } => (Level::WARN, format!("held at step {step}")),
        Fact::Said { tone: Tone::Warning, text, .. } => (Level::WARN, text.clone()),
        Fact::Said { tone: Tone::Error, text, .. } => (Level::ERROR, text.clone()),
        Fact::ReleaseFailed { key, why, .. } => (Level::ERROR, format!("could not release {}: {why}", id(key))),
        Fact::Left { key } => (Level::WARN, format!("left {} on purpose", id(key))),
        _ => return None,
    };
    let run = state.run.as_ref().map_or("", crate::run::RunId::as_str);
    let build = event.build.as_ref().map(|build| format!(" {build}")).unwrap_or_default();
    Some((level, format!("{run}{build}: {text}")))
}

/// One line on its way.
struct Writer(Arc<Log>);

impl<'a> MakeWriter<'a> for Writer {
    type Writer = &'a Log;

    fn make_writer(&'a self) -> &'a Log {
        &self.0
    }
}

impl Write for &Log {
    /// Takes a whole line: the subscriber hands over one at a time. A log that cannot be written stops nothing.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let clean = self.redactor.read().unwrap_or_else(PoisonError::into_inner).text(&text);
        let text = clean.as_deref().unwrap_or(&text);
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut sinks.file {
            let _ = file.add(text);
        }
        let _ = match &mut sinks.elsewhere {
            Elsewhere::Nowhere => Ok(()),
            Elsewhere::Stderr => io::stderr().lock().write_all(text.as_bytes()),
            Elsewhere::File(file) => file.write_all(text.as_bytes()),
        };
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Failure, Plan, SecretRef};

    fn event(fact: Fact) -> Event {
        Event { seq: 1, at: 0, build: Some("a".into()), attempt: Some(2), fact }
    }

    #[test]
    fn a_line_says_which_run_and_build_it_is_about() {
        let plan = Box::new(Plan { template: "web.json".into(), ..Plan::default() });
        let started = Fact::RunStarted { run: "r1".into(), version: "0.1.0".into(), host: "h".into(), plan };
        let mut state = RunState::default();
        let said = |fact: Fact, state: &RunState| line(&event(fact), state).map(|(_, text)| text);
        let first = said(started.clone(), &state);
        assert_eq!(first.as_deref(), Some("r1: started by kiln 0.1.0: web.json with 0 builds"));
        state.apply(&event(started));
        let failed = Fact::AttemptEnded { ended: BuildEnd::Failed { step: None, failure: Failure::other("no disk") } };
        assert_eq!(said(failed, &state).as_deref(), Some("r1 a: failed: no disk"));
        let warned = Fact::Said { step: None, tone: Tone::Warning, text: "open to all".into() };
        assert_eq!(said(warned, &state).as_deref(), Some("r1 a: open to all"));
        assert_eq!(said(Fact::CleanUpStarted, &state), None);
    }

    #[test]
    fn no_secret_passes_whoever_logs_it() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join(FILE);
        let file = LogFile::open(&path, LIMIT).ok();
        let log = Log { redactor: RwLock::default(), sinks: Mutex::new(Sinks { file, elsewhere: Elsewhere::Nowhere }) };
        let mut secrets = Secrets::default();
        secrets.insert(SecretRef("var:p".into()), "hunter22!");
        log.redactor.write().unwrap().hide_all(&secrets);
        let subscriber = tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_writer(Writer(Arc::new(log))).with_ansi(false));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(password = "hunter22!", "the answer was {}", "hunter22!");
        });
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("the answer was <sensitive>") && !text.contains("hunter22"), "{text}");
    }
}
