//! The reader's state, and what stands at the top of a text.

use super::balance::Lookahead;
use super::trivia::BOM;
use crate::template::tree::{Node, Tree};
use crate::text::code::json as code;
use crate::text::{Code, Diagnostic, Source, SourceId, Span};

/// More mistakes than this say only that the text is no JSON at all.
const MAX_ERRORS: usize = 100;

/// An object or array that is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// `{` or `[`.
    pub bracket: char,
    pub at: usize,
}

impl Open {
    pub fn closer(self) -> char {
        if self.bracket == '{' { '}' } else { ']' }
    }

    pub fn noun(self) -> &'static str {
        if self.bracket == '{' { "object" } else { "array" }
    }
}

pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub pos: usize,
    pub open: Vec<Open>,
    /// A mistake has just been reported of which a missing comma would be only the echo.
    pub forgiven: bool,
    /// That the text ends too early has been reported.
    pub end_reported: bool,
    /// The first pair of brackets whose lines are not indented alike: a hint at where one is missing.
    pub askew: Option<(usize, usize)>,
    pub lookahead: Lookahead,
    source: SourceId,
    diagnostics: Vec<Diagnostic>,
    errors: usize,
}

impl<'a> Parser<'a> {
    pub fn new(source: &'a Source) -> Self {
        Self {
            text: &source.text,
            pos: 0,
            open: Vec::new(),
            forgiven: false,
            end_reported: false,
            askew: None,
            lookahead: Lookahead::default(),
            source: source.id,
            diagnostics: Vec::new(),
            errors: 0,
        }
    }

    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        self.diagnostics
    }

    pub fn document(&mut self) -> Option<Node> {
        self.byte_order_mark();
        self.trivia();
        let start = self.pos;
        let Some(first) = self.peek() else {
            let span = self.span(self.text.len(), self.text.len());
            self.report(
                Diagnostic::error(code::EMPTY, span, "the text is empty")
                    .help("write a JSON object, such as `{ \"builders\": [] }`"),
            );
            return None;
        };
        if self.looks_like_hcl() {
            let end = start + self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
            self.report(
                Diagnostic::error(code::HCL, self.span(start, end), "this is HCL, not JSON")
                    .help("a template in HCL has a name that ends in `.pkr.hcl`"),
            );
            return None;
        }
        let mut root = if first == '"' && self.string_is_key() { self.unbraced() } else { self.value() };
        self.after_root(&mut root);
        Some(root)
    }

    /// Members of an object whose `{` is missing at the very beginning.
    fn unbraced(&mut self) -> Node {
        let start = self.pos;
        self.report(
            Diagnostic::error(code::WRONG_BRACKET, self.span(start, start), "the text does not begin with `{`")
                .label("`{` is missing here")
                .fix("Insert `{`", self.span(start, start), "{"),
        );
        self.end_reported = true;
        self.open.push(Open { bracket: '{', at: start });
        let mut entries = Vec::new();
        self.members(&mut entries, '}');
        self.open.pop();
        self.report_duplicates(&entries);
        Node { tree: Tree::Object(entries), span: self.span(start, self.pos) }
    }

    /// What follows the value. An object that was closed too early is read on, so that no mistake in its rest is hidden.
    fn after_root(&mut self, root: &mut Node) {
        self.trivia();
        if self.pos >= self.text.len() {
            return;
        }
        let (start, end) = (self.pos, root.span.range().end);
        if let Tree::Object(entries) = &mut root.tree
            && matches!(self.peek(), Some(',' | '"'))
        {
            let last = self.span(end.saturating_sub(1), end);
            self.report(
                Diagnostic::error(code::DATA_AFTER_END, self.span(start, start + 1), "the object has already ended")
                    .label("this is behind its end")
                    .related(last, "it ends here: is this `}` one too many?"),
            );
            if self.peek() == Some(',') {
                self.pos += 1;
            }
            self.end_reported = true;
            self.open.push(Open { bracket: '{', at: root.span.range().start });
            self.members(entries, '}');
            self.open.pop();
            root.span = root.span.to(self.span(start, self.pos));
            let entries = std::mem::take(entries);
            self.report_duplicates(&entries);
            root.tree = Tree::Object(entries);
            self.trivia();
        }
        if self.pos < self.text.len() && !self.end_reported {
            let start = self.pos;
            let c = self.peek().unwrap_or(' ');
            let span = self.span(start, start + c.len_utf8());
            let diagnostic = if matches!(c, '}' | ']') {
                Diagnostic::error(code::DATA_AFTER_END, span, format!("`{c}` closes nothing"))
                    .label("one too many")
                    .fix(format!("Remove `{c}`"), span, "")
            } else {
                Diagnostic::error(code::DATA_AFTER_END, span, "there is text behind the end of the value")
                    .label("not read from here on")
                    .help("a template is one JSON object; remove what follows it")
            };
            self.report(diagnostic);
        }
        self.pos = self.text.len();
    }

    fn looks_like_hcl(&self) -> bool {
        let rest = self.rest();
        let word = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let (word, after) = rest.split_at(word);
        let after = after.trim_start_matches([' ', '\t']);
        matches!(word, "packer" | "source" | "variable" | "variables" | "build" | "locals" | "local" | "data")
            && after.starts_with(['{', '"'])
    }

    fn byte_order_mark(&mut self) {
        if self.text.starts_with(BOM) {
            self.pos = BOM.len_utf8();
            let span = self.span(0, self.pos);
            self.report(
                Diagnostic::warning(
                    code::BYTE_ORDER_MARK,
                    span,
                    "the text begins with a byte order mark, which Packer refuses",
                )
                .help("save the file as UTF-8 without a byte order mark")
                .fix("Remove the byte order mark", span, ""),
            );
        }
    }

    // ---- small things used by every part of the reader ----

    pub fn rest(&self) -> &'a str {
        // invariant: `pos` only ever moves by whole characters, and never past the end.
        &self.text[self.pos..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    pub fn report(&mut self, diagnostic: Diagnostic) {
        if diagnostic.is_error() {
            self.errors += 1;
            if self.errors == MAX_ERRORS {
                let more = Diagnostic::error(code::SYNTAX, diagnostic.span, "too many mistakes to list them all")
                    .help("mend the first ones, or check that the file is JSON at all");
                self.diagnostics.push(more);
            }
        }
        if self.errors < MAX_ERRORS {
            self.diagnostics.push(diagnostic);
        }
    }

    pub fn error(&mut self, code: Code, start: usize, end: usize, message: impl Into<String>) {
        let span = self.span(start, end);
        self.report(Diagnostic::error(code, span, message));
    }

    /// Steps over something that has no place here, as one mistake.
    pub fn stray(&mut self) {
        let start = self.pos;
        let Some(first) = self.peek() else { return };
        self.pos += first.len_utf8();
        if !matches!(first, ',' | ':' | '{' | '}' | '[' | ']') {
            let more = self.rest().find(|c: char| c.is_whitespace() || ",:{}[]\"".contains(c));
            self.pos += more.unwrap_or(self.rest().len());
        }
        let shown: String = self.text[start..self.pos].chars().take(20).flat_map(char::escape_debug).collect();
        self.error(code::SYNTAX, start, self.pos, format!("`{shown}` has no place here"));
    }
}
