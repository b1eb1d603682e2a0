//! kiln bakes machine images from `HashiCorp` Packer templates.
//!
//! The tour, from the ground up; an upper floor may name a lower one, never the reverse, nor one beside it:
//!
//! - [`text`] sources, spans, diagnostics. [`os`] paths, settings, locks, private files, signals.
//! - [`schema`] what a component looks like, as data. [`run`] ids, plan, facts, commands, the fold over them.
//! - [`template`] text becomes a tree with spans, the tree becomes values; it takes the schema as data.
//! - [`cloud`] EC2 and its account-wide watcher. [`remote`] SSH, transfers.
//! - [`component`] the catalogue of builders, provisioners and post-processors and the contract that they keep.
//! - [`plan`] checks a template, completes it, resolves it to a [`run::plan::Plan`], selects and revises.
//! - [`engine`] runs a plan: supervisor, build actors, journal, clean-up.
//! - [`cli`] one file a command; reports.
//!
//! [`practice`] stands apart: an EC2 endpoint with instances on this computer; only [`cli`] starts it.

pub mod cli;
pub mod cloud;
pub mod component;
pub mod engine;
pub mod os;
pub mod plan;
pub mod practice;
pub mod remote;
pub mod run;
pub mod schema;
pub mod template;
pub mod text;
