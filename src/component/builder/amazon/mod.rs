//! Amazon machine images.

pub mod check;
pub mod config;
