//! From the keys of an object to the fields of a schema.

use indexmap::IndexMap;

use super::super::tree::{Entry, Node, Tree};
use super::old_names;
use super::walk::{At, Walk, merged, pointer_part};
use crate::run::Value;
use crate::schema::{Field, Fields, Type};
use crate::text::code::field as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Span};

impl Walk<'_> {
    /// An object whose keys are fields. `whole` is where a missing one is reported.
    pub(super) fn block(
        &mut self,
        body: &Node,
        fields: &Fields,
        path: &str,
        pointer: &str,
        within_secret: bool,
        whole: Span,
    ) -> IndexMap<String, Value> {
        let prefixed = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let mut found: IndexMap<&str, Vec<(&Entry, bool)>> = IndexMap::new();
        let mut meant = Vec::new();
        for entry in body.entries() {
            match field_of(&entry.key.value, fields) {
                Some((field, direct)) => found.entry(field).or_default().push((entry, direct)),
                None => meant.extend(self.unknown_key(entry, fields, path)),
            }
        }
        // What stands under a misspelt key is there, though nobody knows what it says.
        for field in meant.iter().filter(|field| !found.contains_key(field.as_str())) {
            self.out.places.forget_value(&prefixed(field));
        }
        let mut map = IndexMap::new();
        for field in fields.values() {
            let at = At {
                path: prefixed(&field.name),
                pointer: format!("{pointer}/{}", pointer_part(&field.name)),
                field,
                within_secret,
            };
            let entries = found.swap_remove(field.name.as_str()).unwrap_or_default();
            let entries = self.one_of_many(&at, entries);
            let mut value = None;
            for (entry, direct) in &entries {
                if matches!(entry.value.tree, Tree::Null) {
                    continue;
                }
                self.out.places.write(&at.path, entry.key.span, entry.value.span);
                let next = if *direct {
                    self.value(&entry.value, &field.ty, &at)
                } else {
                    self.key_value_blocks(&entry.value, &at)
                };
                value = merged(value, next);
            }
            self.check_presence(&at, value.as_ref(), whole);
            if let Some(value) = value {
                self.check_built(&at, &value);
                map.insert(field.name.clone(), value);
            }
        }
        map
    }

    /// Of several entries for one field, those that count: an alias of a map adds to it, of others the exact name wins.
    pub(super) fn one_of_many<'e>(&mut self, at: &At<'_>, entries: Vec<(&'e Entry, bool)>) -> Vec<(&'e Entry, bool)> {
        let (mut direct, adding): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(_, direct)| *direct);
        if direct.len() > 1 {
            direct.sort_by_key(|(entry, _)| entry.key.value != at.field.name);
            let (kept, other) = (direct[0].0, direct[1].0);
            // The same key twice is the JSON reader's to report.
            if kept.key.value != other.key.value {
                self.out.diagnostics.push(
                    Diagnostic::error(
                        code::KEY_TWICE,
                        other.key.span,
                        format!("`{}` and `{}` are the same key", kept.key.value, other.key.value),
                    )
                    .related(kept.key.span, "the other one")
                    .help("which of them Packer takes is left to chance; remove one"),
                );
            }
            direct.truncate(1);
        }
        direct.extend(adding);
        direct
    }

    /// Reports a key that is no field's; gives the field that was probably meant.
    pub(super) fn unknown_key(&mut self, entry: &Entry, fields: &Fields, path: &str) -> Option<String> {
        let key = entry.key.value.as_str();
        if key.starts_with("packer_") {
            return None;
        }
        let shown = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        let component = self.scope.component;
        if let Some(old) = old_names::find(entry, self.scope.hcl, |name| fields.contains_key(name)) {
            let message = format!("`{shown}` is an old key that {component} no longer has");
            let mut diagnostic = Diagnostic::error(code::OLD_NAME, entry.key.span, message);
            diagnostic = match old.fix {
                Some((span, replacement)) => {
                    let title = format!("Write `{replacement}`");
                    diagnostic.help(format!("write `{replacement}` instead")).fix(title, span, replacement)
                }
                None if old.key.is_empty() => diagnostic.help("remove it; nothing takes its place"),
                None => diagnostic.help(format!("use `{}` instead", old.key)),
            };
            self.out.diagnostics.push(diagnostic);
            return Some(old.key.to_owned()).filter(|key| !key.is_empty());
        }
        let mut meant = None;
        let names = fields.values().flat_map(|f| std::iter::once(&f.name).chain(&f.aliases)).map(String::as_str);
        let message = format!("{component} has no key `{shown}`");
        let mut diagnostic = Diagnostic::error(code::UNKNOWN_KEY, entry.key.span, message);
        if key.starts_with('_') || key.eq_ignore_ascii_case("comment") || key.starts_with("//") {
            diagnostic = diagnostic.help("for a comment, begin a line with `//`; kiln reads it, Packer does not");
        } else if let Some(near) = did_you_mean(key, names) {
            diagnostic = diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("Rename to `{near}`"),
                entry.key.span,
                if self.scope.hcl { near.to_owned() } else { format!("\"{near}\"") },
            );
            meant = field_of(near, fields).map(|(field, _)| field.to_owned());
        } else if matches!(key, "only" | "except" | "pause_before" | "timeout" | "max_retries" | "override") {
            diagnostic = diagnostic.help(format!("`{key}` belongs in a provisioner or post-processor"));
        } else {
            diagnostic = diagnostic.help(format!("remove it, or see which keys {component} has in Packer's manual"));
        }
        self.out.diagnostics.push(diagnostic);
        meant
    }
}

/// The field that a key means, and whether its value is the field's own (not a block to be added to its map).
fn field_of<'f>(key: &str, fields: &'f Fields) -> Option<(&'f str, bool)> {
    if let Some(field) = fields.get(key) {
        return Some((&field.name, true));
    }
    let folded = |name: &str| name.eq_ignore_ascii_case(key);
    let alias = |f: &&Field| f.aliases.iter().any(|a| folded(a));
    let by_case = fields.values().find(|f| folded(&f.name)).map(|f| (f.name.as_str(), true));
    by_case.or_else(|| fields.values().find(alias).map(|f| (f.name.as_str(), !matches!(f.ty, Type::Map(_)))))
}
