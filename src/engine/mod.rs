//! Runs a plan: supervisor, build actors, journal, redaction, clean-up.

pub mod answer;
