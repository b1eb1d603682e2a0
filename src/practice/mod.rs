//! The practice cloud: an EC2 endpoint on this computer, with instances that are real machines.
//!
//! It stands apart: it speaks EC2's wire protocol and SSH, names nothing of the rest of kiln, and only `cli` starts it.
//! From the ground up: [`wire`] reads requests and writes answers; [`scenario`] is what goes wrong; [`world`] is what exists,
//! pure; [`machine`] is what the world asks of machines; [`cloud`] joins the two with a clock and a file; [`endpoint`] is
//! the HTTP face; [`start`] starts it all.

pub mod cloud;
pub mod endpoint;
pub mod instance;
pub mod keep;
pub mod machine;
pub mod scenario;
pub mod start;
pub mod wire;
pub mod world;

pub use start::{Options, Practice, StartError};
