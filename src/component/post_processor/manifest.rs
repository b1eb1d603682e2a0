//! The `manifest` post-processor: a file that lists what was built, in Packer's form.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::base_name;
use crate::component::config::decode;
use crate::component::contract::{CheckContext, PostProcessed, PostProcessor, StepContext};
use crate::component::late;
use crate::os::lock::Lock;
use crate::run::{Artifact, Failure};
use crate::schema::{Component, Kind};

/// Adds an entry for each build to a JSON file: builder, time, artifact id, files and what `custom_data` says. Builds that
/// end at the same time, and other runs, wait for each other.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// The file, relative to the working folder. With `-force` a new run starts it anew.
    output: String,
    /// Lists files by their names, without folders.
    strip_path: bool,
    /// Leaves the time out, so that equal builds give equal files.
    strip_time: bool,
    /// More values for the entry.
    #[schemars(extend("x-kiln-late" = []))]
    custom_data: IndexMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            output: "packer-manifest.json".into(),
            strip_path: false,
            strip_time: false,
            custom_data: IndexMap::new(),
        }
    }
}

/// How long to wait for others that write the same file.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// One build, its fields in Packer's order.
#[derive(Serialize)]
struct Entry {
    name: String,
    builder_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    build_time: Option<u64>,
    files: Option<Vec<ListedFile>>,
    artifact_id: String,
    packer_run_uuid: String,
    custom_data: Option<BTreeMap<String, String>>,
}

#[derive(Serialize)]
struct ListedFile {
    name: String,
    size: u64,
}

/// The whole file. Entries of others stay as they are.
#[derive(Default, Serialize, Deserialize)]
struct Manifest {
    #[serde(default)]
    builds: Option<Vec<Json>>,
    #[serde(default)]
    last_run_uuid: String,
}

/// The `manifest` post-processor.
pub struct ManifestFile;

impl PostProcessor for ManifestFile {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::PostProcessor, "manifest")
    }

    fn check(&self, _config: &Json, _cx: &mut CheckContext<'_>) {}

    fn destroys_input(&self, _config: &Json, _keep: Option<bool>) -> bool {
        false
    }

    fn run<'a>(
        &'a self,
        config: &'a Json,
        input: &'a Artifact,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<PostProcessed, Failure>> {
        Box::pin(async move {
            let config: Config = decode(config)?;
            let entry = entry(&config, input, cx)?;
            let path = cx.cwd.join(&config.output);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(|e| failure("its folder cannot be made", folder, &e))?;
            }
            let (lock, lock_path) = lock(&path, cx).await?;
            let written = add(entry, &path, cx);
            // Removed before it is given back: who waits for it finds out and takes a new one.
            let _ = std::fs::remove_file(&lock_path);
            drop(lock);
            written?;
            Ok(PostProcessed { artifact: Some(input.clone()), keep: true, force_keep: true })
        })
    }
}

fn entry(config: &Config, input: &Artifact, cx: &StepContext) -> Result<Entry, Failure> {
    let dot = late::dot(cx, []);
    let mut custom_data = BTreeMap::new();
    for (key, value) in &config.custom_data {
        custom_data.insert(key.clone(), late::render(cx, "custom_data", value, &dot)?);
    }
    let listed = |path: &str| {
        let size = std::fs::metadata(cx.cwd.join(path)).map_or(0, |m| m.len());
        let name = if config.strip_path { base_name(path) } else { path };
        ListedFile { name: name.to_owned(), size }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    Ok(Entry {
        name: cx.build.name.clone(),
        builder_type: cx.build.builder_type.clone(),
        build_time: (!config.strip_time).then_some(now),
        files: (!input.files.is_empty()).then(|| input.files.iter().map(|f| listed(&f.path)).collect()),
        artifact_id: input.id.clone(),
        packer_run_uuid: late::run_uuid(cx),
        custom_data: (!custom_data.is_empty()).then_some(custom_data),
    })
}

fn add(entry: Entry, path: &Path, cx: &StepContext) -> Result<(), Failure> {
    let mut manifest: Manifest = match std::fs::read(path) {
        Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => Manifest::default(),
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
            Failure::config(format!("{} holds something else than a manifest: {e}", path.display()))
                .help("move that file away, or choose another `output`")
        })?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Manifest::default(),
        Err(e) => return Err(failure("cannot be read", path, &e)),
    };
    let run = entry.packer_run_uuid.clone();
    let mut builds = manifest.builds.take().unwrap_or_default();
    if cx.options.force && manifest.last_run_uuid != run {
        builds.clear();
    }
    builds.push(serde_json::to_value(entry).map_err(|e| Failure::other(format!("the manifest cannot be made: {e}")))?);
    let text = serde_json::to_string_pretty(&Manifest { builds: Some(builds), last_run_uuid: run })
        .map_err(|e| Failure::other(format!("the manifest cannot be made: {e}")))?;
    // What reads the file meanwhile sees the old one or the new one, never half of it.
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let new = PathBuf::from(new);
    std::fs::write(&new, as_go(&text)).map_err(|e| failure("cannot be written", &new, &e))?;
    std::fs::rename(&new, path).map_err(|e| failure("cannot be replaced", path, &e))
}

/// Go's JSON escapes what could end a script in HTML; these characters stand in strings only.
fn as_go(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text
}

/// Waits for its turn; gives the lock and its path.
async fn lock(path: &Path, cx: &StepContext) -> Result<(Lock, PathBuf), Failure> {
    let mut lock_path = path.as_os_str().to_owned();
    lock_path.push(".lock");
    let lock_path = PathBuf::from(lock_path);
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let taken = Lock::take(&lock_path).map_err(|e| failure("cannot be locked", path, &e))?;
        if let Some(lock) = taken.filter(|lock| lock.is_at(&lock_path)) {
            return Ok((lock, lock_path));
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Failure::timed_out(format!("{} is being written by another run", path.display()))
                .help("wait for that run, or give each its own `output`"));
        }
        cx.sleep(PAUSE).await?;
    }
}

fn failure(what: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::config(format!("{}: {what}: {error}", path.display()))
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
