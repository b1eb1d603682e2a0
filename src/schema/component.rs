//! A component as data, made from the JSON schema of its config struct.

use std::sync::Arc;

use super::field::Fields;
use super::from_json;

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

impl Component {
    /// Reads a config struct: doc comments become help, types become [`super::Type`], extensions kiln's extras.
    #[must_use]
    pub fn from_struct<T: schemars::JsonSchema>(kind: Kind, type_name: &str) -> Self {
        let schema = schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
        let root = schema.as_value();
        Self {
            kind,
            type_name: type_name.into(),
            help: from_json::help(root),
            fields: Some(Arc::new(from_json::fields(root))),
            not_built: false,
        }
    }

    /// A component that is known by name, and no more.
    #[must_use]
    pub fn not_built(kind: Kind, type_name: &str) -> Self {
        Self { kind, type_name: type_name.into(), help: String::new(), fields: None, not_built: true }
    }
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
