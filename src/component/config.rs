//! What all config structs share: decoding from a plan's JSON, and the type of their durations.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;

use crate::run::Failure;
use crate::schema::duration;

/// A duration as a template writes it: Go's form (`1m30s`), of either sign, or a bare number of nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration {
    /// Nanoseconds.
    nanos: i64,
}

impl GoDuration {
    #[must_use]
    pub const fn from_secs(seconds: i64) -> Self {
        Self { nanos: seconds.saturating_mul(1_000_000_000) }
    }

    /// The time that it stands for; `None` when it is negative.
    #[must_use]
    pub fn get(self) -> Option<Duration> {
        u64::try_from(self.nanos).ok().map(Duration::from_nanos)
    }

    /// The time that it stands for; a negative one is none at all.
    #[must_use]
    pub fn or_zero(self) -> Duration {
        self.get().unwrap_or_default()
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.nanos == 0
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Null => Ok(Self::default()),
            Json::String(text) if text.is_empty() => Ok(Self::default()),
            Json::String(text) => duration::parse_nanos(&text).map(|nanos| Self { nanos }).map_err(D::Error::custom),
            Json::Number(number) => number
                .as_i64()
                .map(|nanos| Self { nanos })
                .ok_or_else(|| D::Error::custom(format!("`{number}` is no duration"))),
            other => Err(D::Error::custom(format!("`{other}` is no duration"))),
        }
    }
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&duration::format_nanos(self.nanos))
    }
}

impl JsonSchema for GoDuration {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "x-kiln-duration": true })
    }
}

/// Reads a config that has passed its schema.
///
/// # Errors
/// A failure of kind `Config` when it does not have the struct's form after all.
pub fn decode<T: DeserializeOwned>(config: &Json) -> Result<T, Failure> {
    serde_json::from_value(without_nulls(config))
        .map_err(|e| Failure::config(format!("the configuration cannot be read: {e}")))
}

/// Reads a config for its rules. What is not known yet, or has been reported by the schema's walk, is left at its default.
pub fn decode_known<T: DeserializeOwned + Default>(config: &Json) -> T {
    let known = without_nulls(config);
    if let Ok(whole) = T::deserialize(&known) {
        return whole;
    }
    // One bad field must not hide the rules over the others: take those that can be read.
    let mut readable = serde_json::Map::new();
    for (key, value) in known.as_object().into_iter().flatten() {
        readable.insert(key.clone(), value.clone());
        if T::deserialize(Json::Object(readable.clone())).is_err() {
            readable.remove(key);
        }
    }
    serde_json::from_value(Json::Object(readable)).unwrap_or_default()
}

/// A null stands for a value that is not written or not known: a struct's default holds.
fn without_nulls(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            Json::Object(map.iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k.clone(), without_nulls(v))).collect())
        }
        Json::Array(items) => Json::Array(items.iter().filter(|v| !v.is_null()).map(without_nulls).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default)]
    struct Config {
        port: Option<u16>,
        names: Vec<String>,
        wait: GoDuration,
    }

    #[test]
    fn a_null_leaves_the_default() {
        let config: Config = decode(&serde_json::json!({"port": null, "names": ["a", null], "wait": null})).unwrap();
        assert_eq!(config, Config { port: None, names: vec!["a".into()], wait: GoDuration::default() });
    }

    #[test]
    fn one_unreadable_field_does_not_hide_the_others() {
        let config: Config = decode_known(&serde_json::json!({"port": 70000, "names": ["a"], "wait": "2m"}));
        assert_eq!(config, Config { port: None, names: vec!["a".into()], wait: GoDuration::from_secs(120) });
    }

    #[test]
    fn durations_are_gos_or_nanoseconds() {
        let read = |json: Json| serde_json::from_value::<GoDuration>(json).map(GoDuration::get).ok();
        assert_eq!(read("1m30s".into()), Some(Some(Duration::from_secs(90))));
        assert_eq!(read(1_500_000_000.into()), Some(Some(Duration::from_millis(1500))));
        assert_eq!(read("-1s".into()), Some(None));
        assert_eq!(read("soon".into()), None);
    }
}
