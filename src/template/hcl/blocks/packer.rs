//! `packer { … }`: which version, which plug-ins.

use super::super::eval::Scope;
use super::super::syntax::ast::{Block, ExpressionKind};
use super::super::value::Value;
use super::body::Reader;
use super::read::{Template, known_attributes, labelled};
use crate::template::document::version::satisfies;
use crate::template::inputs::PACKER_VERSION;
use crate::text::code::hcl_block as code;
use crate::text::{Diagnostic, Span};

/// Plug-ins whose components kiln has built in, or whose components it names itself where they are not built.
const BUILT_IN: [&str; 1] = ["amazon"];

pub(super) fn check(template: &Template, reader: &mut Reader<'_>) {
    for block in &template.packer {
        known_attributes(block, &["required_version"], &["required_plugins"], reader.diagnostics);
        if let Some(attribute) = block.body.attribute("required_version") {
            let value = reader.value(&attribute.expression, &Scope::new());
            version(&value, attribute.expression.span, reader);
        }
        for plugins in block.body.blocks_of("required_plugins") {
            if labelled(plugins, &[], reader.diagnostics) {
                required_plugins(plugins, reader);
            }
        }
    }
}

fn version(value: &Value, span: Span, reader: &mut Reader<'_>) {
    let Some(text) = value.as_str() else {
        if value.is_known() {
            let message = "`required_version` is a text, such as `\">= 1.9.0\"`";
            reader.diagnostics.push(Diagnostic::error(code::VERSION, span, message));
        }
        return;
    };
    match satisfies(PACKER_VERSION, text) {
        Some(true) => {}
        Some(false) => {
            let message = format!("this template wants Packer {text}, and kiln does what {PACKER_VERSION} does");
            let diagnostic = Diagnostic::error(code::VERSION, span, message);
            reader.diagnostics.push(diagnostic.help("change the constraint, if the template needs nothing newer"));
        }
        None => {
            let message = format!("`{}` is no version constraint", text.escape_debug());
            let help = "write an operator and a version, such as `>= 1.9.0`, or several with commas";
            reader.diagnostics.push(Diagnostic::error(code::VERSION, span, message).help(help));
        }
    }
}

fn required_plugins(block: &Block, reader: &mut Reader<'_>) {
    for attribute in &block.body.attributes {
        let (name, span) = (&attribute.name, attribute.expression.span);
        if !matches!(attribute.expression.kind, ExpressionKind::Object(_)) {
            let message = format!("the plug-in `{}` is required without a `source`", name.text);
            let help = "write `{ version = \">= 1.0.0\", source = \"github.com/organisation/name\" }`";
            reader.diagnostics.push(Diagnostic::error(code::PLUGIN, span, message).help(help));
            continue;
        }
        let value = reader.value(&attribute.expression, &Scope::new());
        let get = |key: &str| value.attributes().and_then(|a| a.get(key)).and_then(|v| v.as_str().map(str::to_owned));
        if let Some(version) = get("version")
            && satisfies(PACKER_VERSION, &version).is_none()
        {
            let message = format!("`{}` is no version constraint", version.escape_debug());
            reader
                .diagnostics
                .push(Diagnostic::error(code::VERSION, span, message).help("write one such as `>= 1.0.0`"));
        } else if get("version").is_none() {
            let message = format!("the plug-in `{}` is required without a `version`", name.text);
            reader
                .diagnostics
                .push(Diagnostic::error(code::PLUGIN, span, message).help("add `version = \">= 1.0.0\"`"));
        }
        let Some(source) = get("source") else {
            let message = format!("the plug-in `{}` is required without a `source`", name.text);
            let help = "add `source = \"github.com/organisation/name\"`";
            reader.diagnostics.push(Diagnostic::error(code::PLUGIN, span, message).help(help));
            continue;
        };
        let plugin = source.rsplit('/').next().unwrap_or_default();
        if source.split('/').count() < 3 {
            let message = format!("`{}` is no source of a plug-in", source.escape_debug());
            let help = "write host, organisation and name: `github.com/hashicorp/amazon`";
            reader.diagnostics.push(Diagnostic::error(code::PLUGIN, span, message).help(help));
        } else if !BUILT_IN.contains(&plugin) || !source.starts_with("github.com/hashicorp/") {
            let message = format!("kiln has no plug-ins, and does not build what `{source}` is for");
            let help = "what kiln builds is built in; components of this plug-in are named where they stand";
            reader.diagnostics.push(Diagnostic::warning(code::PLUGIN, name.span, message).help(help));
        }
    }
}
