//! A component as data, made from the JSON schema of its config struct.

use std::sync::Arc;

use super::field::Fields;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Builder,
    Provisioner,
    PostProcessor,
}

#[derive(Clone, Debug)]
pub struct Component {
    pub kind: Kind,
    pub type_name: String,
    pub help: String,
    /// `None`: the component is known by name only, its fields are not checked.
    pub fields: Option<Arc<Fields>>,
    /// Known, but this version cannot run it.
    pub not_built: bool,
}

impl Kind {
    /// As in a sentence: `post-processor`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Builder => "builder",
            Self::Provisioner => "provisioner",
            Self::PostProcessor => "post-processor",
        }
    }
}
