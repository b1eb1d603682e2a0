//! The provisioners; see the contract in [`super::contract`].

pub mod breakpoint;
mod environment;
pub mod file;
mod link;
mod script;
pub mod shell;
pub mod shell_local;
pub mod sleep;
