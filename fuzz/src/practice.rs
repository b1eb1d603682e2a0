//! Of the practice cloud: how it reads requests.

#[path = "../../src/practice/wire/mod.rs"]
pub mod wire;
