//! The forms in which a script may print a value.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// Every form of a secret, and of each of its lines.
pub(super) fn of(secret: &str) -> Vec<Vec<u8>> {
    let unix = secret.replace("\r\n", "\n");
    let dos = unix.replace('\n', "\r\n");
    let mut values: Vec<&str> = vec![secret, &unix, &dos, secret.trim_end()];
    if unix.trim_end().contains('\n') {
        values.extend(unix.lines().map(str::trim).filter(|line| super::can_hide(line)));
    }
    values.sort_unstable();
    values.dedup();
    values.into_iter().flat_map(forms).collect()
}

fn forms(value: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![
        value.to_owned(),
        // Shells: single quotes, double quotes, backslashes (`printf %q`).
        value.replace('\'', r#"'"'"'"#),
        value.replace('\'', r"'\''"),
        escape(value, '\\', |c| matches!(c, '$' | '`' | '"' | '\\')),
        escape(value, '\\', |c| {
            !c.is_alphanumeric() && !matches!(c, '_' | '.' | '/' | '-' | ',' | ':' | '@' | '%' | '+' | '=')
        }),
        // PowerShell: double quotes and single quotes.
        escape(value, '`', |c| matches!(c, '$' | '`' | '"')),
        value.replace('\'', "''"),
        json(value, false),
        json(value, true),
        json(value, false).replace('/', r"\/"),
        // A JSON text inside a JSON text.
        json(&json(value, false), false),
    ];
    for upper in [true, false] {
        for keep in ["", "/", "/:@!$&'()*+,;="] {
            let url = url(value, upper, keep);
            forms.push(url.replace("%20", "+"));
            forms.push(url);
        }
    }
    let mut forms: Vec<Vec<u8>> = forms.into_iter().map(String::into_bytes).collect();
    for alphabet in [&alphabet::STANDARD, &alphabet::URL_SAFE] {
        forms.extend((0..3).map(|offset| base64_at(value.as_bytes(), offset, alphabet)));
    }
    forms.sort_unstable();
    forms.dedup();
    forms
}

fn escape(value: &str, with: char, what: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if what(c) {
            text.push(with);
        }
        text.push(c);
    }
    text
}

/// The inside of a JSON string; `html`: as Go writes it, without `<`, `>` and `&`.
fn json(value: &str, html: bool) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if html {
        return inside.replace('<', r"\u003c").replace('>', r"\u003e").replace('&', r"\u0026");
    }
    inside.to_owned()
}

fn url(value: &str, upper: bool, keep: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) || keep.as_bytes().contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = if upper { write!(text, "%{byte:02X}") } else { write!(text, "%{byte:02x}") };
        }
    }
    text
}

/// The characters that are the same wherever the value stands `offset` bytes after a multiple of three.
fn base64_at(value: &[u8], offset: usize, alphabet: &alphabet::Alphabet) -> Vec<u8> {
    let mut padded = vec![0; offset];
    padded.extend_from_slice(value);
    let encoded = GeneralPurpose::new(alphabet, NO_PAD).encode(&padded);
    let first = (offset * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    encoded.get(first..end).unwrap_or_default().as_bytes().to_vec()
}
