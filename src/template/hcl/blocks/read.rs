//! The blocks of the top level, sorted by what they are; what is wrong with their form is reported.

use std::collections::HashMap;

use super::super::syntax::ast::{Attribute, Block, Body, Expression, Name};
use crate::text::code::hcl_block as code;
use crate::text::diagnostic::did_you_mean;
use crate::text::{Diagnostic, Span};

/// All files of a template, read but not evaluated.
#[derive(Clone, Debug, Default)]
pub struct Template {
    pub packer: Vec<Block>,
    pub variables: Vec<VariableBlock>,
    pub locals: Vec<Local>,
    pub data: Vec<Named>,
    pub sources: Vec<Named>,
    pub builds: Vec<Block>,
}

/// `variable "name" { … }`, or an attribute of `variables`.
#[derive(Clone, Debug)]
pub struct VariableBlock {
    pub name: Name,
    pub ty: Option<Expression>,
    pub default: Option<Expression>,
    pub description: Option<Expression>,
    pub sensitive: Option<Expression>,
    pub validations: Vec<Block>,
}

/// An attribute of `locals`, or `local "name" { … }`.
#[derive(Clone, Debug)]
pub struct Local {
    pub name: Name,
    pub expression: Expression,
    pub sensitive: Option<Expression>,
}

/// A block with a type and a name.
#[derive(Clone, Debug)]
pub struct Named {
    pub kind: Name,
    pub name: Name,
    pub block: Block,
}

const KINDS: [&str; 10] = [
    "build",
    "communicator",
    "data",
    "hcp_packer_registry",
    "local",
    "locals",
    "packer",
    "source",
    "variable",
    "variables",
];

/// Sorts the blocks of all files.
pub fn read(bodies: Vec<Body>, diagnostics: &mut Vec<Diagnostic>) -> Template {
    let mut template = Template::default();
    for body in bodies {
        for attribute in &body.attributes {
            let message = format!("`{}` cannot be set at the top level", attribute.name.text);
            let diagnostic = Diagnostic::error(code::UNKNOWN_ATTRIBUTE, attribute.name.span, message);
            diagnostics.push(
                diagnostic.help(
                    "values of variables belong in a var-file, `*.pkrvars.hcl`; names for values in `locals { … }`",
                ),
            );
        }
        for block in body.blocks {
            template.take(block, diagnostics);
        }
    }
    template.check_names(diagnostics);
    template
}

impl Template {
    fn take(&mut self, block: Block, diagnostics: &mut Vec<Diagnostic>) {
        match block.kind.text.as_str() {
            "packer" if labelled(&block, &[], diagnostics) => self.packer.push(block),
            "variables" if labelled(&block, &[], diagnostics) => {
                no_blocks(&block, diagnostics);
                self.variables.extend(block.body.attributes.into_iter().map(|a| VariableBlock {
                    name: a.name,
                    ty: None,
                    default: Some(a.expression),
                    description: None,
                    sensitive: None,
                    validations: Vec::new(),
                }));
            }
            "variable" if labelled(&block, &["name"], diagnostics) => {
                let known = ["type", "default", "description", "sensitive"];
                known_attributes(&block, &known, &["validation"], diagnostics);
                let get = |name: &str| block.body.attribute(name).map(|a| a.expression.clone());
                self.variables.push(VariableBlock {
                    name: block.labels[0].clone(),
                    ty: get("type"),
                    default: get("default"),
                    description: get("description"),
                    sensitive: get("sensitive"),
                    validations: block.body.blocks_of("validation").cloned().collect(),
                });
            }
            "locals" if labelled(&block, &[], diagnostics) => {
                no_blocks(&block, diagnostics);
                let local = |a: Attribute| Local { name: a.name, expression: a.expression, sensitive: None };
                self.locals.extend(block.body.attributes.into_iter().map(local));
            }
            "local" if labelled(&block, &["name"], diagnostics) => {
                known_attributes(&block, &["expression", "sensitive"], &[], diagnostics);
                let Some(expression) = block.body.attribute("expression") else {
                    let message = format!("the local `{}` has no `expression`", block.labels[0].text);
                    diagnostics.push(
                        Diagnostic::error(code::REQUIRED_ATTRIBUTE, block.header, message)
                            .help("write `expression = …` in it"),
                    );
                    return;
                };
                self.locals.push(Local {
                    name: block.labels[0].clone(),
                    expression: expression.expression.clone(),
                    sensitive: block.body.attribute("sensitive").map(|a| a.expression.clone()),
                });
            }
            "data" if labelled(&block, &["type", "name"], diagnostics) => self.data.push(named(block)),
            "source" if labelled(&block, &["type", "name"], diagnostics) => self.sources.push(named(block)),
            "build" if labelled(&block, &[], diagnostics) => self.builds.push(block),
            kind if !KINDS.contains(&kind) => diagnostics.push(unknown(&block)),
            _ => {}
        }
    }

    fn check_names(&mut self, diagnostics: &mut Vec<Diagnostic>) {
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut first = |key: String, what: &str, span: Span| {
            let Some(first) = seen.insert(key, span) else { return true };
            diagnostics.push(
                Diagnostic::error(code::SAME_NAME, span, format!("there are two {what}"))
                    .label("again here")
                    .related(first, "first here")
                    .help("rename or remove one of the two"),
            );
            false
        };
        self.variables.retain(|v| {
            first(format!("var.{}", v.name.text), &format!("variables named `{}`", v.name.text), v.name.span)
        });
        self.locals.retain(|l| {
            first(format!("local.{}", l.name.text), &format!("locals named `{}`", l.name.text), l.name.span)
        });
        for (root, list) in [("data", &mut self.data), ("source", &mut self.sources)] {
            list.retain(|n| {
                let path = format!("{root}.{}.{}", n.kind.text, n.name.text);
                let what = if root == "data" { "data sources" } else { "sources" };
                let span = n.kind.span.to(n.name.span);
                first(path.clone(), &format!("{what} named `{}.{}`", n.kind.text, n.name.text), span)
            });
        }
    }
}

fn named(block: Block) -> Named {
    Named { kind: block.labels[0].clone(), name: block.labels[1].clone(), block }
}

fn unknown(block: &Block) -> Diagnostic {
    let kind = &block.kind;
    let diagnostic =
        Diagnostic::error(code::UNKNOWN_BLOCK, kind.span, format!("a template has no block `{}`", kind.text));
    let within_build = ["provisioner", "post-processor", "post-processors", "error-cleanup-provisioner"];
    match did_you_mean(&kind.text, KINDS) {
        _ if within_build.contains(&kind.text.as_str()) => diagnostic.help("it belongs in a `build` block"),
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
            format!("Change to `{near}`"),
            kind.span,
            near.to_owned(),
        ),
        None => diagnostic
            .help("there are `packer`, `variable`, `variables`, `local`, `locals`, `data`, `source` and `build`"),
    }
}

/// Whether a block has the labels that it needs; what is wrong is reported.
pub(super) fn labelled(block: &Block, wanted: &[&str], diagnostics: &mut Vec<Diagnostic>) -> bool {
    if block.labels.len() == wanted.len() {
        return true;
    }
    let kind = &block.kind.text;
    let shape = wanted.iter().fold(format!("`{kind}"), |shape, label| format!("{shape} \"{label}\"")) + " {`";
    let message = match wanted.len() {
        0 => format!("`{kind}` has no label"),
        1 => format!("`{kind}` has one label, not {}", block.labels.len()),
        n => format!("`{kind}` has {n} labels, not {}", block.labels.len()),
    };
    diagnostics.push(Diagnostic::error(code::LABELS, block.header, message).help(format!("write {shape}")));
    false
}

fn no_blocks(block: &Block, diagnostics: &mut Vec<Diagnostic>) {
    for inner in &block.body.blocks {
        let message = format!("`{}` holds attributes only", block.kind.text);
        diagnostics.push(
            Diagnostic::error(code::UNKNOWN_BLOCK, inner.header, message)
                .help(format!("write `{} = {{`, if it is meant to be an object", inner.kind.text)),
        );
    }
}

/// Reports attributes and blocks that a block does not have.
pub(super) fn known_attributes(block: &Block, attributes: &[&str], blocks: &[&str], diagnostics: &mut Vec<Diagnostic>) {
    let what = &block.kind.text;
    for attribute in block.body.attributes.iter().filter(|a| !attributes.contains(&a.name.text.as_str())) {
        let name = &attribute.name;
        let message = format!("`{what}` has no attribute `{}`", name.text);
        let diagnostic = Diagnostic::error(code::UNKNOWN_ATTRIBUTE, name.span, message);
        diagnostics.push(match did_you_mean(&name.text, attributes.iter().copied()) {
            _ if blocks.contains(&name.text.as_str()) => {
                diagnostic.help(format!("it is a block: write `{} {{`", name.text))
            }
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("Change to `{near}`"),
                name.span,
                near.to_owned(),
            ),
            None if attributes.is_empty() => diagnostic.help("remove it"),
            None => diagnostic.help(format!("there are {}", quoted(attributes))),
        });
    }
    for inner in
        block.body.blocks.iter().filter(|b| b.kind.text != "dynamic" && !blocks.contains(&b.kind.text.as_str()))
    {
        let name = &inner.kind;
        let message = format!("`{what}` has no block `{}`", name.text);
        let diagnostic = Diagnostic::error(code::UNKNOWN_BLOCK, name.span, message);
        diagnostics.push(match did_you_mean(&name.text, blocks.iter().copied()) {
            _ if attributes.contains(&name.text.as_str()) => {
                diagnostic.help(format!("it is an attribute: write `{} = …`", name.text))
            }
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).fix(
                format!("Change to `{near}`"),
                name.span,
                near.to_owned(),
            ),
            None if blocks.is_empty() => diagnostic.help("remove it"),
            None => diagnostic.help(format!("there are {}", quoted(blocks))),
        });
    }
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ")
}
