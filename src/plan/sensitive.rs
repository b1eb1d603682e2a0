//! Where a template and its var-files write values that nobody may see.
//!
//! Looked for in the text's tree by the names of keys alone: a value is as secret in a builder that cannot be read, is left
//! out or has a mistake in it. Not here: what the values are (`template::decode`), and how they are masked (`cli::report`).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use crate::component::catalogue;
use crate::schema::{Fields, Kind, Type};
use crate::template::document::Document;
use crate::template::hcl::blocks::Evaluated;
use crate::template::tree::{Entry, Node, Tree};
use crate::template::variables::Variables;
use crate::text::Span;
use crate::text::diagnostic::did_you_mean;

/// The names of all fields of all components, in small letters.
#[derive(Default)]
struct Names {
    all: BTreeSet<String>,
    sensitive: BTreeSet<String>,
}

static NAMES: LazyLock<Names> = LazyLock::new(|| {
    let mut names = Names::default();
    for kind in [Kind::Builder, Kind::Provisioner, Kind::PostProcessor] {
        for component in catalogue::types(kind).filter_map(|name| catalogue::schema(kind, name)) {
            if let Some(fields) = &component.fields {
                names.take(fields, false);
            }
        }
    }
    names
});

impl Names {
    fn take(&mut self, fields: &Fields, within_secret: bool) {
        for field in fields.values() {
            let sensitive = field.sensitive || within_secret;
            for name in std::iter::once(&field.name).chain(&field.aliases) {
                self.all.insert(name.to_ascii_lowercase());
                if sensitive {
                    self.sensitive.insert(name.to_ascii_lowercase());
                }
            }
            if let Type::Block(inner) | Type::Blocks(inner) = &field.ty {
                self.take(inner, sensitive);
            }
        }
    }

    /// Whether a key is a sensitive field, or was probably meant to be one.
    fn is_sensitive(&self, key: &str) -> bool {
        let key = key.to_ascii_lowercase();
        if self.all.contains(&key) {
            return self.sensitive.contains(&key);
        }
        did_you_mean(&key, self.all.iter().map(String::as_str)).is_some_and(|near| self.sensitive.contains(near))
    }
}

/// The places of all values of sensitive fields and sensitive variables, and of the variables that sensitive fields use.
pub(super) fn places(root: &Node, document: &Document, variables: &Variables) -> Vec<Span> {
    let mut found = Found::default();
    let (declarations, components): (Vec<_>, Vec<_>) =
        root.entries().iter().partition(|e| e.key.value.eq_ignore_ascii_case("variables"));
    for entry in components {
        found.fields(&entry.value);
    }
    let declared: BTreeSet<&str> =
        document.variables.iter().filter(|v| v.sensitive).map(|v| v.name.value.as_str()).collect();
    let is_declared = |name: &str| document.variables.iter().any(|v| v.name.value == name);
    let hidden = |name: &str, used: &BTreeSet<String>| {
        declared.contains(name)
            || used.contains(name)
            || (!is_declared(name) && did_you_mean(name, declared.iter().copied()).is_some())
    };
    let mut open: Vec<&Entry> = declarations.iter().flat_map(|d| d.value.entries()).collect();
    // A default may use other variables, which are as secret then.
    while let Some(next) = open.iter().position(|e| hidden(&e.key.value, &found.used)) {
        found.values(&open.swap_remove(next).value);
    }
    found.places.extend(variables.values().filter(|v| hidden(&v.name, &found.used)).flat_map(|v| &v.given_at));
    found.places
}

/// As [`places`], of an HCL2 template.
pub(super) fn of_builds(evaluated: &Evaluated) -> Vec<Span> {
    let mut found = Found::default();
    for build in &evaluated.builds {
        let others = build.provisioners.iter().map(|p| &p.block).chain(build.post_processors.iter().map(|p| &p.block));
        for block in std::iter::once(&build.builder).chain(&build.error_cleanup).chain(others) {
            found.fields(&block.body);
            block.overrides.iter().for_each(|(_, over)| found.fields(over));
        }
    }
    let sensitive = evaluated.variables.values().filter(|v| v.sensitive);
    found.places.extend(sensitive.flat_map(|v| v.given_at.iter().copied()));
    found.places
}

#[derive(Default)]
struct Found {
    /// Which keys are sensitive, of those that were looked at.
    looked_up: std::collections::HashMap<String, bool>,
    places: Vec<Span>,
    /// Names of variables that went into sensitive fields.
    used: BTreeSet<String>,
}

impl Found {
    /// Looks for sensitive fields.
    fn fields(&mut self, node: &Node) {
        for entry in node.entries() {
            let key = &entry.key.value;
            let known = self.looked_up.get(key).copied();
            let sensitive = known.unwrap_or_else(|| NAMES.is_sensitive(key));
            if known.is_none() {
                self.looked_up.insert(key.clone(), sensitive);
            }
            if sensitive {
                self.values(&entry.value);
            } else {
                self.fields(&entry.value);
            }
        }
        node.items().iter().for_each(|item| self.fields(item));
    }

    /// Takes every value in it.
    fn values(&mut self, node: &Node) {
        match &node.tree {
            Tree::Null => {}
            Tree::Array(items) => items.iter().for_each(|item| self.values(item)),
            Tree::Object(entries) => entries.iter().for_each(|entry| self.values(&entry.value)),
            Tree::String(text) => {
                self.places.push(node.span);
                self.used.extend(quoted(&text.value).map(str::to_owned));
            }
            Tree::Bool(_) | Tree::Number(_) | Tree::Broken => self.places.push(node.span),
        }
    }
}

/// What stands in quotes in the expressions of a text: among it the names of its variables.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split("{{").skip(1).flat_map(|rest| {
        let inside = rest.split_once("}}").map_or(rest, |(inside, _)| inside);
        inside.split(['`', '"']).skip(1).step_by(2)
    })
}

#[cfg(test)]
mod tests {
    use super::super::{Purpose, evaluate, syntax};
    use crate::run::plan::RunOptions;
    use crate::template::inputs::Inputs;
    use crate::text::Sources;

    /// The literals that are taken for sensitive, in order.
    fn hidden(template: &str, inputs: &Inputs) -> Vec<String> {
        let mut sources = Sources::default();
        let id = sources.add("t.json", template);
        let mut places = evaluate(&mut sources, id, inputs, &RunOptions::default(), Purpose::Validate).sensitive;
        places.sort_unstable();
        places.into_iter().map(|place| sources.text(place).to_owned()).collect()
    }

    #[test]
    fn sensitive_fields_are_found_by_name_wherever_they_stand() {
        let template = r#"{"builders": [
            {"type": "amazon-ebs", "SECRET_KEY": "a{{usr}}", "mfa_code": 123, "region": "x", "tags": {"a": "b"}},
            {"type": "qemu", "ssh_password": ["b", {"c": "c"}], "winrm_pasword": "d", "ssh_pass": null},
            {"type": "null", "communicator": "none"}],
          "provisioners": [{"type": "shell", "inline": ["x"], "override": {"null": {"token": "e"}}}], "wrong": 1}"#;
        let all = [r#""a{{usr}}""#, "123", r#""b""#, r#""c""#, r#""d""#, r#""e""#];
        assert_eq!(hidden(template, &Inputs::default()), all);
        let mut sources = Sources::default();
        let id = sources.add("t.json", template);
        assert_eq!(syntax(&sources, id).sensitive.len(), all.len());
    }

    #[test]
    fn sensitive_variables_are_hidden_wherever_they_get_a_value() {
        let template = r#"{"variables": {"token": "a", "key": "{{user `part`}}b", "part": "c", "open": "d"},
          "sensitive-variables": ["token"],
          "builders": [{"type": "amazon-ebs", "secret_key": "{{user `key`}}"}]}"#;
        let inputs = Inputs {
            var_files: vec![("v.json".into(), r#"{"token": 5, "tokne": "e", "open": "f"}"#.into())],
            vars: vec![("part".into(), "g".into()), ("open".into(), "h".into())],
            ..Inputs::default()
        };
        let all = [r#""a""#, r#""{{user `part`}}b""#, r#""c""#, r#""{{user `key`}}""#, "5", r#""e""#, "g"];
        assert_eq!(hidden(template, &inputs), all);
    }

    #[test]
    fn a_template_without_a_mistake_is_not_searched() {
        let template = r#"{"builders": [{"type": "null", "ssh_host": "h", "ssh_username": "u", "ssh_password": "p"}]}"#;
        assert!(hidden(template, &Inputs::default()).is_empty());
    }
}
