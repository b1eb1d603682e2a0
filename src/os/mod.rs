//! The machine that kiln runs on: paths, settings, locks, private files, signals.

pub mod lock;
pub mod log_file;
pub mod paths;
pub mod private_file;
pub mod process_group;
pub mod settings;
pub mod signal;
pub mod socket;

pub mod agent_socket;
pub mod file_mode;
