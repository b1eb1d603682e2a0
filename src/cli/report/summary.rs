//! The end of a run in words: what was made, what failed and why, what is left.

use std::fmt::Write as _;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::lines::shown;
use super::words;
use crate::run::state::{BuildState, Fate, Phase};
use crate::run::{Artifact, BuildId, RunState};

/// How many lines of a failed build's log are shown.
const LAST_LINES: usize = 12;

/// Where the log of a build's last attempt is.
pub type LogPath<'a> = &'a dyn Fn(&BuildState) -> PathBuf;

/// How long a build's last attempt took, in words.
pub fn spent(state: &RunState, build: &BuildId) -> String {
    let Some(build) = state.builds.get(build) else { return words::spent(Duration::ZERO) };
    words::spent(between(build.started, build.ended))
}

/// From the first build's start to the last one's end, as Packer counts.
fn waited(state: &RunState) -> Duration {
    state.worked().map_or_else(|| between(state.started, state.ended), |worked| between(Some(0), Some(worked)))
}

fn between(start: Option<i64>, end: Option<i64>) -> Duration {
    let (Some(start), Some(end)) = (start, end) else { return Duration::ZERO };
    Duration::from_millis(u64::try_from(end.saturating_sub(start)).unwrap_or_default())
}

/// Builds that came to no good end, with the reason, in the plan's order.
pub fn failures(state: &RunState) -> Vec<(&BuildId, String)> {
    let failed = state.builds.values().filter(|b| matches!(b.phase, Phase::Failed | Phase::Cancelled));
    failed
        .map(|b| {
            let why = match (&b.phase, &b.failure) {
                (Phase::Cancelled, _) => "cancelled".into(),
                (_, Some((_, failure))) => failure.message.clone(),
                (_, None) => "failed".into(),
            };
            (&b.id, why)
        })
        .collect()
}

/// What the builds that succeeded made, in the plan's order.
pub fn artifacts(state: &RunState) -> Vec<(&BuildId, &[Artifact])> {
    let done = state.builds.values().filter(|b| b.phase == Phase::Done && !b.artifacts.is_empty());
    done.map(|b| (&b.id, b.artifacts.as_slice())).collect()
}

/// The whole end of a run, as it is printed: Packer's lines, then a table builder × region → AMI, what is left, and the
/// failures last, with the last lines and the path of their logs.
pub fn text(state: &RunState, log: LogPath<'_>) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "\n==> Wait completed after {}", words::spent(waited(state)));
    let made = artifacts(state);
    if made.is_empty() {
        out.push_str("\n==> Builds finished but no artifacts were created.\n");
    } else {
        out.push_str("\n==> Builds finished. The artifacts of successful builds are:\n");
        for (build, artifacts) in &made {
            for artifact in *artifacts {
                let _ = writeln!(out, "--> {build}: {}", artifact.description.trim_end());
            }
        }
    }
    out.push_str(&table(state));
    left(&mut out, state);
    failed(&mut out, state, log);
    out
}

/// A row for each image of each build; empty when there are none.
fn table(state: &RunState) -> String {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for build in state.builds.values().filter(|b| b.phase == Phase::Done) {
        let mark = if build.patched.is_empty() { "" } else { " (patched)" };
        let mut seen = Vec::new();
        for image in build.artifacts.iter().flat_map(|a| &a.images) {
            if !seen.contains(&(&image.region, &image.id)) {
                seen.push((&image.region, &image.id));
                rows.push([format!("{}{mark}", build.id), image.region.clone(), image.id.clone(), image.name.clone()]);
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    rows.insert(0, ["BUILD", "REGION", "AMI", "NAME"].map(str::to_owned));
    let width = |column: usize| rows.iter().map(|r| r[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut out = String::from("\n");
    for [build, region, ami, name] in &rows {
        let (a, b, c) = (widths[0], widths[1], widths[2]);
        let _ = writeln!(out, "{build:a$}  {region:b$}  {ami:c$}  {name}");
    }
    out
}

fn left(out: &mut String, state: &RunState) {
    let left: Vec<_> = state.left().collect();
    if left.is_empty() {
        return;
    }
    out.push_str("\n==> Left in the cloud:\n");
    for owned in left {
        let resource = &owned.resource;
        let id = resource.id.clone().unwrap_or_else(|| format!("{} (no id learnt)", resource.find));
        let why = match &owned.fate {
            Fate::Left => ", as you asked".into(),
            Fate::ReleaseFailed { why, .. } => format!(": {why}"),
            Fate::Intended => ", which may not exist".into(),
            _ => String::new(),
        };
        let _ = writeln!(out, "--> {}: {} {id} in {}{why}", resource.build, resource.kind, resource.region);
    }
}

fn failed(out: &mut String, state: &RunState, log: LogPath<'_>) {
    let failures = failures(state);
    if failures.is_empty() {
        return;
    }
    out.push_str("\n==> Some builds didn't complete successfully and had errors:\n");
    for (build, why) in failures {
        let _ = writeln!(out, "--> {build}: {why}");
        let Some(build) = state.builds.get(build) else { continue };
        if let Some(help) =
            build.failure.as_ref().and_then(|(_, f)| f.help.as_ref()).filter(|_| build.phase == Phase::Failed)
        {
            let _ = writeln!(out, "    {help}");
        }
        let log = log(build);
        for line in last_lines(&log) {
            let _ = writeln!(out, "    | {line}");
        }
        if log.exists() {
            let _ = writeln!(out, "    log: {}", log.display());
        }
    }
}

/// The last lines of a log; it may be long, so only its end is read.
fn last_lines(log: &Path) -> Vec<String> {
    const ENOUGH: u64 = 16 * 1024;
    let mut bytes = Vec::new();
    let read = std::fs::File::open(log).and_then(|mut file| {
        let start = file.metadata()?.len().saturating_sub(ENOUGH);
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(&mut bytes)
    });
    if read.is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().map(shown).filter(|l| !l.is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_LINES)..].iter().map(|l| (*l).to_owned()).collect()
}
