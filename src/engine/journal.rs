//! The files that a run writes while it lives: the journal and the logs of output. Blocking; one thread at a time has it.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::read::JOURNAL;
use crate::os::private_file;
use crate::run::Event;

/// The open files of a run.
pub(super) struct Writer {
    dir: PathBuf,
    journal: File,
    logs: HashMap<String, File>,
}

/// What is written in one go.
#[derive(Default)]
pub(super) struct Batch {
    /// Lines of the journal.
    pub lines: Vec<u8>,
    /// Output, by name of its log.
    pub output: Vec<(String, Vec<u8>)>,
    /// Somebody waits until it is on disk, not only written.
    pub sync: bool,
}

impl Writer {
    /// Makes the journal: it appears with its first record whole and on disk, or not at all.
    pub fn create(dir: &Path, first: &Event) -> io::Result<Self> {
        let path = dir.join(JOURNAL);
        let mut line = serde_json::to_vec(first)?;
        line.push(b'\n');
        private_file::write(&path, &line)?;
        let journal = private_file::append(&path)?;
        Ok(Self { dir: dir.into(), journal, logs: HashMap::new() })
    }

    /// Output goes first, so that the journal never names what is not there.
    pub fn write(&mut self, batch: &Batch) -> io::Result<()> {
        for (name, bytes) in &batch.output {
            if !self.logs.contains_key(name) {
                let log = private_file::append(&self.dir.join(name))?;
                self.logs.insert(name.clone(), log);
            }
            if let Some(log) = self.logs.get_mut(name) {
                log.write_all(bytes)?;
            }
        }
        self.journal.write_all(&batch.lines)?;
        if batch.sync { self.journal.sync_data() } else { Ok(()) }
    }
}
