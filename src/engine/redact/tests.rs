use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use proptest::prelude::*;

use super::{Filter, MASK, Redactor};
use crate::run::{SecretRef, Secrets};

fn redactor(values: &[&str]) -> Redactor {
    let mut secrets = Secrets::default();
    for (i, value) in values.iter().enumerate() {
        secrets.insert(SecretRef(format!("var:s{i}")), *value);
    }
    Redactor::new(&secrets).0
}

/// What a stream shows when these pieces come one after the other.
fn shown(redactor: &Redactor, pieces: &[&[u8]]) -> String {
    let mut filter = Filter::default();
    let mut text: String = pieces.iter().map(|piece| filter.push(redactor, piece)).collect();
    text.push_str(&filter.finish(redactor));
    text
}

fn shown_at_once(redactor: &Redactor, text: &[u8]) -> String {
    shown(redactor, &[text])
}

const SECRET: &str = "p$a'ss \"w/o`rd\\<é>";

#[test]
fn every_encoding_is_hidden_wherever_the_stream_is_cut() {
    let redactor = redactor(&[SECRET]);
    let json = serde_json::to_string(SECRET).unwrap();
    let percent = |upper: bool| -> String {
        SECRET.bytes().map(|b| if upper { format!("%{b:02X}") } else { format!("%{b:02x}") }).collect()
    };
    // Only what must be encoded is.
    let url = |upper: bool| {
        let mut text = percent(upper);
        for b in SECRET.bytes().filter(u8::is_ascii_alphanumeric) {
            let hex = if upper { format!("%{b:02X}") } else { format!("%{b:02x}") };
            text = text.replace(&hex, &char::from(b).to_string());
        }
        text
    };
    let encoded = [
        SECRET.to_owned(),
        SECRET.replace('\'', r#"'"'"'"#),
        SECRET.replace('\'', r"'\''"),
        r#"p\$a'ss \"w/o\`rd\\<é>"#.to_owned(),
        r#"p\$a\'ss\ \"w/o\`rd\\\<é\>"#.to_owned(),
        json[1..json.len() - 1].to_owned(),
        json[1..json.len() - 1].replace('<', "\\u003c").replace('>', "\\u003e"),
        json[1..json.len() - 1].replace('/', "\\/"),
        url(true),
        url(false),
        url(true).replace("%20", "+"),
        url(false).replace("%20", "+"),
        "p`$a'ss `\"w/o``rd\\<é>".to_owned(),
        SECRET.replace('\'', "''"),
    ];
    for text in &encoded {
        let line = format!("before {text} after");
        for cut in 0..=line.len() {
            let (a, b) = line.as_bytes().split_at(cut);
            assert_eq!(shown(&redactor, &[a, b]), format!("before {MASK} after"), "{text} cut at {cut}");
        }
    }
}

#[test]
fn base64_is_hidden_at_each_alignment() {
    let redactor = redactor(&[SECRET]);
    for before in ["", "a", "ab", "abc", "user:"] {
        for after in ["", "x", "xyz"] {
            let text = format!("{before}{SECRET}{after}");
            for encoded in [STANDARD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                let shown = shown(&redactor, &[encoded.as_bytes()]);
                assert!(shown.contains(MASK), "{encoded} shows as {shown}");
                // What is left around the mask are the neighbours' own characters.
                assert!(shown.len() - MASK.len() <= (before.len() + after.len()) * 4 / 3 + 8, "{encoded}: {shown}");
            }
        }
    }
}

#[test]
fn lines_of_a_long_secret_are_hidden_each() {
    let redactor = redactor(&["-----BEGIN KEY-----\r\nfirst line of it\r\nsecond line\r\n"]);
    let shown = shown(&redactor, &[b"got: second line; first line of it\n"]);
    assert_eq!(shown, format!("got: {MASK}; {MASK}\n"));
    let whole = shown_at_once(&redactor, b"a-----BEGIN KEY-----\nfirst line of it\nsecond line\nb");
    assert_eq!(whole, format!("a{MASK}b"));
}

#[test]
fn a_prompt_appears_before_its_line_ends() {
    let redactor = redactor(&["hunter22"]);
    let mut filter = Filter::default();
    assert_eq!(filter.push(&redactor, b"Password: "), "Password: ");
    assert_eq!(filter.push(&redactor, b"hunt"), "");
    assert_eq!(filter.push(&redactor, b"ing season"), "hunting season");
}

#[test]
fn a_secret_that_begins_a_longer_one_shows_nothing_of_it() {
    let redactor = redactor(&["abcd", "abcdefgh", "ghij"]);
    for cut in 0..=8 {
        let (a, b) = b"abcdefgh".split_at(cut);
        assert_eq!(shown(&redactor, &[a, b]), MASK);
    }
    assert_eq!(shown(&redactor, &[b"abcdef", b"ghij."]), format!("{MASK}."));
    assert_eq!(shown(&redactor, &[b"abcde"]), format!("{MASK}e"));
}

#[test]
fn characters_are_not_torn() {
    let redactor = redactor(&["hunter22"]);
    let text = "größe 大 🦀";
    let pieces: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    assert_eq!(shown(&redactor, &pieces), text);
}

#[test]
fn what_cannot_be_hidden_is_named_and_not_shown() {
    let mut secrets = Secrets::default();
    secrets.insert(SecretRef("var:pin".into()), "123");
    secrets.insert(SecretRef("var:on".into()), "true");
    secrets.insert(SecretRef("var:unset".into()), "");
    secrets.insert(SecretRef("var:key".into()), "hunter22");
    let (redactor, open) = Redactor::new(&secrets);
    assert_eq!(open, ["the variable `on`", "the variable `pin`"]);
    assert_eq!(redactor.text("123 true"), None);
    assert_eq!(redactor.text("x hunter22"), Some(format!("x {MASK}")));
}

#[test]
fn a_secret_learnt_later_is_hidden_from_then_on() {
    let mut redactor = redactor(&[]);
    let mut filter = Filter::default();
    assert_eq!(filter.push(&redactor, b"Wind0ws! "), "Wind0ws! ");
    redactor.hide("Wind0ws!");
    assert_eq!(filter.push(&redactor, b"Wind0ws! "), format!("{MASK} "));
}

proptest! {
    #[test]
    fn cutting_changes_nothing_and_no_secret_passes(text in "[abc\\n ]{0,60}", cuts in prop::collection::vec(0usize..60, 0..6)) {
        let secrets = ["abca", "bcab", "cc a", "aaaa"];
        let redactor = redactor(&secrets);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut at = 0;
        for cut in cuts {
            pieces.push(&text.as_bytes()[at..cut]);
            at = cut;
        }
        pieces.push(&text.as_bytes()[at..]);
        let whole = shown(&redactor, &[text.as_bytes()]);
        prop_assert_eq!(shown(&redactor, &pieces), whole.clone());
        for secret in secrets {
            let rest = whole.replace(MASK, "|");
            prop_assert!(!rest.contains(secret), "{rest:?} holds {secret:?}");
        }
    }
}
