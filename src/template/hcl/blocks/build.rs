//! `build` blocks: one build for each source that one names, with its provisioners and post-processors evaluated for it.

use std::time::Duration;

use super::super::eval::{Scope, late};
use super::super::syntax::ast::{Block as Written, Body};
use super::super::value::Value;
use super::body::{Made, Reader, label, name};
use super::read::{Named, Template, known_attributes, labelled};
use crate::template::document::{Block, read_duration, read_retries};
use crate::template::tree::{Entry, Node, Text, Tree};
use crate::text::code::hcl_block as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Span};

/// One build of the run.
#[derive(Debug)]
pub struct Build {
    /// `[build.]type.name`: what is shown, and what `-only` and `-except` match.
    pub full_name: String,
    /// The source's name, or the alias that the build gives it.
    pub name: String,
    pub builder: Block,
    pub provisioners: Vec<Used>,
    pub error_cleanup: Option<Block>,
    pub post_processors: Vec<Chained>,
}

impl Build {
    /// Whether all of it is known. What is open on account of a question or a mistake is not.
    #[must_use]
    pub fn known(&self) -> bool {
        let others = self.provisioners.iter().map(|p| &p.block).chain(self.post_processors.iter().map(|p| &p.block));
        std::iter::once(&self.builder).chain(&self.error_cleanup).chain(others).all(|b| known(&b.body))
    }
}

fn known(node: &Node) -> bool {
    match &node.tree {
        Tree::Broken => false,
        Tree::Array(items) => items.iter().all(known),
        Tree::Object(entries) => entries.iter().all(|e| known(&e.value)),
        _ => true,
    }
}

/// A provisioner, with its place in its build block, from 0.
#[derive(Debug)]
pub struct Used {
    pub index: usize,
    pub block: Block,
}

/// A post-processor, with its chain and its place there, from 0.
#[derive(Debug)]
pub struct Chained {
    pub chain: usize,
    pub place: usize,
    pub block: Block,
}

/// What a running build knows (packer.md §3.2, and what the Amazon builders add).
const LATE: [&str; 21] = [
    "BuildRegion",
    "ConnType",
    "Host",
    "ID",
    "PackerHTTPAddr",
    "PackerHTTPIP",
    "PackerHTTPPort",
    "PackerRunUUID",
    "Password",
    "Port",
    "SSHPrivateKey",
    "SSHPrivateKeyFile",
    "SSHPublicKey",
    "SourceAMI",
    "SourceAMICreationDate",
    "SourceAMIName",
    "SourceAMIOwner",
    "SourceAMIOwnerName",
    "SourceAMITags",
    "User",
    "WinRMPassword",
];

const PROVISIONER_META: [&str; 8] =
    ["name", "only", "except", "override", "pause_before", "timeout", "max_retries", "continue_on_error"];
const POST_PROCESSOR_META: [&str; 4] = ["name", "only", "except", "keep_input_artifact"];

/// A source as a build uses it.
struct Use<'t> {
    source: &'t Named,
    alias: Option<String>,
    /// What the build adds to the source's body.
    more: Option<&'t Written>,
    span: Span,
}

/// The builds of all `build` blocks, in order.
pub(super) fn all(template: &Template, scope: &Scope, reader: &mut Reader<'_>) -> Vec<Build> {
    let mut builds: Vec<Build> = Vec::new();
    for block in &template.builds {
        known_attributes(
            block,
            &["name", "description", "sources"],
            &[
                "source",
                "provisioner",
                "error-cleanup-provisioner",
                "post-processor",
                "post-processors",
                "hcp_packer_registry",
                "from",
            ],
            reader.diagnostics,
        );
        let build_name = block.body.attribute("name").map(|a| reader.value(&a.expression, scope));
        let build_name = build_name.and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let uses = uses(template, block, scope, reader);
        for used in uses {
            let build = one(block, &used, &build_name, scope, reader);
            if let Some(same) = builds.iter().find(|b| b.full_name == build.full_name) {
                reader.diagnostics.push(
                    Diagnostic::error(code::SAME_NAME, used.span, format!("there are two builds named `{}`", build.full_name))
                        .related(same.builder.span, "the other one")
                        .help("give one of the `build` blocks a `name`, or use the source with a `name` of its own: `source \"…\" { name = \"…\" }`"),
                );
            }
            builds.push(build);
        }
    }
    if template.builds.is_empty()
        && let Some(first) = template.sources.first()
    {
        let message = "no `build` block uses the sources of this template";
        reader.diagnostics.push(
            Diagnostic::error(code::NO_SOURCE, first.block.header, message)
                .help(format!("write `build {{ sources = [\"source.{}.{}\"] }}`", first.kind.text, first.name.text)),
        );
    }
    builds
}

fn uses<'t>(template: &'t Template, block: &'t Written, scope: &Scope, reader: &mut Reader<'_>) -> Vec<Use<'t>> {
    let mut uses = Vec::new();
    let mut broken = false;
    if let Some(attribute) = block.body.attribute("sources") {
        let list = reader.expression(&attribute.expression, scope);
        match &list.tree {
            Tree::Array(items) => {
                for item in items {
                    let Tree::String(text) = &item.tree else {
                        broken = true;
                        if item.tree != Tree::Broken {
                            let message = format!("a source is named by a text, not {}", item.described());
                            reader.diagnostics.push(
                                Diagnostic::error(code::ATTRIBUTE_TYPE, item.span, message)
                                    .help("write `\"source.type.name\"`"),
                            );
                        }
                        continue;
                    };
                    match find(template, text, reader) {
                        Some(source) => uses.push(Use { source, alias: None, more: None, span: item.span }),
                        None => broken = true,
                    }
                }
            }
            Tree::Broken => broken = true,
            _ => {
                broken = true;
                let message = format!("`sources` is a list, not {}", list.described());
                reader.diagnostics.push(
                    Diagnostic::error(code::ATTRIBUTE_TYPE, list.span, message).help("put it in brackets: `[…]`"),
                );
            }
        }
    }
    for more in block.body.blocks_of("source") {
        if !labelled(more, &["source.type.name"], reader.diagnostics) {
            broken = true;
            continue;
        }
        let Some(source) = find(template, &label(&more.labels[0]), reader) else {
            broken = true;
            continue;
        };
        let alias = more.body.attribute("name").map(|a| reader.value(&a.expression, scope));
        let alias = alias.and_then(|v| v.as_str().map(str::to_owned)).filter(|a| !a.is_empty());
        for attribute in &more.body.attributes {
            if let Some(first) = source.block.body.attribute(&attribute.name.text)
                && attribute.name.text != "name"
            {
                reader.diagnostics.push(
                    Diagnostic::error(
                        code::SAME_NAME,
                        attribute.name.span,
                        format!("`{}` is set by the source too", attribute.name.text),
                    )
                    .related(first.name.span, "set here")
                    .help("a build adds to its source, it does not override it; set it in the builds only"),
                );
            }
        }
        uses.push(Use { source, alias, more: Some(more), span: more.header });
    }
    if uses.is_empty() && !broken {
        reader.diagnostics.push(
            Diagnostic::error(code::NO_SOURCE, block.header, "this `build` has no source")
                .help("add `sources = [\"source.type.name\"]`"),
        );
    }
    uses
}

/// The source that a text such as `source.amazon-ebs.web` names.
fn find<'t>(template: &'t Template, text: &Text, reader: &mut Reader<'_>) -> Option<&'t Named> {
    let path = text.value.strip_prefix("source.").unwrap_or(&text.value);
    let full = |s: &Named| format!("{}.{}", s.kind.text, s.name.text);
    if let Some(found) = template.sources.iter().find(|s| full(s) == path) {
        return Some(found);
    }
    let message = format!("there is no source `{}`", path.escape_debug());
    let diagnostic = Diagnostic::error(code::UNKNOWN_SOURCE, text.span, message);
    let names: Vec<String> = template.sources.iter().map(full).collect();
    reader.diagnostics.push(match did_you_mean(path, names.iter().map(String::as_str)) {
        Some(near) => diagnostic.help(format!("did you mean `source.{near}`?")).fix(
            format!("Change to `source.{near}`"),
            text.span,
            format!("\"source.{near}\""),
        ),
        None if names.is_empty() => diagnostic.help("declare it: `source \"type\" \"name\" { … }`"),
        None => {
            let names: Vec<_> = names.iter().take(10).map(|n| format!("`source.{n}`")).collect();
            diagnostic.help(format!("the sources are {}", names.join(", ")))
        }
    });
    None
}

fn one(block: &Written, used: &Use<'_>, build_name: &str, scope: &Scope, reader: &mut Reader<'_>) -> Build {
    let kind = &used.source.kind.text;
    let local_name = used.alias.clone().unwrap_or_else(|| used.source.name.text.clone());
    let short = format!("{kind}.{local_name}");
    let full_name = if build_name.is_empty() { short.clone() } else { format!("{build_name}.{short}") };
    let mut scope = scope.clone();
    let source = [("type", Value::from(kind.as_str())), ("name", Value::from(local_name.as_str()))];
    scope.insert("source".into(), Value::object(source));
    let span = used.source.block.header;
    let mut body = reader.node(&used.source.block.body, span, &[], &scope);
    if let Some(more) = used.more {
        let more = reader.node(&more.body, span, &["name"], &scope);
        add(&mut body, more);
    }
    let mut builder = component(label(&used.source.kind), body, span);
    builder.name = Some(name(&local_name, used.source.name.span));
    let mut known: Vec<(&str, Value)> = LATE.iter().map(|n| (*n, late(n))).collect();
    known.push(("name", Value::from(build_name)));
    scope.insert("build".into(), Value::object(known));
    let mut build = Build {
        full_name,
        name: local_name,
        builder,
        provisioners: Vec::new(),
        error_cleanup: None,
        post_processors: Vec::new(),
    };
    let (mut index, mut chain) = (0, 0);
    for made in reader.blocks(&block.body, &scope) {
        match made.kind.as_str() {
            "provisioner" => {
                if let Some(used) = provisioner(&made, &short, reader) {
                    build.provisioners.push(Used { index, block: used });
                }
                index += 1;
            }
            "error-cleanup-provisioner" => {
                let found = provisioner(&made, &short, reader);
                if let (Some(before), Some(again)) = (&build.error_cleanup, &found) {
                    reader.diagnostics.push(
                        Diagnostic::error(code::SAME_NAME, again.span, "a build has one `error-cleanup-provisioner`")
                            .related(before.span, "the other one")
                            .help("remove one of the two"),
                    );
                }
                build.error_cleanup = found.or(build.error_cleanup.take());
            }
            "post-processor" => {
                if let Some(block) = post_processor(&made, &short, reader) {
                    build.post_processors.push(Chained { chain, place: 0, block });
                }
                chain += 1;
            }
            "post-processors" => {
                known_attributes(made.block, &[], &["post-processor"], reader.diagnostics);
                for (place, inner) in reader.blocks(made.body, &made.scope).iter().enumerate() {
                    if inner.kind == "post-processor"
                        && let Some(block) = post_processor(inner, &short, reader)
                    {
                        build.post_processors.push(Chained { chain, place, block });
                    }
                }
                chain += 1;
            }
            _ => {}
        }
    }
    build
}

/// What `more` has is added to a body; of a key that both have, blocks come one after the other.
fn add(body: &mut Node, more: Node) {
    let (Tree::Object(entries), Tree::Object(more)) = (&mut body.tree, more.tree) else { return };
    for entry in more {
        match entries.iter_mut().find(|e| e.key.value == entry.key.value) {
            Some(Entry { value: Node { tree: Tree::Array(items), .. }, .. }) => match entry.value.tree {
                Tree::Array(added) => items.extend(added),
                tree => items.push(Node { tree, span: entry.value.span }),
            },
            Some(before) => {
                let span = before.value.span;
                let first = std::mem::replace(&mut before.value, Node { tree: Tree::Null, span });
                before.value = Node { tree: Tree::Array(vec![first, entry.value]), span };
            }
            None => entries.push(entry),
        }
    }
}

fn component(type_name: Text, body: Node, span: Span) -> Block {
    Block {
        span,
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

/// The type of a component block.
fn type_of(made: &Made<'_>, reader: &mut Reader<'_>) -> Option<Text> {
    let [type_name] = made.labels.as_slice() else {
        let message = format!("`{}` has one label, its type", made.kind);
        let help = format!("write `{} \"shell\" {{`, with the type that is meant", made.kind);
        reader.diagnostics.push(Diagnostic::error(code::LABELS, made.block.header, message).help(help));
        return None;
    };
    Some(type_name.clone())
}

/// A provisioner for the source `short`; `None` where it is not for it.
fn provisioner(made: &Made<'_>, short: &str, reader: &mut Reader<'_>) -> Option<Block> {
    let type_name = type_of(made, reader)?;
    let meta = meta(made.body, &PROVISIONER_META, &made.scope, reader);
    if !applies(&meta, short, reader) {
        return None;
    }
    let body = reader.node(made.body, made.block.header, &PROVISIONER_META, &made.scope);
    let mut block = component(type_name, body, made.block.header);
    block.name = get(&meta, "name").and_then(|e| e.value.text().cloned()).filter(|t| !t.value.is_empty());
    block.pause_before = duration(&meta, "pause_before", reader);
    block.timeout = duration(&meta, "timeout", reader);
    block.max_retries = get(&meta, "max_retries").and_then(|e| read_retries(&e.value, reader.diagnostics));
    block.continue_on_error = flag(&meta, "continue_on_error", reader).unwrap_or(false);
    if let Some(entry) = get(&meta, "override") {
        for inner in entry.value.entries() {
            if matches!(inner.value.tree, Tree::Object(_)) {
                block.overrides.push((inner.key.clone(), inner.value.clone()));
            } else if inner.value.tree != Tree::Broken {
                reader.diagnostics.push(wrong("the `override` of a source", "an object", &inner.value));
            }
        }
        if !matches!(entry.value.tree, Tree::Object(_) | Tree::Broken | Tree::Null) {
            reader.diagnostics.push(wrong("`override`", "an object", &entry.value));
        }
    }
    Some(block)
}

fn post_processor(made: &Made<'_>, short: &str, reader: &mut Reader<'_>) -> Option<Block> {
    let type_name = type_of(made, reader)?;
    let meta = meta(made.body, &POST_PROCESSOR_META, &made.scope, reader);
    if !applies(&meta, short, reader) {
        return None;
    }
    let body = reader.node(made.body, made.block.header, &POST_PROCESSOR_META, &made.scope);
    let mut block = component(type_name, body, made.block.header);
    block.name = get(&meta, "name").and_then(|e| e.value.text().cloned()).filter(|t| !t.value.is_empty());
    block.keep_input_artifact = flag(&meta, "keep_input_artifact", reader);
    Some(block)
}

/// The attributes that every component of its kind has.
fn meta(body: &Body, keys: &[&str], scope: &Scope, reader: &mut Reader<'_>) -> Vec<Entry> {
    let mut found = Vec::new();
    for attribute in body.attributes.iter().filter(|a| keys.contains(&a.name.text.as_str())) {
        let value = reader.expression(&attribute.expression, scope);
        found.push(Entry { key: name(&attribute.name.text, attribute.name.span), value });
    }
    for block in body.blocks.iter().filter(|b| b.kind.text == "override") {
        let value = reader.node(&block.body, block.span, &[], scope);
        found.push(Entry { key: name("override", block.kind.span), value });
    }
    found
}

fn get<'m>(meta: &'m [Entry], key: &str) -> Option<&'m Entry> {
    meta.iter().find(|e| e.key.value == key && e.value.tree != Tree::Null)
}

fn wrong(what: &str, wanted: &str, node: &Node) -> Diagnostic {
    let message = format!("{what} must be {wanted}, not {}", node.described());
    Diagnostic::error(code::ATTRIBUTE_TYPE, node.span, message)
}

fn flag(meta: &[Entry], key: &str, reader: &mut Reader<'_>) -> Option<bool> {
    let value = &get(meta, key)?.value;
    match &value.tree {
        Tree::Bool(b) => return Some(*b),
        Tree::String(text) if text.value == "true" => return Some(true),
        Tree::String(text) if text.value == "false" => return Some(false),
        Tree::Broken => {}
        _ => reader.diagnostics.push(wrong(&format!("`{key}`"), "`true` or `false`", value)),
    }
    None
}

fn duration(meta: &[Entry], key: &str, reader: &mut Reader<'_>) -> Option<(Duration, Span)> {
    let entry = get(meta, key)?;
    if entry.value.tree == Tree::Broken {
        return None;
    }
    read_duration(entry, reader.diagnostics)
}

/// Whether `only` and `except` leave the source in.
fn applies(meta: &[Entry], short: &str, reader: &mut Reader<'_>) -> bool {
    let mut lists: [Option<Vec<String>>; 2] = [None, None];
    for (list, key) in lists.iter_mut().zip(["only", "except"]) {
        let Some(entry) = get(meta, key) else { continue };
        match &entry.value.tree {
            Tree::Array(items) => {
                *list = Some(items.iter().filter_map(|i| i.text().map(|t| t.value.clone())).collect());
            }
            Tree::Broken => {}
            _ => reader.diagnostics.push(wrong(&format!("`{key}`"), "a list of texts", &entry.value)),
        }
    }
    let [only, except] = lists;
    if let (Some(only), Some(except)) = (&only, &except)
        && !only.is_empty()
        && !except.is_empty()
        && let Some(entry) = get(meta, "except")
    {
        reader.diagnostics.push(
            Diagnostic::error(
                crate::text::code::structure::ONLY_AND_EXCEPT,
                entry.key.span,
                "`only` and `except` exclude each other",
            )
            .help("keep one of the two"),
        );
    }
    let named = |list: &Vec<String>| list.iter().any(|n| n == short);
    only.filter(|l| !l.is_empty()).is_none_or(|l| named(&l)) && !except.is_some_and(|l| named(&l))
}
