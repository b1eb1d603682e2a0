//! EC2: clients, credentials, the account-wide watcher, the call budget, and what went wrong in words.
//!
//! Not here: what to make (the builders).

/// The clients and watchers of this process, shared by all builds: one for each account, endpoint and region.
#[derive(Default)]
pub struct Clouds {}
