//! What a component promises, and what it may use: the contract between components and the engine.
//!
//! No step has a clean-up of its own. What makes something in the cloud first says *intend*, then makes it, then says
//! *created*; the engine releases what the journal says is owned, through the resource kinds.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;

use crate::cloud::Clouds;
use crate::remote::Communicator;
use crate::run::event::Tone;
use crate::run::plan::RunOptions;
use crate::run::{Artifact, Attempt, Fact, Failure, PlannedBuild, PlannedStep, Resource, RunId, Stream};
use crate::schema;
use crate::text::{Diagnostic, Span};

pub type StepResult = Result<Done, Failure>;
pub type StepFuture<'a> = BoxFuture<'a, StepResult>;

/// How a step ended well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Done,
    /// There was nothing to do; the reason is shown.
    Skipped(String),
}

// ---- checking -------------------------------------------------------------------------------------------------------

/// Where the fields of a checked config stand in the source.
pub trait Places {
    /// The span of a field's value by dotted path (`metadata_options.http_tokens`, `tags.Name`, `inline.0`); of its parent,
    /// else of the whole component, when it is not written.
    fn value(&self, path: &str) -> Span;
    /// The span of a field's key, likewise.
    fn key(&self, path: &str) -> Span;
    /// Whether the template writes this field.
    fn written(&self, path: &str) -> bool;
    /// Whether this field's value is not known yet (an open question, or known only while building).
    fn unknown(&self, path: &str) -> bool;
}

/// What a rule over several fields may see.
pub struct CheckContext<'a> {
    pub places: &'a dyn Places,
    pub diagnostics: &'a mut Vec<Diagnostic>,
    /// Asks whether a local file exists; `None` while nobody has answered: then nothing may be reported.
    pub file_exists: &'a mut dyn FnMut(&str) -> Option<bool>,
    /// Asks whether the environment or this profile (of this credentials file) names an AWS region; `None`: nobody has answered.
    pub region_set: &'a mut dyn FnMut(&str, &str) -> Option<bool>,
    /// For a build: what it could not do is an error, where a validation warns.
    pub build: bool,
    /// The names of this template's builders as `only` means them.
    pub builder_names: &'a [String],
}

// ---- builders -------------------------------------------------------------------------------------------------------

/// A step that a builder takes, as known before the run.
#[derive(Clone, Debug)]
pub struct OutlineStep {
    pub id: &'static str,
    pub title: String,
    /// The config fields that it reads: its digest is over these.
    pub reads: &'static [&'static str],
}

/// A builder's steps around the provisioners.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Up to the connected machine.
    pub prepare: Vec<OutlineStep>,
    /// From the provisioned machine to the artifact.
    pub finish: Vec<OutlineStep>,
}

pub trait Builder: Send + Sync {
    fn schema(&self) -> schema::Component;
    /// Rules over several fields. The config has passed the schema.
    fn check(&self, config: &Json, cx: &mut CheckContext<'_>);
    /// The steps, in order.
    fn outline(&self, config: &Json) -> Outline;
    /// The names that `{{build `X`}}` gives for this builder, beyond the common ones.
    fn build_values(&self) -> &'static [&'static str] {
        &[]
    }
    /// Whether provisioners have a machine to talk to.
    fn has_communicator(&self, config: &Json) -> bool;
    /// The local files that the builder sends (user data).
    fn files(&self, _config: &Json) -> Vec<PathBuf> {
        Vec::new()
    }
    /// Takes one of its own steps. What a step learns for later ones goes through [`StepContext::learn`], so that a later
    /// attempt on the same machine, or another process, finds it.
    fn step<'a>(&'a self, id: &'a str, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a>;
    /// Opens the communicator anew from what was learnt: for a retry on a live machine.
    fn reconnect<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a>;
    /// What the finished steps made, from what they learnt; `None` when there is no artifact on purpose.
    fn artifact(&self, config: &Json, learnt: &Learnt) -> Option<Artifact>;
    /// The kinds of things that it makes.
    fn resource_kinds(&self) -> Vec<&'static dyn ResourceKind>;
    /// Moves on the time until which the owned things count as in use: the engine calls it each hour while the run lives.
    ///
    /// `owned`: what this build owns now, with ids. A failure is worth a warning, nothing more.
    fn renew<'a>(&'a self, _owned: &'a [Resource], _cx: &'a ReleaseContext) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

// ---- provisioners and post-processors -------------------------------------------------------------------------------

pub trait Provisioner: Send + Sync {
    fn schema(&self) -> schema::Component;
    fn check(&self, config: &Json, cx: &mut CheckContext<'_>);
    /// A few words for a screen: `shell: setup.sh`.
    fn title(&self, config: &Json) -> String;
    /// The local files and folders that it sends, as the config names them.
    fn files(&self, _config: &Json) -> Vec<PathBuf> {
        Vec::new()
    }
    /// Whether it needs a machine to talk to.
    fn needs_communicator(&self) -> bool {
        true
    }
    fn run<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a>;
}

/// What a post-processor gives back (packer.md §2.6).
pub struct PostProcessed {
    /// `None` ends the chain.
    pub artifact: Option<Artifact>,
    /// Keep the input unless the user says otherwise.
    pub keep: bool,
    /// Keep the input whatever the user says.
    pub force_keep: bool,
}

pub trait PostProcessor: Send + Sync {
    fn schema(&self) -> schema::Component;
    fn check(&self, config: &Json, cx: &mut CheckContext<'_>);
    /// Whether by default, or by `keep`, the artifact that goes in is destroyed.
    fn destroys_input(&self, config: &Json, keep: Option<bool>) -> bool;
    fn files(&self, _config: &Json) -> Vec<PathBuf> {
        Vec::new()
    }
    fn run<'a>(
        &'a self,
        config: &'a Json,
        input: &'a Artifact,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<PostProcessed, Failure>>;
}

// ---- what a step may use --------------------------------------------------------------------------------------------

/// What steps of one build learnt, by name; the same map is in the journal.
pub type Learnt = BTreeMap<String, Json>;

/// Everything that a step has to do with the outside.
pub struct StepContext {
    pub run: RunId,
    pub build: Arc<PlannedBuild>,
    pub step: PlannedStep,
    pub attempt: Attempt,
    pub options: RunOptions,
    /// Ends when this step is to stop: cancelled, or out of time.
    pub cancel: CancellationToken,
    /// The run's start, UNIX seconds, and seed: what `{{timestamp}}` and names are made from.
    pub start: i64,
    pub seed: u64,
    /// `runs/<run>/`: `keys/` in it is for private keys.
    pub run_dir: PathBuf,
    pub template_dir: PathBuf,
    pub cwd: PathBuf,
    pub facts: Arc<dyn Facts>,
    pub clouds: Arc<Clouds>,
    /// Shared by the steps of one attempt.
    pub machine: Arc<Machine>,
    pub host: String,
}

/// What the steps of one attempt share: the link to the machine, and what was learnt.
#[derive(Default)]
pub struct Machine {
    /// The keys by which hosts are known again on every reconnect.
    pub host_keys: Arc<crate::remote::HostKeys>,
    communicator: std::sync::Mutex<Option<Arc<dyn Communicator>>>,
    /// What `{{build …}}` gives besides what was learnt; never written down.
    unwritten: std::sync::Mutex<BTreeMap<&'static str, String>>,
    learnt: std::sync::Mutex<Learnt>,
}

/// Where facts go. `emit` returns at once; `record` when the fact is on disk.
pub trait Facts: Send + Sync {
    fn emit(&self, fact: Fact);
    /// # Errors
    /// A failure of kind `Journal` when it cannot be written; then nothing may be made.
    fn record(&self, fact: Fact) -> BoxFuture<'_, Result<(), Failure>>;
    /// Bytes that a machine or script printed; redacted and cut by the engine. Returns at once.
    fn output(&self, stream: Stream, bytes: &[u8]);
    /// What to wait for before more output is given; `None`: there is room now. Who prints without end asks this each time,
    /// or memory would fill with what the disk has not taken yet.
    fn room(&self) -> Option<BoxFuture<'static, ()>>;
    /// A value that must never appear from now on (a password that AWS made).
    fn hide(&self, secret: &str);
    /// Asks a person; gives the default at once where nobody can answer. Ends early when the step is cancelled.
    fn ask(&self, question: crate::run::event::Question) -> BoxFuture<'_, String>;
}

impl Machine {
    /// As at the start of an attempt that goes on with a live machine.
    #[must_use]
    pub fn with(learnt: Learnt) -> Self {
        Self { learnt: std::sync::Mutex::new(learnt), ..Self::default() }
    }

    #[must_use]
    pub fn learnt(&self) -> Learnt {
        self.learnt.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    #[must_use]
    pub fn communicator(&self) -> Option<Arc<dyn Communicator>> {
        self.communicator.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    #[must_use]
    pub fn unwritten(&self) -> BTreeMap<&'static str, String> {
        self.unwritten.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    pub fn set_unwritten(&self, values: BTreeMap<&'static str, String>) {
        *self.unwritten.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = values;
    }

    pub fn set_communicator(&self, communicator: Option<Arc<dyn Communicator>>) {
        *self.communicator.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = communicator;
    }
}

impl StepContext {
    /// `==> NAME: text`.
    pub fn say(&self, text: impl Into<String>) {
        self.speak(Tone::Say, text);
    }

    /// `    NAME: text`.
    pub fn detail(&self, text: impl Into<String>) {
        self.speak(Tone::Detail, text);
    }

    pub fn warn(&self, text: impl Into<String>) {
        self.speak(Tone::Warning, text);
    }

    fn speak(&self, tone: Tone, text: impl Into<String>) {
        self.facts.emit(Fact::Said { step: Some(self.step.id.clone()), tone, text: text.into() });
    }

    /// Says what this step waits for; `None`: no longer.
    pub fn waiting(&self, on: Option<&str>) {
        self.facts.emit(Fact::Waiting { step: self.step.id.clone(), on: on.map(str::to_owned) });
    }

    /// `done` of `total` of `unit` (`bytes`, `percent`) of what `note` names.
    pub fn progress(&self, done: u64, total: Option<u64>, unit: &str, note: &str) {
        self.facts.emit(Fact::StepProgressed {
            step: self.step.id.clone(),
            done,
            total,
            unit: unit.into(),
            note: note.into(),
        });
    }

    /// Writes down something that later steps need; durable when it returns.
    ///
    /// # Errors
    /// A failure of kind `Journal`.
    pub async fn learn<T: serde::Serialize + Sync>(&self, name: &str, value: &T) -> Result<(), Failure> {
        let value =
            serde_json::to_value(value).map_err(|e| Failure::other(format!("cannot write down `{name}`: {e}")))?;
        self.machine
            .learnt
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(name.into(), value.clone());
        self.facts.record(Fact::Learnt { name: name.into(), value }).await
    }

    /// What was learnt under this name, if it was and has this form.
    #[must_use]
    pub fn learnt<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        let value = self.machine.learnt.lock().unwrap_or_else(std::sync::PoisonError::into_inner).get(name).cloned()?;
        serde_json::from_value(value).ok()
    }

    /// Writes down that something is about to be made. `find` is what finds it again without an id.
    ///
    /// # Errors
    /// A failure of kind `Journal`: then it must not be made.
    pub async fn intend(&self, kind: &str, name: &str, region: &str, find: Json) -> Result<String, Failure> {
        let key = format!("{}/{}/{kind}/{name}", self.build.id, self.attempt);
        let resource = Resource {
            key: key.clone(),
            kind: kind.into(),
            region: region.into(),
            build: self.build.id.clone(),
            attempt: self.attempt,
            step: self.step.id.clone(),
            find,
            id: None,
        };
        self.facts.record(Fact::Intended { resource }).await?;
        Ok(key)
    }

    /// # Errors
    /// A failure of kind `Journal`.
    pub async fn created(&self, key: &str, id: &str) -> Result<(), Failure> {
        self.facts.record(Fact::Created { key: key.into(), id: id.into() }).await
    }

    /// It is no longer there.
    ///
    /// # Errors
    /// A failure of kind `Journal`.
    pub async fn released(&self, key: &str) -> Result<(), Failure> {
        self.facts.record(Fact::Released { key: key.into() }).await
    }

    /// It is part of the result: clean-up leaves it.
    ///
    /// # Errors
    /// A failure of kind `Journal`.
    pub async fn kept(&self, key: &str) -> Result<(), Failure> {
        self.facts.record(Fact::Kept { key: key.into() }).await
    }

    /// The link to the machine.
    ///
    /// # Errors
    /// When the builder has none.
    pub fn communicator(&self) -> Result<Arc<dyn Communicator>, Failure> {
        self.machine.communicator().ok_or_else(|| {
            Failure::config("this build has no connection to a machine")
                .help("set `communicator` to `ssh`, or remove the provisioners")
        })
    }

    /// Sleeps; ends early, with a failure, when the step is cancelled.
    ///
    /// # Errors
    /// `Cancelled`.
    pub async fn sleep(&self, time: Duration) -> Result<(), Failure> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(Failure::cancelled()),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}

// ---- resource kinds -------------------------------------------------------------------------------------------------

/// What clean-up may use: a step's means without a step.
pub struct ReleaseContext {
    pub run: RunId,
    pub build: Arc<PlannedBuild>,
    /// The builder's config with its secrets in place.
    pub config: Json,
    pub clouds: Arc<Clouds>,
    pub facts: Arc<dyn Facts>,
    /// Ends when the user no longer wants to wait for what is slow.
    pub force: CancellationToken,
    pub run_dir: PathBuf,
}

/// How one kind of thing is found again, released and verified gone.
pub trait ResourceKind: Send + Sync {
    /// `instance`, `key-pair`; as in [`Resource::kind`].
    fn name(&self) -> &'static str;
    /// As in a sentence: `security group`.
    fn title(&self) -> &'static str;
    /// Kinds that must be gone before this one can be released.
    fn after(&self) -> &'static [&'static str];
    /// What a release of it says (`Terminating the source AWS instance...`); empty: nothing.
    fn says(&self) -> &'static str {
        ""
    }
    /// The id of the thing, when it exists; looks it up by `resource.find` where no id was learnt.
    fn find<'a>(
        &'a self,
        resource: &'a Resource,
        cx: &'a ReleaseContext,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>>;
    /// Asks for its end. That it is gone already is a success.
    fn release<'a>(
        &'a self,
        resource: &'a Resource,
        id: &'a str,
        cx: &'a ReleaseContext,
    ) -> BoxFuture<'a, Result<(), Failure>>;
    /// Waits until it is gone.
    fn verify_gone<'a>(
        &'a self,
        resource: &'a Resource,
        id: &'a str,
        cx: &'a ReleaseContext,
    ) -> BoxFuture<'a, Result<(), Failure>>;
}
