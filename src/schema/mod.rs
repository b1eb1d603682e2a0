//! What a component looks like: its fields with type, help and kiln's extras. Plain data.
//!
//! The catalogue makes it from the config structs' JSON schemas; nobody keeps a second list of fields.
//!
//! What serde and Rust's types cannot say, a field says with `#[schemars(extend(…))]`:
//!
//! | key | value | meaning |
//! | --- | --- | --- |
//! | `x-kiln-required` | `true` | must be given, though the struct has a default for it |
//! | `x-kiln-sensitive` | `true` | its value never appears anywhere |
//! | `x-kiln-late` | `["Vars", "Path"]` | rendered again when the step is due, with these names as dot-data |
//! | `x-kiln-verbatim` | `true` | never rendered |
//! | `x-kiln-not-built` | text | known and checked, but not done by this version; what is missing |
//! | `x-kiln-not-built-values` | `["winrm"]` | likewise for single values |
//! | `x-kiln-deprecated` | text | an old name; what to use instead |
//! | `x-kiln-one-of` | `["a", "b"]` | the only values allowed |
//! | `x-kiln-values-from` | `"regions"` | where the cloud's own values come from |
//! | `x-kiln-aliases` | `["tag"]` | other spellings; a `{key, value}` block list under one of a map is merged into it |
//! | `x-kiln-duration` | `true` | text that holds a Go duration |
//! | `x-kiln-any` | `true` | anything, unchecked |

pub mod component;
pub mod duration;
pub mod field;
mod from_json;

pub use component::{Component, Kind};
pub use field::{Context, Field, Fields, Type};
