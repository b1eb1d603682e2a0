//! Reads a run's journal and logs back.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::names::LogNames;
use crate::run::{Event, Fact, RunState, Seq};

/// Name of the journal in a run's folder.
pub const JOURNAL: &str = "journal.jsonl";

/// The facts of a journal, in order. A last line that was cut off by a crash is left out.
///
/// # Errors
/// When the journal cannot be read, or a line before the last is no fact.
pub fn events(run_dir: &Path) -> std::io::Result<Vec<Event>> {
    let mut reader = BufReader::new(File::open(run_dir.join(JOURNAL))?);
    let mut events = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 || line.last() != Some(&b'\n') {
            return Ok(events);
        }
        match serde_json::from_slice(&line) {
            Ok(event) => events.push(event),
            // A torn line is the last one: what follows it was never acknowledged.
            Err(_) if reader.fill_buf()?.is_empty() => return Ok(events),
            Err(e) => return Err(std::io::Error::new(std::io::ErrorKind::InvalidData, e)),
        }
    }
}

/// The state that a journal comes to.
///
/// # Errors
/// As [`events`].
pub fn state(run_dir: &Path) -> std::io::Result<RunState> {
    let mut state = RunState::default();
    events(run_dir)?.iter().for_each(|event| state.apply(event));
    Ok(state)
}

/// The facts after number `after`, with the output that the logs hold in its place.
///
/// # Errors
/// As [`events`]; output that cannot be read stays an index record.
pub fn events_after(run_dir: &Path, after: Seq) -> std::io::Result<Vec<Event>> {
    let mut events = events(run_dir)?;
    let names = match events.first() {
        Some(Event { fact: Fact::RunStarted { plan, .. }, .. }) => LogNames::of(plan.builds.iter().map(|b| &b.id)),
        _ => LogNames::default(),
    };
    events.retain(|event| event.seq > after);
    let mut logs: HashMap<String, Option<File>> = HashMap::new();
    for event in &mut events {
        let (Some(build), Some(attempt)) = (&event.build, event.attempt) else { continue };
        let Fact::OutputAt { step, stream, offset, bytes } = &event.fact else { continue };
        let name = names.log(build, attempt);
        let log = logs.entry(name).or_insert_with_key(|name| File::open(run_dir.join(name)).ok());
        if let Some(text) = log.as_mut().and_then(|log| piece(log, *offset, *bytes)) {
            event.fact = Fact::Output { step: step.clone(), stream: *stream, text };
        }
    }
    Ok(events)
}

fn piece(log: &mut File, offset: u64, bytes: u64) -> Option<String> {
    log.seek(SeekFrom::Start(offset)).ok()?;
    let mut text = Vec::new();
    log.take(bytes).read_to_end(&mut text).ok()?;
    (text.len() as u64 == bytes).then(|| String::from_utf8_lossy(&text).into_owned())
}
