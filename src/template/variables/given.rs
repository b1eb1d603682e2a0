//! What the command line gives: var-files in order, then `-var`s.

use indexmap::IndexMap;

use super::Origin;
use crate::template::inputs::Inputs;
use crate::template::json;
use crate::template::tree::{Text, Tree};
use crate::text::code::variable as code;
use crate::text::{Diagnostic, Sources, Span};

/// A value that was given for a variable.
pub(super) struct Given {
    /// Where it is named.
    pub name: Span,
    pub value: Text,
    pub origin: Origin,
}

/// What was given for the variables.
#[derive(Default)]
pub(super) struct AllGiven {
    /// The last value for each name.
    pub last: IndexMap<String, Given>,
    /// Where any value is written for a name, also one that is no text or that a later one overrides.
    pub written: Vec<(String, Span)>,
}

/// Reads the var-files, then the arguments.
pub(super) fn all(inputs: &Inputs, sources: &mut Sources, diagnostics: &mut Vec<Diagnostic>) -> AllGiven {
    let mut given = AllGiven::default();
    for (path, text) in &inputs.var_files {
        let id = sources.add(path.as_str(), text.as_str());
        let whole = Span::new(id, 0, text.len());
        if path.to_ascii_lowercase().ends_with(".hcl") {
            let found = Diagnostic::error(
                code::VAR_FILE_HCL,
                Span::new(id, 0, 0),
                format!("`{path}` is a var-file in HCL, which a JSON template does not take"),
            );
            diagnostics.push(found.help("write the values as a flat JSON object, in a file that ends in `.json`"));
            continue;
        }
        let Some(source) = sources.get(id) else { continue };
        let before = diagnostics.len();
        let Some(root) = json::parse(source, diagnostics) else {
            if diagnostics.len() == before {
                diagnostics.push(Diagnostic::error(code::VAR_FILE, whole, format!("var-file `{path}` is empty")));
            }
            continue;
        };
        match &root.tree {
            Tree::Object(entries) => {
                for entry in entries {
                    let name = &entry.key.value;
                    given.written.push((name.clone(), entry.value.span));
                    let Tree::String(value) = &entry.value.tree else {
                        if entry.value.tree != Tree::Broken {
                            diagnostics.push(mistyped(
                                name,
                                entry.value.span,
                                entry.value.described(),
                                &entry.value.tree,
                            ));
                        }
                        continue;
                    };
                    let origin = Origin::VarFile(path.clone());
                    given.last.insert(name.clone(), Given { name: entry.key.span, value: value.clone(), origin });
                }
            }
            Tree::Broken => {}
            _ => {
                let message = format!("a var-file is an object of variables, and this is {}", root.described());
                diagnostics.push(
                    Diagnostic::error(code::VAR_FILE, root.span, message)
                        .help("write `{ \"name\": \"value\" }`")
                        .secret(),
                );
            }
        }
    }
    for (name, value) in &inputs.vars {
        let id = sources.add(format!("-var {name}"), value.as_str());
        let value = Text::plain(value, id, 0);
        given.written.push((name.clone(), value.span));
        given.last.insert(name.clone(), Given { name: value.span, value, origin: Origin::Argument });
    }
    given
}

/// The value itself is not repeated: it may be a secret.
fn mistyped(name: &str, place: Span, described: &str, tree: &Tree) -> Diagnostic {
    let help = match tree {
        Tree::Number(_) | Tree::Bool(_) => "put it in quotes",
        Tree::Null => "leave the variable out, or give it a text",
        _ => "write it as one text",
    };
    Diagnostic::error(code::VAR_FILE, place, format!("variable `{name}` must be a string and is {described}"))
        .help(help)
        .secret()
}
