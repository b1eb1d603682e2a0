//! What Packer prints: `==> NAME: …` for kiln's own words, `    NAME: …` for what the machine prints.
//!
//! Warnings go to standard error, all else to standard output, remote stderr included.

use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;

use super::lines::Lines;
use super::{Report, summary, words};
use crate::run::event::{BuildEnd, StepEnd, Tone};
use crate::run::state::BuildState;
use crate::run::{BuildId, Event, Fact, RunState, StepId, Stream};

/// How the lines look.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style {
    pub colour: bool,
    /// Each line begins with the local time, as RFC 3339.
    pub timestamps: bool,
}

/// Tells where the log of a build's last attempt is.
pub type LogOf = Box<dyn Fn(&BuildState) -> PathBuf + Send>;

/// A colour a build, in turn: green, cyan, magenta, yellow, blue; red is for errors.
const COLOURS: [u8; 5] = [32, 36, 35, 33, 34];
const RED: u8 = 31;

pub struct PlainReport<O, E> {
    out: O,
    err: E,
    style: Style,
    /// Where a build's log is.
    log: LogOf,
    lines: Lines,
    /// In the order in which they were met, which decides their colours.
    builds: Vec<BuildId>,
    line: String,
}

impl<O: Write + Send, E: Write + Send> PlainReport<O, E> {
    pub fn new(out: O, err: E, style: Style, log: LogOf) -> Self {
        Self { out, err, style, log, lines: Lines::default(), builds: Vec::new(), line: String::new() }
    }

    fn colour(&mut self, build: &BuildId) -> u8 {
        let place = self.builds.iter().position(|b| b == build).unwrap_or_else(|| {
            self.builds.push(build.clone());
            self.builds.len() - 1
        });
        COLOURS[place % COLOURS.len()]
    }

    fn print(&mut self, colour: Option<u8>, text: &str) {
        self.line.clear();
        compose(&mut self.line, self.style, colour, text);
        let _ = self.out.write_all(self.line.as_bytes());
    }

    /// Each line of `text` under the name of whom it is about.
    fn say(&mut self, prefix: &str, target: &str, colour: u8, text: &str) {
        for line in text.split('\n') {
            self.print(Some(colour), &format!("{prefix}{target}: {line}"));
        }
    }

    fn output(&mut self, build: &BuildId, target: &str, stream: Stream, text: &str) {
        let colour = self.colour(build);
        let (style, out, buffer) = (self.style, &mut self.out, &mut self.line);
        self.lines.push(build, stream, text, |line| {
            buffer.clear();
            compose_output(buffer, style, colour, target, line);
            let _ = out.write_all(buffer.as_bytes());
        });
    }

    fn flush_output(&mut self, build: &BuildId, target: &str) {
        let colour = self.colour(build);
        let (style, out, buffer) = (self.style, &mut self.out, &mut self.line);
        self.lines.flush(build, |_, line| {
            buffer.clear();
            compose_output(buffer, style, colour, target, line);
            let _ = out.write_all(buffer.as_bytes());
        });
    }

    fn said(&mut self, build: Option<&BuildId>, step: Option<&StepId>, tone: Tone, text: &str, state: &RunState) {
        let target = build.map(|b| words::target(b, step, state));
        match (tone, target, build) {
            (Tone::Warning, target, _) => {
                let name = target.map(|t| format!("{t}: ")).unwrap_or_default();
                let _ = writeln!(self.err, "==> {name}warning: {text}");
            }
            (_, None, _) | (_, _, None) => self.print(None, &format!("==> {text}")),
            (Tone::Say, Some(target), Some(build)) => {
                let colour = self.colour(build);
                self.say("==> ", &target, colour, text);
            }
            (Tone::Detail, Some(target), Some(build)) => {
                let colour = self.colour(build);
                self.say("    ", &target, colour, text);
            }
            (Tone::Error, Some(target), _) => self.say("==> ", &target, RED, text),
        }
    }
}

impl<O: Write + Send, E: Write + Send> Report for PlainReport<O, E> {
    fn event(&mut self, event: &Event, state: &RunState) {
        let build = event.build.as_ref();
        match (&event.fact, build) {
            (Fact::Output { step, stream, text }, Some(build)) => {
                let target = words::target(build, Some(step), state);
                self.output(build, &target, *stream, text);
            }
            (Fact::Said { step, tone, text }, _) => {
                if let Some(build) = build {
                    let target = words::target(build, step.as_ref(), state);
                    self.flush_output(build, &target);
                }
                self.said(build, step.as_ref(), *tone, text, state);
            }
            (Fact::StepEnded { step, ended }, Some(build)) => {
                let target = words::target(build, Some(step), state);
                self.flush_output(build, &target);
                match ended {
                    StepEnd::Failed { failure } => {
                        self.say("==> ", &target, RED, &failure.message);
                        if let Some(help) = &failure.help {
                            self.say("    ", &target, RED, help);
                        }
                    }
                    StepEnd::Skipped { why } if !why.is_empty() => {
                        let colour = self.colour(build);
                        self.say("    ", &target, colour, why);
                    }
                    _ => {}
                }
            }
            (Fact::Held { step, .. }, Some(build)) => {
                let text = format!("Held at step `{step}`: the machine and its connection are kept");
                let colour = self.colour(build);
                self.say("==> ", build.as_str(), colour, &text);
            }
            (Fact::ReleaseFailed { key, why, help }, Some(build)) => {
                self.say("==> ", build.as_str(), RED, &format!("Could not release {key}: {why}"));
                if let Some(help) = help {
                    self.say("    ", build.as_str(), RED, help);
                }
            }
            (Fact::Patched { why }, Some(build)) => {
                let colour = self.colour(build);
                self.say("==> ", build.as_str(), colour, &format!("This image is patched: {why}"));
            }
            (Fact::AttemptEnded { ended }, Some(build)) => {
                let spent = summary::spent(state, build);
                let (colour, line) = match ended {
                    BuildEnd::Done { .. } => (None, format!("Build '{build}' finished after {spent}.")),
                    BuildEnd::Failed { failure, .. } => {
                        (Some(RED), format!("Build '{build}' errored after {spent}: {failure}"))
                    }
                    BuildEnd::Cancelled => (Some(RED), format!("Build '{build}' was cancelled after {spent}.")),
                };
                self.print(colour, &line);
            }
            _ => {}
        }
    }

    fn idle(&mut self) {
        let _ = self.out.flush();
    }

    fn end(&mut self, state: &RunState) {
        let text = summary::text(state, &self.log);
        for line in text.lines() {
            self.print(None, line);
        }
        let _ = self.out.flush();
    }
}

fn compose_output(buffer: &mut String, style: Style, colour: u8, target: &str, line: &str) {
    if style.timestamps || style.colour {
        compose(buffer, style, Some(colour), &format!("    {target}: {line}"));
    } else {
        let _ = writeln!(buffer, "    {target}: {line}");
    }
}

fn compose(buffer: &mut String, style: Style, colour: Option<u8>, text: &str) {
    if style.timestamps && !text.is_empty() {
        let now = jiff::Zoned::now();
        let _ = write!(buffer, "{}: ", now.strftime("%Y-%m-%dT%H:%M:%S%:z"));
    }
    let _ = match colour.filter(|_| style.colour) {
        Some(colour) => writeln!(buffer, "\x1b[1;{colour}m{text}\x1b[0m"),
        None => writeln!(buffer, "{text}"),
    };
}
