use proptest::prelude::*;

use super::late::{due, late};
use super::*;

#[test]
fn no_text_grows_or_nests_without_end() {
    let doubling = format!("{{{{$x := `abcdefgh`}}}}{}{{{{$x}}}}", "{{$x = printf `%s%s` $x $x}}".repeat(64));
    let nested = format!("{{{{{}1{}}}}}", "(".repeat(5000), ")".repeat(5000));
    let ifs = "{{if 1}}".repeat(5000);
    let deep_else = format!("{{{{if 0}}}}{}{{{{end}}}}", "{{else if 0}}".repeat(5000));
    let recursion = "{{define `a`}}{{template `a` .}}{{end}}{{template `a` 1}}".to_owned();
    let wide = "{{printf `%999999d%999999d%999999d%999999d%999999d` 1 1 1 1 1}}".to_owned();
    let blown = "{{$x := printf `%900000s` `a`}}{{replace_all ` ` $x $x}}".to_owned();
    assert_eq!(wrong(&recursion).0, code::TOO_LARGE);
    assert_eq!(due(&late(&recursion).0, &Json::Null).unwrap_err().message, "this nests or calls itself too deeply");
    for text in [doubling, nested, ifs, deep_else, wide, blown] {
        assert_eq!(wrong(&text).0, code::TOO_LARGE, "{}", &text[..40]);
        let (_, findings) = rendered(&text, LATE);
        assert!(findings.diagnostics.iter().any(|d| d.code == code::TOO_LARGE), "{}", &text[..40]);
    }
}

/// Texts that are made of what template texts are made of.
fn template_text() -> impl Strategy<Value = String> {
    let parts = [
        "{{",
        "}}",
        "{{-",
        "-}}",
        " - ",
        "{{if ",
        "{{else}}",
        "{{else if ",
        "{{end}}",
        "{{range ",
        "{{with ",
        "{{define `x`}}",
        "{{template `x` .}}",
        "{{block `y` .}}",
        "{{break}}",
        "{{continue}}",
        "user `name`",
        "user `password`",
        "user `odd`",
        "user `open`",
        "user \"nope\"",
        "timestamp",
        "isotime",
        "isotime `Mon Jan _2`",
        "strftime `%c %`",
        "uuid",
        "build `ID`",
        ".Path",
        ".A.B",
        ".",
        "$",
        "$x",
        "$x := ",
        "$i, $v := ",
        " = ",
        "|",
        " | ",
        "(",
        ")",
        " ",
        "\n",
        "`",
        "\"",
        "\\",
        "'a'",
        "1",
        "-2",
        "3.5",
        "0x",
        "9999999999",
        "true",
        "nil",
        "printf `%s %d %q %5.2f %[2]*x` ",
        "printf ",
        "split ",
        "replace `a` `bb` -1 ",
        "replace_all `` `x` ",
        "index ",
        "slice ",
        "len ",
        "eq ",
        "and ",
        "or ",
        "not ",
        "html ",
        "js ",
        "upper ",
        "/*",
        "*/",
        "é",
        "😀",
        "\u{0}",
        "{",
        "}",
        "text",
        "call ",
        "%999999d",
        "vault `a` `b`",
        "env `HOME`",
    ];
    prop::collection::vec(
        prop_oneof![8 => prop::sample::select(parts.to_vec()).prop_map(str::to_owned), 1 => any::<String>()],
        0..24,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn any_text_renders_or_is_refused_in_place(text in template_text()) {
        for stage in [FIELD, LATE, Stage::Variable, Stage::Name] {
            let (_, findings) = rendered(&text, stage);
            for diagnostic in &findings.diagnostics {
                let range = diagnostic.span.unwrap().range();
                prop_assert!(text.get(range.clone()).is_some(), "{diagnostic:?} of {text:?}");
                if let Some(fix) = &diagnostic.fix {
                    prop_assert!(text.get(fix.span.range()).is_some());
                }
            }
        }
        let _ = mentions(&text);
        if let Err(error) = due(&text, &json!({ "Path": "p", "A": { "B": [1, 2] } })) {
            prop_assert!(text.is_char_boundary(error.offset));
        }
    }

    #[test]
    fn text_without_actions_renders_to_itself(text in any::<String>().prop_filter("no action", |t| !t.contains("{{"))) {
        for stage in [FIELD, LATE, Stage::Variable, Stage::Name] {
            prop_assert_eq!(rendered(&text, stage).0, Value::Text(text.clone()));
        }
        prop_assert_eq!(due(&text, &Json::Null), Ok(text));
    }

    /// Rendering in two steps gives what rendering in one would.
    #[test]
    fn what_stays_of_a_late_text_can_be_rendered(text in template_text()) {
        let (value, findings) = rendered(&text, LATE);
        if findings.diagnostics.iter().all(|d| !d.is_error()) && !matches!(value, Value::Unknown(_)) {
            let (_, mut secrets) = variables();
            secrets.merge(findings.secrets);
            let middle = value.reveal(&secrets);
            let middle = middle.as_str().unwrap();
            prop_assert!(!middle.contains("{{") || parse::is_well_formed(middle), "{} -> {}", text, middle);
        }
    }
}
