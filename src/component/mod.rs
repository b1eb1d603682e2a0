//! The components: what each accepts (its config struct), what it checks, and what it does.
//!
//! Adding one is a file and a line in [`catalogue`]. Not here: the order of things in a run (`engine`), nor how a template
//! becomes a config (`plan`).

pub mod builder;
pub mod catalogue;
pub mod communicator;
pub mod config;
pub mod contract;
pub mod late;
pub mod post_processor;
pub mod provisioner;
#[cfg(test)]
pub(crate) mod testing;
