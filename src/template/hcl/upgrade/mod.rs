//! A JSON template as HCL2 that means the same, with its comments. What cannot be said in HCL2 stays as it is, with a note.
//!
//! Pure: text and tree in, text out. Not here: the proof that both mean the same (`kiln hcl2_upgrade` compares the plans).

mod action;
mod body;
mod comment;
mod steps;
#[cfg(test)]
mod tests;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use self::action::{Names, Place, env_variable, is_identifier, literal};
use self::comment::between;
use crate::schema::{Component, Kind};
use crate::template::tree::{Node, Text, Tree};
use crate::text::{Source, Span};

/// Knows the components: their fields say what is a block in HCL2.
pub type Schema<'a> = &'a dyn Fn(Kind, &str) -> Option<Arc<Component>>;

#[derive(Debug)]
pub struct Upgraded {
    pub text: String,
    pub notes: Vec<Note>,
}

/// What is not as it was, and where it stands in the JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub span: Span,
    pub message: String,
}

/// Writes a template again. The tree is of this source, and without mistakes of form.
#[must_use]
pub fn upgrade(source: &Source, root: &Node, schema: Schema<'_>) -> Upgraded {
    let mut writer = Writer {
        text: &source.text,
        out: String::new(),
        notes: Vec::new(),
        names: Names::default(),
        labels: BTreeMap::new(),
        schema,
    };
    let sections = writer.sections(root);
    writer.find_locals(root);
    writer.name_builders(root);
    // Variables first, as they tell what else is needed; what stands before them is known at the end.
    let above = |key: &str| sections.get(key).cloned().unwrap_or_default();
    writer.lines(&above("variables"));
    writer.variables(root);
    writer.lines(&above("builders"));
    writer.builders(root);
    writer.lines(&above("provisioners"));
    writer.build(root, &above("post-processors"));
    writer.lines(&above(""));
    let body = std::mem::take(&mut writer.out);
    writer.lines(&above("min_packer_version"));
    writer.packer(root);
    writer.needed(root);
    let head = std::mem::take(&mut writer.out);
    writer.notes.sort_by_key(|n| n.span);
    Upgraded { text: super::format::format(&(head + &body)), notes: writer.notes }
}

struct Writer<'a> {
    text: &'a str,
    out: String,
    notes: Vec<Note>,
    names: Names,
    /// Builders' raw names, and `type` with the label of their source.
    labels: BTreeMap<String, (String, String)>,
    schema: Schema<'a>,
}

impl Writer<'_> {
    fn note(&mut self, span: Span, message: impl Into<String>) {
        let message = message.into();
        self.out.push_str(&format!("# kiln: {message}\n"));
        self.notes.push(Note { span, message });
    }

    fn lines(&mut self, lines: &[String]) {
        for line in lines {
            self.out.push_str(line);
            self.out.push('\n');
        }
    }

    /// The comments above each key of the root; those at the end under no key.
    fn sections(&self, root: &Node) -> BTreeMap<String, Vec<String>> {
        let mut found = BTreeMap::new();
        let mut end = root.span.start as usize + 1;
        let gap = |from: usize, to: usize| {
            let comments = between(self.text.get(from..to).unwrap_or_default());
            comments.behind.into_iter().chain(comments.above).collect::<Vec<_>>()
        };
        let mut before = gap(0, root.span.start as usize);
        for entry in root.entries() {
            before.extend(gap(end, entry.key.span.start as usize));
            let key = match entry.key.value.as_str() {
                key @ ("variables" | "builders" | "provisioners" | "post-processors" | "min_packer_version") => key,
                "sensitive-variables" => "variables",
                _ => "provisioners",
            };
            found.entry(key.to_owned()).or_insert_with(Vec::new).append(&mut before);
            end = entry.value.span.end as usize;
        }
        before.extend(gap(end, root.span.end as usize));
        before.extend(gap(root.span.end as usize, self.text.len()));
        found.insert(String::new(), before);
        found
    }

    fn packer(&mut self, root: &Node) {
        let uses = |prefix: &str| {
            let all = ["builders", "provisioners", "post-processors"].into_iter().filter_map(|s| root.get(s));
            all.flat_map(steps::components)
                .any(|c| c.get("type").and_then(Node::text).is_some_and(|t| t.value.starts_with(prefix)))
        };
        let plugins: Vec<_> = ["amazon", "ansible"].into_iter().filter(|p| uses(p)).collect();
        let version = root.get("min_packer_version").and_then(Node::text);
        if plugins.is_empty() && version.is_none() {
            return;
        }
        self.out.push_str("packer {\n");
        if let Some(version) = version {
            self.out.push_str(&format!("required_version = {}\n", literal(&format!(">= {}", version.value))));
        }
        if !plugins.is_empty() {
            self.out.push_str("required_plugins {\n");
            for plugin in plugins {
                self.out.push_str(&format!(
                    "{plugin} = {{\nsource = \"github.com/hashicorp/{plugin}\"\nversion = \"~> 1\"\n}}\n"
                ));
            }
            self.out.push_str("}\n");
        }
        self.out.push_str("}\n\n");
    }

    /// What expressions mention that JSON did not have.
    fn needed(&mut self, root: &Node) {
        let declared = root.get("variables");
        for name in std::mem::take(&mut self.names.used) {
            if declared.is_none_or(|v| v.get(&name).is_none()) {
                self.note(root.span, format!("`{name}` is not declared, so it is empty unless `-var` gives it"));
                self.out.push_str(&format!("variable \"{name}\" {{\ntype = string\ndefault = \"\"\n}}\n\n"));
            }
        }
        for name in std::mem::take(&mut self.names.env) {
            let (variable, name) = (env_variable(&name), literal(&name));
            self.out.push_str(&format!("variable \"{variable}\" {{\ntype = string\ndefault = env({name})\n}}\n\n"));
        }
        if self.names.timestamp {
            self.out.push_str("# The start as UNIX time: what `{{timestamp}}` is in JSON.\n");
            self.out.push_str("locals {\ntimestamp = rfc3339_parse(timestamp()).unix\n}\n\n");
        }
    }

    /// Variables whose defaults are made of more than text and one environment variable cannot be variables.
    fn find_locals(&mut self, root: &Node) {
        for entry in root.get("variables").map(Node::entries).unwrap_or_default() {
            let Some(default) = entry.value.text() else { continue };
            let made = default.value.contains("{{") && only_env(&default.value).is_none();
            if made && is_identifier(&entry.key.value) {
                self.names.locals.insert(entry.key.value.clone());
            }
        }
        if self.names.locals.contains("timestamp") {
            // The name is taken by what stands for `{{timestamp}}`; a variable of this name has that value nearly always.
            self.names.locals.remove("timestamp");
        }
    }

    fn variables(&mut self, root: &Node) {
        let sensitive: Vec<&str> = root
            .get("sensitive-variables")
            .map(Node::items)
            .unwrap_or_default()
            .iter()
            .filter_map(Node::text)
            .map(|t| t.value.as_str())
            .collect();
        let Some(variables) = root.get("variables") else { return };
        for (above, entry, behind) in self.entries(variables) {
            self.lines(&above);
            self.lines(behind.as_slice());
            let name = &entry.key.value;
            if !is_identifier(name) {
                self.note(entry.key.span, format!("`{name}` cannot be the name of a variable in HCL2"));
                continue;
            }
            let is_sensitive = sensitive.contains(&name.as_str());
            let mark = if is_sensitive { "sensitive = true\n" } else { "" };
            if self.names.locals.contains(name) {
                let value = self.value(&entry.value, Place::Variable);
                self.note(
                    entry.key.span,
                    format!("`{name}` is made of other values, so it is a local: `-var` cannot give it"),
                );
                if is_sensitive {
                    self.out.push_str(&format!("local \"{name}\" {{\nexpression = {value}\n{mark}}}\n\n"));
                } else {
                    self.out.push_str(&format!("locals {{\n{name} = {value}\n}}\n\n"));
                }
                continue;
            }
            let default = match &entry.value.tree {
                Tree::Null => String::new(),
                Tree::String(text) => match only_env(&text.value) {
                    Some(variable) => format!("default = env({})\n", literal(&variable)),
                    None => format!("default = {}\n", self.value(&entry.value, Place::Variable)),
                },
                // JSON's variables are texts.
                Tree::Bool(b) => format!("default = \"{b}\"\n"),
                Tree::Number(n) => format!("default = \"{n}\"\n"),
                _ => format!("default = {}\n", self.value(&entry.value, Place::Variable)),
            };
            let ty = if matches!(entry.value.tree, Tree::Array(_) | Tree::Object(_)) { "" } else { "type = string\n" };
            self.out.push_str(&format!("variable \"{name}\" {{\n{ty}{default}{mark}}}\n\n"));
        }
    }

    fn name_builders(&mut self, root: &Node) {
        for builder in root.get("builders").map(Node::items).unwrap_or_default() {
            let Some(kind) = builder.get("type").and_then(Node::text) else { continue };
            let name = builder.get("name").and_then(Node::text).unwrap_or(kind);
            let mut label: String = name
                .value
                .chars()
                .map(|c| if c.is_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' })
                .collect();
            if !is_identifier(&label) {
                label.insert(0, '_');
            }
            if label != name.value {
                self.notes.push(Note {
                    span: name.span,
                    message: format!(
                        "the build `{}` is `{label}` now: names of HCL2 are letters, digits, `-` and `_`",
                        name.value
                    ),
                });
            }
            self.labels.insert(name.value.clone(), (kind.value.clone(), label));
        }
    }

    /// The label of a builder's source.
    fn label(&self, builder: &Node) -> Option<(String, String)> {
        let name: &Text = builder.get("name").or(builder.get("type")).and_then(Node::text)?;
        self.labels.get(&name.value).cloned()
    }

    fn builders(&mut self, root: &Node) {
        let Some(builders) = root.get("builders") else { return };
        for (above, builder, behind) in self.items(builders) {
            self.lines(&above);
            let Some((kind, label)) = self.label(builder) else { continue };
            let component = (self.schema)(Kind::Builder, &kind);
            if component.as_ref().and_then(|c| c.fields.as_ref()).is_none() {
                self.note(builder.span, format!("kiln does not know the fields of `{kind}`: check what is a block"));
            }
            self.out.push_str(&format!("source {} \"{label}\" {{\n", literal(&kind)));
            let fields = component.and_then(|c| c.fields.clone());
            self.body(builder, fields.as_deref(), &["type", "name"], Place::Builder);
            self.out.push_str(&format!("}}{}\n\n", behind.map(|b| format!(" {b}")).unwrap_or_default()));
        }
    }
}

/// The environment variable, when a default is nothing but that.
fn only_env(default: &str) -> Option<String> {
    let mut names = Names::default();
    let inside = default.strip_prefix("{{")?.strip_suffix("}}")?;
    match action::convert(inside, Place::Variable, &mut names) {
        action::Converted::Expression(e) if e.starts_with("var.env_") && names.env.len() == 1 => names.env.pop_first(),
        _ => None,
    }
}
