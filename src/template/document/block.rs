//! One component of a JSON template: its meta keys, and the body that is left.

use std::time::Duration;

use super::Block;
use super::read::{find, list, same_key, text, wrong_type};
use crate::schema::Kind;
use crate::schema::duration;
use crate::template::tree::{Entry, Node, Text, Tree};
use crate::text::code::structure as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Span};

/// The builders' raw names: what `only`, `except` and `override` may say.
#[derive(Default)]
pub(super) struct Names {
    /// Name, type, place.
    known: Vec<(String, String, Span)>,
    /// A builder could not be read: an unknown name may be its.
    pub incomplete: bool,
}

const BUILDER_KEYS: &[&str] = &["type", "name"];
const PROVISIONER_KEYS: &[&str] = &["type", "only", "except", "override", "pause_before", "timeout", "max_retries"];
const POST_PROCESSOR_KEYS: &[&str] = &["type", "name", "only", "except", "keep_input_artifact"];

/// A builder; its name is added to the names.
pub(super) fn builder(node: &Node, names: &mut Names, diagnostics: &mut Vec<Diagnostic>) -> Option<Block> {
    let block = component(node, Kind::Builder, BUILDER_KEYS, diagnostics);
    let Some(block) = block else {
        names.incomplete = true;
        return None;
    };
    let name = block.raw_name().to_owned();
    let place = block.name.as_ref().unwrap_or(&block.type_name).span;
    if let Some((_, _, first)) = names.known.iter().find(|(n, _, _)| *n == name) {
        let help = if block.name.is_some() {
            "give one of the two another `name`"
        } else {
            "give the builder a `name` of its own; without one its type is its name"
        };
        diagnostics.push(
            Diagnostic::error(
                code::DUPLICATE_BUILDER,
                place,
                format!("there are two builders named `{}`", name.escape_debug()),
            )
            .label("again here")
            .related(*first, "first here")
            .help(help),
        );
    } else {
        names.known.push((name, block.type_name.value.clone(), place));
    }
    Some(block)
}

pub(super) fn provisioner(node: &Node, names: &Names, diagnostics: &mut Vec<Diagnostic>) -> Option<Block> {
    let meta = Meta::read(node, PROVISIONER_KEYS, names, diagnostics);
    let mut block = component(node, Kind::Provisioner, PROVISIONER_KEYS, diagnostics)?;
    meta.put_into(&mut block);
    Some(block)
}

pub(super) fn error_cleanup(node: &Node, names: &Names, diagnostics: &mut Vec<Diagnostic>) -> Option<Block> {
    for key in ["only", "except"] {
        if let Some(entry) = find(node.entries(), key) {
            let message = format!("`{key}` has no effect on the error clean-up provisioner");
            diagnostics.push(
                Diagnostic::warning(code::WITHOUT_EFFECT, entry.key.span, message)
                    .help("Packer runs it for every builder whose provisioning fails; remove the key"),
            );
        }
    }
    provisioner(node, names, diagnostics)
}

/// One element of `post-processors`: a name, an object, or an array of these.
pub(super) fn chain(node: &Node, names: &Names, diagnostics: &mut Vec<Diagnostic>) -> Vec<Block> {
    let mut chain = Vec::new();
    let Tree::Array(items) = &node.tree else {
        chain.extend(post_processor(node, names, diagnostics));
        return chain;
    };
    for item in items {
        let Tree::Array(inner) = &item.tree else {
            chain.extend(post_processor(item, names, diagnostics));
            continue;
        };
        diagnostics.push(
            Diagnostic::error(
                code::NESTED_POST_PROCESSORS,
                item.span,
                "a sequence of post-processors holds no other sequence",
            )
            .label("an array in an array")
            .help("write its elements one after the other in the sequence around it, or make it a sequence of its own"),
        );
        chain.extend(inner.iter().filter_map(|i| post_processor(i, names, diagnostics)));
    }
    chain
}

fn post_processor(node: &Node, names: &Names, diagnostics: &mut Vec<Diagnostic>) -> Option<Block> {
    if let Tree::String(type_name) = &node.tree {
        if type_name.value.is_empty() {
            diagnostics.push(no_type(type_name.span, Kind::PostProcessor));
            return None;
        }
        let body = Node { tree: Tree::Object(Vec::new()), span: node.span };
        return Some(Block::new(type_name.clone(), body));
    }
    let meta = Meta::read(node, POST_PROCESSOR_KEYS, names, diagnostics);
    let mut block = component(node, Kind::PostProcessor, POST_PROCESSOR_KEYS, diagnostics)?;
    meta.put_into(&mut block);
    Some(block)
}

impl Block {
    fn new(type_name: Text, body: Node) -> Self {
        Self {
            span: body.span,
            type_name,
            name: None,
            only: Vec::new(),
            except: Vec::new(),
            overrides: Vec::new(),
            pause_before: None,
            timeout: None,
            max_retries: None,
            keep_input_artifact: None,
            continue_on_error: false,
            body,
        }
    }
}

/// Type, name and body; without a type there is nothing that could be checked further.
fn component(node: &Node, kind: Kind, keys: &[&str], diagnostics: &mut Vec<Diagnostic>) -> Option<Block> {
    let Tree::Object(entries) = &node.tree else {
        let expected = if kind == Kind::PostProcessor { "a string, an object or an array" } else { "an object" };
        wrong_type(diagnostics, node, &format!("a {}", kind.word()), expected);
        return None;
    };
    let meta = |entry: &Entry| keys.iter().any(|k| entry.key.value.eq_ignore_ascii_case(k));
    for (i, entry) in entries.iter().enumerate().filter(|(_, e)| meta(e)) {
        let same = |e: &&Entry| e.key.value.eq_ignore_ascii_case(&entry.key.value);
        if let Some(other) = entries[..i].iter().find(same)
            && other.key.value != entry.key.value
        {
            diagnostics.push(same_key(&entry.key, &other.key));
        }
    }
    let what = |key: &str| format!("`{key}` of a {}", kind.word());
    let name = match find(entries, "name") {
        Some(entry) if keys.contains(&"name") => text(&entry.value, &what("name"), diagnostics),
        _ => None,
    };
    let Some(entry) = find(entries, "type") else {
        let start = node.span.range().start;
        let mut diagnostic = no_type(Span::new(node.span.source, start, start + 1), kind);
        let candidates = entries.iter().map(|e| e.key.value.as_str());
        if let Some(near) = did_you_mean("type", candidates)
            && let Some(entry) = find(entries, near)
        {
            diagnostic = diagnostic.related(entry.key.span, "is this meant to be `type`?");
        }
        diagnostics.push(diagnostic);
        return None;
    };
    let type_name = text(&entry.value, &what("type"), diagnostics)?;
    if type_name.value.is_empty() {
        diagnostics.push(no_type(type_name.span, kind));
        return None;
    }
    let body = entries.iter().filter(|e| !meta(e)).cloned().collect();
    let mut block = Block::new(type_name, Node { tree: Tree::Object(body), span: node.span });
    // An empty name is none, as for Packer.
    block.name = name.filter(|n| !n.value.is_empty());
    Some(block)
}

fn no_type(span: Span, kind: Kind) -> Diagnostic {
    let (word, example) = match kind {
        Kind::Builder => ("builder", "amazon-ebs"),
        Kind::Provisioner => ("provisioner", "shell"),
        Kind::PostProcessor => ("post-processor", "manifest"),
    };
    Diagnostic::error(code::MISSING_TYPE, span, format!("this {word} has no `type`"))
        .help(format!("add `\"type\"`, for example `\"type\": \"{example}\"`"))
}

/// What provisioners and post-processors have in common.
#[derive(Default)]
struct Meta {
    only: Vec<Text>,
    except: Vec<Text>,
    overrides: Vec<(Text, Node)>,
    pause_before: Option<(Duration, Span)>,
    timeout: Option<(Duration, Span)>,
    max_retries: Option<Node>,
    keep_input_artifact: Option<bool>,
}

impl Meta {
    fn read(node: &Node, keys: &[&str], names: &Names, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut meta = Self::default();
        let entry = |key: &str| find(node.entries(), key).filter(|_| keys.contains(&key));
        let (only, except) = (entry("only"), entry("except"));
        if let (Some(only), Some(except)) = (only, except)
            && [only, except].iter().all(|e| !e.value.items().is_empty())
        {
            diagnostics.push(
                Diagnostic::error(code::ONLY_AND_EXCEPT, except.key.span, "`only` and `except` exclude each other")
                    .related(only.key.span, "`only` stands here")
                    .help("keep one of the two"),
            );
        }
        if let Some(only) = only {
            meta.only = builder_names("only", &only.value, names, diagnostics);
        }
        if let Some(except) = except {
            meta.except = builder_names("except", &except.value, names, diagnostics);
        }
        if let Some(overrides) = entry("override") {
            meta.overrides = read_overrides(&overrides.value, names, diagnostics);
        }
        meta.pause_before = entry("pause_before").and_then(|e| read_duration(e, diagnostics));
        meta.timeout = entry("timeout").and_then(|e| read_duration(e, diagnostics));
        meta.max_retries = entry("max_retries").and_then(|e| read_retries(&e.value, diagnostics));
        if let Some(keep) = entry("keep_input_artifact") {
            match keep.value.tree {
                Tree::Bool(value) => meta.keep_input_artifact = Some(value),
                Tree::Null => {}
                _ => wrong_type(diagnostics, &keep.value, "`keep_input_artifact`", "`true` or `false`"),
            }
        }
        meta
    }

    fn put_into(self, block: &mut Block) {
        block.only = self.only;
        block.except = self.except;
        block.overrides = self.overrides;
        block.pause_before = self.pause_before;
        block.timeout = self.timeout;
        block.max_retries = self.max_retries;
        block.keep_input_artifact = self.keep_input_artifact;
    }
}

fn builder_names(key: &str, node: &Node, names: &Names, diagnostics: &mut Vec<Diagnostic>) -> Vec<Text> {
    if node.tree == Tree::Null {
        return Vec::new();
    }
    let mut found = Vec::new();
    for item in list(node, &format!("`{key}`"), diagnostics) {
        let Some(name) = text(item, &format!("an element of `{key}`"), diagnostics) else { continue };
        names.check(key, &name, diagnostics);
        found.push(name);
    }
    found
}

fn read_overrides(node: &Node, names: &Names, diagnostics: &mut Vec<Diagnostic>) -> Vec<(Text, Node)> {
    if !matches!(node.tree, Tree::Object(_) | Tree::Null) {
        wrong_type(diagnostics, node, "`override`", "an object");
    }
    let mut found = Vec::new();
    for entry in node.entries() {
        names.check("override", &entry.key, diagnostics);
        if matches!(entry.value.tree, Tree::Object(_)) {
            found.push((entry.key.clone(), entry.value.clone()));
        } else {
            wrong_type(diagnostics, &entry.value, "the `override` of a builder", "an object");
        }
    }
    found
}

impl Names {
    fn check(&self, key: &str, name: &Text, diagnostics: &mut Vec<Diagnostic>) {
        if self.incomplete || self.known.iter().any(|(n, _, _)| *n == name.value) {
            return;
        }
        let message = format!("`{key}` names the builder `{}`, which does not exist", name.value.escape_debug());
        let diagnostic = Diagnostic::error(code::UNKNOWN_BUILDER, name.span, message);
        let of_type = self.known.iter().find(|(_, t, _)| *t == name.value).map(|(n, _, _)| n.as_str());
        let near = of_type.or_else(|| did_you_mean(&name.value, self.known.iter().map(|(n, _, _)| n.as_str())));
        diagnostics.push(if let Some(near) = near {
            let help = if of_type.is_some() {
                format!("the builder of that type is named `{near}`")
            } else {
                format!("did you mean `{near}`?")
            };
            let replacement = format!("\"{}\"", near.escape_default());
            diagnostic.help(help).fix(format!("Rename to `{near}`"), name.span, replacement)
        } else {
            let all: Vec<_> = self.known.iter().take(10).map(|(n, _, _)| format!("`{}`", n.escape_debug())).collect();
            diagnostic.help(format!("the builders are {}", all.join(", ")))
        });
    }
}

/// Packer reads these before it renders anything.
pub(in crate::template) fn read_duration(entry: &Entry, diagnostics: &mut Vec<Diagnostic>) -> Option<(Duration, Span)> {
    let (key, value) = (&entry.key.value, &entry.value);
    match &value.tree {
        Tree::String(text) => match duration::parse(&text.value) {
            Ok(duration) => Some((duration, value.span)),
            Err(error) => {
                let help = if text.value.contains("{{") {
                    format!("`{key}` is read before anything is rendered; write the duration itself, such as `30s`")
                } else {
                    error.help()
                };
                diagnostics.push(
                    Diagnostic::error(code::BAD_DURATION, value.span, format!("`{key}` is no duration: {error}"))
                        .help(help),
                );
                None
            }
        },
        Tree::Number(digits) => {
            let nanos = digits.parse::<u64>().ok();
            let diagnostic = match nanos {
                Some(0) => return Some((Duration::ZERO, value.span)),
                Some(_) => Diagnostic::warning(
                    code::NANOSECONDS,
                    value.span,
                    format!("a bare number in `{key}` is a number of nanoseconds"),
                ),
                None => {
                    Diagnostic::error(code::BAD_DURATION, value.span, format!("`{key}` is no duration: `{digits}`"))
                }
            };
            diagnostics.push(diagnostic.help(format!("for seconds write `\"{digits}s\"`")).fix(
                "Make it seconds",
                value.span,
                format!("\"{digits}s\""),
            ));
            nanos.map(|n| (Duration::from_nanos(n), value.span))
        }
        Tree::Null => None,
        _ => {
            wrong_type(diagnostics, value, &format!("`{key}`"), "a duration such as `\"30s\"`");
            None
        }
    }
}

pub(in crate::template) fn read_retries(node: &Node, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let written = match &node.tree {
        Tree::Null | Tree::Broken => return None,
        Tree::Number(digits) => digits,
        Tree::String(text) => &text.value,
        _ => {
            wrong_type(diagnostics, node, "`max_retries`", "a whole number");
            return None;
        }
    };
    if written.contains("{{") || written.is_empty() || written.parse::<u32>().is_ok() {
        return Some(node.clone());
    }
    diagnostics.push(
        Diagnostic::error(
            code::BAD_RETRIES,
            node.span,
            format!("`max_retries` is no whole number: `{}`", written.escape_debug()),
        )
        .help("write how many times to try again after a failure, such as `3`"),
    );
    None
}
