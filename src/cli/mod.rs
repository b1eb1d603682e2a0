//! The headless face: one file a command; reports.

pub mod explain;
pub mod template_args;
