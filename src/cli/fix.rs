//! `kiln fix`: an old JSON template brought up to date, on standard output.

use std::io::{Read, Write};

use super::report::diagnostic::Hidden;
use super::report::print;
use crate::plan::is_hcl;
use crate::run::Secrets;
use crate::template::{fix, json};
use crate::text::{Diagnostic, Sources};

#[derive(Clone, Debug, clap::Args)]
pub struct FixArgs {
    /// Check that the result can be read
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true,
          hide_possible_values = true, action = clap::ArgAction::Set)]
    pub validate: bool,
    /// The template, or `-` for standard input
    #[arg(value_name = "TEMPLATE")]
    pub template: String,
}

/// Writes the text, and to standard error what was changed. Gives the exit status: 0, or 2 when it cannot be read as JSON.
#[must_use]
pub fn run(args: &FixArgs) -> u8 {
    match fixed(args) {
        Ok((text, said)) => {
            // Nobody is told when a stream is closed.
            let _ = std::io::stderr().write_all(said.as_bytes());
            let _ = std::io::stdout().write_all(text.as_bytes());
            0
        }
        Err(why) => {
            if let Some(why) = why {
                let _ = writeln!(std::io::stderr(), "kiln: {why}");
            }
            2
        }
    }
}

/// The new text and what to say about it; an error without words has been told.
fn fixed(args: &FixArgs) -> Result<(String, String), Option<String>> {
    let path = args.template.as_str();
    if is_hcl(path) || std::path::Path::new(path).is_dir() {
        let why = "`fix` is for JSON templates; in HCL2 `kiln validate` names every old key with what to write";
        return Err(Some(why.into()));
    }
    let fail = |e: std::io::Error| Some(format!("cannot read `{path}`: {e}"));
    let mut bytes = Vec::new();
    if path == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes).map_err(fail)?;
    } else {
        bytes = std::fs::read(path).map_err(fail)?;
    }
    let text = String::from_utf8(bytes).map_err(|_| Some(format!("`{path}` is no UTF-8 text")))?;
    let mut sources = Sources::default();
    let id = sources.add(if path == "-" { "<stdin>" } else { path }, text.as_str());
    let mut found = Vec::new();
    let root = sources.get(id).and_then(|source| json::parse(source, &mut found));
    let errors: Vec<_> = found.into_iter().filter(Diagnostic::is_error).collect();
    let (Some(source), Some(root), true) = (sources.get(id), root, errors.is_empty()) else {
        print(&errors, &sources, Hidden { secrets: &Secrets::default(), places: &[] }, false);
        return Err(None);
    };
    let rewrites = fix::rewrites(source, &root);
    let said = rewrites.iter().map(|r| format!("line {}: {}\n", source.position(r.span.start as usize).line, r.what));
    let said: String = said.collect();
    let new = fix::apply(&text, &rewrites);
    if args.validate {
        let id = sources.add("the result", new.as_str());
        let mut found = Vec::new();
        sources.get(id).and_then(|source| json::parse(source, &mut found));
        if found.iter().any(Diagnostic::is_error) {
            return Err(Some("the result cannot be read; `-validate=false` shows it".into()));
        }
    }
    Ok((new, said))
}
