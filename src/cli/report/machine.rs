//! `-machine-readable`: Packer's lines of comma-separated values, with the target column filled in.
//!
//! `<UNIX seconds>,<target>,<type>,<data…>`; in data a comma is `%!(PACKER_COMMA)`, LF is `\n`, CR is `\r`.

use std::io::Write;

use super::lines::Lines;
use super::{Report, summary, words};
use crate::run::event::{BuildEnd, StepEnd, Tone};
use crate::run::{Artifact, BuildId, Event, Fact, RunState, Stream};

pub struct MachineReport<W> {
    out: W,
    lines: Lines,
    /// UNIX seconds of the event at hand.
    now: i64,
}

impl<W: Write + Send> MachineReport<W> {
    pub fn new(out: W) -> Self {
        Self { out, lines: Lines::default(), now: 0 }
    }

    fn line(&mut self, target: &str, kind: &str, data: &[&str]) {
        let _ = self.out.write_all(line(self.now, target, kind, data).as_bytes());
    }

    fn ui(&mut self, target: &str, kind: &str, text: &str) {
        self.line(target, "ui", &[kind, text]);
    }

    fn artifact(&mut self, build: &BuildId, place: usize, artifact: &Artifact) {
        let (name, place) = (build.as_str(), place.to_string());
        self.line(name, "artifact", &[&place, "builder-id", &artifact.builder_id]);
        self.line(name, "artifact", &[&place, "id", &artifact.id]);
        self.line(name, "artifact", &[&place, "string", &artifact.description]);
        self.line(name, "artifact", &[&place, "files-count", &artifact.files.len().to_string()]);
        for (i, file) in artifact.files.iter().enumerate() {
            self.line(name, "artifact", &[&place, "file", &i.to_string(), &file.path]);
        }
        self.line(name, "artifact", &[&place, "end"]);
    }
}

/// One line, escaped, with its line end.
pub fn line(seconds: i64, target: &str, kind: &str, data: &[&str]) -> String {
    let mut line = format!("{seconds},{},{kind}", escaped(target));
    for item in data {
        line.push(',');
        line.push_str(&escaped(item));
    }
    line.push('\n');
    line
}

fn escaped(text: &str) -> String {
    text.replace(',', "%!(PACKER_COMMA)").replace('\r', "\\r").replace('\n', "\\n")
}

impl<W: Write + Send> Report for MachineReport<W> {
    fn event(&mut self, event: &Event, state: &RunState) {
        self.now = event.at.div_euclid(1000);
        let Some(build) = event.build.as_ref() else {
            if let Fact::Said { text, .. } = &event.fact {
                self.ui("", "say", text);
            }
            return;
        };
        match &event.fact {
            Fact::Said { step, tone, text } => {
                let target = words::target(build, step.as_ref(), state);
                let (kind, text) = match tone {
                    Tone::Say => ("say", format!("==> {target}: {text}")),
                    Tone::Detail => ("message", format!("    {target}: {text}")),
                    Tone::Warning => ("error", format!("==> {target}: warning: {text}")),
                    Tone::Error => ("error", format!("==> {target}: {text}")),
                };
                self.ui(build.as_str(), kind, &text);
            }
            Fact::Output { step, stream, text } => {
                let target = words::target(build, Some(step), state);
                let (now, out) = (self.now, &mut self.out);
                let kind = if *stream == Stream::Stderr { "error" } else { "message" };
                self.lines.push(build, *stream, text, |l| {
                    let text = format!("    {target}: {l}");
                    let _ = out.write_all(line(now, build.as_str(), "ui", &[kind, &text]).as_bytes());
                });
            }
            Fact::StepEnded { step, ended } => {
                let target = words::target(build, Some(step), state);
                let (now, out) = (self.now, &mut self.out);
                self.lines.flush(build, |stream, l| {
                    let kind = if stream == Stream::Stderr { "error" } else { "message" };
                    let _ = out
                        .write_all(line(now, build.as_str(), "ui", &[kind, &format!("    {target}: {l}")]).as_bytes());
                });
                if let StepEnd::Failed { failure } = ended {
                    self.ui(build.as_str(), "error", &format!("==> {target}: {failure}"));
                }
            }
            Fact::AttemptEnded { ended } => {
                let spent = summary::spent(state, build);
                let text = match ended {
                    BuildEnd::Done { .. } => format!("Build '{build}' finished after {spent}."),
                    BuildEnd::Failed { failure, .. } => format!("Build '{build}' errored after {spent}: {failure}"),
                    BuildEnd::Cancelled => format!("Build '{build}' was cancelled after {spent}."),
                };
                self.ui(build.as_str(), "say", &text);
            }
            _ => {}
        }
    }

    fn idle(&mut self) {
        let _ = self.out.flush();
    }

    fn end(&mut self, state: &RunState) {
        let failures = summary::failures(state);
        for (build, why) in &failures {
            self.line(build.as_str(), "error", &[why]);
        }
        if !failures.is_empty() {
            self.line("", "error-count", &[&failures.len().to_string()]);
        }
        for (build, artifacts) in summary::artifacts(state) {
            self.line(build.as_str(), "artifact-count", &[&artifacts.len().to_string()]);
            for (i, artifact) in artifacts.iter().enumerate() {
                self.artifact(build, i, artifact);
            }
        }
        let _ = self.out.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn commas_and_line_ends_do_not_break_a_line() {
        assert_eq!(line(7, "web", "ui", &["say", "a, b\nc\rd"]), "7,web,ui,say,a%!(PACKER_COMMA) b\\nc\\rd\n");
        assert_eq!(line(7, "", "error-count", &["1"]), "7,,error-count,1\n");
    }
}
