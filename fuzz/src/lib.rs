//! The floors of kiln that read text, and no more: see `Cargo.toml`.

#[path = "../../src/run/mod.rs"]
pub mod run;
#[path = "../../src/schema/mod.rs"]
pub mod schema;
#[path = "../../src/template/mod.rs"]
pub mod template;
#[path = "../../src/text/mod.rs"]
pub mod text;

/// Of the practice cloud: how it reads requests.
pub mod practice {
    #[path = "../../../src/practice/wire/mod.rs"]
    pub mod wire;
}
