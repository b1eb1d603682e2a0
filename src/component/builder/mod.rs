//! The builders; see the contract in [`super::contract`].

pub mod connect;
