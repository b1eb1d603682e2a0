mod late;
mod properties;

use serde_json::json;

use super::*;
use crate::template::question::Answer;
use crate::template::variables::{Origin, Variable};
use crate::text::SourceId;
use crate::text::code::engine as code;

/// Sunday 5 July 2026, 15:04:09 UTC.
const START: i64 = 1_783_263_849;

fn inputs() -> Inputs {
    Inputs {
        start: START,
        seed: 7,
        cwd: "/work".into(),
        template_dir: "/work/templates".into(),
        env: [("HOME".to_owned(), "/home/me".to_owned())].into(),
        ..Inputs::default()
    }
}

fn variable(name: &str, value: Value) -> (String, Variable) {
    let variable = Variable {
        name: name.into(),
        declared: None,
        sensitive: matches!(value, Value::Secret(_)),
        value,
        origin: Origin::Default,
        unset_env: if name == "from_env" { vec!["UNSET".into()] } else { Vec::new() },
        given_at: Vec::new(),
    };
    (name.to_owned(), variable)
}

fn secret_value(name: &str) -> Value {
    Value::from_pieces(vec![Piece::Secret(SecretRef(name.into()))])
}

fn variables() -> (Variables, Secrets) {
    let mut secrets = Secrets::default();
    secrets.insert(SecretRef("var:password".into()), "hunter2");
    secrets.insert(SecretRef("var:odd".into()), "a\"{{b");
    let text = |t: &str| Value::Text(t.into());
    let variables = [
        variable("name", text("web")),
        variable("Upper", text("MiXed")),
        variable("empty", text("")),
        variable("from_env", text("")),
        variable("later", text("on {{ .SourceAMI }}")),
        variable("jinja", text("{{ ansible_user }}")),
        variable("password", secret_value("var:password")),
        variable("odd", secret_value("var:odd")),
        variable("open", unknown("what it is")),
    ];
    (variables.into_iter().collect(), secrets)
}

fn rendered(text: &str, stage: Stage<'_>) -> (Value, Findings) {
    let (variables, secrets) = variables();
    let mut findings = Findings::default();
    let text = Text::plain(text, SourceId(0), 0);
    let value = render(&text, stage, &inputs(), &variables, &secrets, &mut findings);
    (value, findings)
}

const FIELD: Stage<'_> = Stage::Component { build_name: "web", build_type: "amazon-ebs", late: false, amazon: true };
const LATE: Stage<'_> = Stage::Component { build_name: "web", build_type: "amazon-ebs", late: true, amazon: true };

/// The text of a field with nothing wrong in it.
fn field(text: &str) -> String {
    let (value, findings) = rendered(text, FIELD);
    assert_eq!(findings.diagnostics, [], "{text}");
    match value {
        Value::Text(text) => text,
        other => panic!("{text}: {other:?}"),
    }
}

/// The first diagnostic of a field: code, message, the text it points at.
fn wrong(text: &str) -> (crate::text::Code, String, String) {
    let (value, findings) = rendered(text, FIELD);
    let first = findings.diagnostics.first().unwrap_or_else(|| panic!("nothing wrong with {text}: {value:?}"));
    let place = first.span.map(|s| text[s.range()].to_owned()).unwrap_or_default();
    (first.code, first.message.clone(), place)
}

#[test]
fn expressions_have_the_results_of_go() {
    for (text, expected) in [
        ("plain }} text", "plain }} text"),
        ("{{user `name`}}", "web"),
        ("{{ user \"name\" }}-{{ user `Upper` | lower }}", "web-mixed"),
        ("{{/* nothing */}}a{{- /* trims */ -}} b", "ab"),
        ("a  {{- `b` -}}\n c", "abc"),
        ("a {{ `b` }} c", "a b c"),
        ("{{ -3 }}{{- 3 }}", "-33"),
        ("{{ `raw \\n` }}{{ \"cooked\\t\\x41\\u00e9\" }}", "raw \\ncooked\tAé"),
        ("{{ 'a' }} {{ 0x10 }} {{ 1e3 }} {{ 1.50 }} {{ 1e6 }} {{ true }}", "97 16 1000 1.5 1e+06 true"),
        ("{{ (user `name`) }}", "web"),
        ("{{ upper (lower (user `Upper`)) }}", "MIXED"),
        ("{{ $x := user `name` }}{{ $x }}{{ $x = `db` }}{{ $x }}", "webdb"),
        ("{{ if eq (user `name`) `web` }}yes{{ else }}no{{ end }}", "yes"),
        ("{{ if user `empty` }}yes{{ else if eq 1 2 }}two{{ else }}no{{ end }}", "no"),
        ("{{ if user `empty` }}a{{ else if true }}b{{ end }}c", "bc"),
        ("{{ with user `name` }}<{{ . }}>{{ end }}", "<web>"),
        ("{{ with user `empty` }}a{{ else }}b{{ end }}", "b"),
        ("{{ with $x := user `name` }}{{ $x }}{{ end }}", "web"),
        ("{{ range 3 }}{{ . }},{{ end }}", "0,1,2,"),
        (
            "{{ range $i, $v := 5 }}{{ if eq $i 1 }}{{ continue }}{{ end }}{{ if eq $v 3 }}{{ break }}{{ end }}{{ $v }}{{ end }}",
            "02",
        ),
        ("{{ range 0 }}a{{ else }}none{{ end }}", "none"),
        ("{{ define `x` }}[{{ . }}]{{ end }}{{ template `x` `y` }}", "[y]"),
        ("{{ block `x` `z` }}({{ . }}){{ end }}", "(z)"),
        (
            "{{ eq 1 2 3 1 }} {{ ne `a` `b` }} {{ lt 1 2 }} {{ le 2 2 }} {{ gt `b` `a` }} {{ ge 1.5 2.5 }}",
            "true true true true true false",
        ),
        ("{{ and 1 0 2 }} {{ and 1 2 }} {{ or 0 `` `x` }} {{ not 0 }}", "0 2 x true"),
        ("{{ or `a` (split `x` `y` 9) }}", "a"),
        ("{{ `b` | printf `%s-%s` `a` }}", "a-b"),
        ("{{ print 1 2 `a` `b` 3 4 }}|{{ println `a` 1 }}", "1 2a b3 4|a 1\n".replace("a b", "ab").as_str()),
        ("{{ len `héllo` }} {{ index `abc` 1 }} {{ slice `abcdef` 1 3 }} {{ slice `abc` 1 }}", "6 98 bc bc"),
        ("{{ html `<a href=\"x\">'&` }}", "&lt;a href=&#34;x&#34;&gt;&#39;&amp;"),
        ("{{ js `it's <\"b\"> a=\\` }}", "it\\'s \\u003C\\\"b\\\"\\u003E a\\u003D\\\\"),
        ("{{ urlquery `a b&c/é` }}", "a+b%26c%2F%C3%A9"),
        ("{{ printf `%s` timestamp }}", "1783263849"),
        ("{{timestamp}}", "1783263849"),
        ("{{isotime}}", "2026-07-05T15:04:09Z"),
        ("{{isotime \"02-Jan-06 03:04:05\"}}", "05-Jul-26 03:04:09"),
        ("{{isotime | clean_resource_name}}", "2026-07-05T15-04-09Z"),
        ("{{strftime `%Y-%m-%d`}}", "2026-07-05"),
        ("{{pwd}} {{template_dir}} {{packer_version}}", "/work /work/templates 1.16.0"),
        ("{{build_name}} {{build_type}}", "web amazon-ebs"),
        ("{{ split `a,b,c` `,` 1 }} {{ split (user `Upper`) `X` 0 }} {{ split `abc` `` 2 }}", "b Mi c"),
        (
            "{{ replace `a` `b` 1 `aaa` }} {{ `aaa` | replace `a` `b` -1 }} {{ `a-b-c` | replace_all `-` `_` }}",
            "baa bbb a_b_c",
        ),
        ("{{ replace_all `` `-` `ab` }}", "-a-b-"),
        ("{{ clean_resource_name `a:b é(1)[2] ./-'@_#` }}", "a-b --(1)[2] ./-'@_-"),
        (
            "{{ printf `%d %5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%q|%U` 42 42 42 42 42 255 255 8 5 65 65 65 }}",
            "42    42|42   |00042|+42|ff|FF|10|101|A|'A'|U+0041",
        ),
        (
            "{{ printf `%s|%10s|%-10s|%.2s|%q|%x|% x|%v` `abc` `abc` `abc` `abc` `a\"b` `abc` `abc` `abc` }}",
            "abc|       abc|abc       |ab|\"a\\\"b\"|616263|61 62 63|abc",
        ),
        (
            "{{ printf `%f|%.2f|%05.2f|%e|%g|%g|%v|%8.3f|%+.1f` 1.5 1.255 1.255 123456.789 0.00001 1e21 1e6 3.14159 2.0 }}",
            "1.500000|1.25|01.25|1.234568e+05|1e-05|1e+21|1e+06|   3.142|+2.0",
        ),
        ("{{ printf `%t %v %5t|%%` true false true }}", "true false  true|%"),
        (
            "{{ printf `%d` `x` }} {{ printf `%s` 5 }} {{ printf `%d` }} {{ printf `%d` 1 2 `z` }}",
            "%!d(string=x) %!s(int=5) %!d(MISSING) 1%!(EXTRA int=2, string=z)",
        ),
        ("{{ printf `%z %!` 1 }}", "%!z(int=1) %!!(NOVERB)".replace("%!!(NOVERB)", "%!!(MISSING)").as_str()),
        (
            "{{ printf `%` }} {{ printf `%[2]s %[1]s` `a` `b` }} {{ printf `%*d` 5 42 }} {{ printf `%T` 1.5 }}",
            "%!(NOVERB) b a    42 float64",
        ),
        ("{{ printf `%v %s` nil nil }}", "<nil> %!s(<nil>)"),
        ("{{ printf `%05d|%x|%#x|%#o|% d|%08.3f` -42 -255 255 8 42 -3.14159 }}", "-0042|-ff|0xff|010| 42|-003.142"),
        ("{{ printf `%6.2f|%-8.1f|%3c|%+q` 3.14159 2.5 'x' `é` }}", "  3.14|2.5     |  x|\"\\u00e9\""),
        ("{{ eq nil nil }} {{ eq nil 1 }}", "true false"),
    ] {
        assert_eq!(field(text), expected, "{text}");
    }
}

#[test]
fn mistakes_point_at_what_is_wrong() {
    for (text, code, message, place) in [
        ("a {{ user `x`", code::SYNTAX, "this action is not closed", "{{"),
        ("{{ }}", code::SYNTAX, "this action is empty", "{{ }}"),
        ("{{ user `x }}", code::SYNTAX, "this back-quoted string is not closed", "`"),
        ("{{ user \"x }}", code::SYNTAX, "this string is not closed on its line", "\""),
        ("{{ user \"\\q\" }}", code::SYNTAX, "`\\q` is no escape that Go's strings know", "\\q"),
        ("{{ (upper `x` }}", code::SYNTAX, "this parenthesis is not closed", "("),
        ("{{ upper `x`) }}", code::SYNTAX, "this parenthesis was never opened", ")"),
        ("{{ if true }}a", code::SYNTAX, "this `if` is not closed", "if"),
        ("a{{ end }}", code::SYNTAX, "there is nothing open that this `end` could close", "end"),
        ("{{ else }}", code::SYNTAX, "this `else` belongs to no `if`, `range` or `with`", "else"),
        ("{{ if }}a{{ end }}", code::SYNTAX, "`if` needs a value", "if"),
        ("{{ break }}", code::SYNTAX, "`break` stands in no `range`", "break"),
        ("{{ 12a }}", code::SYNTAX, "`12a` is not a number", "12a"),
        ("{{ # }}", code::SYNTAX, "`#` means nothing in an action", "#"),
        ("{{ $x }}", code::SYNTAX, "variable `$x` is not declared here", "$x"),
        ("{{ `a` | `b` }}", code::SYNTAX, "only a function can stand after `|`", "`b`"),
        ("{{ user`x` }}", code::SYNTAX, "a string cannot stand directly after `user`", "`"),
        ("{{ `a`.B }}", code::SYNTAX, "a constant has no fields", ".B"),
        ("{{ `a` | }}", code::SYNTAX, "a value is missing here", "}}"),
        ("é {{ usr `x` }}", code::UNKNOWN_FUNCTION, "function `usr` is not defined", "usr"),
        ("{{ upper }}", code::CALL, "`upper` wants one argument and got none", "upper"),
        ("{{ upper 5 }}", code::CALL, "`upper` wants a string here and got an integer", "5"),
        ("{{ `a` `b` }}", code::CALL, "this is no function and takes no arguments", "`a`"),
        ("{{ eq 1 `1` }}", code::CALL, "`eq` cannot compare an integer with a string", "eq 1 `1`"),
        (
            "{{ split `a-b` `-` 2 }}",
            code::CALL,
            "`split` gives 2 parts, and there is none at index 2",
            "split `a-b` `-` 2",
        ),
        ("{{ index `abc` 3 }}", code::CALL, "index 3 lies outside: there are 3", "index `abc` 3"),
        ("{{ slice `abc` 2 1 }}", code::CALL, "the slice begins at 2 and ends at 1", "slice `abc` 2 1"),
        ("{{ sed `s/a/b/` `a` }}", code::CALL, "`sed` is deprecated and does nothing any more", "sed `s/a/b/` `a`"),
        ("{{ env `HOME` }}", code::NOT_HERE, "environment variables can be read in `variables` only", "env `HOME`"),
        ("{{ vault `a` `b` }}", code::NOT_HERE, "`vault` can be used in `variables` only", "vault `a` `b`"),
        ("{{ user `nane` }}", code::UNDECLARED_USER, "variable `nane` is not declared, so this is empty", "`nane`"),
        ("{{ .Foo.Bar }}", code::NO_VALUE, "`.Foo.Bar` has no value here and comes out as `<no value>`", ".Foo.Bar"),
        (
            "{{ build `ID` }}",
            code::BUILD_NOT_LATE,
            "this field is rendered before the build, so it gets the text {{.ID}}",
            "build `ID`",
        ),
        ("{{ range 999999999 }}{{ end }}", code::TOO_LARGE, "this text takes too many steps to render", "999999999"),
    ] {
        let text_of = wrong(text);
        assert_eq!((text_of.0, text_of.1.as_str(), text_of.2.as_str()), (code, message, place), "{text}");
    }
}

#[test]
fn one_run_reports_the_mistakes_of_every_action() {
    let (value, findings) = rendered("{{ usr `x` }} {{ upper 1 }} {{ user `nmae` }} {{ tmestamp }}", FIELD);
    assert!(matches!(value, Value::Unknown(_)));
    let codes: Vec<_> = findings.diagnostics.iter().map(|d| d.code).collect();
    assert_eq!(codes, [code::UNKNOWN_FUNCTION, code::UNKNOWN_FUNCTION, code::CALL, code::UNDECLARED_USER]);
}

#[test]
fn a_misspelt_variable_gets_a_suggestion_and_a_fix() {
    let (value, findings) = rendered("x{{ user `nmae` }}", FIELD);
    assert_eq!(value, Value::Text("x".into()));
    assert_eq!(findings.diagnostics[0].help.as_deref(), Some("did you mean `name`?"));
    let fix = findings.diagnostics[0].fix.as_ref().unwrap();
    assert_eq!((&"x{{ user `nmae` }}"[fix.span.range()], fix.replacement.as_str()), ("nmae", "name"));
}

#[test]
fn data_that_is_missing_comes_out_as_in_packer() {
    assert_eq!(rendered("a {{ .Foo }}", FIELD).0, Value::Text("a <no value>".into()));
    assert_eq!(rendered("{{ build `ID` }}", FIELD).0, Value::Text("{{.ID}}".into()));
    assert_eq!(rendered("{{ if .Foo }}a{{ else }}b{{ end }}", FIELD).0, Value::Text("b".into()));
}

#[test]
fn clean_resource_name_is_amazons() {
    let other = Stage::Component { build_name: "x", build_type: "null", late: false, amazon: false };
    assert_eq!(rendered("{{ clean_resource_name `a` }}", other).1.diagnostics[0].code, code::NOT_HERE);
    assert_eq!(rendered("{{ clean_ami_name `a` }}", other).1.diagnostics[0].code, code::UNKNOWN_FUNCTION);
    let (value, findings) = rendered("{{ clean_ami_name `a:b` }}", FIELD);
    assert_eq!((value, findings.diagnostics[0].code), (Value::Text("a-b".into()), code::OLD_FUNCTION));
}

#[test]
fn a_variables_text_may_read_the_environment_and_keeps_data_of_the_build() {
    let (value, findings) =
        rendered("{{ env `HOME` }}/{{ .SourceAMI }}/{{- .A.B -}} {{ env `NOPE` }}", Stage::Variable);
    assert_eq!(value, Value::Text("/home/me/{{ .SourceAMI }}/{{ .A.B }}".into()));
    assert_eq!(findings.unset_env, ["NOPE"]);
    assert_eq!(findings.diagnostics, []);
}

#[test]
fn a_name_knows_variables_and_time_only() {
    assert_eq!(rendered("{{user `name`}}-{{timestamp}}", Stage::Name).0, Value::Text("web-1783263849".into()));
    for text in ["{{build_name}}", "{{build `ID`}}", "{{env `HOME`}}"] {
        assert_eq!(rendered(text, Stage::Name).1.diagnostics[0].code, code::NOT_HERE, "{text}");
    }
}

#[test]
fn an_unset_environment_variable_is_told_through_variables() {
    assert_eq!(rendered("{{user `from_env`}}", FIELD).1.unset_env, ["UNSET"]);
}

#[test]
fn an_unknown_variable_makes_the_text_unknown() {
    for stage in [FIELD, LATE] {
        for text in ["a {{user `open`}}", "{{user `open` | upper}}", "{{if user `open`}}a{{end}}"] {
            let (value, findings) = rendered(text, stage);
            assert_eq!((value, findings.diagnostics), (unknown("what it is"), vec![]), "{text}");
        }
    }
}

#[test]
fn questions_are_asked_and_their_answers_used() {
    let question = Question::Vault { path: "secret/data/x".into(), key: "k".into() };
    let (variables, secrets) = variables();
    let text = Text::plain("a-{{vault `secret/data/x` `k`}}", SourceId(0), 0);
    let run = |inputs: &Inputs| {
        let mut findings = Findings::default();
        (render(&text, Stage::Variable, inputs, &variables, &secrets, &mut findings), findings)
    };
    let (value, findings) = run(&inputs());
    assert!(matches!(value, Value::Unknown(_)), "{value:?}");
    assert_eq!(findings.questions, std::slice::from_ref(&question));

    let mut answered = inputs();
    answered.answers.insert(question.clone(), Answer::Text("s3cret".into()));
    let (value, findings) = run(&answered);
    let reference = SecretRef("text:{{vault `secret/data/x` `k`}}".into());
    assert_eq!(value, Value::from_pieces(vec![Piece::Plain("a-".into()), Piece::Secret(reference.clone())]));
    assert_eq!(findings.secrets.reveal(&reference), "s3cret");

    answered.answers.insert(question, Answer::Failed("no token".into()));
    let (value, findings) = run(&answered);
    assert!(matches!(value, Value::Unknown(_)));
    assert_eq!(findings.diagnostics[0].message, "`vault` failed: no token");
}

#[test]
fn a_sensitive_variable_stays_a_reference_and_what_is_made_of_it_becomes_one() {
    let (value, _) = rendered("u:{{user `password`}}@", FIELD);
    let piece = |text: &str| Piece::Plain(text.into());
    let secret = |name: &str| Piece::Secret(SecretRef(name.into()));
    assert_eq!(value, Value::from_pieces(vec![piece("u:"), secret("var:password"), piece("@")]));

    for (text, name, revealed) in [
        ("{{user `password` | upper}}", "text:{{user `password` | upper}} of web", "HUNTER2"),
        ("{{printf `%s!` (user `password`)}}", "text:{{printf `%s!` (user `password`)}} of web", "hunter2!"),
        ("{{slice (user `password`) 0 3}}", "text:{{slice (user `password`) 0 3}} of web", "hun"),
    ] {
        let (value, findings) = rendered(text, FIELD);
        assert_eq!(value, Value::from_pieces(vec![secret(name)]), "{text}");
        assert_eq!(findings.secrets.reveal(&SecretRef(name.into())), revealed);
    }
    let (value, findings) = rendered("{{range 2}}{{printf `%d%s` . (user `password`)}}{{end}}", FIELD);
    let Value::Secret(text) = value else { panic!("{value:?}") };
    let values: Vec<_> =
        text.pieces.iter().map(|p| if let Piece::Secret(r) = p { findings.secrets.reveal(r) } else { "" }).collect();
    assert_eq!(values, ["0hunter2", "1hunter2"], "the same expression in a loop is two secrets");
}

#[test]
fn a_message_about_a_secret_does_not_hold_it() {
    let (_, findings) =
        rendered("{{split (user `password`) `u` 5}} {{index (user `password`) 99}} {{lt (user `password`) 1}}", FIELD);
    assert_eq!(findings.diagnostics.len(), 3);
    for diagnostic in findings.diagnostics {
        assert!(!format!("{diagnostic:?}").contains("hunter2"), "{diagnostic:?}");
    }
}
