use super::*;
use crate::text::{Diagnostic, Severity, Sources};

struct Outcome {
    document: Document,
    diagnostics: Vec<Diagnostic>,
    sources: Sources,
}

impl Outcome {
    /// Code and the text under the underline.
    fn found(&self) -> Vec<String> {
        self.diagnostics.iter().map(|d| format!("{} {}", d.code, self.sources.text(d.span.unwrap()))).collect()
    }
}

fn outcome(text: &str) -> Outcome {
    let mut sources = Sources::default();
    let id = sources.add("t.json", text);
    let mut diagnostics = Vec::new();
    let node = crate::template::json::parse(sources.get(id).unwrap(), &mut diagnostics).unwrap();
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let document = read(&node, &mut diagnostics);
    Outcome { document, diagnostics, sources }
}

/// The given root keys beside two builders, `a` and `null`.
fn with(keys: &str) -> Outcome {
    outcome(&format!(r#"{{ "builders": [{{"type": "null", "name": "a"}}, {{"type": "null"}}], {keys} }}"#))
}

#[test]
fn a_whole_template_is_read() {
    let it = outcome(
        r#"{
          "_comment": "text", "comments": [{"a": 1}], "Description": "d", "min_packer_version": "1.7",
          "variables": {"required": null, "empty": "", "secret": "x"}, "sensitive-variables": ["secret"],
          "BUILDERS": [{"type": "amazon-ebs", "name": "web", "region": "us-east-1"}, {"type": "null"}],
          "provisioners": [
            {"type": "shell", "only": ["web"], "inline": ["x"], "pause_before": "1m30s", "timeout": 0, "max_retries": "{{user `n`}}"},
            {"type": "file", "except": ["null"], "override": {"web": {"source": "y"}}, "name": "no meta key here"}
          ],
          "error-cleanup-provisioner": {"type": "shell-local"},
          "post-processors": ["manifest", {"type": "compress", "name": "c", "keep_input_artifact": true}, ["checksum", {"type": "artifice"}]]
        }"#,
    );
    assert!(it.diagnostics.is_empty(), "{:?}", it.found());
    let d = it.document;
    assert_eq!(d.description.unwrap().value, "d");
    let variables: Vec<_> = d
        .variables
        .iter()
        .map(|v| (v.name.value.as_str(), v.default.as_ref().map(|t| t.value.as_str()), v.sensitive))
        .collect();
    assert_eq!(variables, [("required", None, false), ("empty", Some(""), false), ("secret", Some("x"), true)]);
    assert_eq!(d.builders.iter().map(Block::raw_name).collect::<Vec<_>>(), ["web", "null"]);
    let keys = |b: &Block| b.body.entries().iter().map(|e| e.key.value.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&d.builders[0]), ["region"]);
    let shell = &d.provisioners[0];
    assert_eq!(keys(shell), ["inline"]);
    assert_eq!(shell.only[0].value, "web");
    assert_eq!(shell.pause_before.unwrap().0, Duration::from_secs(90));
    assert_eq!(shell.timeout.unwrap().0, Duration::ZERO);
    assert_eq!(shell.max_retries.as_ref().unwrap().text().unwrap().value, "{{user `n`}}");
    let file = &d.provisioners[1];
    assert_eq!(keys(file), ["name"], "what is no meta key of a provisioner stays in its body");
    assert_eq!(file.overrides[0].0.value, "web");
    assert!(it.sources.text(file.span).starts_with("{\"type\": \"file\""));
    assert_eq!(d.error_cleanup.unwrap().type_name.value, "shell-local");
    let chains: Vec<Vec<_>> =
        d.post_processors.iter().map(|c| c.iter().map(|b| b.type_name.value.as_str()).collect()).collect();
    assert_eq!(chains, [vec!["manifest"], vec!["compress"], vec!["checksum", "artifice"]]);
    assert_eq!(d.post_processors[1][0].keep_input_artifact, Some(true));
    assert_eq!(d.post_processors[1][0].name.as_ref().unwrap().value, "c");
}

#[test]
fn every_mistake_of_the_structure_is_found_and_underlined() {
    for (keys, found) in [
        (r#""builder": []"#, "K0402 \"builder\""),
        (r#""locals": {}"#, "K0402 \"locals\""),
        (r#""_comment": ["x"]"#, "K0403 [\"x\"]"),
        (r#""Builders": []"#, "K0404 \"Builders\""),
        (r#""description": 1"#, "K0401 1"),
        (r#""comments": ["x"]"#, "K0401 \"x\""),
        (r#""variables": []"#, "K0401 []"),
        (r#""variables": {"port": 22}"#, "K0405 22"),
        (r#""variables": {"list": ["a"]}"#, "K0405 [\"a\"]"),
        (r#""variables": {"a": ""}, "sensitive-variables": ["b"]"#, "K0406 \"b\""),
        (r#""provisioners": {"type": "shell"}"#, "K0401 {\"type\": \"shell\"}"),
        (r#""provisioners": [{"inline": []}]"#, "K0407 {"),
        (r#""provisioners": [{"type": ""}]"#, "K0407 \"\""),
        (r#""provisioners": [{"type": "shell", "Type": "file"}]"#, "K0404 \"Type\""),
        (r#""provisioners": [{"type": "shell", "only": ["a"], "except": ["null"]}]"#, "K0410 \"except\""),
        (r#""provisioners": [{"type": "shell", "only": ["b"]}]"#, "K0411 \"b\""),
        (r#""provisioners": [{"type": "shell", "only": "a"}]"#, "K0401 \"a\""),
        (r#""provisioners": [{"type": "shell", "override": {"c": {}}}]"#, "K0411 \"c\""),
        (r#""provisioners": [{"type": "shell", "override": {"a": 1}}]"#, "K0401 1"),
        (r#""provisioners": [{"type": "shell", "pause_before": "10"}]"#, "K0412 \"10\""),
        (r#""provisioners": [{"type": "shell", "timeout": "{{user `t`}}"}]"#, "K0412 \"{{user `t`}}\""),
        (r#""provisioners": [{"type": "shell", "timeout": 10}]"#, "K0413 10"),
        (r#""provisioners": [{"type": "shell", "timeout": 1.5}]"#, "K0412 1.5"),
        (r#""provisioners": [{"type": "shell", "max_retries": "many"}]"#, "K0414 \"many\""),
        (r#""provisioners": [{"type": "shell", "max_retries": -1}]"#, "K0414 -1"),
        (r#""post-processors": [["manifest", ["compress"]]]"#, "K0415 [\"compress\"]"),
        (r#""post-processors": [1]"#, "K0401 1"),
        (r#""post-processors": [{"type": "compress", "keep_input_artifact": "yes"}]"#, "K0401 \"yes\""),
        (r#""min_packer_version": "1.17.0""#, "K0416 \"1.17.0\""),
        (r#""min_packer_version": "new""#, "K0417 \"new\""),
        (r#""push": {}"#, "K0418 \"push\""),
        (r#""error-cleanup-provisioner": {"type": "shell", "only": ["a"]}"#, "K0418 \"only\""),
    ] {
        assert_eq!(with(keys).found(), [found], "{keys}");
    }
}

#[test]
fn a_template_needs_a_builder() {
    assert_eq!(outcome("{}").found(), ["K0409 {"]);
    assert_eq!(outcome(r#"{"builders": []}"#).found(), ["K0409 []"]);
    assert_eq!(outcome("[]").found(), ["K0401 []"]);
    assert_eq!(
        outcome(r#"{"builders": [{}], "provisioners": [{"type": "shell", "only": ["x"]}]}"#).found(),
        ["K0407 {"]
    );
}

#[test]
fn duplicate_builders_point_at_both() {
    let it = outcome(r#"{"builders": [{"type": "null"}, {"type": "amazon-ebs", "name": "null"}]}"#);
    assert_eq!(it.found(), ["K0408 \"null\""]);
    assert_eq!(it.diagnostics[0].related[0].span.start, 23);
    assert_eq!(it.document.builders.len(), 2);
}

#[test]
fn suggestions_name_what_was_meant() {
    let help = |keys: &str| with(keys).diagnostics[0].help.clone().unwrap();
    assert_eq!(help(r#""post_processors": []"#), "did you mean `post-processors`?");
    assert_eq!(help(r#""provisioners": [{"type": "shell", "only": ["nul"]}]"#), "did you mean `null`?");
    assert_eq!(help(r#""provisioners": [{"type": "shell", "only": ["zzzzz"]}]"#), "the builders are `a`, `null`");
    assert_eq!(help(r#""variables": {"port": 22}"#), "put it in quotes: `\"22\"`");
    assert_eq!(help(r#""variables": {"ab": ""}, "sensitive-variables": ["abc"]"#), "did you mean `ab`?");
    let it = outcome(
        r#"{"builders": [{"type": "qemu", "name": "q"}], "provisioners": [{"type": "shell", "only": ["qemu"]}]}"#,
    );
    assert_eq!(it.diagnostics[0].help.as_deref(), Some("the builder of that type is named `q`"));
}

#[test]
fn one_mistake_hides_no_other() {
    let it = outcome(
        r#"{"builders": [{"type": "null"}, {"name": "x"}, 3], "variables": {"a": 1}, "provisioner": [],
            "provisioners": [{"type": "shell", "timeout": "x"}, 4], "post-processors": [{}, true]}"#,
    );
    let codes: Vec<_> = it.found().iter().map(|f| f[..5].to_owned()).collect();
    assert_eq!(codes, ["K0402", "K0405", "K0407", "K0401", "K0412", "K0401", "K0407", "K0401"]);
    let wrong = it.document.variables[0].default.as_ref().unwrap();
    assert_eq!(wrong.value, "1", "what was meant is read on with");
    assert!(it.diagnostics.iter().all(|d| d.severity == Severity::Error));
}
