//! `--format json`: one fact a line, as in the journal, output included.

use std::io::Write;

use super::Report;
use crate::run::{Event, RunState};

pub struct JsonReport<W> {
    out: W,
}

impl<W: Write + Send> JsonReport<W> {
    pub fn new(out: W) -> Self {
        Self { out }
    }
}

impl<W: Write + Send> Report for JsonReport<W> {
    fn event(&mut self, event: &Event, _state: &RunState) {
        if let Ok(line) = serde_json::to_string(event) {
            let _ = writeln!(self.out, "{line}");
        }
    }

    fn end(&mut self, _state: &RunState) {
        let _ = self.out.flush();
    }

    fn idle(&mut self) {
        let _ = self.out.flush();
    }
}
