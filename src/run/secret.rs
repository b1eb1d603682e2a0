//! Secrets: plans and journals name them, only memory holds them.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a secret comes from: `var:aws_secret_key`, `env:X`, `file:P`, `template:/builders/0/secret_key` (a JSON pointer
/// into the template), or `text:{{…}}` for what is computed from secrets. Safe to write down.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretRef(pub String);

impl SecretRef {
    /// In the user's words: ``the variable `token` ``, ``the field `secret_key` of builder 1``.
    #[must_use]
    pub fn described(&self) -> String {
        let (kind, name) = self.0.split_once(':').unwrap_or(("", &self.0));
        match kind {
            "var" => format!("the variable `{name}`"),
            "env" => format!("the environment variable `{name}`"),
            "file" => format!("the file `{name}`"),
            "template" => field(name),
            _ => "a text made from sensitive values".to_owned(),
        }
    }
}

/// The field at a pointer into a template: its parts, and the component counted from 1.
fn field(pointer: &str) -> String {
    let mut parts = pointer.trim_start_matches('/').split('/');
    let section = parts.next().unwrap_or_default();
    let (component, places) = match section {
        "builders" => ("builder", 1),
        "provisioners" => ("provisioner", 1),
        "post-processors" => ("post-processor", 2),
        _ => ("the error-cleanup provisioner", 0),
    };
    let number = |part: &str| {
        // Behind `@` stands the build that the value is of.
        let place = part.split_once('@').map_or(part, |(place, _)| place);
        place.parse::<usize>().map_or_else(|_| place.to_owned(), |n| n.saturating_add(1).to_string())
    };
    let places: Vec<String> = parts.by_ref().take(places).map(number).collect();
    let path: Vec<String> = parts.map(|part| part.replace("~1", "/").replace("~0", "~")).collect();
    let of = if places.is_empty() { component.to_owned() } else { format!("{component} {}", places.join(".")) };
    format!("the field `{}` of {of}", path.join("."))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_told_in_the_words_of_the_user() {
        for (reference, told) in [
            ("var:token", "the variable `token`"),
            ("env:TOKEN", "the environment variable `TOKEN`"),
            ("template:/builders/0/access_key", "the field `access_key` of builder 1"),
            ("template:/builders/1@web/secret_key", "the field `secret_key` of builder 2"),
            ("template:/post-processors/0/1/token", "the field `token` of post-processor 1.2"),
            ("template:/error-cleanup-provisioner/a~1b/0", "the field `a/b.0` of the error-cleanup provisioner"),
            ("text:{{upper `x`}}", "a text made from sensitive values"),
        ] {
            assert_eq!(SecretRef(reference.into()).described(), told);
        }
    }
}
