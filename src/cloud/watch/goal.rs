//! What a state means for a wait.

use aws_sdk_ec2::types::{ImageState, Instance, InstanceStateName, Snapshot, SnapshotState, StateReason};

use super::kind::{SeenImage, percent};
use crate::run::{Failure, FailureKind};

/// What an instance is waited for to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceGoal {
    Running,
    Stopped,
    Terminated,
}

impl InstanceGoal {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Terminated => "terminated",
        }
    }
}

pub(super) enum Verdict {
    /// Reached, with the state's name.
    Done(String),
    /// Not yet: the state's name and how far it is.
    Going(String, Option<u8>),
    /// Cannot be reached any more.
    Failed(Failure),
}

pub(super) fn instance(instance: &Instance, goal: InstanceGoal) -> Verdict {
    let state = instance.state().and_then(|s| s.name()).cloned();
    let Some(state) = state else { return Verdict::Going("unknown".into(), None) };
    let reached = match goal {
        InstanceGoal::Running => state == InstanceStateName::Running,
        InstanceGoal::Stopped => state == InstanceStateName::Stopped,
        InstanceGoal::Terminated => state == InstanceStateName::Terminated,
    };
    if reached {
        return Verdict::Done(state.as_str().into());
    }
    let lost = match state {
        InstanceStateName::Terminated | InstanceStateName::ShuttingDown => goal != InstanceGoal::Terminated,
        InstanceStateName::Stopped | InstanceStateName::Stopping => goal == InstanceGoal::Running,
        _ => false,
    };
    if !lost {
        return Verdict::Going(state.as_str().into(), None);
    }
    let id = instance.instance_id().unwrap_or("");
    let why = instance.state_transition_reason().unwrap_or("");
    Verdict::Failed(lost_to(&format!("the instance {id} is `{}`", state.as_str()), instance.state_reason(), why))
}

pub(super) fn image(seen: &SeenImage) -> Verdict {
    let image = &seen.image;
    let name = image.state().map_or("unknown", ImageState::as_str);
    match image.state() {
        Some(ImageState::Available) => Verdict::Done(name.into()),
        Some(ImageState::Failed | ImageState::Error | ImageState::Invalid | ImageState::Deregistered) => {
            let id = image.image_id().unwrap_or("");
            Verdict::Failed(lost_to(&format!("the AMI {id} is `{name}`"), image.state_reason(), ""))
        }
        _ => Verdict::Going(name.into(), seen.percent),
    }
}

pub(super) fn snapshot(snapshot: &Snapshot) -> Verdict {
    let name = snapshot.state().map_or("unknown", SnapshotState::as_str);
    match snapshot.state() {
        Some(SnapshotState::Completed) => Verdict::Done(name.into()),
        Some(SnapshotState::Error) => {
            let id = snapshot.snapshot_id().unwrap_or("");
            let why = snapshot.state_message().unwrap_or("");
            Verdict::Failed(lost_to(&format!("the snapshot {id} is `{name}`"), None, why))
        }
        _ => Verdict::Going(name.into(), percent(snapshot.progress())),
    }
}

/// The failure for a state that is the end, with AWS's reason for it.
fn lost_to(what: &str, reason: Option<&StateReason>, more: &str) -> Failure {
    let code = reason.and_then(StateReason::code).unwrap_or("UnexpectedState").to_owned();
    let message = reason.and_then(StateReason::message).filter(|m| !m.is_empty()).unwrap_or(more);
    let why = if message.is_empty() { String::new() } else { format!(": {}", message.trim_end_matches('.')) };
    let help = if message.contains("KMS") || code.contains("KMS") || message.contains("Client.InternalError") {
        "the role must be allowed to use the KMS key of the volumes, and the key must be enabled"
    } else if code.contains("Capacity") {
        "AWS has no such instance free in this zone: use another `instance_type` or `availability_zone`, or try later"
    } else if code.contains("UserInitiated") || code.contains("InstanceInitiated") {
        "somebody, or the machine itself, ended it: see CloudTrail, and look for `shutdown` in the provisioners"
    } else if code.contains("Spot") {
        "AWS took the spot instance back: try again, or build on demand"
    } else {
        "AWS's reason says what to change; if it names a failure on AWS's side, try again"
    };
    Failure::new(FailureKind::Aws { code, request_id: None }, format!("{what}{why}")).help(help)
}
