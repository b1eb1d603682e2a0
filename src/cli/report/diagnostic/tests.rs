use super::*;
use crate::run::{SecretRef, Secrets};
use crate::text::Code;
use crate::text::code::json as code;

const CODE: Code = code::DUPLICATE_KEY;

fn sources(text: &str) -> (Sources, SourceId) {
    let mut sources = Sources::default();
    let id = sources.add("example.json", text);
    (sources, id)
}

fn span_of(sources: &Sources, id: SourceId, part: &str) -> Span {
    let start = sources.get(id).unwrap().text.find(part).unwrap();
    Span::new(id, start, start + part.len())
}

fn secrets(value: &str) -> Secrets {
    let mut secrets = Secrets::default();
    secrets.insert(SecretRef("var:x".into()), value);
    secrets
}

fn hidden(secrets: &Secrets) -> Hidden<'_> {
    Hidden { secrets, places: &[] }
}

fn shown(diagnostic: Diagnostic, sources: &Sources) -> String {
    render(&[diagnostic], sources, hidden(&Secrets::default()), false)
}

#[test]
fn the_line_is_quoted_with_what_is_wrong_underlined_and_related_places() {
    let (s, id) = sources("{\n\t\"a\": 1,\n\n\n\n\n\t\"ä\": 2, \"a\": 3\n}\n");
    let again = Span::new(id, 25, 28);
    let d = Diagnostic::error(CODE, again, "the key `a` stands twice")
        .label("again here")
        .related(span_of(&s, id, "\"a\""), "first here")
        .help("remove one of the two");
    assert_eq!(
        shown(d, &s),
        "\
error[K0117]: the key `a` stands twice
 --> example.json:7:10
  |
2 |     \"a\": 1,
  |     --- first here
...
7 |     \"ä\": 2, \"a\": 3
  |             ^^^ again here
  |
  = help: remove one of the two

"
    );
}

#[test]
fn a_fix_is_shown_applied() {
    let (s, id) = sources("{ \"a\": 1 \"b\": 2 }");
    let at = Span::new(id, 8, 8);
    let d = Diagnostic::warning(CODE, at, "a comma is missing").fix("Insert `,`", at, ",");
    assert_eq!(
        shown(d, &s),
        "\
warning[K0117]: a comma is missing
 --> example.json:1:9
  |
1 | { \"a\": 1 \"b\": 2 }
  |         ^
  |
help: Insert `,`
  |
1 | { \"a\": 1, \"b\": 2 }
  |         +

"
    );
}

#[test]
fn what_stands_in_no_text_is_told_without_a_place() {
    let (s, _) = sources("");
    let text = shown(Diagnostic::warning(CODE, None, "`-only` names nothing").help("look again"), &s);
    assert!(text.starts_with("warning[K0117]: `-only` names nothing\n") && text.contains("help: look again"), "{text}");
}

#[test]
fn of_a_long_place_and_of_a_long_line_only_what_matters_is_shown() {
    let text = format!("{{\n  \"a\": \"{}\", \"bad\": [\n  1,\n  2 ]\n}}\n", "x".repeat(500));
    let (s, id) = sources(&text);
    let whole = shown(Diagnostic::error(CODE, Span::new(id, 0, text.len()), "all of it"), &s);
    assert_eq!(whole.lines().count(), 6, "{whole}");
    let far = shown(Diagnostic::error(CODE, span_of(&s, id, "\"bad\""), "far away").label("here"), &s);
    assert!(far.lines().all(|l| l.chars().count() < 160), "{far}");
    assert!(far.contains("^^^^^ here") && far.contains("example.json:2:512"), "{far}");
}

#[test]
fn colours_come_only_when_they_are_wanted() {
    let (s, id) = sources("{}");
    let d = Diagnostic::error(CODE, Span::new(id, 0, 1), "x");
    assert!(!render(std::slice::from_ref(&d), &s, hidden(&Secrets::default()), false).contains('\u{1b}'));
    assert!(render(&[d], &s, hidden(&Secrets::default()), true).contains("\u{1b}["));
}

#[test]
fn the_values_of_secrets_are_masked_wherever_they_stand() {
    let value = "pä\"ss\nword";
    let (s, id) = sources("{ \"k\": \"pre pä\\\"ss\\nword post\", \"z\": 1 }");
    let d = Diagnostic::error(CODE, span_of(&s, id, "ss"), format!("no `{value}`"))
        .label(value)
        .related(span_of(&s, id, "\"z\""), value)
        .help(value)
        .fix(value, span_of(&s, id, "\"z\""), value);
    let text = render(std::slice::from_ref(&d), &s, hidden(&secrets(value)), false);
    assert!(!text.contains("ss") || !text.contains("word"), "{text}");
    assert!(text.contains("\"pre <sensitive> post\", \"z\": 1"), "{text}");
    let underlined = text.lines().find(|l| l.contains('^')).unwrap();
    assert_eq!(underlined.matches('^').count(), "<sensitive>".len(), "{text}");
    let data = to_json(&d, &s, hidden(&secrets(value))).to_string();
    assert!(!data.contains("word"), "{data}");
}

#[test]
fn of_a_secret_diagnostic_every_value_in_the_quoted_lines_is_masked() {
    let (s, id) = sources("{ \"password\": \"hunter2\", \"key\": \"{{user `key`}}\", \"x\": [\"abc\"] }");
    let at = span_of(&s, id, "\"hunter2\"");
    let d = Diagnostic::error(CODE, at, "too short").secret().fix("Write more", at, "\"hunter22\"");
    let text = shown(d.clone(), &s);
    assert!(
        text.contains("{ \"password\": \"<sensitive>\", \"key\": \"{{user `key`}}\", \"x\": [\"<sensitive>\"] }"),
        "{text}"
    );
    assert!(text.contains("              ^^^^^^^^^^^^^\n"), "the quotes are underlined as well: {text}");
    assert!(!text.contains("hunter"), "{text}");
    assert_eq!(to_json(&d, &s, hidden(&Secrets::default()))["fix"], Value::Null);
}

#[test]
fn the_places_of_secrets_are_masked_whatever_is_wrong_elsewhere_on_their_line() {
    let (s, id) = sources(r#"{ "k": "hunter2\\", "short": "ab", "ref": "{{user `x`}}", "n": 12345, "bad": 1 }"#);
    let places = [r#""hunter2\\""#, r#""ab""#, "\"{{user `x`}}\"", "12345"].map(|part| span_of(&s, id, part));
    let none = Secrets::default();
    let hidden = Hidden { secrets: &none, places: &places };
    let bad = span_of(&s, id, "\"bad\"");
    let d = Diagnostic::error(CODE, bad, r"`hunter2\` and `hunter2\\` and 12345").fix("Rename", bad, "\"good\"");
    let text = render(std::slice::from_ref(&d), &s, hidden, false);
    let masked = r#"{ "k": "<sensitive>", "short": "<sensitive>", "ref": "{{user `x`}}", "n": <sensitive>, "#;
    assert_eq!(text.matches(masked).count(), 3, "{text}");
    assert!(text.contains("`<sensitive>` and `<sensitive>` and <sensitive>"), "{text}");
    assert!(text.contains("+ { ") && text.contains("\"good\": 1"), "{text}");
    assert_eq!(to_json(&d, &s, hidden)["message"], "`<sensitive>` and `<sensitive>` and <sensitive>");
}

#[test]
fn what_is_said_of_a_secret_repeats_no_part_of_it() {
    let (s, id) = sources("{ \"k\": \"p4ss{{w0rd}}\", \"z\": 1 }");
    let places = [span_of(&s, id, "\"p4ss{{w0rd}}\"")];
    let none = Secrets::default();
    let hidden = Hidden { secrets: &none, places: &places };
    let at = span_of(&s, id, "w0rd");
    let d = Diagnostic::error(CODE, at, "function `w0rd` is not defined")
        .help("write {{user `w0rd`}} or {{ .w0rd }}, not w0rds")
        .fix("Change", at, "word")
        .secret();
    let text = render(std::slice::from_ref(&d), &s, hidden, false);
    assert!(text.contains("function `<sensitive>` is not defined"), "{text}");
    assert!(text.contains("write {{user `<sensitive>`}} or {{ .<sensitive> }}, not w0rds"), "{text}");
    assert!(text.contains("{ \"k\": \"<sensitive>\", \"z\": 1 }"), "{text}");
    let data = to_json(&d, &s, hidden);
    assert!(!data.to_string().replace("w0rds", "").contains("w0rd"), "{data}");
    assert_eq!(data["fix"], Value::Null);
}

#[test]
fn echoes_are_printed_once_and_counted_once() {
    let (s, id) = sources("{ \"a\": 1 }");
    let d = |start, end, message: &str| Diagnostic::error(CODE, Span::new(id, start, end), message);
    let all = [d(2, 5, "x"), d(2, 5, "x"), d(3, 4, "x"), d(2, 5, "y"), d(7, 8, "x")];
    assert_eq!(render(&all, &s, hidden(&Secrets::default()), false).matches("error[").count(), 3);
    assert_eq!(summary(&all).as_deref(), Some("3 errors"));
}

#[test]
fn the_summary_counts_in_words() {
    let (e, w) = (Diagnostic::error(CODE, None, "e"), Diagnostic::warning(CODE, None, "w"));
    assert_eq!(summary(&[]), None);
    assert_eq!(summary(&[e.clone(), w]).as_deref(), Some("1 error, 1 warning"));
    assert_eq!(summary(&[e, Diagnostic::error(CODE, None, "f")]).as_deref(), Some("2 errors"));
}

#[test]
fn as_data_it_has_places_in_lines_columns_and_bytes() {
    let (s, id) = sources("{\n \"ä\": 1 }");
    let d = Diagnostic::error(CODE, span_of(&s, id, "1"), "m")
        .label("l")
        .help("h")
        .related(Span::new(id, 0, 1), "r")
        .fix("t", span_of(&s, id, "1"), "2");
    let place =
        json!({"file": "example.json", "line": 2, "column": 7, "end_line": 2, "end_column": 8, "start": 9, "end": 10});
    let mut fix = place.clone();
    fix["title"] = "t".into();
    fix["replacement"] = "2".into();
    let mut expected = place;
    for (key, value) in [
        ("code", json!("K0117")),
        ("severity", json!("error")),
        ("message", json!("m")),
        ("label", json!("l")),
        ("help", json!("h")),
        ("fix", fix),
        (
            "related",
            json!([{"file": "example.json", "line": 1, "column": 1, "end_line": 1, "end_column": 2, "start": 0, "end": 1, "message": "r"}]),
        ),
    ] {
        expected[key] = value;
    }
    assert_eq!(to_json(&d, &s, hidden(&Secrets::default())), expected);
}

proptest::proptest! {
    #[test]
    fn no_place_and_no_secret_panics(text in "([\"é\\n\r\t:{]|ab|secret| ){0,30}", a: u16, b: u16, c: u16, secret: bool, first: u16, second: u16) {
        let (s, id) = sources(&text);
        let at = |n: u16| {
            let mut n = usize::from(n) % (text.len() + 1);
            while !text.is_char_boundary(n) {
                n -= 1;
            }
            n
        };
        let span = |x: u16, y: u16| Span::new(id, at(x).min(at(y)), at(x).max(at(y)));
        let mut d = Diagnostic::error(CODE, span(a, b), "m").related(span(b, c), "r").fix("t", span(a, c), "x");
        d.secret = secret;
        let (values, places) = (secrets("secret"), [span(first, second)]);
        let shown = render(&[d], &s, Hidden { secrets: &values, places: &places }, false);
        proptest::prop_assert!(!shown.contains("secret"), "{}", shown);
    }
}
