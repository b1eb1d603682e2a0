//! The smallest parts of an HCL text.

use crate::text::{SourceId, Span};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    OpenBrace,
    CloseBrace,
    OpenBracket,
    CloseBracket,
    OpenParen,
    CloseParen,
    /// The quotes around a string.
    OpenQuote,
    CloseQuote,
    /// `<<EOT` with its line end.
    OpenHeredoc,
    /// The closing marker with the blanks before it.
    CloseHeredoc,
    /// Text between quotes, escapes as written.
    QuotedText,
    /// Text of a here-document: at most one line, with its line end.
    HeredocText,
    /// `${` or `${~`.
    Interpolation,
    /// `%{` or `%{~`.
    Directive,
    /// `}` or `~}` of the two above.
    SequenceEnd,
    Identifier,
    Number,
    Star,
    Slash,
    Plus,
    Minus,
    Percent,
    Assign,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Not,
    Dot,
    Comma,
    Ellipsis,
    FatArrow,
    Question,
    Colon,
    DoubleColon,
    /// `#`, `//` to the end of the line without that, or `/* */`.
    Comment,
    Newline,
    /// What no HCL text has.
    Invalid,
    End,
}

/// A token and where it stands, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    pub start: u32,
    pub end: u32,
}

impl Token {
    #[must_use]
    pub fn span(self, source: SourceId) -> Span {
        Span { source, start: self.start, end: self.end }
    }

    #[must_use]
    pub fn text(self, text: &str) -> &str {
        text.get(self.start as usize..self.end as usize).unwrap_or("")
    }
}
