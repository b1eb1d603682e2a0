//! What a component looks like: its fields with type, help and kiln's extras. Plain data.
//!
//! The catalogue makes it from the config structs' JSON schemas; nobody keeps a second list of fields.

pub mod component;
pub mod duration;
pub mod field;

pub use component::{Component, Kind};
pub use field::{Context, Field, Fields, Type};
