//! Where the engine finds what runs a step: the catalogue, or a test's own.

use crate::component::catalogue;
use crate::component::contract::{Builder, PostProcessor, Provisioner};

/// Components by type; `None` where this version cannot run the type.
pub trait Components: Send + Sync {
    fn builder(&self, type_name: &str) -> Option<&'static dyn Builder>;
    fn provisioner(&self, type_name: &str) -> Option<&'static dyn Provisioner>;
    fn post_processor(&self, type_name: &str) -> Option<&'static dyn PostProcessor>;
}

/// kiln's own components.
pub struct Catalogue;

impl Components for Catalogue {
    fn builder(&self, type_name: &str) -> Option<&'static dyn Builder> {
        catalogue::builder(type_name)
    }

    fn provisioner(&self, type_name: &str) -> Option<&'static dyn Provisioner> {
        catalogue::provisioner(type_name)
    }

    fn post_processor(&self, type_name: &str) -> Option<&'static dyn PostProcessor> {
        catalogue::post_processor(type_name)
    }
}
