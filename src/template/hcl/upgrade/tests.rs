use super::*;
use crate::schema::Component;
use crate::template::hcl::syntax;
use crate::template::json;
use crate::text::Sources;

#[derive(schemars::JsonSchema)]
#[allow(dead_code)]
struct Device {
    device_name: String,
}

/// A component with a field of each kind.
#[derive(schemars::JsonSchema)]
#[allow(dead_code)]
struct Sample {
    ami_name: Option<String>,
    tags: Option<std::collections::BTreeMap<String, String>>,
    launch_block_device_mappings: Option<Vec<Device>>,
    inline: Option<Vec<String>>,
}

fn upgraded(text: &str) -> Upgraded {
    let mut sources = Sources::default();
    let id = sources.add("t.json", text);
    let source = sources.get(id).unwrap();
    let mut found = Vec::new();
    let root = json::parse(source, &mut found).unwrap();
    let made = upgrade(source, &root, &|kind, name| Some(Arc::new(Component::from_struct::<Sample>(kind, name))));
    let mut found = Vec::new();
    let id = sources.add("t.pkr.hcl", made.text.as_str());
    syntax::parse(sources.get(id).unwrap(), &mut found);
    assert!(found.is_empty(), "{found:?}\n{}", made.text);
    made
}

#[test]
fn a_template_is_written_again_with_its_comments() {
    let made = upgraded(
        r#"// what it is for
{
  "variables": {
    // where
    "region": "{{env `REGION`}}", // from outside
    "name": "web",
    "full": "{{user `name`}}-{{timestamp}}",
    "key": null
  },
  "sensitive-variables": ["key"],
  "builders": [{
    "type": "amazon-ebs",
    "ami_name": "{{user `full`}}", # the name
    "tags": {"Name": "{{ .SourceAMI }}", "a b": "${x}"},
    "launch_block_device_mappings": [{"device_name": "/dev/sda"}, {"device_name": "/dev/sdb"}]
  }],
  "provisioners": [
    /* set up */
    {"type": "shell", "only": ["amazon-ebs"], "inline": ["echo {{build `ID`}} ${HOME}"], "override": {"amazon-ebs": {"inline": []}}}
  ],
  "post-processors": ["compress", [{"type": "manifest"}]]
}"#,
    );
    let expected = r#"packer {
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = "~> 1"
    }
  }
}

# The start as UNIX time: what `{{timestamp}}` is in JSON.
locals {
  timestamp = rfc3339_parse(timestamp()).unix
}

# what it is for
# where
# from outside
variable "region" {
  type    = string
  default = env("REGION")
}

variable "name" {
  type    = string
  default = "web"
}

# kiln: `full` is made of other values, so it is a local: `-var` cannot give it
locals {
  full = "${var.name}-${local.timestamp}"
}

variable "key" {
  type      = string
  sensitive = true
}

source "amazon-ebs" "amazon-ebs" {
  ami_name = local.full # the name
  tags = {
    Name  = "{{ .SourceAMI }}"
    "a b" = "$${x}"
  }
  launch_block_device_mappings {
    device_name = "/dev/sda"
  }
  launch_block_device_mappings {
    device_name = "/dev/sdb"
  }
}

build {
  sources = ["source.amazon-ebs.amazon-ebs"]

  # set up
  provisioner "shell" {
    only = ["amazon-ebs.amazon-ebs"]
    override = {
      "amazon-ebs" = {
        inline = []
      }
    }
    inline = ["echo ${build.ID} $${HOME}"]
  }

  post-processor "compress" {}

  post-processors {
    post-processor "manifest" {
    }
  }
}
"#;
    assert_eq!(made.text, expected);
    assert_eq!(made.notes.len(), 1);
}

#[test]
fn what_cannot_be_said_is_noted_at_its_place() {
    let text = r#"{"variables": {"a": "{{if true}}{{user `b`}}{{end}}", "b": "x"}, "builders": [{"type": "null", "name": "{{user `b`}} 1"}],
"provisioners": [{"type": "shell", "inline": ["{{if user `b`}}x{{end}}"]}]}"#;
    let made = upgraded(text);
    let noted: Vec<&str> = made.notes.iter().map(|n| &text[n.span.range()]).collect();
    assert!(noted.contains(&r#""{{if user `b`}}x{{end}}""#), "{noted:?}");
    assert!(made.text.contains("# kiln: "), "{}", made.text);
    assert!(made.text.contains(r#"source "null" "__user__b____1""#), "{}", made.text);
}

#[test]
fn what_json_forgives_is_written_out() {
    let made = upgraded(
        r#"{"builders": [{"type": "null", "ami_name": "{{user `a`}}"}],
"provisioners": [{"type": "shell", "inline": "one"}, {"type": "shell", "inline": "one,two"}]}"#,
    );
    assert!(made.text.contains("variable \"a\" {\n  type    = string\n  default = \"\"\n}"), "{}", made.text);
    assert!(made.text.contains("inline = [\"one\"]"), "{}", made.text);
    assert!(made.text.contains("inline = split(\",\", \"one,two\")"), "{}", made.text);
}

#[test]
fn mixed_defaults_read_the_environment_through_variables() {
    let made = upgraded(r#"{"variables": {"a": "x-{{env `HOME DIR`}}"}, "builders": [{"type": "null"}]}"#);
    assert!(
        made.text.contains("variable \"env_home_dir\" {\n  type    = string\n  default = env(\"HOME DIR\")\n}"),
        "{}",
        made.text
    );
    assert!(made.text.contains("a = \"x-${var.env_home_dir}\""), "{}", made.text);
}
