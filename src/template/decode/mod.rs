//! A walk over a component's tree, driven by its schema: renders, decodes weakly, reports every mistake.
//!
//! Decoding follows Packer's (mapstructure's) weak rules: `"true"` is a boolean where one is wanted, `"a,b"` a list, a single
//! block a list of one. A mistake in one field hides none in another: the field is left out and counts as unknown.
//!
//! Not here: rules over several fields, which are the components' own.

mod containers;
mod keys;
pub(super) mod old_names;
mod overlay;
mod places;
mod rules;
mod scalar;
#[cfg(test)]
mod tests;
mod text;
mod unchecked;
mod walk;

use std::collections::BTreeMap;

pub use overlay::overlay;
pub use places::Places;
pub use rules::unset_env;
pub use unchecked::check_syntax;

use super::inputs::Inputs;
use super::question::Question;
use super::tree::Node;
use super::variables::Variables;
use crate::run::{Secrets, Value};
use crate::schema::Fields;
use crate::text::{Diagnostic, Span};

/// What decoding one component depends on.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// The component's type, for messages: `amazon-ebs`.
    pub component: &'a str,
    /// Where a missing field is reported: the value of `type`.
    pub at: Span,
    /// JSON pointer of the component in the template: `/builders/0`. Literal secrets are named after it.
    pub pointer: &'a str,
    pub build_name: &'a str,
    pub build_type: &'a str,
    /// The functions of the Amazon components may be used.
    pub amazon: bool,
    /// What is known but not built is an error, not a warning.
    pub strict: bool,
    /// The tree is of an HCL2 template, whose rules for types are stricter than JSON's.
    pub hcl: bool,
    pub inputs: &'a Inputs,
    pub variables: &'a Variables,
    pub secrets: &'a Secrets,
}

/// What came of a component's tree.
#[derive(Debug)]
pub struct Decoded {
    /// A map in the order of the schema; what is not written, or written wrongly, is not in it.
    pub value: Value,
    pub places: Places,
    pub diagnostics: Vec<Diagnostic>,
    /// Not answered yet.
    pub questions: Vec<Question>,
    /// New secrets that the value names.
    pub secrets: Secrets,
    /// By dotted path: environment variables that went into the field and are not set.
    pub unset_env: BTreeMap<String, Vec<String>>,
}

/// Decodes `body`, an object without `type`, `name` and meta keys, by its schema.
#[must_use]
pub fn decode(body: &Node, fields: &Fields, scope: &Scope<'_>) -> Decoded {
    walk::Walk::new(scope).component(body, fields)
}
