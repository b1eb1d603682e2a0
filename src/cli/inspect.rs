//! `kiln inspect`: what a template holds, and what its variables come to.

use std::fmt::Write as _;
use std::io::Write;

use serde_json::{Value as Json, json};

use crate::engine::load::{self, Loaded};
use crate::plan::Purpose;
use crate::run::Value;
use crate::run::plan::RunOptions;
use crate::template::document::{Block, Document};
use crate::template::variables::{Origin, Variable};

use super::report::{self, machine};
use super::template_args::TemplateArgs;

/// What is shown in place of a secret.
const HIDDEN: &str = "<sensitive>";

#[derive(Clone, Debug, Default, clap::Args)]
pub struct InspectArgs {
    #[command(flatten)]
    pub template: TemplateArgs,
    /// How to print it
    #[arg(long, value_parser = ["text", "json"], default_value = "text")]
    pub format: String,
    /// Print in Packer's machine-readable form
    #[arg(long)]
    pub machine_readable: bool,
}

/// Shows. Gives the exit status: 0, or 2 when the text cannot be read. Other mistakes are for `validate` to tell.
pub async fn run(args: InspectArgs) -> u8 {
    let loaded = match load::load(args.template.request(RunOptions::default(), Purpose::Validate)).await {
        Ok(loaded) => loaded,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "Error: {error}\n  help: {}", error.help());
            return 2;
        }
    };
    let Some(document) = &loaded.evaluation.document else {
        report::print_diagnostics(&loaded, false);
        return 2;
    };
    let text = if args.format == "json" {
        format!("{}\n", as_json(document, &loaded))
    } else if args.machine_readable {
        as_lines(document, &loaded)
    } else {
        as_text(document, &loaded)
    };
    // Nobody is told when standard output is closed.
    let _ = std::io::stdout().write_all(text.as_bytes());
    0
}

fn as_text(document: &Document, loaded: &Loaded) -> String {
    let mut out = String::new();
    if let Some(description) = &document.description {
        let _ = write!(out, "Description:\n\n{}\n\n", description.value.trim_end());
    }
    out.push_str("Variables:\n\n");
    let variables = &loaded.evaluation.variables;
    if variables.is_empty() {
        out.push_str("  <No variables>\n");
    }
    let width = variables.keys().map(|n| n.chars().count()).max().unwrap_or(0);
    for variable in variables.values() {
        let value = shown(variable, loaded).map_or_else(|| "not set".to_owned(), |v| format!("{v:?}"));
        let _ = writeln!(out, "  {:width$} = {value} ({})", variable.name, origin(variable));
    }
    section(&mut out, "Builders", &document.builders, |block| {
        let name = block.name.as_ref().map_or(&block.type_name.value, |n| &n.value);
        if *name == block.type_name.value { name.clone() } else { format!("{name} ({})", block.type_name.value) }
    });
    section(&mut out, "Provisioners", &document.provisioners, with_limits);
    let chains: Vec<String> =
        document.post_processors.iter().map(|c| c.iter().map(with_limits).collect::<Vec<_>>().join(" -> ")).collect();
    if !chains.is_empty() {
        let _ = write!(out, "\nPost-processors:\n\n  {}\n", chains.join("\n  "));
    }
    out
}

fn section(out: &mut String, title: &str, blocks: &[Block], line: impl Fn(&Block) -> String) {
    let _ = write!(out, "\n{title}:\n\n");
    if blocks.is_empty() {
        let _ = writeln!(out, "  <No {}>", title.to_lowercase());
    }
    for block in blocks {
        let _ = writeln!(out, "  {}", line(block));
    }
}

/// `shell (only one, two)`.
fn with_limits(block: &Block) -> String {
    let names =
        |list: &[crate::template::tree::Text]| list.iter().map(|t| t.value.as_str()).collect::<Vec<_>>().join(", ");
    let mut text = block.type_name.value.clone();
    if !block.only.is_empty() {
        let _ = write!(text, " (only {})", names(&block.only));
    }
    if !block.except.is_empty() {
        let _ = write!(text, " (except {})", names(&block.except));
    }
    text
}

/// The variable's value as it may be shown; `None`: it has none.
fn shown(variable: &Variable, loaded: &Loaded) -> Option<String> {
    match &variable.value {
        Value::Text(text) => {
            // What goes into a sensitive field is a secret, also when nobody declared it one.
            let secret = !text.is_empty() && loaded.evaluation.secrets.iter().any(|(_, value)| value == text);
            Some(if variable.sensitive || secret { HIDDEN.to_owned() } else { text.clone() })
        }
        Value::Secret(_) => Some(HIDDEN.to_owned()),
        Value::Unknown(open) => Some(format!("<{}>", open.question)),
        _ => None,
    }
}

fn origin(variable: &Variable) -> String {
    match &variable.origin {
        Origin::Default => "default".into(),
        Origin::Argument => "-var".into(),
        Origin::VarFile(path) => format!("-var-file {path}"),
        Origin::Environment { name, set: true } => format!("environment: {name}"),
        Origin::Environment { name, set: false } => format!("environment: {name}, which is not set"),
        Origin::Missing => "required: give it with -var or -var-file".into(),
    }
}

fn as_lines(document: &Document, loaded: &Loaded) -> String {
    let (mut out, now) = (String::new(), super::validate::now());
    for declared in &document.variables {
        let variable = loaded.evaluation.variables.get(&declared.name.value);
        let hidden = declared.sensitive || variable.and_then(|v| shown(v, loaded)).as_deref() == Some(HIDDEN);
        let default = match &declared.default {
            Some(text) if !hidden || text.value.contains("{{") => text.value.as_str(),
            Some(_) => HIDDEN,
            None => "",
        };
        let required = if declared.default.is_none() { "1" } else { "0" };
        out.push_str(&machine::line(now, "", "template-variable", &[&declared.name.value, default, required]));
    }
    for block in &document.builders {
        let name = block.name.as_ref().map_or(&block.type_name.value, |n| &n.value);
        out.push_str(&machine::line(now, "", "template-builder", &[name, &block.type_name.value]));
    }
    for block in &document.provisioners {
        out.push_str(&machine::line(now, "", "template-provisioner", &[&block.type_name.value]));
    }
    out
}

fn as_json(document: &Document, loaded: &Loaded) -> Json {
    let texts = |list: &[crate::template::tree::Text]| list.iter().map(|t| t.value.clone()).collect::<Vec<_>>();
    let block = |b: &Block| {
        json!({
            "type": b.type_name.value,
            "name": b.name.as_ref().map_or(&b.type_name.value, |n| &n.value),
            "only": texts(&b.only),
            "except": texts(&b.except),
        })
    };
    let variable = |v: &Variable| {
        json!({
            "name": v.name,
            "value": shown(v, loaded),
            "origin": origin(v),
            "declared": v.declared.is_some(),
            "sensitive": v.sensitive,
            "required": matches!(v.origin, Origin::Missing),
        })
    };
    json!({
        "description": document.description.as_ref().map(|d| &d.value),
        "variables": loaded.evaluation.variables.values().map(variable).collect::<Vec<_>>(),
        "builders": document.builders.iter().map(block).collect::<Vec<_>>(),
        "provisioners": document.provisioners.iter().map(block).collect::<Vec<_>>(),
        "post_processors":
            document.post_processors.iter().map(|c| c.iter().map(block).collect::<Vec<_>>()).collect::<Vec<_>>(),
    })
}
