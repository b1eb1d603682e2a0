//! Secrets: plans and journals name them, only memory holds them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a secret comes from: `var:aws_secret_key`, `env:X`, `file:P`, `template:/builders/0/secret_key` (a JSON pointer
/// into the template), or `text:{{…}}` for what is computed from secrets. Safe to write down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(pub String);

/// The values behind references. Never serialised, never shown.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<SecretRef, String>);

impl Secrets {
    pub fn insert(&mut self, reference: SecretRef, value: impl Into<String>) {
        self.0.insert(reference, value.into());
    }

    /// The value; empty when the reference is unknown.
    #[must_use]
    pub fn reveal(&self, reference: &SecretRef) -> &str {
        self.0.get(reference).map_or("", String::as_str)
    }

    /// All values with what they are called, for the redaction filter.
    pub fn iter(&self) -> impl Iterator<Item = (&SecretRef, &str)> {
        self.0.iter().map(|(k, v)| (k, v.as_str()))
    }

    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
