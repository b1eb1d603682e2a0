//! Scripted components, and a small world in which they make things.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value as Json, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use super::plans::{build, plan, step};
use crate::component::contract::*;
use crate::engine::{Components, EngineHandle, Pace, RunInputs, StartRequest, start_with};
use crate::remote::communicator::{Exec, Exit, OutputSink, RemoteFuture, TransferProgress};
use crate::remote::{Communicator, HostKeys};
use crate::run::state::BuildState;
use crate::run::*;
use crate::schema::{self, Kind};

/// What a step does when its turn comes; without a script it succeeds.
#[derive(Clone, Debug)]
pub enum Act {
    Fail(&'static str),
    /// Waits until it is cancelled.
    Wait,
    /// Does not even notice that it is cancelled.
    Deaf,
    Panic,
    LoseLink,
    Print(String),
    /// Prints so many bytes, in lines, waiting for room as who prints much must.
    Flood(usize),
}

#[derive(Default)]
pub struct World {
    /// `BUILD/STEP`: what it does at its next turns.
    pub script: Mutex<BTreeMap<String, VecDeque<Act>>>,
    /// What happened, in order.
    pub log: Mutex<Vec<String>>,
    pub exists: Mutex<BTreeSet<String>>,
    /// How often the release of a kind fails.
    pub stubborn: Mutex<BTreeMap<&'static str, u32>>,
    /// Kinds that are not gone as long as they stand here.
    pub slow: watch::Sender<BTreeSet<&'static str>>,
    /// Kinds whose release is never answered.
    pub dead: Mutex<BTreeSet<&'static str>>,
    /// Kinds whose release is a mistake of kiln.
    pub broken: Mutex<BTreeSet<&'static str>>,
    /// The host keys that connecting went by.
    pub host_keys: Mutex<Vec<Arc<HostKeys>>>,
}

impl World {
    pub fn script(&self, step: &str, acts: impl IntoIterator<Item = Act>) {
        self.script.lock().unwrap().insert(step.into(), acts.into_iter().collect());
    }

    fn note(&self, what: impl Into<String>) {
        self.log.lock().unwrap().push(what.into());
    }

    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    pub fn exists(&self) -> Vec<String> {
        self.exists.lock().unwrap().iter().cloned().collect()
    }

    async fn act(&self, cx: &StepContext) -> StepResult {
        let name = format!("{}/{}", cx.build.id, cx.step.id);
        self.note(&name);
        let act = self.script.lock().unwrap().get_mut(&name).and_then(VecDeque::pop_front);
        match act {
            None => Ok(Done::Done),
            Some(Act::Fail(why)) => Err(Failure::other(why)),
            Some(Act::Wait) => {
                cx.cancel.cancelled().await;
                Err(Failure::cancelled())
            }
            Some(Act::Deaf) => std::future::pending().await,
            Some(Act::Panic) => panic!("scripted"),
            Some(Act::LoseLink) => Err(Failure::new(FailureKind::LinkLost, "the link broke")),
            Some(Act::Flood(bytes)) => {
                let piece = "0123456789abcde\n".repeat(4096);
                for _ in 0..bytes.div_ceil(piece.len()) {
                    cx.facts.output(Stream::Stdout, piece.as_bytes());
                    if let Some(room) = cx.facts.room() {
                        room.await;
                    }
                }
                Ok(Done::Done)
            }
            Some(Act::Print(text)) => {
                cx.facts.output(Stream::Stdout, text.as_bytes());
                Ok(Done::Done)
            }
        }
    }

    async fn make(&self, kind: &str, cx: &StepContext) -> Result<String, Failure> {
        let id = format!("{kind}-{}-{}", cx.build.id, cx.attempt);
        let key = cx.intend(kind, "0", "here", json!({ "id": id })).await?;
        self.exists.lock().unwrap().insert(id.clone());
        cx.created(&key, &id).await?;
        Ok(key)
    }
}

pub struct Scripted(pub Arc<World>);

fn schema(kind: Kind) -> schema::Component {
    schema::Component { kind, type_name: "fake".into(), help: String::new(), fields: None, not_built: false }
}

impl Scripted {
    fn connect(&self, cx: &StepContext) {
        self.0.host_keys.lock().unwrap().push(cx.machine.host_keys.clone());
        cx.machine.set_communicator(Some(Arc::new(Link(self.0.clone()))));
    }
}

impl Builder for Scripted {
    fn schema(&self) -> schema::Component {
        schema(Kind::Builder)
    }
    fn check(&self, _: &Json, _: &mut CheckContext<'_>) {}
    fn outline(&self, _: &Json) -> Outline {
        Outline::default()
    }
    fn has_communicator(&self, _: &Json) -> bool {
        true
    }
    fn step<'a>(&'a self, id: &'a str, _: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move {
            if id == "launch" {
                self.0.make("group", cx).await?;
                self.0.make("instance", cx).await?;
                self.connect(cx);
                cx.learn("address", &"10.0.0.1").await?;
            }
            let mut image = None;
            if id == "image" {
                image = Some(self.0.make("image", cx).await?);
            }
            let done = self.0.act(cx).await?;
            if let Some(key) = image {
                cx.kept(&key).await?;
            }
            Ok(done)
        })
    }
    fn reconnect<'a>(&'a self, _: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move {
            let address: Option<String> = cx.learnt("address");
            self.0.note(format!("reconnect to {}", address.unwrap_or_default()));
            self.connect(cx);
            Ok(Done::Done)
        })
    }
    fn artifact(&self, _: &Json, _: &Learnt) -> Option<Artifact> {
        Some(Artifact { id: "here:image".into(), ..Artifact::default() })
    }
    fn resource_kinds(&self) -> Vec<&'static dyn ResourceKind> {
        let make =
            |name, after| -> &'static dyn ResourceKind { Box::leak(Box::new(Thing(name, after, self.0.clone()))) };
        vec![make("group", &["instance"]), make("instance", &[]), make("image", &["instance"])]
    }
}

impl Provisioner for Scripted {
    fn schema(&self) -> schema::Component {
        schema(Kind::Provisioner)
    }
    fn check(&self, _: &Json, _: &mut CheckContext<'_>) {}
    fn title(&self, _: &Json) -> String {
        "fake".into()
    }
    fn run<'a>(&'a self, _: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(self.0.act(cx))
    }
}

impl PostProcessor for Scripted {
    fn schema(&self) -> schema::Component {
        schema(Kind::PostProcessor)
    }
    fn check(&self, _: &Json, _: &mut CheckContext<'_>) {}
    fn destroys_input(&self, _: &Json, _: Option<bool>) -> bool {
        false
    }
    fn run<'a>(
        &'a self,
        config: &'a Json,
        input: &'a Artifact,
        cx: &'a StepContext,
    ) -> BoxFuture<'a, Result<PostProcessed, Failure>> {
        Box::pin(async move {
            self.0.act(cx).await?;
            let id = format!("{}+{}", input.id, cx.step.id);
            let artifact = (config["ends"] != true).then(|| Artifact { id, ..Artifact::default() });
            Ok(PostProcessed { artifact, keep: config["keep"] == true, force_keep: false })
        })
    }
}

impl Components for Scripted {
    fn builder(&self, _: &str) -> Option<&'static dyn Builder> {
        Some(Box::leak(Box::new(Self(self.0.clone()))))
    }
    fn provisioner(&self, name: &str) -> Option<&'static dyn Provisioner> {
        (name != "unknown").then(|| -> &'static dyn Provisioner { Box::leak(Box::new(Self(self.0.clone()))) })
    }
    fn post_processor(&self, _: &str) -> Option<&'static dyn PostProcessor> {
        Some(Box::leak(Box::new(Self(self.0.clone()))))
    }
}

struct Thing(&'static str, &'static [&'static str], Arc<World>);

impl ResourceKind for Thing {
    fn name(&self) -> &'static str {
        self.0
    }
    fn title(&self) -> &'static str {
        self.0
    }
    fn after(&self) -> &'static [&'static str] {
        self.1
    }
    fn find<'a>(
        &'a self,
        resource: &'a Resource,
        _: &'a ReleaseContext,
    ) -> BoxFuture<'a, Result<Option<String>, Failure>> {
        let id = resource.find["id"].as_str().unwrap().to_owned();
        let found = self.2.exists.lock().unwrap().contains(&id).then_some(id);
        Box::pin(std::future::ready(Ok(found)))
    }
    fn release<'a>(
        &'a self,
        _: &'a Resource,
        id: &'a str,
        _: &'a ReleaseContext,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        if self.2.dead.lock().unwrap().contains(self.0) {
            return Box::pin(std::future::pending());
        }
        if self.2.broken.lock().unwrap().contains(self.0) {
            return Box::pin(async { panic!("scripted") });
        }
        let mut stubborn = self.2.stubborn.lock().unwrap();
        let left = stubborn.entry(self.0).or_default();
        let result = if *left > 0 {
            *left -= 1;
            Err(Failure::other("DependencyViolation").help("wait"))
        } else {
            self.2.exists.lock().unwrap().remove(id);
            self.2.note(format!("release {id}"));
            Ok(())
        };
        Box::pin(std::future::ready(result))
    }
    fn verify_gone<'a>(
        &'a self,
        _: &'a Resource,
        _: &'a str,
        _: &'a ReleaseContext,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let _ = self.2.slow.subscribe().wait_for(|slow| !slow.contains(self.0)).await;
            Ok(())
        })
    }
}

struct Link(Arc<World>);

impl Communicator for Link {
    fn exec<'a>(&'a self, _: &'a Exec, _: &'a mut dyn OutputSink, _: &'a CancellationToken) -> RemoteFuture<'a, Exit> {
        Box::pin(std::future::ready(Ok(Exit::Status(0))))
    }
    fn upload<'a>(
        &'a self,
        _: &'a Path,
        _: &'a str,
        _: Option<u32>,
        _: TransferProgress<'a>,
        _: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn upload_bytes<'a>(&'a self, _: &'a [u8], _: &'a str, _: u32, _: &'a CancellationToken) -> RemoteFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn upload_dir<'a>(
        &'a self,
        _: &'a str,
        _: &'a str,
        _: TransferProgress<'a>,
        _: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn download<'a>(
        &'a self,
        _: &'a str,
        _: &'a Path,
        _: TransferProgress<'a>,
        _: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn download_dir<'a>(
        &'a self,
        _: &'a str,
        _: &'a Path,
        _: TransferProgress<'a>,
        _: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn await_return<'a>(&'a self, _: Duration, _: &'a CancellationToken) -> RemoteFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
    fn close(&self) -> BoxFuture<'_, ()> {
        self.0.note("close");
        Box::pin(std::future::ready(()))
    }
}

/// A run of scripted components in a folder of its own.
pub struct Bench {
    pub world: Arc<World>,
    pub state: tempfile::TempDir,
    pub secrets: Secrets,
    pub pace: Pace,
}

impl Bench {
    pub fn new() -> Self {
        let short = Duration::from_millis(1);
        let pace = Pace {
            cancel_grace: Duration::from_millis(20),
            force_grace: short,
            release_pause: short,
            release_pause_most: short,
            release_limit: Duration::from_secs(20),
            look_again: short,
            ..Pace::default()
        };
        Self { world: Arc::default(), state: tempfile::tempdir().unwrap(), secrets: Secrets::default(), pace }
    }

    pub async fn start(&self, plan: Plan) -> EngineHandle {
        let request = StartRequest {
            plan,
            secrets: self.secrets.clone(),
            inputs: RunInputs { templates: vec![("t.json".into(), "{}".into())], var_files: Vec::new() },
            state_dir: self.state.path().into(),
            keep_runs: None,
            clouds: Arc::default(),
        };
        start_with(request, Arc::new(Scripted(self.world.clone())), self.pace.clone()).await.unwrap()
    }
}

/// Waits until a build is as described.
pub async fn until(engine: &EngineHandle, build: &str, is: impl Fn(&BuildState) -> bool) {
    let mut subscription = engine.subscribe();
    let mut state = subscription.snapshot.clone();
    while !is(&state.builds[&BuildId::from(build)]) {
        let event = subscription.next().await.expect("the run ended before");
        state.apply(&event);
    }
}

pub fn words(state: &RunState) -> Vec<String> {
    state.builds.values().map(BuildState::word).collect()
}
