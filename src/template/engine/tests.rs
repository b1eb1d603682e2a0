use proptest::prelude::*;
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

/// What a late field becomes, and then, with data, what it comes out as.
fn late(text: &str) -> (String, Result<String, LateError>) {
    let (value, findings) = rendered(text, LATE);
    assert_eq!(findings.diagnostics, [], "{text}");
    let (_, mut secrets) = variables();
    secrets.merge(findings.secrets);
    let json = value.reveal(&secrets);
    let middle = json.as_str().unwrap_or_else(|| panic!("{text}: {value:?}")).to_owned();
    (middle.clone(), at_last(&middle))
}

/// What the middle comes out as, with data.
fn at_last(middle: &str) -> Result<String, LateError> {
    let dot = json!({ "Path": "/tmp/s.sh", "Vars": "A='1' ", "SourceAMI": "ami-1", "ID": "i-1", "SourceAMITags": { "a": "x", "b": "y" }, "Count": 3 });
    due(middle, &dot)
}

fn due(text: &str, dot: &Json) -> Result<String, LateError> {
    let scope = LateScope {
        dot,
        start: START,
        seed: 7,
        cwd: "/work",
        template_dir: "/t",
        build_name: "web",
        build_type: "null",
    };
    render_late(text, &scope)
}

#[test]
fn a_late_field_keeps_what_is_known_later() {
    for (text, middle, end) in [
        ("{{ .Vars }}{{ .Path }}", "{{ .Vars }}{{ .Path }}", "A='1' /tmp/s.sh"),
        ("{{user `name`}} {{ .Path }}", "web {{ .Path }}", "web /tmp/s.sh"),
        ("{{timestamp}}", "1783263849", "1783263849"),
        ("on {{build `ID`}}", "on {{build `ID`}}", "on i-1"),
        ("a {{- .Path -}} b", "a{{ .Path }}b", "a/tmp/s.shb"),
        (
            "{{printf `%s/%s/%s` (user `name`) .Path timestamp}}",
            "{{printf `%s/%s/%s` \"web\" .Path \"1783263849\"}}",
            "web//tmp/s.sh/1783263849",
        ),
        ("{{user `name` | upper | printf `%s-%s` .SourceAMI}}", "{{\"WEB\" | printf `%s-%s` .SourceAMI}}", "ami-1-WEB"),
        ("{{.Path | upper}}", "{{.Path | upper}}", "/TMP/S.SH"),
        ("{{if eq (user `name`) `web`}}a{{.Path}}{{else}}{{upper .Path}}{{end}}", "a{{.Path}}", "a/tmp/s.sh"),
        (
            "{{if .Nope}}a{{user `name`}}{{else if .Path}}b{{user `name`}}{{end}}",
            "{{if .Nope}}aweb{{else}}{{if .Path}}bweb{{end}}{{end}}",
            "bweb",
        ),
        (
            "{{range $k, $v := .SourceAMITags}}{{$k}}={{$v}}{{user `name`}};{{end}}",
            "{{range $k, $v := .SourceAMITags}}{{$k}}={{$v}}web;{{end}}",
            "a=xweb;b=yweb;",
        ),
        (
            "{{with .Path}}{{.}}{{user `name`}}{{else}}no{{end}}",
            "{{with .Path}}{{.}}web{{else}}no{{end}}",
            "/tmp/s.shweb",
        ),
        ("{{$x := user `name`}}{{$x}}{{.Path}}", "{{$x := \"web\"}}{{$x}}{{.Path}}", "web/tmp/s.sh"),
        ("{{or (user `name`) .Path}} {{or (user `empty`) .Path}}", "web {{or \"\" .Path}}", "web /tmp/s.sh"),
        ("{{user `later`}}", "on {{ .SourceAMI }}", "on ami-1"),
        ("{{user `jinja`}} {{.Path}}", "{{\"{{ ansible_user }}\"}} {{.Path}}", "{{ ansible_user }} /tmp/s.sh"),
        ("{{user `jinja`}}", "{{\"{{ ansible_user }}\"}}", "{{ ansible_user }}"),
        ("{{`{{`}}x}}", "{{\"{{x}}\"}}", "{{x}}"),
        ("{ {{- .Path }}", "{{\"{\"}}{{ .Path }}", "{/tmp/s.sh"),
        (
            "{{define `d`}}<{{.}}{{user `name`}}>{{end}}{{template `d` .Path}}",
            "{{define \"d\"}}<{{.}}web>{{end}}{{template \"d\" .Path}}",
            "</tmp/s.shweb>",
        ),
        ("{{build `ID` | printf `%s-%s` (user `name`)}}", "{{build `ID` | printf `%s-%s` \"web\"}}", "web-i-1"),
        ("{{ if gt .Count 2 }}many{{ end }}", "{{if gt .Count 2}}many{{end}}", "many"),
    ] {
        let (got_middle, got_end) = late(text);
        assert_eq!((got_middle.as_str(), got_end.as_deref()), (middle, Ok(end)), "{text}");
    }
}

#[test]
fn a_late_field_holds_secrets_by_name() {
    let (value, _) = rendered("{{user `password`}} {{printf `%s%s` (user `password`) .Path}}", LATE);
    let secret = || Piece::Secret(SecretRef("var:password".into()));
    let expected =
        vec![secret(), Piece::Plain(" {{printf `%s%s` \"".into()), secret(), Piece::Plain("\" .Path}}".into())];
    assert_eq!(value, Value::from_pieces(expected));
    assert_eq!(late("{{user `password`}}{{.Path}}").1.as_deref(), Ok("hunter2/tmp/s.sh"));
    assert_eq!(
        late("{{user `odd`}} {{.Path}}").1.as_deref(),
        Ok("a\"{{b /tmp/s.sh"),
        "a secret that looks like an action stays what it is"
    );
    assert_eq!(late("{{user `odd`}}").1.as_deref(), Ok("a\"{{b"));
    assert_eq!(late("{{print (user `odd`) .Path}}").1.as_deref(), Ok("a\"{{b/tmp/s.sh"));
}

#[test]
fn late_mistakes_are_found_early() {
    for (text, place) in [
        ("{{ upper .Path 1 }}", "upper .Path 1"),
        ("{{ .Path | split }}", "split"),
        ("{{ .Path | uper }}", "uper"),
        ("{{template `x` .}}", "{{template `x` .}}"),
    ] {
        let (_, findings) = rendered(text, LATE);
        assert_eq!(findings.diagnostics.len(), 1, "{text}");
        assert_eq!(&text[findings.diagnostics[0].span.unwrap().range()], place);
    }
}

#[test]
fn late_rendering_has_data_and_nothing_else() {
    let dot = json!({ "A": { "b": "c" }, "n": 5, "f": 1.5, "list": ["x", "y"], "null": null, "yes": true });
    for (text, expected) in [
        ("{{.A.b}} {{.n}} {{.f}} {{.yes}} {{.list}} {{.A}}", "c 5 1.5 true [x y] map[b:c]"),
        ("{{.Nope}} {{.Nope.Deeper}} {{.null}}", "<no value> <no value> <no value>"),
        ("{{index .list 1}} {{index .A `b`}} {{len .list}} {{index .A `z`}}", "y c 2 <no value>"),
        ("{{range $i, $x := .list}}{{$i}}{{$x}}{{end}} {{range .A}}{{.}}{{end}}", "0x1y c"),
        ("{{build `n`}} {{build_name}} {{pwd}} {{$.n}}", "5 web /work 5"),
        ("{{with .A}}{{.b}}{{$.n}}{{end}}", "c5"),
    ] {
        assert_eq!(due(text, &dot).as_deref(), Ok(expected), "{text}");
    }
    assert_eq!(
        due("ab {{build `Nope`}}", &dot),
        Err(LateError { message: "this build has no value `Nope`".into(), offset: 5 })
    );
    assert_eq!(
        due("{{user `x`}}", &dot).unwrap_err().message,
        "`user` is not available in a text that is rendered late"
    );
    assert_eq!(due("{{.n.x}}", &dot).unwrap_err().message, "`.x` is asked of an integer, which has no fields");
    assert_eq!(due("a {{", &dot).unwrap_err().offset, 2);
}

#[test]
fn uuids_are_packers_differ_and_stay_the_same() {
    let both = field("{{uuid}} {{uuid}}");
    let (first, second) = both.split_once(' ').unwrap();
    assert_ne!(first, second);
    assert_eq!(both, field("{{uuid}} {{uuid}}"));
    assert_eq!(first.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert!(first.starts_with(&format!("{START:08x}-")), "{first}");
}

#[test]
fn what_a_text_mentions() {
    let found: Vec<_> =
        mentions("{{.A.b}} {{if .C}}{{build `ID` | upper}}{{end}} {{with .D}}{{.E}}{{end}} {{upper ($.F)}}")
            .into_iter()
            .map(|m| (m.name, m.build))
            .collect();
    let expected = [("A", false), ("C", false), ("ID", true), ("D", false), ("F", false)];
    assert_eq!(found, expected.map(|(n, b)| (n.to_owned(), b)));
    assert_eq!(mentions("{{ broken"), []);
}

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
