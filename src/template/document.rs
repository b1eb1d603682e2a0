//! A template's own structure: variables, builders, provisioners, post-processors, each with its place.
//!
//! The shape is the same for both languages; [`read`] fills it from JSON. Not here: what a component's own keys mean, and
//! any rendering.

mod block;
mod read;
#[cfg(test)]
mod tests;
pub(super) mod version;

use std::time::Duration;

pub(super) use block::{read_duration, read_retries};
pub use read::read;

use super::tree::{Node, Text};
use crate::text::Span;

/// A template, read but not evaluated.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub description: Option<Text>,
    pub min_packer_version: Option<Text>,
    pub variables: Vec<VariableDeclaration>,
    pub builders: Vec<Block>,
    pub provisioners: Vec<Block>,
    pub error_cleanup: Option<Block>,
    /// Each a chain.
    pub post_processors: Vec<Vec<Block>>,
}

#[derive(Clone, Debug)]
pub struct VariableDeclaration {
    pub name: Text,
    /// `None`: null, it must be given.
    pub default: Option<Text>,
    pub sensitive: bool,
}

/// A component as the template writes it; meta keys are taken out of `body`.
#[derive(Clone, Debug)]
pub struct Block {
    /// The whole component, from its opening bracket to its closing one.
    pub span: Span,
    pub type_name: Text,
    pub name: Option<Text>,
    pub only: Vec<Text>,
    pub except: Vec<Text>,
    /// Builder's raw name and the keys to lay over the body.
    pub overrides: Vec<(Text, Node)>,
    pub pause_before: Option<(Duration, Span)>,
    pub timeout: Option<(Duration, Span)>,
    /// Not rendered yet.
    pub max_retries: Option<Node>,
    pub keep_input_artifact: Option<bool>,
    /// A failure does not end the build; HCL2 only.
    pub continue_on_error: bool,
    /// The object without `type`, `name` and meta keys.
    pub body: Node,
}

impl Block {
    /// The name as written, else the type: what `only` and `except` mean.
    #[must_use]
    pub fn raw_name(&self) -> &str {
        self.name.as_ref().map_or(&self.type_name.value, |n| &n.value)
    }
}
