//! The text of a template's token, decoded: escapes in quotes, doubled `$${` and `%%{` everywhere.

use super::ast::Literal;
use crate::text::code::hcl_syntax as code;
use crate::text::{Diagnostic, Span};

/// Decodes `written`, which stands at `span`.
pub(super) fn decode(written: &str, span: Span, escapes: bool, diagnostics: &mut Vec<Diagnostic>) -> Literal {
    let mut literal = Literal { value: String::with_capacity(written.len()), span, runs: vec![(0, span.start)] };
    let mut rest = written;
    let at = |rest: &str| written.len() - rest.len();
    while let Some(c) = rest.chars().next() {
        if (c == '$' || c == '%') && rest[1..].starts_with(c) && rest[2..].starts_with('{') {
            literal.value.push(c);
            literal.value.push('{');
            rest = &rest[3..];
            run(&mut literal, span, at(rest));
        } else if c == '\\' && escapes {
            let (decoded, length) = match escape(rest) {
                Ok(found) => found,
                Err(length) => {
                    let start = span.range().start + at(rest);
                    diagnostics.push(wrong(&rest[..length], Span::new(span.source, start, start + length)));
                    ('\u{fffd}', length)
                }
            };
            literal.value.push(decoded);
            rest = &rest[length..];
            run(&mut literal, span, at(rest));
        } else {
            literal.value.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    literal
}

fn run(literal: &mut Literal, span: Span, at: usize) {
    let clamp = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    literal.runs.push((clamp(literal.value.len()), span.start.saturating_add(clamp(at))));
}

/// The character of an escape and the length of what was written, or that length alone where it is none.
fn escape(text: &str) -> Result<(char, usize), usize> {
    let Some(letter) = text[1..].chars().next() else { return Err(1) };
    let simple = match letter {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '"' => '"',
        '\\' => '\\',
        'u' | 'U' => {
            let digits = if letter == 'u' { 4 } else { 8 };
            let length = text[2..].bytes().take(digits).take_while(u8::is_ascii_hexdigit).count();
            let found = (length == digits).then(|| u32::from_str_radix(&text[2..2 + digits], 16).ok()).flatten();
            return found.and_then(char::from_u32).map(|c| (c, 2 + digits)).ok_or(2 + length);
        }
        other => return Err(1 + other.len_utf8()),
    };
    Ok((simple, 2))
}

fn wrong(written: &str, span: Span) -> Diagnostic {
    let diagnostic = Diagnostic::error(
        code::ESCAPE,
        span,
        format!("`{}` is no escape of HCL", written.escape_debug().to_string().replace("\\\\", "\\")),
    );
    match written.as_bytes().get(1) {
        Some(b'$' | b'%') => {
            let doubled = &written[1..];
            let help = format!("to write `{doubled}{{` itself, double it: `{doubled}{doubled}{{`");
            diagnostic.help(help).fix("Double it", span, format!("{doubled}{doubled}"))
        }
        Some(b'u' | b'U') => diagnostic.help("write `\\u` and four hexadecimal digits, or `\\U` and eight"),
        _ => diagnostic
            .help("for a backslash write `\\\\`; HCL knows `\\n`, `\\r`, `\\t`, `\\\"`, `\\\\`, `\\u…` and `\\U…`")
            .fix("Double the backslash", span, format!("\\{written}")),
    }
}
