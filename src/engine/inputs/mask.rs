//! Takes the values of sensitive variables out of a template's or var-file's text by their names.
//!
//! The redactor knows only the values that count in the end; a default, or what another file or argument overrides, is no
//! less of a secret, and a value too short to be hidden everywhere can be hidden here.

use std::collections::BTreeSet;

use crate::engine::redact::MASK;

/// The text with a mask for each value that stands behind one of these keys. Expressions (`{{…}}`), objects and lists stay.
/// It goes by the look of the text, so that what is no clean JSON is masked too.
pub(super) fn values(text: &str, names: &BTreeSet<&str>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('"') {
        let (before, from) = rest.split_at(at);
        let (key, after) = from.split_at(string_length(from));
        out.push_str(before);
        out.push_str(key);
        rest = after;
        if !names.contains(key.trim_matches('"')) {
            continue;
        }
        let Some(value) = after.trim_start().strip_prefix(':').map(str::trim_start) else { continue };
        let length = match value.chars().next() {
            Some('"') => string_length(value),
            Some('{' | '[') | None => 0,
            Some(_) => value.find([',', '}', ']', '\n']).unwrap_or(value.len()),
        };
        let (secret, behind) = value.split_at(length);
        let secret = secret.trim_end();
        if secret.is_empty() || secret == "null" || secret.contains("{{") {
            continue;
        }
        out.push_str(&after[..after.len() - value.len()]);
        out.push('"');
        out.push_str(MASK);
        out.push('"');
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// Bytes of the string that the text begins with, quotes included; one without an end goes to the end of the line.
fn string_length(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            '"' => return at + 1,
            '\n' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        values(text, &["pin", "key"].into())
    }

    #[test]
    fn a_value_is_masked_whatever_its_form() {
        let before = r#"{"pin": "1\"2", "key" : 123 , "other": "1\"2", "list": ["key", "pin"]}"#;
        let after = r#"{"pin": "<sensitive>", "key" : "<sensitive>", "other": "1\"2", "list": ["key", "pin"]}"#;
        assert_eq!(masked(before), after);
    }

    #[test]
    fn expressions_and_what_has_parts_stay() {
        let text = r#"{"pin": "{{env `PIN`}}", "key": {"pin": null, "x": "y"}}"#;
        assert_eq!(masked(text), text);
    }

    #[test]
    fn a_torn_or_commented_text_is_masked_too() {
        assert_eq!(
            masked("// a \" here\n{\"pin\": \"é12\n\"key\":"),
            "// a \" here\n{\"pin\": \"<sensitive>\"\n\"key\":"
        );
    }
}
