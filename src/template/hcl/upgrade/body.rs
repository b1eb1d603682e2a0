//! The fields of a component: attributes, and blocks where the schema has them.

use super::Writer;
use super::action::{Place, is_identifier};
use super::comment::between;
use super::text;
use crate::schema::{Field, Fields, Type};
use crate::template::tree::{Entry, Node, Tree};

/// A list that is longer is written on several lines.
const WIDTH: usize = 100;

impl Writer<'_> {
    /// The entries of an object, each with the comments above it and behind it.
    pub fn entries<'n>(&self, node: &'n Node) -> Vec<(Vec<String>, &'n Entry, Option<String>)> {
        let entries = node.entries();
        let places: Vec<_> = entries.iter().map(|e| (e.key.span.start as usize, e.value.span.end as usize)).collect();
        let comments = self.comments(node, &places);
        comments.into_iter().zip(entries).map(|((above, behind), e)| (above, e, behind)).collect()
    }

    /// The same of a list.
    pub fn items<'n>(&self, node: &'n Node) -> Vec<(Vec<String>, &'n Node, Option<String>)> {
        let items = node.items();
        let places: Vec<_> = items.iter().map(|n| (n.span.start as usize, n.span.end as usize)).collect();
        let comments = self.comments(node, &places);
        comments.into_iter().zip(items).map(|((above, behind), n)| (above, n, behind)).collect()
    }

    fn comments(&self, node: &Node, places: &[(usize, usize)]) -> Vec<(Vec<String>, Option<String>)> {
        let mut found: Vec<(Vec<String>, Option<String>)> = vec![(Vec::new(), None); places.len()];
        let mut end = node.span.start as usize + 1;
        for i in 0..=places.len() {
            let start = places.get(i).map_or(node.span.end as usize, |p| p.0);
            let comments = between(self.text.get(end..start).unwrap_or_default());
            if let Some(previous) = i.checked_sub(1).and_then(|p| found.get_mut(p)) {
                previous.1 = comments.behind;
                if i == places.len() && previous.1.is_none() {
                    // At the end there is nothing to stand above.
                    previous.1 = Some(comments.above.join(" ")).filter(|c| !c.is_empty());
                }
            } else if let Some(first) = found.first_mut() {
                first.0.extend(comments.behind);
            }
            if let Some(next) = found.get_mut(i) {
                next.0.extend(comments.above);
            }
            end = places.get(i).map_or(end, |p| p.1);
        }
        found
    }

    pub fn body(&mut self, node: &Node, fields: Option<&Fields>, skip: &[&str], place: Place) {
        for (above, entry, behind) in self.entries(node) {
            let key = entry.key.value.as_str();
            if skip.contains(&key) {
                continue;
            }
            self.lines(&above);
            let behind = behind.map(|b| format!(" {b}")).unwrap_or_default();
            let field = fields.and_then(|fields| field(fields, key));
            let name = field.map_or(key, |f| &f.name);
            if !is_identifier(name) || name.starts_with('_') {
                let text = entry.value.text().map_or("", |t| &t.value);
                self.out.push_str(&format!("# {key}: {}{behind}\n", text.replace(['\n', '\r'], " ")));
                continue;
            }
            let inner = field.and_then(|f| match &f.ty {
                Type::Block(inner) | Type::Blocks(inner) => Some(inner),
                _ => None,
            });
            let blocks = match (&entry.value.tree, inner, fields) {
                (Tree::Object(_), Some(_), _) => vec![&entry.value],
                (Tree::Array(items), Some(_), _) => items.iter().collect(),
                // Of a component that is not known: what looks like blocks.
                (Tree::Array(items), None, None)
                    if !items.is_empty() && items.iter().all(|n| matches!(n.tree, Tree::Object(_))) =>
                {
                    items.iter().collect()
                }
                _ => {
                    let mut value = self.value(&entry.value, place);
                    if let (Some(Type::List(_)), Some(text)) = (field.map(|f| &f.ty), entry.value.text()) {
                        value = as_list(&text.value, &value);
                    }
                    self.out.push_str(&format!("{name} = {value}{behind}\n"));
                    continue;
                }
            };
            let last = blocks.len();
            for (i, block) in blocks.into_iter().enumerate() {
                self.out.push_str(&format!("{name} {{\n"));
                self.body(block, inner.map(|f| &**f), &[], place);
                self.out.push_str(&format!("}}{}\n", if i + 1 == last { behind.as_str() } else { "" }));
            }
        }
    }

    /// A value as an expression. What is lost in it is noted above it.
    pub fn value(&mut self, node: &Node, place: Place) -> String {
        match &node.tree {
            Tree::Null | Tree::Broken => "null".into(),
            Tree::Bool(b) => b.to_string(),
            Tree::Number(n) => n.clone(),
            Tree::String(text) => {
                let written = text::write(&text.value, place, &mut self.names);
                for why in written.lost {
                    self.note(text.span, why);
                }
                written.expression
            }
            Tree::Array(_) => {
                let (mut lines, mut plain) = (String::new(), Vec::new());
                let mut commented = false;
                for (above, item, behind) in self.items(node) {
                    commented |= !above.is_empty() || behind.is_some();
                    let value = self.value(item, place);
                    for line in &above {
                        lines.push_str(&format!("{line}\n"));
                    }
                    lines.push_str(&format!("{value},{}\n", behind.map(|b| format!(" {b}")).unwrap_or_default()));
                    plain.push(value);
                }
                let one = format!("[{}]", plain.join(", "));
                if commented || one.len() > WIDTH || one.contains('\n') { format!("[\n{lines}]") } else { one }
            }
            Tree::Object(entries) if entries.is_empty() => "{}".into(),
            Tree::Object(_) => {
                let mut lines = String::new();
                for (above, entry, behind) in self.entries(node) {
                    for line in &above {
                        lines.push_str(&format!("{line}\n"));
                    }
                    let key = &entry.key.value;
                    let key = if is_identifier(key) && !matches!(key.as_str(), "for" | "null" | "true" | "false") {
                        key.clone()
                    } else {
                        let written = text::write(key, place, &mut self.names);
                        if written.expression.starts_with('"') {
                            written.expression
                        } else {
                            format!("({})", written.expression)
                        }
                    };
                    let value = self.value(&entry.value, place);
                    lines
                        .push_str(&format!("{key} = {value}{}\n", behind.map(|b| format!(" {b}")).unwrap_or_default()));
                }
                format!("{{\n{lines}}}")
            }
        }
    }
}

/// A text where a list is wanted: JSON's decoder cuts it at its commas.
fn as_list(text: &str, value: &str) -> String {
    if text.is_empty() {
        "[]".into()
    } else if text.contains(',') || !value.starts_with('"') {
        format!("split(\",\", {value})")
    } else {
        format!("[{value}]")
    }
}

/// The field that a key means, as the decoder finds it.
fn field<'f>(fields: &'f Fields, key: &str) -> Option<&'f Field> {
    fields.get(key).or_else(|| fields.values().find(|f| f.name.eq_ignore_ascii_case(key)))
}
