//! HCL2, the language that most Packer templates are written in. Pure.
//!
//! A text is read into a tree with spans (`syntax`), expressions in it are evaluated (`eval`) to values (`value`) with Packer's
//! functions (`function`); `blocks` knows what Packer's
//! blocks mean and makes of them what the plan takes, the same as of a JSON template.

pub mod blocks;
pub mod eval;
pub mod format;
pub mod function;
pub mod syntax;
pub mod upgrade;
pub mod value;
