//! What the components' own tests stand on: a step's context without an engine, and a machine that plays its part.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use super::contract::{CheckContext, Facts, Machine, Places, StepContext};
use crate::cloud::Clouds;
use crate::remote::communicator::RemoteFuture;
use crate::remote::{Communicator, Exec, Exit, OutputSink, RemoteError, TransferProgress};
use crate::run::event::{Question, Tone};
use crate::run::plan::{RunOptions, StepMeta, StepPart};
use crate::run::{Fact, Failure, PlannedBuild, PlannedStep, Stream, Value};
use crate::text::{Diagnostic, SourceId, Span};

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Facts as they came.
#[derive(Default)]
pub struct Recorded {
    facts: Mutex<Vec<Fact>>,
    output: Mutex<Vec<(Stream, Vec<u8>)>>,
    hidden: Mutex<Vec<String>>,
    /// What is answered to every question.
    pub answer: Mutex<String>,
}

impl Recorded {
    /// What was said, in order.
    pub fn said(&self) -> Vec<String> {
        let said = |fact: &Fact| match fact {
            Fact::Said { tone: Tone::Say | Tone::Detail, text, .. } => Some(text.clone()),
            _ => None,
        };
        lock(&self.facts).iter().filter_map(said).collect()
    }

    /// Everything that one stream got.
    pub fn printed(&self, stream: Stream) -> String {
        let bytes: Vec<u8> =
            lock(&self.output).iter().filter(|(s, _)| *s == stream).flat_map(|(_, b)| b.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn facts(&self) -> Vec<Fact> {
        lock(&self.facts).clone()
    }
}

impl Facts for Recorded {
    fn emit(&self, fact: Fact) {
        lock(&self.facts).push(fact);
    }

    fn record(&self, fact: Fact) -> BoxFuture<'_, Result<(), Failure>> {
        self.emit(fact);
        Box::pin(std::future::ready(Ok(())))
    }

    fn output(&self, stream: Stream, bytes: &[u8]) {
        lock(&self.output).push((stream, bytes.to_vec()));
    }

    fn room(&self) -> Option<BoxFuture<'static, ()>> {
        None
    }

    fn hide(&self, secret: &str) {
        lock(&self.hidden).push(secret.to_owned());
    }

    fn ask(&self, question: Question) -> BoxFuture<'_, String> {
        self.emit(Fact::Asked { question });
        let answer = lock(&self.answer).clone();
        Box::pin(std::future::ready(answer))
    }
}

/// A step's context in `folder`, for a build `web` of type `null`; facts go to the second.
pub fn context(folder: &Path) -> (StepContext, Arc<Recorded>) {
    let facts = Arc::new(Recorded::default());
    let step = PlannedStep {
        id: "provision-1".into(),
        part: StepPart::Provision,
        component: "shell".into(),
        title: "a step".into(),
        config: Value::Null,
        digest: String::new(),
        span: None,
        meta: StepMeta::default(),
        files: Vec::new(),
    };
    let build = PlannedBuild {
        id: "null.web".into(),
        name: "web".into(),
        builder_type: "null".into(),
        config: Value::Null,
        span: None,
        steps: vec![step.clone()],
        error_cleanup: None,
    };
    let context = StepContext {
        run: "20260102-030405-abcd".into(),
        build: Arc::new(build),
        step,
        attempt: 1,
        options: RunOptions::default(),
        cancel: CancellationToken::new(),
        start: 1_767_323_045,
        seed: 7,
        run_dir: folder.join("run"),
        template_dir: folder.to_owned(),
        cwd: folder.to_owned(),
        facts: facts.clone(),
        clouds: Arc::new(Clouds::default()),
        machine: Arc::new(Machine::default()),
        host: "here".into(),
    };
    (context, facts)
}

/// What a machine was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    Exec(String),
    /// Path, content, mode.
    Put(String, String, Option<u32>),
    PutDir(String, String),
    Get(String, String),
    GetDir(String, String),
    AwaitReturn,
    Close,
}

/// A machine that writes down what it is asked and answers as it was told: each call takes the next answer, and succeeds
/// when there is none left.
#[derive(Default)]
pub struct Puppet {
    asked: Mutex<Vec<Asked>>,
    answers: Mutex<VecDeque<Result<Exit, RemoteError>>>,
}

impl Puppet {
    /// With the answers to its first calls. `Status(0)` is success for what is no command, too.
    pub fn new(answers: impl IntoIterator<Item = Result<Exit, RemoteError>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), ..Self::default() })
    }

    /// Puts it behind the context's link.
    pub fn attach(self: &Arc<Self>, cx: &StepContext) {
        cx.machine.set_communicator(Some(self.clone()));
    }

    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    /// The commands that it ran.
    pub fn commands(&self) -> Vec<String> {
        let command = |asked: Asked| if let Asked::Exec(command) = asked { Some(command) } else { None };
        self.asked().into_iter().filter_map(command).collect()
    }

    fn answer(&self, asked: Asked) -> Result<Exit, RemoteError> {
        lock(&self.asked).push(asked);
        lock(&self.answers).pop_front().unwrap_or(Ok(Exit::Status(0)))
    }

    fn done(&self, asked: Asked) -> RemoteFuture<'_, ()> {
        Box::pin(std::future::ready(self.answer(asked).map(|_| ())))
    }
}

impl Communicator for Puppet {
    fn exec<'a>(
        &'a self,
        exec: &'a Exec,
        sink: &'a mut dyn OutputSink,
        _cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, Exit> {
        sink.stdout(b"out\n");
        sink.stderr(b"err\n");
        Box::pin(std::future::ready(self.answer(Asked::Exec(exec.command.clone()))))
    }

    fn upload<'a>(
        &'a self,
        local: &'a Path,
        remote: &'a str,
        mode: Option<u32>,
        progress: TransferProgress<'a>,
        _cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        let content = std::fs::read_to_string(local).unwrap_or_default();
        let size = content.len() as u64;
        progress(size, size);
        self.done(Asked::Put(remote.into(), content, mode))
    }

    fn upload_bytes<'a>(
        &'a self,
        bytes: &'a [u8],
        remote: &'a str,
        mode: u32,
        _cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.done(Asked::Put(remote.into(), String::from_utf8_lossy(bytes).into_owned(), Some(mode)))
    }

    fn upload_dir<'a>(
        &'a self,
        local: &'a str,
        remote: &'a str,
        _progress: TransferProgress<'a>,
        _cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.done(Asked::PutDir(local.into(), remote.into()))
    }

    fn download<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        _progress: TransferProgress<'a>,
        _cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.done(Asked::Get(remote.into(), local.display().to_string()))
    }

    fn download_dir<'a>(
        &'a self,
        remote: &'a str,
        local: &'a Path,
        _progress: TransferProgress<'a>,
        _cancel: &'a CancellationToken,
    ) -> RemoteFuture<'a, ()> {
        self.done(Asked::GetDir(remote.into(), local.display().to_string()))
    }

    fn await_return<'a>(&'a self, _limit: Duration, _cancel: &'a CancellationToken) -> RemoteFuture<'a, ()> {
        self.done(Asked::AwaitReturn)
    }

    fn close(&self) -> BoxFuture<'_, ()> {
        lock(&self.asked).push(Asked::Close);
        Box::pin(std::future::ready(()))
    }
}

/// What a component's rules reported.
pub struct Checked(pub Vec<Diagnostic>);

impl Checked {
    /// Runs rules; no file exists but what begins with `/dev/`.
    pub fn of(check: impl FnOnce(&mut CheckContext<'_>)) -> Self {
        struct Nowhere;
        impl Places for Nowhere {
            fn value(&self, _path: &str) -> Span {
                Span::new(SourceId(0), 0, 0)
            }
            fn key(&self, path: &str) -> Span {
                self.value(path)
            }
            fn written(&self, _path: &str) -> bool {
                true
            }
            fn unknown(&self, _path: &str) -> bool {
                false
            }
        }
        let mut diagnostics = Vec::new();
        check(&mut CheckContext {
            places: &Nowhere,
            diagnostics: &mut diagnostics,
            file_exists: &mut |path| Some(path.starts_with("/dev/")),
            region_set: &mut |_, _| None,
            build: false,
            builder_names: &[],
        });
        Self(diagnostics)
    }

    pub fn codes(&self) -> Vec<&'static str> {
        self.0.iter().map(|d| d.code.as_str()).collect()
    }
}
