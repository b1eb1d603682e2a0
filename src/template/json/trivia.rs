//! What stands between values: white space and comments.

use super::parser::Parser;
use crate::text::Diagnostic;
use crate::text::code::json as code;

pub(super) const BOM: char = '\u{feff}';

impl Parser<'_> {
    /// Steps over white space and comments. Comments on neighbouring lines are one warning.
    pub fn trivia(&mut self) {
        let mut block: Option<(usize, usize)> = None;
        loop {
            let blanks = self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
            let lines = self.rest()[..blanks].matches('\n').count();
            self.pos += blanks;
            let start = self.pos;
            let Some(length) = comment_length(self.rest()) else { break };
            if lines > 1
                && let Some((start, end)) = block.take()
            {
                self.comment(start, end);
            }
            self.pos += length;
            block = Some((block.map_or(start, |b| b.0), self.pos));
            if self.text[start..].starts_with("/*") && !(length >= 4 && self.text[start..self.pos].ends_with("*/")) {
                self.error(code::SYNTAX, start, start + 2, "this comment is never closed with `*/`");
                return;
            }
        }
        if let Some((start, end)) = block {
            self.comment(start, end);
        }
    }

    fn comment(&mut self, start: usize, end: usize) {
        let span = self.span(start, end);
        self.report(
            Diagnostic::warning(code::COMMENT, span, "Packer refuses comments in JSON")
                .help("for Packer's sake remove it, or write it as the value of a root key that begins with `_`"),
        );
    }
}

/// Length in bytes of the comment with which `text` begins, without its line end.
pub(super) fn comment_length(text: &str) -> Option<usize> {
    if text.starts_with('#') || text.starts_with("//") {
        let line = &text[..text.find('\n').unwrap_or(text.len())];
        return Some(line.trim_end_matches('\r').len());
    }
    let inner = text.strip_prefix("/*")?;
    Some(inner.find("*/").map_or(text.len(), |end| end + 4))
}
