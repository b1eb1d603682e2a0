//! From a template's text to values: JSON and HCL2 with spans, the `{{ }}` language, variables, and decoding by schema. Pure.
//!
//! Evaluation is a function of (tree, inputs, answers). What needs the world comes back as a [`question::Question`]; the rim
//! answers and evaluation runs again. An unanswered question gives an unknown value, which is no mistake.
//!
//! Not here: which components exist (the schema comes as data), and what the values mean.

pub mod decode;
pub mod document;
pub mod engine;
pub mod fix;
pub mod hcl;
pub mod inputs;
pub mod json;
pub mod question;
pub mod tree;
pub mod variables;
