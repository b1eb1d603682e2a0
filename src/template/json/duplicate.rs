//! Keys that stand twice in one object.

use std::collections::HashMap;

use super::parser::Parser;
use crate::template::tree::Entry;
use crate::text::code::json as code;
use crate::text::{Diagnostic, Span};

impl Parser<'_> {
    /// Packer refuses a template with a duplicate key at any depth, without saying where.
    pub fn report_duplicates(&mut self, entries: &[Entry]) {
        let mut first: HashMap<&str, Span> = HashMap::with_capacity(entries.len());
        for entry in entries {
            match first.get(entry.key.value.as_str()) {
                Some(&earlier) => self.report(
                    Diagnostic::error(
                        code::DUPLICATE_KEY,
                        entry.key.span,
                        format!("the key `{}` stands twice in one object", entry.key.value.escape_debug()),
                    )
                    .label("again here")
                    .related(earlier, "first here")
                    .help("remove or rename one of the two"),
                ),
                None => {
                    first.insert(&entry.key.value, entry.key.span);
                }
            }
        }
    }
}
