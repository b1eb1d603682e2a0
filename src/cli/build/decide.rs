//! What a person at the terminal decides: about one held builder, or one question, at a time, while the others run.

use std::collections::VecDeque;
use std::io::{self, Write};

use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

use super::{BuildArgs, LoadRequest, Loaded, interactive, load_again};
use crate::cli::report;
use crate::engine::EngineHandle;
use crate::run::event::Question;
use crate::run::state::Phase;
use crate::run::{BuildId, Command, Event, Fact, Failure, RunState, StepId};

/// Something that waits for a person.
#[derive(Clone, Debug)]
enum Matter {
    Held { step: StepId, failure: Failure },
    Asked(Question),
}

/// The matters that wait, and the one that is on the screen.
pub struct Decisions {
    request: LoadRequest,
    loaded: Loaded,
    lines: Option<Lines<BufReader<Stdin>>>,
    waiting: VecDeque<(BuildId, Matter)>,
    /// The first matter was told.
    shown: bool,
    /// The last line of the terminal is its prompt.
    prompting: bool,
}

impl Decisions {
    pub fn new(request: LoadRequest, loaded: Loaded, args: &BuildArgs) -> Self {
        let lines = interactive(args).then(|| BufReader::new(tokio::io::stdin()).lines());
        Self { request, loaded, lines, waiting: VecDeque::new(), shown: false, prompting: false }
    }

    /// Takes note of a fact that needs, or no longer needs, a decision.
    pub fn notice(&mut self, event: &Event, state: &RunState) {
        let Some(build) = event.build.as_ref().filter(|_| self.lines.is_some()) else { return };
        match &event.fact {
            Fact::Held { step, failure } => {
                self.waiting.push_back((build.clone(), Matter::Held { step: step.clone(), failure: failure.clone() }));
            }
            Fact::Asked { question } => self.waiting.push_back((build.clone(), Matter::Asked(question.clone()))),
            Fact::Unheld | Fact::Answered { .. } | Fact::CleanUpStarted | Fact::AttemptEnded { .. } => {
                let gone = |matter: &Matter| match matter {
                    Matter::Held { .. } => state.builds.get(build).is_none_or(|b| b.phase != Phase::Held),
                    Matter::Asked(q) => {
                        state.builds.get(build).is_none_or(|b| b.questions.iter().all(|o| o.id != q.id))
                    }
                };
                if self.waiting.front().is_some_and(|(b, m)| b == build && gone(m)) {
                    self.shown = false;
                }
                self.waiting.retain(|(b, m)| b != build || !gone(m));
            }
            _ => {}
        }
        self.show();
    }

    /// Puts the first matter on the screen.
    fn show(&mut self) {
        let Some((build, matter)) = self.waiting.front().filter(|_| !self.shown) else { return };
        let text = match matter {
            Matter::Held { step, failure } => format!(
                "\n{build} is held at step `{step}`: {failure}\n  [r] run it again with the files as they are on disk now\n  \
                 [s] skip it and go on\n  [c] clean up and give up\n  [a] leave everything as it is and give up\n"
            ),
            Matter::Asked(question) => {
                let choices = if question.choices.is_empty() {
                    String::new()
                } else {
                    format!(" [{}]", question.choices.join(", "))
                };
                format!("\n{build}: {}{choices}\n", question.text)
            }
        };
        let _ = write!(io::stderr(), "{text}");
        self.shown = true;
        self.prompt();
    }

    /// Shows the prompt of the matter at hand, if it is not on the last line already.
    pub fn prompt(&mut self) {
        let Some((build, _)) = self.waiting.front().filter(|_| self.shown && !self.prompting) else { return };
        let _ = write!(io::stderr(), "{build}> ");
        let _ = io::stderr().flush();
        self.prompting = true;
    }

    /// Takes the prompt off the last line, since something else is about to be printed.
    pub fn make_room(&mut self) {
        if std::mem::take(&mut self.prompting) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }

    /// Waits for a line about the matter on the screen and acts on it. Waits for ever when nobody can be asked.
    pub async fn made(&mut self, engine: &EngineHandle, state: &RunState) {
        let Some(lines) = self.lines.as_mut().filter(|_| !self.waiting.is_empty()) else {
            return std::future::pending().await;
        };
        let line = lines.next_line().await.ok().flatten();
        let Some(line) = line else {
            // The terminal is gone: nobody can decide any more.
            self.lines = None;
            while let Some((build, matter)) = self.waiting.pop_front() {
                engine.send(match matter {
                    Matter::Held { .. } => Command::CleanUp { build },
                    Matter::Asked(q) => Command::Answer { build, question: q.id, answer: q.default },
                });
            }
            return;
        };
        let Some((build, matter)) = self.waiting.front().cloned() else { return };
        (self.shown, self.prompting) = (false, false);
        let answer = line.trim().to_lowercase();
        match matter {
            Matter::Asked(question) => {
                engine.send(Command::Answer { build, question: question.id, answer: line.trim().to_owned() });
            }
            Matter::Held { step, .. } => match answer.as_str() {
                "r" | "retry" => self.again(engine, state, build, step).await,
                "s" | "skip" => engine.send(Command::Skip { build }),
                "c" | "clean up" | "cleanup" => engine.send(Command::CleanUp { build }),
                "a" | "abort" => engine.send(Command::Abort { build }),
                _ => self.show(),
            },
        }
    }

    /// Evaluates what is on disk now, as a revision, and goes on with the machine from the held step.
    async fn again(&mut self, engine: &EngineHandle, state: &RunState, build: BuildId, step: StepId) {
        let loaded = match load_again(&self.request, &self.loaded).await {
            Ok(loaded) => loaded,
            Err(why) => {
                let _ = writeln!(io::stderr(), "kiln: {why}");
                return self.show();
            }
        };
        report::print_diagnostics(&loaded, false);
        let Some(mut plan) = loaded.evaluation.plan.clone() else { return self.show() };
        plan.revision = state.plan.as_ref().map_or(1, |p| p.revision).saturating_add(1);
        engine.add_secrets(loaded.evaluation.secrets.clone());
        engine.send(Command::Revise { plan: Box::new(plan) });
        engine.send(Command::Retry { build, from: Some(step) });
    }
}
