//! The practice cloud: an EC2 endpoint on this computer, with instances that are real machines.
//!
//! It stands apart: it speaks EC2's wire protocol and SSH, names nothing of the rest of kiln, and only `cli` starts it.

pub mod machine;
