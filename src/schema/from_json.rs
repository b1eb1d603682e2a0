//! Reads the JSON schema (draft 2020-12) that schemars makes of a config struct.
//!
//! Only what config structs need: objects, lists, maps, scalars, string enums, nullable forms and references. What else
//! turns up is taken as [`Type::Any`].

use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::field::{Context, Field, Fields, Type};

/// Structs nested deeper than this are taken as [`Type::Any`]; it ends recursive ones.
const DEEPEST: usize = 8;

/// The fields of the struct that `root` describes.
pub(super) fn fields(root: &Json) -> Fields {
    let reader = Reader { definitions: root.get("$defs").and_then(Json::as_object) };
    reader.fields(root, 0)
}

/// The doc comment of a struct or field.
pub(super) fn help(schema: &Json) -> String {
    schema.get("description").and_then(Json::as_str).unwrap_or_default().to_owned()
}

struct Reader<'a> {
    definitions: Option<&'a Map<String, Json>>,
}

impl<'a> Reader<'a> {
    fn fields(&self, object: &Json, depth: usize) -> Fields {
        let required: Vec<&str> = texts(object, "required");
        let Some(properties) = object.get("properties").and_then(Json::as_object) else { return Fields::new() };
        properties
            .iter()
            .map(|(name, schema)| (name.clone(), self.field(name, schema, required.contains(&name.as_str()), depth)))
            .collect()
    }

    fn field(&self, name: &str, schema: &'a Json, required: bool, depth: usize) -> Field {
        let text = |key: &str| schema.get(key).and_then(Json::as_str).map(str::to_owned);
        let flag = |key: &str| schema.get(key).and_then(Json::as_bool).unwrap_or(false);
        let list = |key: &str| texts(schema, key).into_iter().map(str::to_owned).collect::<Vec<_>>();
        let ty = match () {
            () if flag("x-kiln-any") => Type::Any,
            () if flag("x-kiln-duration") => Type::Duration,
            () => self.ty(schema, depth),
        };
        let context = if flag("x-kiln-verbatim") {
            Context::Verbatim
        } else if schema.get("x-kiln-late").is_some() {
            Context::Late(list("x-kiln-late"))
        } else {
            Context::Once
        };
        let mut one_of = list("x-kiln-one-of");
        if one_of.is_empty() {
            one_of = self.variants(schema);
        }
        if let Some(items) = self.plain(schema).get("items").filter(|_| one_of.is_empty()) {
            one_of = self.variants(items);
        }
        Field {
            name: name.to_owned(),
            ty,
            required: required || flag("x-kiln-required"),
            default: schema.get("default").filter(|d| !d.is_null()).cloned(),
            help: help(schema),
            sensitive: flag("x-kiln-sensitive"),
            context,
            not_built: text("x-kiln-not-built"),
            not_built_values: list("x-kiln-not-built-values"),
            deprecated: text("x-kiln-deprecated"),
            one_of,
            values_from: text("x-kiln-values-from"),
            aliases: list("x-kiln-aliases"),
        }
    }

    /// Follows references and takes the one form of a nullable schema that is not null.
    fn plain(&self, schema: &'a Json) -> &'a Json {
        let mut schema = schema;
        for _ in 0..DEEPEST {
            let forms = ["anyOf", "oneOf", "allOf"].iter().find_map(|k| schema.get(*k)).and_then(Json::as_array);
            if let Some(name) = schema.get("$ref").and_then(Json::as_str) {
                let definition = name.strip_prefix("#/$defs/").and_then(|name| self.definitions?.get(name));
                let Some(definition) = definition else { return schema };
                schema = definition;
            } else if let Some(forms) = forms {
                let mut rest = forms.iter().filter(|f| f.get("type").and_then(Json::as_str) != Some("null"));
                let (Some(only), None) = (rest.next(), rest.next()) else { return schema };
                schema = only;
            } else {
                break;
            }
        }
        schema
    }

    fn ty(&self, schema: &'a Json, depth: usize) -> Type {
        let schema = self.plain(schema);
        if depth > DEEPEST {
            return Type::Any;
        }
        if !self.variants(schema).is_empty() {
            return Type::String;
        }
        match type_name(schema) {
            Some("string") => Type::String,
            Some("integer") => {
                let bound = |key: &str| schema.get(key).and_then(Json::as_i64);
                let (low, high) = match schema.get("format").and_then(Json::as_str) {
                    Some("int8") => (i64::from(i8::MIN), i64::from(i8::MAX)),
                    Some("int16") => (i64::from(i16::MIN), i64::from(i16::MAX)),
                    Some("int32") => (i64::from(i32::MIN), i64::from(i32::MAX)),
                    Some("uint8") => (0, i64::from(u8::MAX)),
                    Some("uint16") => (0, i64::from(u16::MAX)),
                    Some("uint32") => (0, i64::from(u32::MAX)),
                    Some("uint64" | "uint" | "uint128") => (0, i64::MAX),
                    _ => (i64::MIN, i64::MAX),
                };
                Type::Integer { min: bound("minimum").unwrap_or(low), max: bound("maximum").unwrap_or(high) }
            }
            Some("number") => Type::Number,
            Some("boolean") => Type::Bool,
            Some("array") => match schema.get("items").map(|items| self.ty(items, depth + 1)) {
                Some(Type::Block(fields)) => Type::Blocks(fields),
                Some(item) => Type::List(Box::new(item)),
                None => Type::List(Box::new(Type::Any)),
            },
            Some("object") if schema.get("properties").is_some() => {
                Type::Block(Arc::new(self.fields(schema, depth + 1)))
            }
            Some("object") => match schema.get("additionalProperties") {
                Some(Json::Object(_)) => Type::Map(Box::new(self.ty(&schema["additionalProperties"], depth + 1))),
                _ => Type::Map(Box::new(Type::Any)),
            },
            _ => Type::Any,
        }
    }

    /// The values of a string enum, with or without doc comments on its variants.
    fn variants(&self, schema: &'a Json) -> Vec<String> {
        let schema = self.plain(schema);
        let of_enum = texts(schema, "enum");
        if !of_enum.is_empty() {
            return of_enum.into_iter().map(str::to_owned).collect();
        }
        if let Some(constant) = schema.get("const").and_then(Json::as_str) {
            return vec![constant.to_owned()];
        }
        let Some(forms) = schema.get("oneOf").and_then(Json::as_array) else { return Vec::new() };
        let mut all = Vec::new();
        for form in forms.iter().filter(|f| type_name(f) != Some("null")) {
            let of_form = self.variants(form);
            if of_form.is_empty() {
                return Vec::new();
            }
            all.extend(of_form);
        }
        all
    }
}

/// The one type of a schema besides null.
fn type_name(schema: &Json) -> Option<&str> {
    match schema.get("type")? {
        Json::String(name) => Some(name),
        Json::Array(names) => {
            let mut names = names.iter().filter_map(Json::as_str).filter(|n| *n != "null");
            let only = names.next();
            only.filter(|_| names.next().is_none())
        }
        _ => None,
    }
}

fn texts<'a>(schema: &'a Json, key: &str) -> Vec<&'a str> {
    schema.get(key).and_then(Json::as_array).map_or_else(Vec::new, |a| a.iter().filter_map(Json::as_str).collect())
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use schemars::JsonSchema;
    use serde::Deserialize;

    use crate::schema::{Component, Context, Fields, Kind, Type};

    /// How a thing is made.
    #[derive(Deserialize, JsonSchema, Default)]
    #[serde(default)]
    #[allow(dead_code)]
    struct Config {
        /// Its name.
        #[schemars(extend("x-kiln-required" = true, "x-kiln-values-from" = "regions"))]
        name: String,
        on: Option<bool>,
        port: u16,
        ratio: Option<f64>,
        names: Vec<String>,
        codes: Option<Vec<i64>>,
        #[schemars(extend("x-kiln-aliases" = ["tag"], "x-kiln-late" = ["SourceAMI"]))]
        tags: IndexMap<String, String>,
        #[schemars(extend("x-kiln-sensitive" = true, "x-kiln-not-built" = "nobody reads it"))]
        inner: Option<Inner>,
        many: Vec<Inner>,
        mode: Option<Mode>,
        #[schemars(extend("x-kiln-duration" = true))]
        wait: Option<String>,
        #[schemars(extend("x-kiln-any" = true))]
        free: serde_json::Value,
        #[serde(flatten)]
        shared: Shared,
    }

    #[derive(Deserialize, JsonSchema, Default)]
    #[allow(dead_code)]
    struct Inner {
        depth: i32,
        width: Option<u64>,
    }

    #[derive(Deserialize, JsonSchema, Default)]
    #[serde(default)]
    #[allow(dead_code)]
    struct Shared {
        #[schemars(extend("x-kiln-one-of" = ["a", "b"], "x-kiln-not-built-values" = ["b"], "x-kiln-verbatim" = true))]
        letter: String,
    }

    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Mode {
        /// With care.
        GentlyDone,
        Fast,
    }

    fn fields() -> Fields {
        let component = Component::from_struct::<Config>(Kind::Builder, "thing");
        assert_eq!(component.help, "How a thing is made.");
        component.fields.map(|f| (*f).clone()).unwrap_or_default()
    }

    #[test]
    fn each_rust_type_has_its_field_type() {
        let fields = fields();
        let shown: Vec<String> = fields.values().map(|f| format!("{}: {}", f.name, f.ty.described())).collect();
        assert_eq!(
            shown,
            [
                "name: a string",
                "on: a boolean",
                "port: a whole number",
                "ratio: a number",
                "names: a list of strings",
                "codes: a list of whole numbers",
                "tags: a map of strings",
                "inner: a block",
                "many: a list of blocks",
                "mode: a string",
                "wait: a duration",
                "free: anything",
                "letter: a string",
            ]
        );
        assert!(matches!(fields["port"].ty, Type::Integer { min: 0, max: 65535 }));
    }

    #[test]
    fn extensions_become_the_field_s_extras() {
        let fields = fields();
        assert_eq!(fields["name"].help, "Its name.");
        assert!(fields["name"].required);
        assert_eq!(fields["name"].values_from.as_deref(), Some("regions"));
        assert!(!fields["port"].required);
        assert_eq!(fields["tags"].aliases, ["tag"]);
        assert_eq!(fields["tags"].context, Context::Late(vec!["SourceAMI".into()]));
        assert!(fields["inner"].sensitive);
        assert_eq!(fields["inner"].not_built.as_deref(), Some("nobody reads it"));
        assert_eq!(fields["mode"].one_of, ["fast", "gently-done"]);
        assert_eq!(fields["letter"].one_of, ["a", "b"]);
        assert_eq!(fields["letter"].not_built_values, ["b"]);
        assert_eq!(fields["letter"].context, Context::Verbatim);
    }

    #[test]
    fn blocks_hold_their_own_fields_and_know_what_is_required() {
        let Type::Blocks(inner) = &fields()["many"].ty else { panic!("not blocks") };
        assert!(inner["depth"].required);
        assert!(!inner["width"].required);
    }
}
