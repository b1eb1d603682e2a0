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
    /// A path, or `-` for standard input. A folder is an HCL2 template.
    pub template: String,
    /// Standard input is HCL2.
    pub hcl: bool,
    /// Data sources are asked; they always are for a build.
    pub execute_data: bool,
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
    /// The template's files: one of a JSON template.
    pub files: Vec<SourceId>,
    pub inputs: Inputs,
}

/// Why a template cannot be looked at at all.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read `{path}`: {error}")]
    Read { path: String, error: std::io::Error },
    #[error("`{path}` is not text: it is not UTF-8")]
    NotText { path: String },
    #[error("the folder `{path}` holds no template: no file in it ends in `.pkr.hcl` or `.pkr.json`")]
    EmptyFolder { path: String },
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
            Self::EmptyFolder { .. } => "name another folder; a JSON template is named by its file",
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
    let template = read_template(&request.template, request.hcl, &mut read)?;
    let mut inputs = inputs(&request, &cwd)?;
    let evaluate = |inputs: &Inputs| {
        let mut sources = read.clone();
        let (options, purpose) = (&request.options, request.purpose);
        let evaluation = if template.hcl {
            plan::evaluate_hcl(&mut sources, &template.files, inputs, options, purpose)
        } else {
            plan::evaluate(&mut sources, template.files[0], inputs, options, purpose)
        };
        (sources, evaluation)
    };
    for _ in 0..ROUNDS {
        let (sources, evaluation) = evaluate(&inputs);
        let open: Vec<Question> =
            evaluation.questions.iter().filter(|q| !inputs.answers.contains_key(q)).cloned().collect();
        let open: Vec<Question> = open.into_iter().filter(|q| may_ask(q, request.purpose)).collect();
        if open.is_empty() {
            let mut loaded = Loaded { evaluation, sources, files: template.files, inputs };
            loaded.seal().await;
            return Ok(loaded);
        }
        let answers = open.iter().map(|question| answer(question, &cwd, ANSWER_WITHIN));
        let answers = futures_util::future::join_all(answers).await;
        inputs.answers.extend(open.into_iter().zip(answers));
    }
    let (sources, evaluation) = evaluate(&inputs);
    Ok(Loaded { evaluation, sources, files: template.files, inputs })
}

/// Calls `evaluate` with more and more answers until it asks nothing new; gives what it gave last.
pub async fn answered<T>(inputs: &mut Inputs, mut evaluate: impl FnMut(&Inputs) -> (T, Vec<Question>)) -> T {
    let cwd = PathBuf::from(&inputs.cwd);
    for _ in 0..ROUNDS {
        let (result, questions) = evaluate(inputs);
        let open: Vec<Question> = questions.into_iter().filter(|q| !inputs.answers.contains_key(q)).collect();
        if open.is_empty() {
            return result;
        }
        let answers = open.iter().map(|question| answer(question, &cwd, ANSWER_WITHIN));
        let answers = futures_util::future::join_all(answers).await;
        inputs.answers.extend(open.into_iter().zip(answers));
    }
    evaluate(inputs).0
}

/// The files of a template without their evaluation, and the inputs of it. `empty`: there is no template.
///
/// # Errors
/// When something cannot be read.
pub fn read(request: &LoadRequest, empty: bool) -> Result<(Sources, Vec<SourceId>, Inputs), LoadError> {
    let cwd = std::env::current_dir().map_err(LoadError::WorkingFolder)?;
    let mut sources = Sources::default();
    let files = if empty { Vec::new() } else { read_template(&request.template, request.hcl, &mut sources)?.files };
    Ok((sources, files, inputs(request, &cwd)?))
}

/// Reads a template's text only, and reports what is wrong with its form (`-syntax-only`).
///
/// # Errors
/// When it cannot be read.
pub fn syntax(template: &str, hcl: bool) -> Result<(Sources, Evaluation), LoadError> {
    let mut sources = Sources::default();
    let read = read_template(template, hcl, &mut sources)?;
    let evaluation =
        if read.hcl { plan::syntax_hcl(&sources, &read.files) } else { plan::syntax(&sources, read.files[0]) };
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
    let of_network = matches!(
        question,
        Question::Vault { .. }
            | Question::ConsulKey { .. }
            | Question::SecretsManager { .. }
            | Question::DataSource { .. }
    );
    purpose != Purpose::Edit || !of_network
}

/// A template's files, of which there is at least one.
struct Files {
    files: Vec<SourceId>,
    hcl: bool,
}

fn read_template(path: &str, hcl: bool, sources: &mut Sources) -> Result<Files, LoadError> {
    if path == "-" {
        let mut bytes = Vec::new();
        let fail = |error| LoadError::Read { path: path.into(), error };
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(fail)?;
        let text = String::from_utf8(bytes).map_err(|_| LoadError::NotText { path: "<stdin>".into() })?;
        return Ok(Files { files: vec![sources.add("<stdin>", text)], hcl });
    }
    let folder = Path::new(path).is_dir();
    let paths = if folder { in_folder(path, &[".pkr.hcl", ".pkr.json"])? } else { vec![path.to_owned()] };
    if paths.is_empty() {
        return Err(LoadError::EmptyFolder { path: path.into() });
    }
    let mut files = Vec::with_capacity(paths.len());
    for path in &paths {
        files.push(sources.add(path.as_str(), read_text(path)?));
    }
    Ok(Files { files, hcl: folder || plan::is_hcl(path) })
}

/// The paths of the files directly in a folder whose names end so: all of the first ending, then all of the next, by name.
fn in_folder(folder: &str, endings: &[&str]) -> Result<Vec<String>, LoadError> {
    let fail = |error| LoadError::Read { path: folder.into(), error };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(fail)? {
        if let Ok(name) = entry.map_err(fail)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    let join = |name: &String| {
        if folder == "." { name.clone() } else { Path::new(folder).join(name).to_string_lossy().into_owned() }
    };
    let of = |ending: &&str| names.iter().filter(|n| n.ends_with(*ending)).map(join).collect::<Vec<_>>();
    Ok(endings.iter().flat_map(of).collect())
}

fn read_text(path: &str) -> Result<String, LoadError> {
    let bytes = std::fs::read(path).map_err(|error| LoadError::Read { path: path.into(), error })?;
    String::from_utf8(bytes).map_err(|_| LoadError::NotText { path: path.into() })
}

fn inputs(request: &LoadRequest, cwd: &Path) -> Result<Inputs, LoadError> {
    let folder = Path::new(&request.template).is_dir();
    let (root, template_dir) = match Path::new(&request.template).parent() {
        _ if folder => (request.template.clone(), cwd.join(&request.template)),
        Some(parent) if request.template != "-" => (parent.to_string_lossy().into_owned(), cwd.join(parent)),
        _ => (String::new(), cwd.to_path_buf()),
    };
    let with_text = |path: String| read_text(&path).map(|text| (path, text));
    let var_files = request.var_files.iter().cloned().map(with_text).collect::<Result<_, _>>()?;
    let auto =
        if folder { in_folder(&request.template, &[".auto.pkrvars.hcl", ".auto.pkrvars.json"])? } else { Vec::new() };
    let auto_var_files = auto.into_iter().map(with_text).collect::<Result<_, _>>()?;
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
        auto_var_files,
        root: if root.is_empty() { ".".to_owned() } else { root },
        execute_data: request.execute_data,
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
