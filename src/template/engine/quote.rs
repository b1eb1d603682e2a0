//! Go's string literals, read and written.

use std::fmt::Write as _;

/// The text of an interpreted literal's inside (between the quotes `quote`), or the offset in it that is wrong.
///
/// `\x` and octal escapes are bytes; bytes that form no UTF-8 become U+FFFD, since a JSON string could not hold them.
pub(super) fn unquote(inside: &str, quote: char) -> Result<String, usize> {
    let mut bytes = Vec::with_capacity(inside.len());
    let mut chars = inside.char_indices();
    while let Some((at, c)) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let Some((_, escape)) = chars.next() else { return Err(at) };
        let mut digits = |count: usize, radix: u32, first: u32| {
            let mut value = first;
            for _ in 0..count {
                value = value * radix + chars.next().and_then(|(_, c)| c.to_digit(radix)).ok_or(at)?;
            }
            Ok::<u32, usize>(value)
        };
        let byte = match escape {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            c if c == quote => u8::try_from(c).map_err(|_| at)?,
            'x' => u8::try_from(digits(2, 16, 0)?).map_err(|_| at)?,
            '0'..='7' => u8::try_from(digits(2, 8, escape.to_digit(8).unwrap_or(0))?).map_err(|_| at)?,
            'u' | 'U' => {
                let code = if escape == 'u' { digits(4, 16, 0)? } else { unicode(&mut chars).ok_or(at)? };
                let c = char::from_u32(code).ok_or(at)?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            _ => return Err(at),
        };
        bytes.push(byte);
    }
    Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// Eight hexadecimal digits.
fn unicode(chars: &mut std::str::CharIndices<'_>) -> Option<u32> {
    let mut value = 0_u32;
    for _ in 0..8 {
        let (_, c) = chars.next()?;
        value = value.checked_mul(16)?.checked_add(c.to_digit(16)?)?;
    }
    Some(value)
}

/// A literal in quotes that reads back as `text`, as Go's `strconv.Quote` writes it; `ascii` escapes all else.
pub(in crate::template) fn quote(text: &str, quote: char, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        escape_into(&mut out, c, quote, ascii);
    }
    out.push(quote);
    out
}

fn escape_into(out: &mut String, c: char, quote: char, ascii: bool) {
    match c {
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        '\\' => out.push_str("\\\\"),
        c if c == quote => {
            out.push('\\');
            out.push(c);
        }
        c if is_printable(c) && (c.is_ascii() || !ascii) => out.push(c),
        c => {
            let code = c as u32;
            let _ = match code {
                0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
                0x80..0x1_0000 => write!(out, "\\u{code:04x}"),
                _ => write!(out, "\\U{code:08x}"),
            };
        }
    }
}

/// Whether Go prints the character as it is: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(super) fn is_printable(c: char) -> bool {
    let invisible = matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..='\u{fffb}' | '\u{f0000}'..);
    c == ' ' || !(c.is_control() || c.is_whitespace() || invisible)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_read_as_go_reads_them() {
        assert_eq!(unquote(r#"a\tb\n\"\\\x41\101\u00e9\U0001F600"#, '"'), Ok("a\tb\n\"\\AAé😀".into()));
        assert_eq!(unquote(r"\xc3\xa9", '"'), Ok("é".into()), "bytes join to one character");
        assert_eq!(unquote(r"\xff", '"'), Ok("\u{fffd}".into()));
        assert_eq!(unquote(r"ab\q", '"'), Err(2));
        assert_eq!(unquote(r"\'", '"'), Err(0), "only the own quote can be escaped");
        assert_eq!(unquote(r"\400", '"'), Err(0));
        assert_eq!(unquote(r"\UFFFFFFFF", '"'), Err(0));
        assert_eq!(unquote("\\", '"'), Err(0));
    }

    #[test]
    fn a_quoted_text_reads_back() {
        for text in ["", "plain", "q\"uo`te\\", "\u{7}\u{1}\u{7f}", "é\u{a0}\u{200b}😀\u{feff}\u{10ffff}"] {
            let quoted = quote(text, '"', false);
            assert_eq!(unquote(&quoted[1..quoted.len() - 1], '"').as_deref(), Ok(text), "{quoted}");
        }
        assert_eq!(quote("é\u{a0}\u{1}\"", '"', false), "\"é\\u00a0\\x01\\\"\"");
        assert_eq!(quote("é😀", '"', true), "\"\\u00e9\\U0001f600\"");
    }
}
