use std::sync::Arc;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::{Decoded, Scope, decode, overlay};
use crate::run::Secrets;
use crate::schema::{Component, Fields, Kind};
use crate::template::inputs::Inputs;
use crate::template::json;
use crate::template::tree::Node;
use crate::template::variables::Variables;
use crate::text::{Severity, Sources};

#[derive(Deserialize, JsonSchema, Default)]
#[serde(default)]
#[allow(dead_code)]
struct Config {
    name: String,
    on: Option<bool>,
    #[schemars(extend("default" = true))]
    kept: bool,
    port: Option<u16>,
    count: i64,
    ratio: Option<f64>,
    names: Vec<String>,
    codes: Vec<i64>,
    #[schemars(extend("x-kiln-aliases" = ["tag"]))]
    tags: IndexMap<String, String>,
    block: Option<Inner>,
    blocks: Vec<Inner>,
    #[schemars(extend("x-kiln-duration" = true))]
    wait: Option<String>,
    #[schemars(extend("x-kiln-one-of" = ["ssh", "winrm", "none"], "x-kiln-not-built-values" = ["winrm"]))]
    way: String,
    #[schemars(extend("x-kiln-sensitive" = true))]
    password: String,
    #[schemars(extend("x-kiln-not-built" = "use `name`"))]
    later: bool,
    #[schemars(extend("x-kiln-deprecated" = "use `wait`"))]
    old_wait: String,
    #[schemars(extend("x-kiln-any" = true))]
    free: Json,
    ssh_interface: String,
    cidrs: Vec<String>,
    #[schemars(extend("x-kiln-sensitive" = true))]
    keys: Vec<String>,
}

#[derive(Deserialize, JsonSchema, Default)]
#[serde(default)]
#[allow(dead_code)]
struct Inner {
    #[schemars(extend("x-kiln-required" = true))]
    device: String,
    size: Option<u32>,
}

fn fields() -> Arc<Fields> {
    Component::from_struct::<Config>(Kind::Builder, "thing").fields.unwrap_or_default()
}

fn parse(text: &str) -> (Sources, Node) {
    let mut sources = Sources::default();
    let id = sources.add("t.json", text);
    let mut diagnostics = Vec::new();
    let node = json::parse(sources.get(id).unwrap(), &mut diagnostics).unwrap();
    assert_eq!(diagnostics, [], "{text}");
    (sources, node)
}

fn decoded_of(node: &Node, strict: bool) -> Decoded {
    let scope = Scope {
        component: "thing",
        at: node.span,
        pointer: "/builders/0",
        build_name: "thing",
        build_type: "thing",
        amazon: false,
        strict,
        hcl: false,
        inputs: &Inputs::default(),
        variables: &Variables::default(),
        secrets: &Secrets::default(),
    };
    decode(node, &fields(), &scope)
}

fn decoded(text: &str) -> Decoded {
    decoded_of(&parse(text).1, false)
}

/// What a text decodes to, and the codes and messages of what is wrong with it.
fn outcome(text: &str) -> (Json, Vec<String>) {
    let decoded = decoded(text);
    let told = decoded.diagnostics.iter().map(|d| format!("{} {}", d.code, d.message)).collect();
    (decoded.value.reveal(&decoded.secrets), told)
}

#[test]
fn values_are_read_as_weakly_as_packer_reads_them() {
    for (text, value) in [
        (r#"{"name": true}"#, json!({"name": "1"})),
        (r#"{"name": false}"#, json!({"name": "0"})),
        (r#"{"name": 123456789012}"#, json!({"name": "123456789012"})),
        (r#"{"name": 1e3}"#, json!({"name": "1000"})),
        (r#"{"name": []}"#, json!({"name": ""})),
        (r#"{"name": null}"#, json!({})),
        (r#"{"on": "true"}"#, json!({"on": true})),
        (r#"{"on": "F"}"#, json!({"on": false})),
        (r#"{"on": 1}"#, json!({"on": true})),
        (r#"{"on": ""}"#, json!({})),
        (r#"{"kept": ""}"#, json!({"kept": false})),
        (r#"{"port": "0x16"}"#, json!({"port": 22})),
        (r#"{"port": "22"}"#, json!({"port": 22})),
        (r#"{"port": 22.0}"#, json!({"port": 22})),
        (r#"{"port": true}"#, json!({"port": 1})),
        (r#"{"port": ""}"#, json!({})),
        (r#"{"count": -5}"#, json!({"count": -5})),
        (r#"{"ratio": "1.5"}"#, json!({"ratio": 1.5})),
        (r#"{"names": "a,b, c"}"#, json!({"names": ["a", "b", " c"]})),
        (r#"{"names": ""}"#, json!({"names": []})),
        (r#"{"names": "a"}"#, json!({"names": ["a"]})),
        (r#"{"names": 7}"#, json!({"names": ["7"]})),
        (r#"{"names": [1, "b"]}"#, json!({"names": ["1", "b"]})),
        (r#"{"names": {}}"#, json!({"names": []})),
        (r#"{"codes": "1,2"}"#, json!({"codes": [1, 2]})),
        (r#"{"codes": 3}"#, json!({"codes": [3]})),
        (r#"{"tags": {"A": 1}}"#, json!({"tags": {"A": "1"}})),
        (r#"{"tags": [{"A": "1"}, {"B": "2"}]}"#, json!({"tags": {"A": "1", "B": "2"}})),
        (r#"{"tags": []}"#, json!({"tags": {}})),
        (r#"{"tag": {"key": "A", "value": "1"}}"#, json!({"tags": {"A": "1"}})),
        (
            r#"{"tags": {"B": "2"}, "tag": [{"key": "A", "value": "1"}, {"name": "C", "value": "3"}]}"#,
            json!({"tags": {"B": "2", "A": "1", "C": "3"}}),
        ),
        (r#"{"block": {"device": "a", "size": "8"}}"#, json!({"block": {"device": "a", "size": 8}})),
        (r#"{"blocks": {"device": "a"}}"#, json!({"blocks": [{"device": "a"}]})),
        (r#"{"blocks": [{"device": "a"}, {"device": "b"}]}"#, json!({"blocks": [{"device": "a"}, {"device": "b"}]})),
        (r#"{"wait": "1m30s"}"#, json!({"wait": "1m30s"})),
        (r#"{"wait": "-1s"}"#, json!({"wait": "-1s"})),
        (r#"{"wait": ""}"#, json!({})),
        (r#"{"NAME": "a"}"#, json!({"name": "a"})),
        (r#"{"free": {"a": [1, null, {"b": "c"}]}}"#, json!({"free": {"a": [1, null, {"b": "c"}]}})),
        (r#"{"packer_build_name": "x"}"#, json!({})),
    ] {
        assert_eq!(outcome(text), (value, Vec::new()), "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_a_mistake_of_its_own_field() {
    for (text, value, told) in [
        (r#"{"name": {"a": 1}}"#, json!({}), "K0502 `name` must be a string, not an object"),
        (r#"{"on": "yes"}"#, json!({}), "K0502 `on` must be a boolean; `yes` is not"),
        (r#"{"port": "http"}"#, json!({}), "K0502 `port` must be a whole number; `http` is not"),
        (r#"{"port": 70000}"#, json!({}), "K0511 `port` cannot be 70000"),
        (r#"{"port": 8.5}"#, json!({"port": 8}), "K0502 `port` is a whole number; `8.5` is taken as `8`"),
        (r#"{"names": {"a": 1}}"#, json!({}), "K0502 `names` must be a list of strings, not an object"),
        (r#"{"names": ["a", ["b"]]}"#, json!({"names": ["a"]}), "K0502 `names.1` must be a string, not an array"),
        (r#"{"codes": "1,x"}"#, json!({"codes": [1]}), "K0502 `codes.1` must be a whole number; `x` is not"),
        (r#"{"tags": "a"}"#, json!({}), "K0502 `tags` must be a map of strings, not a string"),
        (r#"{"tag": {"key": "A"}}"#, json!({"tags": {}}), "K0502 a block of `tags` needs `key` and `value`"),
        (r#"{"block": "a"}"#, json!({}), "K0502 `block` must be an object, not a string"),
        (r#"{"blocks": 3}"#, json!({}), "K0502 `blocks` must be a list of objects, not a number"),
        (r#"{"wait": "300"}"#, json!({}), "K0510 `wait` is no duration: `300` has no unit"),
        (
            r#"{"wait": 10}"#,
            json!({"wait": "10ns"}),
            "K0509 a bare number is a duration in nanoseconds: `wait` is 10ns",
        ),
        (r#"{"way": "shh"}"#, json!({"way": "shh"}), "K0504 `way` cannot be `shh`"),
        (r#"{"way": "winrm"}"#, json!({"way": "winrm"}), "K0508 kiln does not do `way`: `winrm` yet"),
        (r#"{"later": true}"#, json!({"later": true}), "K0507 kiln does not do `later` yet"),
        (r#"{"old_wait": "1s"}"#, json!({"old_wait": "1s"}), "K0506 `old_wait` is deprecated"),
        (r#"{"blocks": [{"size": 8}]}"#, json!({"blocks": [{"size": 8}]}), "K0503 thing needs `blocks.0.device`"),
        (r#"{"block": {"device": ""}}"#, json!({"block": {"device": ""}}), "K0503 `block.device` must not be empty"),
        (r#"{"nam": "a"}"#, json!({}), "K0501 thing has no key `nam`"),
        (
            r#"{"block": {"device": "a", "sise": 1}}"#,
            json!({"block": {"device": "a"}}),
            "K0501 thing has no key `block.sise`",
        ),
        (r#"{"name": "a", "Name": "b"}"#, json!({"name": "a"}), "K0512 `name` and `Name` are the same key"),
    ] {
        assert_eq!(outcome(text), (value, vec![told.to_owned()]), "{text}");
    }
}

#[test]
fn no_mistake_hides_another() {
    let (value, told) = outcome(r#"{"on": "x", "port": [], "nam": 1, "blocks": [{"sise": 1}], "name": "kept"}"#);
    assert_eq!(value, json!({"blocks": [{}], "name": "kept"}));
    let codes: Vec<&str> = told.iter().map(|t| &t[..5]).collect();
    assert_eq!(codes, ["K0501", "K0502", "K0502", "K0501", "K0503"]);
}

#[test]
fn an_unknown_key_is_renamed_to_the_nearest() {
    let (sources, node) = parse(r#"{"nmaes": ["a"]}"#);
    let decoded = decoded_of(&node, false);
    let fix = decoded.diagnostics[0].fix.clone().unwrap();
    assert_eq!((sources.text(fix.span), fix.replacement.as_str()), (r#""nmaes""#, r#""names""#));
    assert_eq!(decoded.diagnostics[0].help.as_deref(), Some("did you mean `names`?"));
}

#[test]
fn a_field_whose_key_is_misspelt_is_not_missing_too() {
    let codes = |text: &str| outcome(text).1.iter().map(|told| told[..5].to_owned()).collect::<Vec<_>>();
    assert_eq!(codes(r#"{"block": {"devise": "sda"}}"#), ["K0501"]);
    assert_eq!(codes(r#"{"block": {"colour": "red"}}"#), ["K0501", "K0503"]);
    assert!(decoded(r#"{"nmae": "x"}"#).places.unknown("name"));
    assert!(!decoded(r#"{"nmae": "x", "name": "y"}"#).places.unknown("name"));
}

#[test]
fn an_old_key_is_rewritten_with_its_value() {
    let (sources, node) = parse(r#"{"ssh_private_ip": true}"#);
    let decoded = decoded_of(&node, false);
    let found = &decoded.diagnostics[0];
    let fix = found.fix.clone().unwrap();
    assert_eq!(found.code.as_str(), "K0505");
    assert_eq!(sources.text(fix.span), r#""ssh_private_ip": true"#);
    assert_eq!(fix.replacement, r#""ssh_interface": "private_ip""#);
}

#[test]
fn what_is_not_built_is_an_error_only_where_it_is_to_be_built() {
    let (_, node) = parse(r#"{"later": true, "way": "winrm"}"#);
    let severities = |strict| decoded_of(&node, strict).diagnostics.iter().map(|d| d.severity).collect::<Vec<_>>();
    assert_eq!(severities(false), [Severity::Warning, Severity::Warning]);
    assert_eq!(severities(true), [Severity::Error, Severity::Error]);
    assert_eq!(outcome(r#"{"later": false}"#).1, Vec::<String>::new());
}

#[test]
fn a_sensitive_field_holds_a_reference_and_never_its_text() {
    let decoded = decoded(r#"{"password": "hunter2", "keys": ["k1", "k2"]}"#);
    let shown = serde_json::to_string(&decoded.value).unwrap();
    assert!(!shown.contains("hunter2") && !shown.contains("k1"), "{shown}");
    let names: Vec<&str> = decoded.secrets.iter().map(|(r, _)| r.0.as_str()).collect();
    assert_eq!(names, ["template:/builders/0/keys/0", "template:/builders/0/keys/1", "template:/builders/0/password"]);
    assert_eq!(decoded.value.reveal(&decoded.secrets), json!({"password": "hunter2", "keys": ["k1", "k2"]}));
}

#[test]
fn a_mistake_in_a_sensitive_field_does_not_quote_it() {
    let decoded = decoded(r#"{"password": {"a": "hunter2"}}"#);
    assert!(decoded.diagnostics[0].secret);
    assert!(!decoded.diagnostics[0].message.contains("hunter2"));
}

#[test]
fn places_point_at_values_else_at_what_they_are_in() {
    let text = r#"{"tags": {"A": "1"}, "names": ["x", "yy"], "blocks": [{"device": "d"}]}"#;
    let (sources, node) = parse(text);
    let places = decoded_of(&node, false).places;
    let value = |path: &str| sources.text(places.value(path));
    assert_eq!(value("tags.A"), r#""1""#);
    assert_eq!(value("tags.B"), r#"{"A": "1"}"#);
    assert_eq!(value("names.1"), r#""yy""#);
    assert_eq!(value("blocks.0.device"), r#""d""#);
    assert_eq!(value("nowhere"), text);
    assert_eq!(sources.text(places.key("tags.A")), r#""A""#);
    assert!(places.written("tags") && !places.written("name"));
}

#[test]
fn a_field_with_a_mistake_counts_as_unknown_and_so_does_what_holds_it() {
    let places = decoded(r#"{"names": ["a", ["b"]], "name": "n"}"#).places;
    assert!(places.unknown("names.1") && places.unknown("names"));
    assert!(!places.unknown("name") && !places.unknown("names.0"));
}

#[test]
fn an_override_replaces_values_and_lists_and_merges_objects() {
    let (_, base) = parse(r#"{"name": "a", "names": ["x", "y"], "tags": {"A": "1", "B": "2"}, "on": true}"#);
    let (_, over) = parse(r#"{"Name": "b", "names": ["z"], "tags": {"B": "3", "C": "4"}, "count": 2}"#);
    let decoded = decoded_of(&overlay(&base, &over), false);
    assert_eq!(decoded.diagnostics, []);
    assert_eq!(
        decoded.value.reveal(&decoded.secrets),
        json!({"name": "b", "on": true, "count": 2, "names": ["z"], "tags": {"A": "1", "B": "3", "C": "4"}})
    );
}
