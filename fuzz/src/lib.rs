//! The floors of kiln that read text, and no more: see `Cargo.toml`.

pub mod practice;
#[path = "../../src/run/mod.rs"]
pub mod run;
#[path = "../../src/schema/mod.rs"]
pub mod schema;
#[path = "../../src/template/mod.rs"]
pub mod template;
#[path = "../../src/text/mod.rs"]
pub mod text;
