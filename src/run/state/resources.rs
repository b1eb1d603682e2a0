//! What became of the things that a run made.

use indexmap::IndexMap;

use crate::run::event::Fact;
use crate::run::resource::Resource;

/// One thing with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    pub resource: Resource,
    pub fate: Fate,
}

/// Where a thing stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// About to be made; nobody knows whether it exists.
    Intended,
    /// It exists.
    Created,
    /// It is gone, as verified.
    Released,
    /// It stays: it is part of the result.
    Kept,
    /// It should be gone, but could not be released.
    ReleaseFailed { why: String, help: Option<String> },
    /// It stays because the user said so.
    Left,
}

impl Fate {
    /// It exists, or may exist, and is no result.
    #[must_use]
    pub fn is_owned(&self) -> bool {
        !matches!(self, Self::Released | Self::Kept)
    }
}

pub(super) fn apply(resources: &mut IndexMap<String, Owned>, fact: &Fact) {
    let (key, fate) = match fact {
        Fact::Intended { resource } => {
            let owned = Owned { resource: resource.clone(), fate: Fate::Intended };
            resources.insert(resource.key.clone(), owned);
            return;
        }
        Fact::Created { key, id } => {
            if let Some(owned) = resources.get_mut(key) {
                owned.resource.id = Some(id.clone());
                owned.fate = Fate::Created;
            }
            return;
        }
        Fact::Released { key } => (key, Fate::Released),
        Fact::Kept { key } => (key, Fate::Kept),
        Fact::Left { key } => (key, Fate::Left),
        Fact::ReleaseFailed { key, why, help } => (key, Fate::ReleaseFailed { why: why.clone(), help: help.clone() }),
        _ => return,
    };
    if let Some(owned) = resources.get_mut(key) {
        owned.fate = fate;
    }
}
