//! HCL2, the language that most Packer templates are written in. Pure.
//!
//! A text is read into a tree with spans (`syntax`), expressions in it are evaluated (`eval`) to values (`value`) with Packer's
//! functions (`function`).

pub mod eval;
pub mod function;
pub mod syntax;
pub mod value;
