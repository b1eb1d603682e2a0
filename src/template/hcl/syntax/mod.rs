//! HCL's text: tokens, and a tree in which every part knows its place.
//!
//! A file with a mistake is read on: after a mistake in one attribute or block comes the next one, and where a brace or a
//! quote is missing, a line that begins a block of the top level ends what is open before it. No text makes this hang or panic.
//!
//! Not here: what blocks and attributes mean, and any value (`eval`).

pub mod ast;
mod expression;
mod lexer;
mod literal;
mod parser;
mod template;
#[cfg(test)]
mod tests;
pub mod token;

use self::ast::{Body, Expression, Part};
use self::parser::Parser;
use self::token::Token;
use crate::text::{Diagnostic, Source, SourceId, Span};

/// Reads a whole file. What cannot be read is reported and left out.
pub fn parse(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Body {
    let mut found = Vec::new();
    let body = Parser::new(&source.text, source.id, false, &mut found).file();
    if found.is_empty() {
        return body;
    }
    // Something is open that should not be, perhaps: blocks that begin at the start of a line then end it.
    let mut again = Vec::new();
    let divided = Parser::new(&source.text, source.id, true, &mut again).file();
    let (body, found) = if again.len() <= found.len() { (divided, again) } else { (body, found) };
    diagnostics.extend(found);
    body
}

/// Reads one expression, with nothing but blanks around it.
pub fn parse_expression(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Expression> {
    Parser::new(&source.text, source.id, false, diagnostics).lone_expression()
}

/// Reads the text of a template, as it would stand between quotes, but without escapes.
pub fn parse_template(source: &Source, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Part>> {
    Parser::of_template(&source.text, source.id, None, diagnostics).lone_template()
}

/// As [`parse_template`], of a text that stands, perhaps with escapes, at one place of another one.
pub fn parse_template_at(text: &str, place: Span, diagnostics: &mut Vec<Diagnostic>) -> Option<Vec<Part>> {
    Parser::of_template(text, place.source, Some(place), diagnostics).lone_template()
}

/// As [`parse_expression`], of a text that stands at one place of another one.
pub fn parse_expression_at(text: &str, place: Span, diagnostics: &mut Vec<Diagnostic>) -> Option<Expression> {
    Parser::new(text, place.source, false, diagnostics).fixed(place).lone_expression()
}

/// The tokens of a text, comments among them; what is wrong with them is reported.
pub fn tokens(text: &str, source: SourceId, diagnostics: &mut Vec<Diagnostic>) -> Vec<Token> {
    lexer::lex(text, source, false, diagnostics).tokens
}
