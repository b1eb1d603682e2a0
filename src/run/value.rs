//! Values of a plan: JSON, with references where secrets go.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::secret::{SecretRef, Secrets};

/// A resolved value. Strings of fields that are rendered late still hold template text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    // Before what is read from a struct: serde would take an array for that too.
    List(Vec<Value>),
    /// Text of which at least one piece is secret.
    Secret(SecretText),
    /// What an unanswered question left open. Equal to nothing that a user could write; no mistake.
    Unknown(UnknownValue),
    Map(IndexMap<String, Value>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretText {
    #[serde(rename = "$text")]
    pub pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Piece {
    Plain(String),
    Secret(SecretRef),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnknownValue {
    /// Which question is open, in words.
    #[serde(rename = "$unknown")]
    pub question: String,
}

impl Value {
    /// Text from pieces: plain when none of them is secret.
    #[must_use]
    pub fn from_pieces(pieces: Vec<Piece>) -> Self {
        if pieces.iter().any(|p| matches!(p, Piece::Secret(_))) {
            return Self::Secret(SecretText { pieces });
        }
        Self::Text(pieces.into_iter().map(|p| if let Piece::Plain(s) = p { s } else { String::new() }).collect())
    }

    /// The value with every secret in place, as JSON. What comes out must not be written anywhere.
    #[must_use]
    pub fn reveal(&self, secrets: &Secrets) -> serde_json::Value {
        use serde_json::Value as Json;
        match self {
            Self::Null | Self::Unknown(_) => Json::Null,
            Self::Bool(b) => Json::Bool(*b),
            Self::Number(n) => Json::Number(n.clone()),
            Self::Text(s) => Json::String(s.clone()),
            Self::Secret(text) => Json::String(text.pieces.iter().map(|p| p.reveal(secrets)).collect()),
            Self::List(items) => Json::Array(items.iter().map(|v| v.reveal(secrets)).collect()),
            Self::Map(map) => Json::Object(map.iter().map(|(k, v)| (k.clone(), v.reveal(secrets))).collect()),
        }
    }

    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        if let Self::Map(map) = self { map.get(key) } else { None }
    }
}

impl Piece {
    fn reveal<'a>(&'a self, secrets: &'a Secrets) -> &'a str {
        match self {
            Self::Plain(s) => s,
            Self::Secret(r) => secrets.reveal(r),
        }
    }
}
