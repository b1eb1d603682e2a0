//! The start of a run: its folder, its lock, its inputs, its journal; then the tasks that do the work.

use std::path::PathBuf;
use std::sync::Arc;

use super::handle::EngineHandle;
use crate::cloud::Clouds;
use crate::run::{Plan, Secrets};

/// All that a run needs.
pub struct StartRequest {
    pub plan: Plan,
    /// The values behind the plan's references.
    pub secrets: Secrets,
    pub inputs: RunInputs,
    /// kiln's state folder (`os::paths::state_dir`): the run gets `runs/<run>/` in it.
    pub state_dir: PathBuf,
    /// How many runs to keep, this one included; `None`: all. A run that lives is always kept.
    pub keep_runs: Option<usize>,
    /// The process's clients; checks before the run may have used them already.
    pub clouds: Arc<Clouds>,
}

/// What the plan was made from, for whoever opens the run later.
#[derive(Clone, Debug, Default)]
pub struct RunInputs {
    /// File name and text of the template. Secrets in it are masked before they are written.
    pub template: (String, String),
    /// Path and text of each var-file, masked likewise.
    pub var_files: Vec<(String, String)>,
}

/// Why nothing was started. Nothing was launched then, and no run is left behind.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("cannot write the journal of the run: {path}: {source}")]
    Journal { path: PathBuf, source: std::io::Error },
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
    let _ = request;
    Err(StartError::Nothing)
}
