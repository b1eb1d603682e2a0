//! A template's own structure: variables, builders, provisioners, post-processors, each with its place.
//!
//! The shape is the same for both languages; JSON fills it in [`document`](self), HCL2 will in its own room.

use std::time::Duration;

use super::tree::{Node, Text};
use crate::text::{Diagnostic, Span};

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
    /// The object without `type`, `name` and meta keys.
    pub body: Node,
}

/// Reads the structure of a JSON template from its tree. Every mistake of the structure is reported; what is wrong is left out.
pub fn read(root: &Node, diagnostics: &mut Vec<Diagnostic>) -> Document {
    let _ = (root, diagnostics);
    Document::default()
}
