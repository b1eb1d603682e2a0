use std::collections::BTreeMap;

use super::*;
use crate::template::tree::{Node, Tree};

struct Outcome {
    evaluated: Evaluated,
    diagnostics: Vec<Diagnostic>,
    sources: Sources,
}

impl Outcome {
    /// Code and the text under the underline.
    fn found(&self) -> Vec<String> {
        self.diagnostics.iter().map(|d| format!("{} {}", d.code, self.sources.text(d.span.unwrap()))).collect()
    }

    fn names(&self) -> Vec<&str> {
        self.evaluated.builds.iter().map(|b| b.full_name.as_str()).collect()
    }
}

fn evaluated_of(files: &[(&str, &str)], inputs: &Inputs) -> Outcome {
    let mut sources = Sources::default();
    let ids: Vec<_> = files.iter().map(|(name, text)| sources.add(*name, *text)).collect();
    let (mut diagnostics, mut questions) = (Vec::new(), Vec::new());
    let evaluated = evaluate(&ids, &mut sources, inputs, false, &mut diagnostics, &mut questions);
    Outcome { evaluated, diagnostics, sources }
}

fn outcome(text: &str) -> Outcome {
    evaluated_of(&[("t.pkr.hcl", text)], &Inputs::default())
}

/// With a build of a `null` source.
fn with(text: &str) -> Outcome {
    outcome(&format!(
        "{text}\nsource \"null\" \"a\" {{\n  communicator = \"none\"\n}}\n\nbuild {{\n  sources = [\"source.null.a\"]\n}}\n"
    ))
}

/// A tree as JSON, for comparison.
fn plain(node: &Node) -> serde_json::Value {
    match &node.tree {
        Tree::Null => serde_json::Value::Null,
        Tree::Broken => "<unknown>".into(),
        Tree::Bool(b) => (*b).into(),
        Tree::Number(n) => serde_json::from_str(n).unwrap(),
        Tree::String(text) => text.value.as_str().into(),
        Tree::Array(items) => items.iter().map(plain).collect(),
        Tree::Object(entries) => entries.iter().map(|e| (e.key.value.clone(), plain(&e.value))).collect(),
    }
}

const WHOLE: &str = r#"
packer {
  required_version = ">= 1.9"
  required_plugins {
    amazon = { source = "github.com/hashicorp/amazon", version = "~> 1.3" }
  }
}
variable "region" {
  type    = string
  default = "us-east-1"
}
variables { size = 8 }
locals { name = "web-${local.suffix}" }
local "suffix" { expression = upper(var.region) }
source "amazon-ebs" "web" {
  region = var.region
  tags   = { Name = local.name, Source = source.name }
  launch_block_device_mappings {
    volume_size = var.size
  }
  dynamic "tag" {
    for_each = ["a", "b"]
    content {
      key   = tag.value
      value = "x${tag.key}"
    }
  }
}
source "null" "n" { communicator = "none" }
build {
  name    = "b"
  sources = ["source.amazon-ebs.web", "null.n"]
  source "source.amazon-ebs.web" {
    name     = "other"
    ami_name = "n-${source.name}"
  }
  provisioner "shell" {
    only         = ["amazon-ebs.web"]
    pause_before = "10s"
    max_retries  = 2
    inline       = ["echo ${build.ID} ${build.name} ${upper(build.Host)}"]
    override     = { web = { inline = ["x"] } }
  }
  provisioner "file" { except = ["null.n"] }
  error-cleanup-provisioner "shell-local" { inline = ["x"] }
  post-processor "manifest" {}
  post-processors {
    post-processor "artifice" { files = ["a"] }
    post-processor "checksum" { keep_input_artifact = true }
  }
}
"#;

#[test]
fn a_whole_template_becomes_builds() {
    let it = outcome(WHOLE);
    assert!(it.diagnostics.is_empty(), "{:?}", it.found());
    assert_eq!(it.names(), ["b.amazon-ebs.web", "b.null.n", "b.amazon-ebs.other"]);
    let web = &it.evaluated.builds[0];
    let body = plain(&web.builder.body);
    assert_eq!(body["tags"], serde_json::json!({ "Name": "web-US-EAST-1", "Source": "web" }));
    assert_eq!(body["launch_block_device_mappings"]["volume_size"], 8);
    assert_eq!(body["tag"], serde_json::json!([{ "key": "a", "value": "x0" }, { "key": "b", "value": "x1" }]));
    let used: Vec<_> = web.provisioners.iter().map(|p| (p.index, p.block.type_name.value.as_str())).collect();
    assert_eq!(used, [(0, "shell"), (1, "file")]);
    let shell = &web.provisioners[0].block;
    assert_eq!(shell.pause_before.unwrap().0.as_secs(), 10);
    assert_eq!(shell.overrides[0].0.value, "web");
    assert_eq!(plain(&shell.body)["inline"][0], "echo {{build `ID`}} b {{hcl \"upper(build.Host)\"}}");
    assert!(it.evaluated.builds[1].provisioners.is_empty());
    assert!(web.error_cleanup.is_some());
    let chains: Vec<_> =
        web.post_processors.iter().map(|p| (p.chain, p.place, p.block.type_name.value.as_str())).collect();
    assert_eq!(chains, [(0, 0, "manifest"), (1, 0, "artifice"), (1, 1, "checksum")]);
    assert_eq!(web.post_processors[2].block.keep_input_artifact, Some(true));
    let other = &it.evaluated.builds[2];
    assert_eq!(plain(&other.builder.body)["ami_name"], "n-other");
    assert!(it.evaluated.builds.iter().all(Build::known));
}

#[test]
fn the_two_syntaxes_say_the_same() {
    let json = r#"{
      "variable": {"region": {"type": "string", "default": "us-east-1"}},
      "locals": {"name": "web-${upper(var.region)}"},
      "source": {"amazon-ebs": {"web": {"tags": {"Name": "${local.name}"}, "launch_block_device_mappings": {"volume_size": 8}}}},
      "build": {"sources": ["source.amazon-ebs.web"], "provisioner": [{"shell": {"inline": ["echo ${build.ID}"]}}],
                "post-processors": [{"post-processor": {"manifest": {}}}], "//": "a comment"}
    }"#;
    let hcl = r#"
      variable "region" {
        type    = string
        default = "us-east-1"
      }
      locals { name = "web-${upper(var.region)}" }
      source "amazon-ebs" "web" {
        tags = { Name = local.name }
        launch_block_device_mappings { volume_size = 8 }
      }
      build {
        sources = ["source.amazon-ebs.web"]
        provisioner "shell" { inline = ["echo ${build.ID}"] }
        post-processors {
          post-processor "manifest" {}
        }
      }"#;
    let (a, b) = (evaluated_of(&[("t.pkr.json", json)], &Inputs::default()), outcome(hcl));
    assert!(a.diagnostics.is_empty() && b.diagnostics.is_empty(), "{:?} {:?}", a.found(), b.found());
    let shape = |it: &Outcome| {
        let build = &it.evaluated.builds[0];
        let bodies = build.provisioners.iter().map(|p| plain(&p.block.body)).collect::<Vec<_>>();
        (build.full_name.clone(), plain(&build.builder.body), bodies, build.post_processors.len())
    };
    assert_eq!(shape(&a), shape(&b));
}

#[test]
fn every_mistake_is_found_and_underlined() {
    for (text, found) in [
        ("sorce \"a\" \"b\" {\n}", "K1401 sorce"),
        ("source \"null\" {\n}", "K1402 source \"null\""),
        ("variable \"a\" {\n  default = 1\n}\nvariable \"a\" {\n  default = 1\n}", "K1403 \"a\""),
        ("locals {\n  a = 1\n}\nlocal \"a\" {\n  expression = 1\n}", "K1403 \"a\""),
        ("variable \"a\" {\n  defualt = 1\n  default = 1\n}", "K1404 defualt"),
        ("region = 1", "K1404 region"),
        ("build {\n  sources = [\"source.null.b\"]\n}", "K1405 \"source.null.b\""),
        ("locals {\n  a = local.b\n  b = local.a\n}", "K1406 a"),
        ("variable \"a\" {\n  type = number\n  default = \"x\"\n}", "K1407 \"x\""),
        (
            "variable \"a\" {\n  default = 1\n  validation {\n    condition = var.a > 1\n    error_message = \"It is small.\"\n  }\n}",
            "K1408 1",
        ),
        (
            "variable \"a\" {\n  default = 1\n  validation {\n    condition = var.a > 1\n    error_message = \"small\"\n  }\n}",
            "K1409 \"small\"",
        ),
        ("packer {\n  required_version = \"< 1.0\"\n}", "K1410 \"< 1.0\""),
        (
            "packer {\n  required_plugins {\n    x = { source = \"github.com/e/x\", version = \"1.0\" }\n  }\n}",
            "K1411 x",
        ),
        ("build {\n}", "K1412 build"),
        ("local \"a\" {\n}", "K1414 local \"a\""),
        ("build {\n  sources = \"source.null.a\"\n  name = \"b\"\n}", "K1415 \"source.null.a\""),
        ("data \"x\" \"y\" {\n}", "K1416 \"x\""),
        ("variable \"a\" {\n}", "K0301 \"a\""),
        ("locals {\n  a = var.b\n}", "K1302 b"),
        ("variable \"a\" {\n  default = upper(\"x\")\n}", "K1306 upper"),
        ("variable \"a\" {\n  default = env(\"X\")\n}\nlocals {\n  x = env(\"Y\")\n}", "K1307 env(\"Y\")"),
    ] {
        assert_eq!(with(text).found(), [found], "{text}");
    }
}

#[test]
fn the_last_value_that_is_given_counts_and_is_typed() {
    let template = "variable \"s\" {\n  default = \"d\"\n}\nvariable \"n\" {\n  type = number\n  default = 1\n}\nvariable \"l\" {\n  type = list(string)\n  \
                    default = []\n}\nvariable \"o\" {\n  type = object({ a = string, b = optional(number, 5) })\n  default = { a = \"x\" }\n}\n";
    let inputs = Inputs {
        env: BTreeMap::from([
            ("PKR_VAR_s".into(), "env".into()),
            ("PKR_VAR_n".into(), "2".into()),
            ("PKR_VAR_no".into(), "x".into()),
        ]),
        auto_var_files: vec![("a.auto.pkrvars.hcl".into(), "s = \"auto\"\nl = [\"auto\"]\n".into())],
        var_files: vec![
            ("v.pkrvars.json".into(), r#"{"l": ["file"]}"#.into()),
            ("w.pkrvars.hcl".into(), "n = \"3\"\n".into()),
        ],
        vars: vec![("l".into(), "[\"-var\", 1]".into())],
        ..Inputs::default()
    };
    let it = evaluated_of(&[("t.pkr.hcl", template)], &inputs);
    assert!(it.diagnostics.is_empty(), "{:?}", it.found());
    let value = |name: &str| it.evaluated.variables[name].value.to_console();
    assert_eq!((value("s").as_str(), value("n").as_str()), ("auto", "3"));
    assert_eq!(value("l"), "[\n  \"-var\",\n  \"1\",\n]");
    assert_eq!(value("o"), "{\n  \"a\" = \"x\"\n  \"b\" = 5\n}");
}

#[test]
fn what_nothing_declares_is_named_with_a_suggestion() {
    let inputs = Inputs {
        var_files: vec![("v.pkrvars.hcl".into(), "regoin = \"x\"\n".into())],
        vars: vec![("regin".into(), "x".into())],
        ..Inputs::default()
    };
    let it = evaluated_of(&[("t.pkr.hcl", "variable \"region\" {\n  default = \"d\"\n}\n")], &inputs);
    let told: Vec<_> = it.diagnostics.iter().map(|d| (d.code.as_str(), d.is_error(), d.help.as_deref())).collect();
    let near = Some("did you mean `region`?");
    assert_eq!(told, [("K0304", false, near), ("K0304", true, near)]);
}

#[test]
fn sensitive_values_are_remembered_through_what_is_made_of_them() {
    let it = with(
        "variable \"t\" {\n  default = \"hunter2\"\n  sensitive = true\n}\nlocals {\n  u = \"x-${upper(var.t)}\"\n}",
    );
    assert!(it.diagnostics.is_empty(), "{:?}", it.found());
    assert!(it.evaluated.secrets.contains(&"x-HUNTER2".to_owned()), "{:?}", it.evaluated.secrets);
}

#[test]
fn data_that_is_not_asked_is_unknown_and_no_mistake() {
    let it = with(
        "data \"amazon-ami\" \"b\" {\n  owners = [\"self\"]\n}\nlocals {\n  id = \"x-${data.amazon-ami.b.id}\"\n}\ndata \"null\" \"n\" {\n  input = \"in\"\n}\nlocals {\n  n = data.null.n.output\n}",
    );
    assert!(it.diagnostics.is_empty(), "{:?}", it.found());
    let local = it.evaluated.scope["local"].attribute("n").unwrap();
    assert_eq!(local.as_str(), Some("in"));
    assert!(!it.evaluated.scope["local"].attribute("id").unwrap().is_known());
}
