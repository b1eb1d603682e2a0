//! The fold over facts. Screen, summary, clean-up, resume and history all read this.

/// The state of a run: what its facts, applied in order, come to.
#[derive(Clone, Debug, Default)]
pub struct RunState {}
