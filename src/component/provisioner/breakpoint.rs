//! The `breakpoint` provisioner: waits for a person.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::component::config::{decode, decode_known};
use crate::component::contract::{CheckContext, Done, Provisioner, StepContext, StepFuture};
use crate::run::Failure;
use crate::run::event::Question;
use crate::schema::{Component, Kind};

/// Stops the build until a person lets it go on, so that the machine can be looked at. Where nobody can answer, the build
/// goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Config {
    /// What to tell the person.
    #[schemars(extend("x-kiln-late" = []))]
    note: String,
    /// Does not stop.
    disable: bool,
}

/// The `breakpoint` provisioner.
pub struct Breakpoint;

impl Provisioner for Breakpoint {
    fn schema(&self) -> Component {
        Component::from_struct::<Config>(Kind::Provisioner, "breakpoint")
    }

    fn check(&self, _config: &Json, _cx: &mut CheckContext<'_>) {}

    fn title(&self, config: &Json) -> String {
        let config: Config = decode_known(config);
        if config.note.is_empty() { "breakpoint".into() } else { format!("breakpoint: {}", config.note) }
    }

    fn needs_communicator(&self) -> bool {
        false
    }

    fn run<'a>(&'a self, config: &'a Json, cx: &'a StepContext) -> StepFuture<'a> {
        Box::pin(async move {
            let config: Config = decode(config)?;
            let note = crate::component::late::render(cx, "note", &config.note, &crate::component::late::dot(cx, []))?;
            let with_note = if note.is_empty() { String::new() } else { format!(" with note \"{note}\"") };
            if config.disable {
                return Ok(Done::Skipped(format!("Breakpoint provisioner{with_note} disabled; continuing...")));
            }
            if !cx.options.interactive {
                cx.say(format!("Breakpoint provisioner{with_note}: nobody can answer here; continuing..."));
                return Ok(Done::Done);
            }
            cx.say(format!("Pausing at breakpoint provisioner{with_note}."));
            let text = "Press enter to continue.".to_owned();
            let question =
                Question { id: 0, step: Some(cx.step.id.clone()), text, choices: Vec::new(), default: String::new() };
            cx.facts.ask(question).await;
            if cx.cancel.is_cancelled() { Err(Failure::cancelled()) } else { Ok(Done::Done) }
        })
    }
}
