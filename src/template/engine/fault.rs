//! What is wrong in a template text, with its place as a range of that text.

use std::ops::Range;

use super::super::tree::Text;
use crate::text::{Code, Diagnostic};

/// A mistake or a warning. The range lies in the text that was rendered, on character boundaries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub code: Code,
    pub warning: bool,
    pub range: Range<usize>,
    pub message: String,
    pub help: Option<String>,
    /// What to do, where, and the text to put there.
    pub fix: Option<(String, Range<usize>, String)>,
}

impl Fault {
    pub fn new(code: Code, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { code, warning: false, range, message: message.into(), help: None, fix: None }
    }

    pub fn warning(code: Code, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { warning: true, ..Self::new(code, range, message) }
    }

    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Replaces what stands at the range by the name that was probably meant.
    pub fn suggest(mut self, range: Range<usize>, name: Option<&str>) -> Self {
        if let Some(name) = name {
            self.help = Some(format!("did you mean `{name}`?"));
            self.fix = Some((format!("Change to `{name}`"), range, name.to_owned()));
        }
        self
    }

    /// The diagnostic, with its place in the source of the text.
    pub fn into_diagnostic(self, text: &Text) -> Diagnostic {
        let span = text.place(self.range);
        let made = if self.warning {
            Diagnostic::warning(self.code, span, self.message)
        } else {
            Diagnostic::error(self.code, span, self.message)
        };
        let mut made = Diagnostic { help: self.help, ..made };
        if let Some((title, range, replacement)) = self.fix {
            made = made.fix(title, text.place(range), replacement);
        }
        made
    }
}
