//! One field of a component's config.

use std::sync::Arc;

use indexmap::IndexMap;

/// The fields of a component or block, by name, in the order of the struct.
pub type Fields = IndexMap<String, Field>;

#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    pub ty: Type,
    pub required: bool,
    /// As JSON, for display; `None`: unset.
    pub default: Option<serde_json::Value>,
    /// The struct's doc comment: Markdown.
    pub help: String,
    /// Its value never appears anywhere.
    pub sensitive: bool,
    pub context: Context,
    /// Known and checked, but this version cannot do it; the text says what is missing.
    pub not_built: Option<String>,
    /// Values of this field that are known but not built (`winrm` of `communicator`).
    pub not_built_values: Vec<String>,
    /// An old name: what to use instead.
    pub deprecated: Option<String>,
    /// The only values allowed; empty: any.
    pub one_of: Vec<String>,
    /// Where the cloud's own values come from: `regions`, `instance-types`.
    pub values_from: Option<String>,
    /// Other spellings that mean this field (`tag` for `tags`).
    pub aliases: Vec<String>,
}

/// The type that a value has after Packer's weak decoding (packer.md §2.8, appendix B.2).
#[derive(Clone, Debug)]
pub enum Type {
    String,
    /// A whole number; both bounds belong to it.
    Integer {
        min: i64,
        max: i64,
    },
    Number,
    Bool,
    /// A Go duration, `1h30m`.
    Duration,
    List(Box<Type>),
    Map(Box<Type>),
    Block(Arc<Fields>),
    /// A list of blocks; a single block stands for a list of one.
    Blocks(Arc<Fields>),
    /// Anything, unchecked.
    Any,
}

impl Type {
    /// As in a sentence: `a list of strings`.
    #[must_use]
    pub fn described(&self) -> String {
        match self {
            Self::List(item) => format!("a list of {}", item.plural()),
            Self::Map(item) => format!("a map of {}", item.plural()),
            Self::String => "a string".into(),
            Self::Integer { .. } => "a whole number".into(),
            Self::Number => "a number".into(),
            Self::Bool => "a boolean".into(),
            Self::Duration => "a duration".into(),
            Self::Block(_) => "a block".into(),
            Self::Blocks(_) => "a list of blocks".into(),
            Self::Any => "anything".into(),
        }
    }

    fn plural(&self) -> &'static str {
        match self {
            Self::String => "strings",
            Self::Integer { .. } => "whole numbers",
            Self::Number => "numbers",
            Self::Bool => "booleans",
            Self::Duration => "durations",
            Self::List(_) | Self::Blocks(_) => "lists",
            Self::Map(_) => "maps",
            Self::Block(_) => "blocks",
            Self::Any => "values",
        }
    }
}

/// When a string of this field is rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Context {
    /// Once, with the variables.
    #[default]
    Once,
    /// Rendered with the variables, and again when the step is due, with these names as dot-data (`Vars`, `Path`);
    /// `build` values are allowed too.
    Late(Vec<String>),
    /// Never rendered.
    Verbatim,
}
