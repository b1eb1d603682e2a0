//! From a path to an evaluated template: reads the files, makes the inputs, answers the questions.
//!
//! Not here: what the template means (`plan`), and how one question is answered ([`super::answer`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest, Sha256};

use super::answer::answer;
use crate::plan::digest::{self, FileDigests};
use crate::plan::{self, Evaluation, Purpose};
use crate::run::plan::RunOptions;
use crate::template::inputs::Inputs;
use crate::template::question::Question;
use crate::text::{SourceId, Sources};

/// How long one question may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Answers can raise new questions; more rounds than this would be a loop.
const ROUNDS: usize = 32;
/// Files larger than this (bytes) are told apart by size and time of change instead of by content.
const DIGEST_UP_TO: u64 = 64 << 20;

/// What the user asked for.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// A path, or `-` for standard input.
    pub template: String,
    /// `-var k=v`, in order.
    pub vars: Vec<(String, String)>,
    /// `-var-file`s, in order.
    pub var_files: Vec<String>,
    pub only: Vec<String>,
    pub except: Vec<String>,
    pub options: RunOptions,
    pub purpose: Purpose,
    /// Start (UNIX seconds) and seed of a run that goes on: names and times stay what they were. `None`: a new run.
    pub of_run: Option<(i64, u64)>,
}

/// An evaluated template, with all that went into it.
#[derive(Debug)]
pub struct Loaded {
    pub evaluation: Evaluation,
    pub sources: Sources,
    pub template: SourceId,
    pub inputs: Inputs,
}

/// Why a template cannot be looked at at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read `{path}`: {error}")]
    Read { path: String, error: std::io::Error },
    #[error("`{path}` is not text: it is not UTF-8")]
    NotText { path: String },
    #[error("`{path}` is a folder: HCL2 templates are not read yet")]
    Folder { path: String },
    #[error("cannot find out the working folder: {0}")]
    WorkingFolder(std::io::Error),
}

impl LoadError {
    /// The way out, as a sentence.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Read { .. } => "check the path and that the file can be read",
            Self::NotText { .. } => "save it as UTF-8",
            Self::Folder { .. } => "name a JSON template; `packer` can build HCL2 meanwhile",
            Self::WorkingFolder(_) => "change to a folder that exists",
        }
    }
}

/// Reads and evaluates a template, answering its questions until none is left that can be answered.
///
/// # Errors
/// When the template, a var-file or the working folder cannot be read. Mistakes in them are diagnostics instead.
pub async fn load(request: LoadRequest) -> Result<Loaded, LoadError> {
    let cwd = std::env::current_dir().map_err(LoadError::WorkingFolder)?;
    let mut read = Sources::default();
    let template = read_template(&request.template, &mut read)?;
    let mut inputs = inputs(&request, &cwd)?;
    for _ in 0..ROUNDS {
        let mut sources = read.clone();
        let evaluation = plan::evaluate(&mut sources, template, &inputs, &request.options, request.purpose);
        let open: Vec<Question> =
            evaluation.questions.iter().filter(|q| !inputs.answers.contains_key(q)).cloned().collect();
        let open: Vec<Question> = open.into_iter().filter(|q| may_ask(q, request.purpose)).collect();
        if open.is_empty() {
            let mut loaded = Loaded { evaluation, sources, template, inputs };
            loaded.seal().await;
            return Ok(loaded);
        }
        let answers = open.iter().map(|question| answer(question, &cwd, ANSWER_WITHIN));
        let answers = futures_util::future::join_all(answers).await;
        inputs.answers.extend(open.into_iter().zip(answers));
    }
    let mut sources = read;
    let evaluation = plan::evaluate(&mut sources, template, &inputs, &request.options, request.purpose);
    Ok(Loaded { evaluation, sources, template, inputs })
}

/// Reads a template's text only, and reports what is wrong with its form (`-syntax-only`).
///
/// # Errors
/// When it cannot be read.
pub fn syntax(template: &str) -> Result<(Sources, Evaluation), LoadError> {
    let mut sources = Sources::default();
    let id = read_template(template, &mut sources)?;
    let evaluation = plan::syntax(&sources, id);
    Ok((sources, evaluation))
}

impl Loaded {
    /// Puts the contents of the files that the plan's steps send into its digests.
    async fn seal(&mut self) {
        let Some(mut plan) = self.evaluation.plan.take() else { return };
        let steps = plan.builds.iter().flat_map(|b| b.steps.iter().chain(&b.error_cleanup));
        let paths: BTreeSet<String> = steps.flat_map(|s| s.files.iter().cloned()).collect();
        if !paths.is_empty() {
            let files = tokio::task::spawn_blocking(move || file_digests(paths)).await.unwrap_or_default();
            digest::seal(&mut plan, &files);
        }
        self.evaluation.plan = Some(plan);
    }
}

/// An editor asks of files only: it must not wait for a network at each key.
fn may_ask(question: &Question, purpose: Purpose) -> bool {
    purpose != Purpose::Edit || matches!(question, Question::FileExists { .. } | Question::FileContent { .. })
}

fn read_template(path: &str, sources: &mut Sources) -> Result<SourceId, LoadError> {
    let fail = |error| LoadError::Read { path: path.into(), error };
    let (name, bytes) = if path == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(fail)?;
        ("<stdin>", bytes)
    } else {
        if Path::new(path).is_dir() {
            return Err(LoadError::Folder { path: path.into() });
        }
        (path, std::fs::read(path).map_err(fail)?)
    };
    let text = String::from_utf8(bytes).map_err(|_| LoadError::NotText { path: name.into() })?;
    Ok(sources.add(name, text))
}

fn inputs(request: &LoadRequest, cwd: &Path) -> Result<Inputs, LoadError> {
    let template_dir = match Path::new(&request.template).parent() {
        Some(parent) if request.template != "-" => cwd.join(parent),
        _ => cwd.to_path_buf(),
    };
    let mut var_files = Vec::new();
    for path in &request.var_files {
        let bytes = std::fs::read(path).map_err(|error| LoadError::Read { path: path.clone(), error })?;
        let text = String::from_utf8(bytes).map_err(|_| LoadError::NotText { path: path.clone() })?;
        var_files.push((path.clone(), text));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let env = std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
    Ok(Inputs {
        start: request.of_run.map_or_else(|| i64::try_from(since.as_secs()).unwrap_or(i64::MAX), |(start, _)| start),
        seed: request.of_run.map_or_else(rand::random, |(_, seed)| seed),
        cwd: cwd.to_string_lossy().into_owned(),
        template_dir: clean(&template_dir).to_string_lossy().into_owned(),
        env: env.collect(),
        vars: request.vars.clone(),
        var_files,
        answers: BTreeMap::new(),
        only: request.only.clone(),
        except: request.except.clone(),
    })
}

/// The path without `.` and with `..` taken in, as text alone: what `{{template_dir}}` shows.
fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut clean = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}

fn file_digests(paths: BTreeSet<String>) -> FileDigests {
    paths.into_iter().filter_map(|path| Some((path.clone(), file_digest(Path::new(&path)).ok()?))).collect()
}

fn file_digest(path: &Path) -> std::io::Result<String> {
    let mut digest = Sha256::new();
    digest_into(path, &mut digest)?;
    Ok(super::names::hex(&digest.finalize()))
}

fn digest_into(path: &Path, digest: &mut Sha256) -> std::io::Result<()> {
    let about = std::fs::metadata(path)?;
    if about.is_dir() {
        let mut names = std::fs::read_dir(path)?.map(|e| e.map(|e| e.file_name())).collect::<Result<Vec<_>, _>>()?;
        names.sort_unstable();
        for name in names {
            digest.update(name.as_encoded_bytes());
            digest.update([0]);
            digest_into(&path.join(&name), digest)?;
        }
    } else if about.len() > DIGEST_UP_TO {
        let changed = about.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
        digest.update(about.len().to_le_bytes());
        digest.update(changed.as_nanos().to_le_bytes());
    } else {
        digest.update(about.len().to_le_bytes());
        std::io::copy(&mut std::fs::File::open(path)?, &mut Into(digest))?;
    }
    Ok(())
}

/// Writes into a digest.
struct Into<'a>(&'a mut Sha256);

impl std::io::Write for Into<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
