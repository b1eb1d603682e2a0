//! `result.json` in a run's folder: what came of it, for scripts. Versioned: fields are added, never changed.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::names::LogNames;
use super::read::JOURNAL;
use crate::run::state::{Fate, Phase};
use crate::run::{Artifact, Attempt, BuildId, Failure, RunId, RunState, StepId};

/// The version that this kiln writes.
pub const VERSION: u32 = 1;
/// Name of the file in a run's folder.
pub const FILE: &str = "result.json";

/// What came of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// Of this format.
    pub version: u32,
    pub run: RunId,
    /// kiln's version.
    pub kiln: String,
    pub host: String,
    /// Path of the template as the user gave it.
    pub template: String,
    /// The exit status: 0 done, 1 a build failed, 3 done but something could not be released, 130 cancelled.
    pub status: u8,
    /// Milliseconds since the UNIX epoch.
    pub started: i64,
    pub ended: i64,
    /// Path of the journal.
    pub journal: String,
    /// In the template's order.
    pub builds: Vec<BuildResult>,
}

/// What came of one build.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildResult {
    pub build: BuildId,
    /// `done`, `failed` or `cancelled`; another word of the build's state when kiln was told to leave at once.
    pub status: String,
    /// How many tries it took; 0: it was never started.
    pub attempts: Attempt,
    /// Milliseconds from the start of the first attempt to the end of the last.
    pub duration: i64,
    /// Images by region, of all artifacts: region and id.
    pub images: Vec<ImageResult>,
    pub artifacts: Vec<Artifact>,
    pub failure: Option<FailureResult>,
    /// Why the image is not what the template alone makes; empty: it is.
    pub patched: Vec<String>,
    /// What exists still and is no result.
    pub left: Vec<LeftResult>,
    /// Paths of the logs of output, one for each attempt that printed something.
    pub logs: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageResult {
    pub region: String,
    pub id: String,
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureResult {
    pub step: Option<StepId>,
    #[serde(flatten)]
    pub failure: Failure,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftResult {
    pub kind: String,
    /// `None`: it was about to be made, and nobody knows whether it exists.
    pub id: Option<String>,
    pub region: String,
    /// Why it could not be released; `None`: it was left on purpose, or there was no time.
    pub why: Option<String>,
}

impl RunResult {
    /// What a state comes to. `ended`: milliseconds since the UNIX epoch.
    #[must_use]
    pub fn of(state: &RunState, dir: &Path, status: u8, ended: i64) -> Self {
        let names = LogNames::of(state.builds.keys());
        Self {
            version: VERSION,
            run: state.run.clone().unwrap_or_else(|| "".into()),
            kiln: state.version.clone(),
            host: state.host.clone(),
            template: state.plan.as_ref().map(|p| p.template.clone()).unwrap_or_default(),
            status,
            started: state.started.unwrap_or(ended),
            ended,
            journal: dir.join(JOURNAL).to_string_lossy().into_owned(),
            builds: state.builds.values().map(|build| build_result(state, build, dir, &names, ended)).collect(),
        }
    }
}

fn build_result(
    state: &RunState,
    build: &crate::run::state::BuildState,
    dir: &Path,
    names: &LogNames,
    now: i64,
) -> BuildResult {
    let started = build.earlier.first().map_or(build.started, |first| first.started);
    let images = build.artifacts.iter().flat_map(|a| &a.images);
    let mut images: Vec<ImageResult> =
        images.map(|i| ImageResult { region: i.region.clone(), id: i.id.clone(), name: i.name.clone() }).collect();
    images.sort_by(|a, b| (&a.region, &a.id).cmp(&(&b.region, &b.id)));
    images.dedup();
    let left = state.left().filter(|owned| owned.resource.build == build.id).map(|owned| LeftResult {
        kind: owned.resource.kind.clone(),
        id: owned.resource.id.clone(),
        region: owned.resource.region.clone(),
        why: if let Fate::ReleaseFailed { why, .. } = &owned.fate { Some(why.clone()) } else { None },
    });
    let logs = (1..=build.attempt).map(|attempt| dir.join(names.log(&build.id, attempt)));
    let failure = build.failure.clone().filter(|_| build.phase != Phase::Done);
    BuildResult {
        build: build.id.clone(),
        status: build.word(),
        attempts: build.attempt,
        duration: started.map_or(0, |started| build.ended.unwrap_or(now).saturating_sub(started)),
        images,
        artifacts: build.artifacts.clone(),
        failure: failure.map(|(step, failure)| FailureResult { step, failure }),
        patched: build.patched.clone(),
        left: left.collect(),
        logs: logs.filter(|log| log.exists()).map(|log| log.to_string_lossy().into_owned()).collect(),
    }
}
