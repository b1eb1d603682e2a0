//! Machines at a distance: SSH sessions, commands, transfers.
//!
//! Not here: when to connect, and where to (the builders); what to run (the provisioners).

pub mod communicator;

pub use communicator::{Communicator, Exec, Exit, OutputSink, RemoteError, TransferProgress};
