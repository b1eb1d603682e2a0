//! The builders; see the contract in [`super::contract`].

pub mod amazon;
pub mod connect;
pub mod file;
pub mod login;
pub mod null;
