//! Reads a run's journal and logs back.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::names::LogNames;
use crate::run::{Event, Fact, RunState, Seq};

/// Name of the journal in a run's folder.
pub const JOURNAL: &str = "journal.jsonl";

/// The facts of a journal, in order. A last line that was cut off by a crash is left out.
///
/// # Errors
/// When the journal cannot be read, or a line before the last is no fact.
pub fn events(run_dir: &Path) -> std::io::Result<Vec<Event>> {
    let mut events = Vec::new();
    each(run_dir, 0, |event| {
        events.push(event);
        true
    })?;
    Ok(events)
}

/// The state that a journal comes to.
///
/// # Errors
/// As [`events`].
pub fn state(run_dir: &Path) -> std::io::Result<RunState> {
    let mut state = RunState::default();
    each(run_dir, 0, |event| {
        state.apply(&event);
        true
    })?;
    Ok(state)
}

/// Calls `take` for each fact from byte `offset` on, while it says so; gives the offset after the last whole line.
fn each(run_dir: &Path, mut offset: u64, mut take: impl FnMut(Event) -> bool) -> std::io::Result<u64> {
    let mut file = File::open(run_dir.join(JOURNAL))?;
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::new(file);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = reader.read_until(b'\n', &mut line)?;
        if read == 0 || line.last() != Some(&b'\n') {
            return Ok(offset);
        }
        let more = match serde_json::from_slice(&line) {
            Ok(event) => take(event),
            // A torn line is the last one: what follows it was never acknowledged.
            Err(_) if reader.fill_buf()?.is_empty() => return Ok(offset),
            Err(e) => return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, e)),
        };
        offset = offset.saturating_add(read as u64);
        if !more {
            return Ok(offset);
        }
    }
}

/// A journal that grows, read on each time from where the last reading ended.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    /// In bytes.
    offset: u64,
    /// The last reading stopped before the end.
    more: bool,
    names: LogNames,
}

/// So many bytes of output are read in one go.
const AT_ONCE: u64 = 4 << 20;

impl Reader {
    /// Begins at the first fact.
    #[must_use]
    pub fn new(run_dir: &Path) -> Self {
        Self { dir: run_dir.into(), offset: 0, more: false, names: LogNames::default() }
    }

    /// Whether the last reading stopped before the end, since there was so much.
    #[must_use]
    pub fn has_more(&self) -> bool {
        self.more
    }

    /// The next facts after number `after` that were not read before, with the output that the logs hold in its place.
    ///
    /// # Errors
    /// As [`events`]; output that cannot be read stays an index record.
    pub fn after(&mut self, after: Seq) -> std::io::Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut output = 0_u64;
        self.more = false;
        self.offset = each(&self.dir, self.offset, |event| {
            if let Fact::RunStarted { plan, .. } = &event.fact {
                self.names = LogNames::of(plan.builds.iter().map(|b| &b.id));
            }
            if event.seq > after {
                if let Fact::OutputAt { bytes, .. } = &event.fact {
                    output = output.saturating_add(*bytes);
                }
                events.push(event);
            }
            self.more = output >= AT_ONCE;
            !self.more
        })?;
        self.more &= std::fs::metadata(self.dir.join(JOURNAL))?.len() > self.offset;
        let mut logs: HashMap<String, Option<File>> = HashMap::new();
        for event in &mut events {
            let (Some(build), Some(attempt)) = (&event.build, event.attempt) else { continue };
            let Fact::OutputAt { step, stream, offset, bytes } = &event.fact else { continue };
            let name = self.names.log(build, attempt);
            let log = logs.entry(name).or_insert_with_key(|name| File::open(self.dir.join(name)).ok());
            if let Some(text) = log.as_mut().and_then(|log| piece(log, *offset, *bytes)) {
                event.fact = Fact::Output { step: step.clone(), stream: *stream, text };
            }
        }
        Ok(events)
    }
}

fn piece(log: &mut File, offset: u64, bytes: u64) -> Option<String> {
    log.seek(SeekFrom::Start(offset)).ok()?;
    let mut text = Vec::new();
    log.take(bytes).read_to_end(&mut text).ok()?;
    (text.len() as u64 == bytes).then(|| String::from_utf8_lossy(&text).into_owned())
}
