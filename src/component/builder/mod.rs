//! See the contract in [`super::contract`].
