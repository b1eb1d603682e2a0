//! The whole program as its users meet it: the real binary, an EC2 that nobody here wrote, real sshd, real files.

#[path = "../support/mod.rs"]
mod support;

mod amazon;
mod call;
mod cancel;
mod credentials;
mod faults;
mod hcl;
mod held;
mod kill;
mod log;
mod names;
mod network;
mod on_error;
mod outcome;
mod output;
mod rehearsal;
mod secrets;
mod seed;
mod templates;
