//! The SSH floor against OpenSSH's own server, and against servers that misbehave.

mod commands;
mod connecting;
mod far;
mod folders;
mod odd_servers;
mod silent;
mod sshd;
mod transfers;
