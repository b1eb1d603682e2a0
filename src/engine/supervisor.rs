//! The only writer of the journal: numbers, stamps, redacts, appends, then publishes.
//!
//! State facts are brought to disk in groups: while one group is written, the next one gathers, and all who wait for a
//! group are answered together. Not here: what the facts mean.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::backlog::Held;
use super::facts::{Journal, Message, OutputBuffer};
use super::journal::{Batch, Writer};
use super::log;
use super::names::LogNames;
use super::publish::Published;
use super::redact::{Filter, facts::redact};
use crate::run::event::{Question, Tone};
use crate::run::{Attempt, BuildId, Event, Fact, Failure, FailureKind, Seq, StepId, Stream};

/// How long output may gather before it is written and shown.
const OUTPUT_WAIT: Duration = Duration::from_millis(16);

type Waiter = oneshot::Sender<Result<(), Failure>>;

pub(super) struct Supervisor {
    messages: mpsc::UnboundedReceiver<Message>,
    journal: Journal,
    published: Arc<Published>,
    names: LogNames,
    /// `None` while a batch is being written.
    writer: Option<Writer>,
    seq: Seq,
    filters: HashMap<(BuildId, Attempt, StepId), [Filter; 2]>,
    /// Bytes in each log.
    lengths: HashMap<String, u64>,
    questions: HashMap<u64, oneshot::Sender<String>>,
    last_question: u64,
    ready: Vec<Arc<OutputBuffer>>,
    ready_at: Option<Instant>,
    gathering: Group,
    /// Why the journal can no longer be written.
    broken: Option<String>,
    closing: Vec<oneshot::Sender<()>>,
}

/// Facts that are written together.
#[derive(Default)]
struct Group {
    batch: Batch,
    events: Vec<Event>,
    waiters: Vec<Waiter>,
    /// The output in it.
    held: Vec<Held>,
}

type Writing = JoinHandle<(Writer, Group, io::Result<()>)>;

impl Supervisor {
    /// Starts the task. `first` is in the journal already.
    pub fn start(
        (journal, messages): (Journal, mpsc::UnboundedReceiver<Message>),
        published: Arc<Published>,
        names: LogNames,
        writer: Writer,
        first: Event,
    ) -> JoinHandle<()> {
        let supervisor = Self {
            messages,
            journal,
            names,
            writer: Some(writer),
            seq: first.seq,
            filters: HashMap::new(),
            lengths: HashMap::new(),
            questions: HashMap::new(),
            last_question: 0,
            ready: Vec::new(),
            ready_at: None,
            gathering: Group::default(),
            broken: None,
            closing: Vec::new(),
            published,
        };
        supervisor.published.with(|state| log::note(&first, state));
        supervisor.published.publish(vec![first], true);
        tokio::spawn(supervisor.run())
    }

    async fn run(mut self) {
        let mut inbox = Vec::new();
        let mut writing: Option<Writing> = None;
        loop {
            if writing.is_none() && !self.gathering.is_empty() {
                writing = self.write();
            }
            if writing.is_none() && !self.closing.is_empty() && self.gathering.is_empty() {
                self.published.close();
                for done in self.closing.drain(..) {
                    let _ = done.send(());
                }
                return;
            }
            let ready_at = self.ready_at;
            tokio::select! {
                written = async { writing.as_mut()?.await.ok() }, if writing.is_some() => {
                    writing = None;
                    self.written(written);
                }
                count = self.messages.recv_many(&mut inbox, 1024) => {
                    if count == 0 {
                        return;
                    }
                    inbox.drain(..).for_each(|message| self.take(message));
                }
                () = async { tokio::time::sleep_until(ready_at.unwrap_or_else(Instant::now)).await }, if ready_at.is_some() => {
                    self.take_ready();
                }
            }
        }
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Fact { build, attempt, mut fact, after, durable } => {
                if let Some(output) = after {
                    self.take_output(&output);
                    if let Fact::StepEnded { step, .. } = &fact {
                        self.finish_output(&output.build, output.attempt, step);
                    }
                }
                redact(&self.journal.redactor.read().unwrap_or_else(PoisonError::into_inner), &mut fact);
                self.gathering.batch.sync |= durable.is_some() || is_state(&fact);
                self.gathering.waiters.extend(durable);
                self.append(build, attempt, fact, None);
            }
            Message::Output(output) => {
                self.ready.push(output);
                self.ready_at.get_or_insert_with(|| Instant::now() + OUTPUT_WAIT);
            }
            Message::OutputNow(output) => self.take_output(&output),
            Message::Ask { build, attempt, question, reply } => {
                self.last_question = self.last_question.saturating_add(1);
                self.questions.insert(self.last_question, reply);
                let mut fact = Fact::Asked { question: Question { id: self.last_question, ..question } };
                redact(&self.journal.redactor.read().unwrap_or_else(PoisonError::into_inner), &mut fact);
                self.append(Some(build), Some(attempt), fact, None);
            }
            Message::Answer { build, question, answer } => self.answer(build, question, answer),
            Message::Close(done) => {
                self.take_ready();
                self.closing.push(done);
            }
        }
    }

    fn answer(&mut self, build: BuildId, question: u64, answer: String) {
        let asker = self.questions.remove(&question).filter(|asker| !asker.is_closed());
        let fact = match asker {
            None => Fact::Said {
                step: None,
                tone: Tone::Error,
                text: format!("question {question} is not open: it was answered, or its step has ended"),
            },
            Some(asker) => {
                let mut fact = Fact::Answered { question, answer: answer.clone() };
                redact(&self.journal.redactor.read().unwrap_or_else(PoisonError::into_inner), &mut fact);
                let _ = asker.send(answer);
                fact
            }
        };
        self.append(Some(build), None, fact, None);
    }

    fn take_ready(&mut self) {
        self.ready_at = None;
        for output in std::mem::take(&mut self.ready) {
            self.take_output(&output);
        }
    }

    fn take_output(&mut self, output: &OutputBuffer) {
        let (pieces, held) = output.take(&self.journal.backlog);
        if pieces.is_empty() {
            return;
        }
        self.gathering.held.push(held);
        let redactor = self.journal.redactor.clone();
        let redactor = redactor.read().unwrap_or_else(PoisonError::into_inner);
        for (stream, bytes) in pieces {
            let key = (output.build.clone(), output.attempt, output.step.clone());
            let filters = self.filters.entry(key).or_default();
            let text = filters[usize::from(stream == Stream::Stderr)].push(&redactor, &bytes);
            self.output(&output.build, output.attempt, &output.step, stream, text);
        }
        if self.gathering.is_empty() {
            // A filter holds all of it back: there is nothing that would be written, and then let go.
            self.gathering.held.clear();
        }
    }

    /// Lets go of what the filters of a step held back.
    fn finish_output(&mut self, build: &BuildId, attempt: Attempt, step: &StepId) {
        let Some(filters) = self.filters.remove(&(build.clone(), attempt, step.clone())) else { return };
        let redactor = self.journal.redactor.clone();
        let redactor = redactor.read().unwrap_or_else(PoisonError::into_inner);
        for (mut filter, stream) in filters.into_iter().zip([Stream::Stdout, Stream::Stderr]) {
            let text = filter.finish(&redactor);
            self.output(build, attempt, step, stream, text);
        }
    }

    fn output(&mut self, build: &BuildId, attempt: Attempt, step: &StepId, stream: Stream, text: String) {
        if text.is_empty() {
            return;
        }
        let name = self.names.log(build, attempt);
        let bytes = text.len() as u64;
        let length = self.lengths.entry(name.clone()).or_default();
        let index = Fact::OutputAt { step: step.clone(), stream, offset: *length, bytes };
        *length = length.saturating_add(bytes);
        match self.gathering.batch.output.last_mut() {
            Some((last, waiting)) if *last == name => waiting.extend_from_slice(text.as_bytes()),
            _ => self.gathering.batch.output.push((name, text.clone().into_bytes())),
        }
        let fact = Fact::Output { step: step.clone(), stream, text };
        self.append(Some(build.clone()), Some(attempt), fact, Some(index));
    }

    /// `written` stands in the journal in the place of `fact`.
    fn append(&mut self, build: Option<BuildId>, attempt: Option<Attempt>, fact: Fact, written: Option<Fact>) {
        self.seq = self.seq.saturating_add(1);
        let mut event = Event { seq: self.seq, at: now(), build, attempt, fact };
        if self.broken.is_none() {
            let shown = written.map(|index| std::mem::replace(&mut event.fact, index));
            let lines = &mut self.gathering.batch.lines;
            let before = lines.len();
            match serde_json::to_writer(&mut *lines, &event) {
                Ok(()) => lines.push(b'\n'),
                Err(e) => {
                    lines.truncate(before);
                    self.broken = Some(e.to_string());
                }
            }
            if let Some(shown) = shown {
                event.fact = shown;
            }
        }
        self.gathering.events.push(event);
    }

    /// Hands the group to a thread that may block. Once the journal is broken, facts are folded and published only.
    fn write(&mut self) -> Option<Writing> {
        let group = std::mem::take(&mut self.gathering);
        if self.broken.is_none()
            && let Some(mut writer) = self.writer.take()
        {
            return Some(tokio::task::spawn_blocking(move || {
                let result = writer.write(&group.batch);
                (writer, group, result)
            }));
        }
        self.publish(group);
        None
    }

    fn written(&mut self, written: Option<(Writer, Group, io::Result<()>)>) {
        let Some((writer, group, result)) = written else {
            self.broken = Some("the thread that writes it ended".into());
            return;
        };
        self.writer = Some(writer);
        if let Err(e) = result {
            let text = format!("cannot write the journal: {e}; every build stops at its next step and is cleaned up");
            self.broken = Some(e.to_string());
            self.publish(group);
            self.append(None, None, Fact::Said { step: None, tone: Tone::Error, text }, None);
            return;
        }
        self.publish(group);
    }

    fn publish(&mut self, group: Group) {
        self.published.with(|state| group.events.iter().for_each(|event| log::note(event, state)));
        self.published.publish(group.events, self.broken.is_none());
        for waiter in group.waiters {
            let result = self.broken.as_ref().map_or(Ok(()), |why| {
                Err(Failure::new(FailureKind::Journal, format!("cannot write the journal of the run: {why}"))
                    .help("make room on the disk of kiln's state folder, then build again"))
            });
            let _ = waiter.send(result);
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.journal.backlog.close();
    }
}

impl Group {
    fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// Facts that a resumed run needs: they are brought to disk even when nobody waits.
fn is_state(fact: &Fact) -> bool {
    !matches!(
        fact,
        Fact::Said { .. }
            | Fact::StepProgressed { .. }
            | Fact::Waiting { .. }
            | Fact::Output { .. }
            | Fact::OutputAt { .. }
            | Fact::StepStarted { .. }
    )
}

/// Milliseconds since the UNIX epoch.
pub(super) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
