//! The texts of facts, without secrets.

use serde_json::Value as Json;

use super::Redactor;
use crate::run::event::{BuildEnd, Question, StepEnd};
use crate::run::plan::PlannedStep;
use crate::run::{Artifact, Fact, Failure, Plan, Value};

/// Takes the secrets out of every text of a fact that people or machines wrote. Output is not touched: it is a stream, and
/// has a filter of its own.
pub fn redact(redactor: &Redactor, fact: &mut Fact) {
    let text = |text: &mut String| redact_text(redactor, text);
    match fact {
        Fact::RunStarted { plan, .. } | Fact::Revised { plan } => redact_plan(redactor, plan),
        Fact::StepProgressed { note, .. } => text(note),
        Fact::Waiting { on, .. } => on.iter_mut().for_each(text),
        Fact::StepEnded { ended: StepEnd::Failed { failure }, .. } | Fact::Held { failure, .. } => {
            redact_failure(redactor, failure);
        }
        Fact::StepEnded { ended: StepEnd::Skipped { why }, .. } | Fact::Patched { why } => text(why),
        Fact::Said { text: said, .. } => text(said),
        Fact::Learnt { value, .. } => redact_json(redactor, value),
        Fact::Intended { resource } => redact_json(redactor, &mut resource.find),
        Fact::ReleaseFailed { why, help, .. } => {
            text(why);
            help.iter_mut().for_each(text);
        }
        Fact::Asked { question: Question { text: asked, choices, default, .. } } => {
            text(asked);
            text(default);
            choices.iter_mut().for_each(text);
        }
        Fact::Answered { answer, .. } => text(answer),
        Fact::Made { artifact } => redact_artifact(redactor, artifact),
        Fact::AttemptEnded { ended: BuildEnd::Done { artifacts } } => {
            for artifact in artifacts {
                redact_artifact(redactor, artifact);
            }
        }
        Fact::AttemptEnded { ended: BuildEnd::Failed { failure, .. } } => redact_failure(redactor, failure),
        _ => {}
    }
}

fn redact_text(redactor: &Redactor, text: &mut String) {
    if let Some(clean) = redactor.text(text) {
        *text = clean;
    }
}

fn redact_failure(redactor: &Redactor, failure: &mut Failure) {
    redact_text(redactor, &mut failure.message);
    failure.help.iter_mut().for_each(|help| redact_text(redactor, help));
}

fn redact_artifact(redactor: &Redactor, artifact: &mut Artifact) {
    redact_text(redactor, &mut artifact.description);
    redact_text(redactor, &mut artifact.id);
}

fn redact_json(redactor: &Redactor, value: &mut Json) {
    match value {
        Json::String(text) => redact_text(redactor, text),
        Json::Array(items) => items.iter_mut().for_each(|item| redact_json(redactor, item)),
        Json::Object(map) => map.values_mut().for_each(|item| redact_json(redactor, item)),
        _ => {}
    }
}

fn redact_plan(redactor: &Redactor, plan: &mut Plan) {
    for build in &mut plan.builds {
        redact_value(redactor, &mut build.config);
        build.steps.iter_mut().chain(&mut build.error_cleanup).for_each(|step| redact_step(redactor, step));
    }
}

fn redact_step(redactor: &Redactor, step: &mut PlannedStep) {
    redact_text(redactor, &mut step.title);
    redact_value(redactor, &mut step.config);
}

fn redact_value(redactor: &Redactor, value: &mut Value) {
    match value {
        Value::Text(text) => redact_text(redactor, text),
        Value::Secret(text) => {
            for piece in &mut text.pieces {
                if let crate::run::value::Piece::Plain(plain) = piece {
                    redact_text(redactor, plain);
                }
            }
        }
        Value::List(items) => items.iter_mut().for_each(|item| redact_value(redactor, item)),
        Value::Map(map) => map.values_mut().for_each(|item| redact_value(redactor, item)),
        _ => {}
    }
}
