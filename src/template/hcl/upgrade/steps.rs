//! The build block: provisioners and post-processors, with what every one of them has.

use super::Writer;
use super::action::{Place, literal};
use crate::schema::Kind;
use crate::template::tree::{Entry, Node, Tree};

/// Keys that name builds.
const ABOUT_BUILDS: [&str; 3] = ["only", "except", "override"];

impl Writer<'_> {
    pub fn build(&mut self, root: &Node, above_post_processors: &[String]) {
        self.out.push_str("build {\n");
        if let Some(description) = root.get("description") {
            let description = self.value(description, Place::Variable);
            self.out.push_str(&format!("description = {description}\n"));
        }
        let builders = root.get("builders").map(Node::items).unwrap_or_default();
        let sources: Vec<String> = builders
            .iter()
            .filter_map(|b| self.label(b))
            .map(|(kind, label)| format!("\"source.{kind}.{label}\""))
            .collect();
        self.out.push_str(&format!("sources = [{}]\n", sources.join(", ")));
        if let Some(provisioners) = root.get("provisioners") {
            for (above, provisioner, behind) in self.items(provisioners) {
                self.out.push('\n');
                self.lines(&above);
                self.step(provisioner, Kind::Provisioner, "provisioner", behind);
            }
        }
        if let Some(cleanup) = root.get("error-cleanup-provisioner") {
            self.out.push('\n');
            self.step(cleanup, Kind::Provisioner, "error-cleanup-provisioner", None);
        }
        self.lines(above_post_processors);
        if let Some(post_processors) = root.get("post-processors") {
            for (above, item, behind) in self.items(post_processors) {
                self.out.push('\n');
                self.lines(&above);
                if !matches!(item.tree, Tree::Array(_)) {
                    self.step(item, Kind::PostProcessor, "post-processor", behind);
                    continue;
                }
                self.out.push_str("post-processors {\n");
                for (above, one, behind) in self.items(item) {
                    self.lines(&above);
                    self.step(one, Kind::PostProcessor, "post-processor", behind);
                }
                self.out.push_str(&format!("}}{}\n", behind.map(|b| format!(" {b}")).unwrap_or_default()));
            }
        }
        self.out.push_str("}\n");
    }

    fn step(&mut self, node: &Node, kind: Kind, word: &str, behind: Option<String>) {
        let behind = behind.map(|b| format!(" {b}")).unwrap_or_default();
        // A post-processor without fields may be its name alone.
        if let Some(name) = node.text() {
            self.out.push_str(&format!("{word} {} {{}}{behind}\n", literal(&name.value)));
            return;
        }
        let Some(type_name) = node.get("type").and_then(Node::text) else { return };
        let component = (self.schema)(kind, &type_name.value);
        let fields = component.and_then(|c| c.fields.clone());
        if fields.is_none() {
            let message = format!("kiln does not know the fields of `{}`: check what is a block", type_name.value);
            self.note(node.span, message);
        }
        self.out.push_str(&format!("{word} {} {{\n", literal(&type_name.value)));
        for key in ABOUT_BUILDS {
            if let Some(value) = node.get(key) {
                self.about_builds(key, value);
            }
        }
        let skip: Vec<&str> = ["type"].into_iter().chain(ABOUT_BUILDS).collect();
        self.body(node, fields.as_deref(), &skip, Place::Step);
        self.out.push_str(&format!("}}{behind}\n"));
    }

    /// `only`, `except` and `override` name builds, which have other names in HCL2.
    fn about_builds(&mut self, key: &str, value: &Node) {
        if key != "override" {
            let names: Vec<String> = value
                .items()
                .iter()
                .filter_map(Node::text)
                .map(|t| match self.labels.get(&t.value) {
                    Some((kind, label)) => literal(&format!("{kind}.{label}")),
                    None => literal(&t.value),
                })
                .collect();
            self.out.push_str(&format!("{key} = [{}]\n", names.join(", ")));
            return;
        }
        self.out.push_str("override = {\n");
        for Entry { key, value } in value.entries() {
            let label = self.labels.get(&key.value).map_or(key.value.clone(), |(_, label)| label.clone());
            let value = self.value(value, Place::Step);
            self.out.push_str(&format!("{} = {value}\n", literal(&label)));
        }
        self.out.push_str("}\n");
    }
}

/// The objects of a section; post-processors may stand in lists within the list.
pub(super) fn components(section: &Node) -> Vec<&Node> {
    let mut found = Vec::new();
    for item in section.items() {
        match &item.tree {
            Tree::Array(chain) => found.extend(chain),
            _ => found.push(item),
        }
    }
    found
}
