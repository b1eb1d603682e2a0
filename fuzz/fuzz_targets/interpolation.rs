//! A template's text to decoded components: variables that name each other, a var-file, every kind of field. What stands after
//! the first NUL is the var-file.
#![no_main]

use std::collections::BTreeMap;

use indexmap::IndexMap;
use kiln::run::Secrets;
use kiln::schema::{Component, Kind};
use kiln::template::decode::{self, Scope};
use kiln::template::inputs::Inputs;
use kiln::template::{document, json, variables};
use kiln::text::{Diagnostic, Sources};
use libfuzzer_sys::fuzz_target;
use schemars::JsonSchema;

/// A field of each type and context that a component may have.
#[derive(JsonSchema)]
#[allow(dead_code)]
struct Config {
    #[schemars(extend("x-kiln-required" = true))]
    name: String,
    on: Option<bool>,
    port: Option<u16>,
    ratio: f64,
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
    #[schemars(extend("x-kiln-late" = ["Vars", "Path"]))]
    execute_command: String,
    #[schemars(extend("x-kiln-verbatim" = true))]
    inline: Vec<String>,
    #[schemars(extend("x-kiln-any" = true))]
    free: serde_json::Value,
}

#[derive(JsonSchema)]
#[allow(dead_code)]
struct Inner {
    #[schemars(extend("x-kiln-required" = true))]
    device: String,
    size: Option<u32>,
}

fn check(diagnostics: &[Diagnostic], sources: &Sources) {
    for diagnostic in diagnostics {
        let related = diagnostic.related.iter().map(|r| &r.span);
        for span in diagnostic.span.iter().chain(related).chain(diagnostic.fix.iter().map(|f| &f.span)) {
            let source = sources.get(span.source).expect("a span names a source that exists");
            assert!(source.text.get(span.range()).is_some(), "{diagnostic:?}");
        }
    }
}

fuzz_target!(|text: &str| {
    let (template, var_file) = text.split_once('\0').unwrap_or((text, "{}"));
    let mut sources = Sources::default();
    let id = sources.add("fuzz.json", template);
    let inputs = Inputs {
        start: 1_700_000_000,
        seed: 7,
        cwd: "/work".into(),
        env: BTreeMap::from([("HOME".into(), "/home/x".into())]),
        vars: vec![("a".into(), "{{user `b`}}".into())],
        var_files: vec![("vars.json".into(), var_file.into())],
        ..Inputs::default()
    };
    let mut diagnostics = Vec::new();
    let Some(node) = sources.get(id).and_then(|s| json::parse(s, &mut diagnostics)) else { return };
    let document = document::read(&node, &mut diagnostics);
    let (mut questions, mut secrets) = (Vec::new(), Secrets::default());
    let variables =
        variables::resolve(&document, &inputs, &mut sources, &mut diagnostics, &mut questions, &mut secrets);
    let fields = Component::from_struct::<Config>(Kind::Builder, "thing").fields.unwrap_or_default();
    for block in document.builders.iter().chain(&document.provisioners).chain(document.post_processors.iter().flatten()) {
        let scope = Scope {
            component: "thing",
            at: block.type_name.span,
            pointer: "/builders/0",
            build_name: "thing",
            build_type: "amazon-ebs",
            amazon: true,
            strict: false,
            inputs: &inputs,
            variables: &variables,
            secrets: &secrets,
        };
        for (_, over) in &block.overrides {
            check(&decode::decode(&decode::overlay(&block.body, over), &fields, &scope).diagnostics, &sources);
        }
        let decoded = decode::decode(&block.body, &fields, &scope);
        check(&decoded.diagnostics, &sources);
        let _ = decoded.value.reveal(&decoded.secrets);
    }
    check(&diagnostics, &sources);
});
