//! The root of a JSON template.

use super::block::{self, Names};
use super::version::Version;
use super::{Block, Document, VariableDeclaration};
use crate::template::inputs::PACKER_VERSION;
use crate::template::tree::{Entry, Node, Text, Tree};
use crate::text::Diagnostic;
use crate::text::code::structure as code;
use crate::text::diagnostic::did_you_mean;

const ROOT_KEYS: [&str; 10] = [
    "builders",
    "comments",
    "description",
    "error-cleanup-provisioner",
    "min_packer_version",
    "post-processors",
    "provisioners",
    "push",
    "sensitive-variables",
    "variables",
];

/// Reads the structure of a template. What is wrong is reported and left out, so that one mistake hides no other.
///
/// Root keys are matched without regard to case, as Packer does.
pub fn read(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Document {
    let mut document = Document::default();
    match node.tree {
        Tree::Object(_) => {}
        Tree::Broken => return document,
        _ => {
            wrong_type(diagnostics, node, "a template", "an object");
            return document;
        }
    }
    check_root_keys(node, diagnostics);
    let root = |name: &str| find(node.entries(), name).map(|e| &e.value);

    document.description = root("description").and_then(|n| text(n, "`description`", diagnostics));
    if let Some(comments) = root("comments") {
        for item in list(comments, "`comments`", diagnostics) {
            if !matches!(item.tree, Tree::Object(_) | Tree::Broken) {
                wrong_type(diagnostics, item, "an element of `comments`", "an object");
            }
        }
    }
    document.min_packer_version = root("min_packer_version").and_then(|n| text(n, "`min_packer_version`", diagnostics));
    if let Some(version) = &document.min_packer_version {
        check_version(version, diagnostics);
    }
    if let Some(variables) = root("variables") {
        document.variables = read_variables(variables, diagnostics);
    }
    if let Some(names) = root("sensitive-variables") {
        mark_sensitive(&mut document.variables, names, diagnostics);
    }

    let (builders, names) = read_builders(node, root("builders"), diagnostics);
    document.builders = builders;
    if let Some(provisioners) = root("provisioners") {
        for item in list(provisioners, "`provisioners`", diagnostics) {
            document.provisioners.extend(block::provisioner(item, &names, diagnostics));
        }
    }
    if let Some(item) = root("error-cleanup-provisioner") {
        document.error_cleanup = block::error_cleanup(item, &names, diagnostics);
    }
    if let Some(chains) = root("post-processors") {
        for item in list(chains, "`post-processors`", diagnostics) {
            let chain = block::chain(item, &names, diagnostics);
            if !chain.is_empty() {
                document.post_processors.push(chain);
            }
        }
    }
    document
}

/// The entry of that name in any case; the very name goes before other spellings, and the last before earlier ones.
pub(super) fn find<'a>(entries: &'a [Entry], name: &str) -> Option<&'a Entry> {
    let any_case = || entries.iter().rev().find(|e| e.key.value.eq_ignore_ascii_case(name));
    entries.iter().rev().find(|e| e.key.value == name).or_else(any_case)
}

fn check_root_keys(node: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let entries = node.entries();
    for (i, entry) in entries.iter().enumerate() {
        let key = &entry.key;
        let name = key.value.as_str();
        if name.starts_with('_') {
            if !matches!(entry.value.tree, Tree::String(_) | Tree::Broken) {
                diagnostics.push(
                    Diagnostic::error(
                        code::COMMENT_IS_NO_TEXT,
                        entry.value.span,
                        format!("the comment `{}` is {}, not a string", name.escape_debug(), entry.value.described()),
                    )
                    .help("a root key that begins with `_` is a comment, and its value a string"),
                );
            }
            continue;
        }
        let Some(known) = ROOT_KEYS.iter().find(|k| k.eq_ignore_ascii_case(name)) else {
            diagnostics.push(unknown_key(key, known_meaning(name)));
            continue;
        };
        // Exactly equal keys have been reported with the text.
        if let Some(other) = entries[..i].iter().find(|e| e.key.value.eq_ignore_ascii_case(name))
            && other.key.value != name
        {
            diagnostics.push(same_key(key, &other.key));
        }
        if *known == "push" {
            diagnostics.push(
                Diagnostic::warning(code::WITHOUT_EFFECT, key.span, "`push` has no effect")
                    .help("it was for a service that does not exist any more; remove it"),
            );
        }
    }
}

pub(super) fn same_key(key: &Text, other: &Text) -> Diagnostic {
    let message = format!("`{}` and `{}` are the same key to Packer", key.value, other.value);
    Diagnostic::error(code::SAME_KEY, key.span, message)
        .label("again here")
        .related(other.span, "first here")
        .help("Packer does not tell capital letters from small ones here; remove one of the two")
}

/// What people look for when they write these.
fn known_meaning(name: &str) -> Option<&'static str> {
    Some(match name.to_ascii_lowercase().as_str() {
        "locals" | "local" | "data" | "packer" | "source" | "sources" | "build" => {
            "this belongs to HCL2 templates, whose names end in `.pkr.hcl`"
        }
        "variable" => "in JSON the variables stand in the object `variables`",
        "comment" => "write `_comment`: a root key that begins with `_` is a comment",
        _ => return None,
    })
}

fn unknown_key(key: &Text, meaning: Option<&str>) -> Diagnostic {
    let name = key.value.escape_debug();
    let diagnostic = Diagnostic::error(code::UNKNOWN_ROOT_KEY, key.span, format!("a template has no key `{name}`"));
    if let Some(meaning) = meaning {
        return diagnostic.help(meaning);
    }
    match did_you_mean(&key.value, ROOT_KEYS) {
        Some(right) => diagnostic.help(format!("did you mean `{right}`?")).fix(
            format!("Rename to `{right}`"),
            key.span,
            format!("\"{right}\""),
        ),
        None => diagnostic.help("the keys are `builders`, `provisioners`, `post-processors`, `variables`, `sensitive-variables`, \
                                `error-cleanup-provisioner`, `min_packer_version`, `description`; one that begins with `_` is a comment"),
    }
}

/// What the value is, and what it should be.
pub(super) fn wrong_type(diagnostics: &mut Vec<Diagnostic>, node: &Node, what: &str, expected: &str) {
    if node.tree == Tree::Broken {
        return;
    }
    let message = format!("{what} must be {expected}, not {}", node.described());
    diagnostics.push(Diagnostic::error(code::WRONG_TYPE, node.span, message).label(format!("expected {expected}")));
}

/// The text of a string; anything else is reported.
pub(super) fn text(node: &Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> Option<Text> {
    let text = node.text().cloned();
    if text.is_none() {
        wrong_type(diagnostics, node, what, "a string");
    }
    text
}

/// The elements of an array. A single element without its brackets is reported, and taken as the only one.
pub(super) fn list<'a>(node: &'a Node, what: &str, diagnostics: &mut Vec<Diagnostic>) -> &'a [Node] {
    match &node.tree {
        Tree::Array(items) => items,
        Tree::Broken => &[],
        Tree::Object(_) | Tree::String(_) => {
            let message = format!("{what} must be an array, not {}", node.described());
            diagnostics.push(
                Diagnostic::error(code::WRONG_TYPE, node.span, message)
                    .label("expected an array")
                    .help("put it in `[` and `]`"),
            );
            std::slice::from_ref(node)
        }
        _ => {
            wrong_type(diagnostics, node, what, "an array");
            &[]
        }
    }
}

fn check_version(version: &Text, diagnostics: &mut Vec<Diagnostic>) {
    let Some(wanted) = Version::parse(&version.value) else {
        diagnostics.push(
            Diagnostic::error(
                code::BAD_VERSION,
                version.span,
                format!("`{}` is no version", version.value.escape_debug()),
            )
            .help("write `min_packer_version` like `1.7.0`"),
        );
        return;
    };
    if Version::parse(PACKER_VERSION).is_some_and(|ours| wanted > ours) {
        diagnostics.push(
            Diagnostic::error(
                code::NEWER_PACKER_NEEDED,
                version.span,
                format!("this template wants Packer {} or newer", version.value.escape_debug()),
            )
            .help(format!("kiln does what Packer {PACKER_VERSION} does; ask for no more than that, or remove the key")),
        );
    }
}

fn read_variables(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Vec<VariableDeclaration> {
    if !matches!(node.tree, Tree::Object(_)) {
        wrong_type(diagnostics, node, "`variables`", "an object");
    }
    let variable = |entry: &Entry| {
        let default = match &entry.value.tree {
            Tree::Null => None,
            Tree::String(text) => Some(text.clone()),
            _ => {
                diagnostics.extend(no_text(&entry.key, &entry.value));
                // Read as what was meant, so that its users are checked as well.
                Some(written_out(&entry.value))
            }
        };
        VariableDeclaration { name: entry.key.clone(), default, sensitive: false }
    };
    node.entries().iter().map(variable).collect()
}

fn no_text(key: &Text, value: &Node) -> Option<Diagnostic> {
    let written = match &value.tree {
        Tree::Number(digits) => Some(digits.as_str()),
        Tree::Bool(true) => Some("true"),
        Tree::Bool(false) => Some("false"),
        Tree::Broken => return None,
        _ => None,
    };
    let message = format!("the variable `{}` must be a string, not {}", key.value.escape_debug(), value.described());
    let diagnostic = Diagnostic::error(code::VARIABLE_IS_NO_TEXT, value.span, message).label("expected a string");
    Some(match written {
        Some(written) => diagnostic.help(format!("put it in quotes: `\"{written}\"`")).fix(
            "Put it in double quotes",
            value.span,
            format!("\"{written}\""),
        ),
        None => diagnostic.help(
            "every variable is a string; for a list write `\"a,b\"`, which a field that takes a list splits at the commas",
        ),
    })
}

fn written_out(node: &Node) -> Text {
    let written = match &node.tree {
        Tree::Number(digits) => digits.as_str(),
        Tree::Bool(value) => {
            if *value {
                "true"
            } else {
                "false"
            }
        }
        _ => "",
    };
    Text { span: node.span, ..Text::plain(written, node.span.source, node.span.range().start) }
}

fn mark_sensitive(variables: &mut [VariableDeclaration], names: &Node, diagnostics: &mut Vec<Diagnostic>) {
    for item in list(names, "`sensitive-variables`", diagnostics) {
        let Some(name) = text(item, "an element of `sensitive-variables`", diagnostics) else { continue };
        let mut known = false;
        for variable in variables.iter_mut().filter(|v| v.name.value == name.value) {
            variable.sensitive = true;
            known = true;
        }
        if known {
            continue;
        }
        let message = format!("there is no variable `{}` to keep secret", name.value.escape_debug());
        let mut diagnostic = Diagnostic::warning(code::UNKNOWN_SENSITIVE, name.span, message);
        if let Some(right) = did_you_mean(&name.value, variables.iter().map(|v| v.name.value.as_str())) {
            diagnostic = diagnostic.help(format!("did you mean `{right}`?")).fix(
                format!("Rename to `{right}`"),
                name.span,
                format!("\"{right}\""),
            );
        } else {
            diagnostic = diagnostic.help("declare it in `variables`, or remove it here");
        }
        diagnostics.push(diagnostic);
    }
}

fn read_builders(root: &Node, node: Option<&Node>, diagnostics: &mut Vec<Diagnostic>) -> (Vec<Block>, Names) {
    let mut names = Names::default();
    let Some(node) = node else {
        let start = root.span.range().start;
        let span = crate::text::Span::new(root.span.source, start, start + 1);
        diagnostics.push(
            Diagnostic::error(code::NO_BUILDERS, span, "the template has no builder")
                .help("add `builders`: an array with at least one object that has a `type`"),
        );
        names.incomplete = true;
        return (Vec::new(), names);
    };
    let items = list(node, "`builders`", diagnostics);
    if items.is_empty() {
        names.incomplete = true;
        if node.tree != Tree::Broken && matches!(node.tree, Tree::Array(_)) {
            diagnostics.push(
                Diagnostic::error(code::NO_BUILDERS, node.span, "the template has no builder")
                    .help("add at least one object that has a `type`"),
            );
        }
    }
    let builders = items.iter().filter_map(|item| block::builder(item, &mut names, diagnostics)).collect();
    (builders, names)
}
