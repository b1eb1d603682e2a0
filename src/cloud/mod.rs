//! EC2: clients, credentials, the account-wide watcher, the call budget, and what went wrong in words.
//!
//! [`Clouds`] is shared by all builds of a process. From an [`Access`] it gives an [`Account`], and from that a [`Region`],
//! each made once; a region has the EC2 client, the look-ups that are made once, and the waits.
//!
//! Not here: what to make (the builders).

pub mod access;
pub mod account;
pub mod budget;
mod credentials;
mod crowd;
pub mod failure;
mod gather;
mod http;
mod known;
mod public_address;
pub mod region;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod token;
mod trouble;
pub mod watch;

pub use access::{Access, AssumeRole, Polling};
pub use account::{Account, Clouds, partition_of, region_is_set};
pub use failure::{code_of, failure, is_not_found, is_throttled};
pub use region::Region;
pub use token::client_token;
pub use watch::{InstanceGoal, Limit, Wait};
