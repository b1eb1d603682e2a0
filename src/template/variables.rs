//! User variables: defaults, var-files, `-var`, references among themselves (packer.md §2.3).

use indexmap::IndexMap;

use crate::run::Value;
use crate::text::Span;

/// Where a variable's value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its default in the template.
    Default,
    /// `-var`.
    Argument,
    /// `-var-file`, with the path as given.
    VarFile(String),
    /// Its default, which is an environment variable that is set (or not).
    Environment { name: String, set: bool },
    /// Null, and nobody gave one.
    Missing,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Variable {
    pub name: String,
    /// Where the template declares it; `None` when only an argument names it.
    pub declared: Option<Span>,
    /// Text, a secret reference (`var:NAME`), or unknown.
    pub value: Value,
    pub origin: Origin,
    pub sensitive: bool,
    /// Environment variables that went into the value and are not set.
    pub unset_env: Vec<String>,
}

pub type Variables = IndexMap<String, Variable>;
