//! The whole program as its users meet it: the real binary, an EC2 that nobody here wrote, real sshd, real files.

#[path = "../support/mod.rs"]
mod support;

mod call;
mod cancel;
mod faults;
mod held;
mod kill;
mod log;
mod names;
mod on_error;
mod outcome;
mod secrets;
mod seed;
mod templates;
