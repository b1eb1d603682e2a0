use super::*;
use crate::template::question::Answer;
use crate::text::SourceId;

struct Resolved {
    variables: Variables,
    diagnostics: Vec<Diagnostic>,
    questions: Vec<Question>,
    secrets: Secrets,
    sources: Sources,
}

impl Resolved {
    fn text(&self, name: &str) -> &str {
        match &self.variables[name].value {
            Value::Text(text) => text,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn messages(&self) -> Vec<&str> {
        self.diagnostics.iter().map(|d| d.message.as_str()).collect()
    }
}

/// A template with these variables; a name with `!` before it is sensitive.
fn document(sources: &mut Sources, variables: &[(&str, Option<&str>)]) -> Document {
    let mut text = String::new();
    for (name, value) in variables {
        text.push_str(name);
        text.push_str(value.unwrap_or_default());
    }
    let id = sources.add("t.json", text);
    let mut at = 0;
    let mut plain = |text: &str| {
        let made = Text::plain(text, id, at);
        at += text.len();
        made
    };
    let declarations = variables.iter().map(|(name, value)| {
        let sensitive = name.starts_with('!');
        let mut name = plain(name);
        name.value = name.value.trim_start_matches('!').to_owned();
        VariableDeclaration { name, default: value.map(&mut plain), sensitive }
    });
    let variables = declarations.collect();
    Document { variables, ..Document::default() }
}

fn resolved(variables: &[(&str, Option<&str>)], inputs: &Inputs) -> Resolved {
    let mut sources = Sources::default();
    let document = document(&mut sources, variables);
    let (mut diagnostics, mut questions, mut secrets) = (Vec::new(), Vec::new(), Secrets::default());
    let variables = resolve(&document, inputs, &mut sources, &mut diagnostics, &mut questions, &mut secrets);
    Resolved { variables, diagnostics, questions, secrets, sources }
}

fn given(vars: &[(&str, &str)], files: &[(&str, &str)]) -> Inputs {
    let pairs = |list: &[(&str, &str)]| list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
    Inputs {
        vars: pairs(vars),
        var_files: pairs(files),
        env: [("SET".to_owned(), "from env".to_owned())].into(),
        ..Inputs::default()
    }
}

#[test]
fn variables_refer_to_each_other_in_any_order_and_form() {
    let found = resolved(
        &[
            ("d", Some("{{user `c`}}!")),
            ("c", Some("{{ user \"b\" | upper }}/{{ user (print `a`) }}")),
            ("b", Some("b{{user `a`}}")),
            ("a", Some("1")),
        ],
        &Inputs::default(),
    );
    assert_eq!(found.messages(), [""; 0]);
    assert_eq!((found.text("b"), found.text("c"), found.text("d")), ("b1", "B1/1", "B1/1!"));
    assert_eq!(found.variables.keys().collect::<Vec<_>>(), ["d", "c", "b", "a"], "in the template's order");
}

#[test]
fn an_argument_wins_over_files_and_the_last_file_over_the_first() {
    let inputs = given(
        &[("a", "arg{{user `b`}}"), ("a", "last{{user `b`}}")],
        &[("one.json", r#"{ "a": "f", "b": "one", "c": "one" }"#), ("two.json", r#"{ "b": "two" }"#)],
    );
    let found = resolved(&[("a", Some("d")), ("b", Some("d")), ("c", None), ("e", Some("d"))], &inputs);
    assert_eq!(found.messages(), [""; 0]);
    assert_eq!((found.text("a"), found.text("b"), found.text("c"), found.text("e")), ("lasttwo", "two", "one", "d"));
    assert_eq!(found.variables["a"].origin, Origin::Argument);
    assert_eq!(found.variables["b"].origin, Origin::VarFile("two.json".into()));
    assert_eq!(found.variables["e"].origin, Origin::Default);
}

#[test]
fn a_required_variable_that_nobody_gives_is_told_where_it_is_declared() {
    let found = resolved(&[("region", None), ("url", Some("{{user `region`}}/x"))], &Inputs::default());
    assert_eq!(found.messages(), ["variable `region` is required and has no value"]);
    assert_eq!(found.diagnostics[0].span.map(Span::range), Some(0..6));
    assert!(matches!(found.variables["region"].value, Value::Unknown(_)));
    assert!(matches!(found.variables["url"].value, Value::Unknown(_)), "what hangs on it is no second mistake");
    assert_eq!(found.variables["region"].origin, Origin::Missing);
}

#[test]
fn a_circle_is_told_with_its_path_once() {
    let found = resolved(
        &[
            ("x", Some("{{user `a`}}")),
            ("a", Some("{{user `b`}}")),
            ("b", Some("{{user `c`}}")),
            ("c", Some("{{user `a`}}")),
            ("s", Some("{{user `s`}}")),
        ],
        &Inputs::default(),
    );
    assert_eq!(
        found.messages(),
        [
            "variables refer to each other in a circle: `a` → `b` → `c` → `a`",
            "variables refer to each other in a circle: `s` → `s`"
        ]
    );
    assert!(found.variables.values().all(|v| matches!(v.value, Value::Unknown(_))));
}

#[test]
fn a_reference_to_nothing_is_an_error_with_a_suggestion() {
    let found = resolved(&[("base", Some("x")), ("name", Some("{{user `bsae`}}"))], &Inputs::default());
    assert_eq!(found.messages(), ["variable `bsae` is not declared"]);
    assert_eq!(found.diagnostics[0].code, code::UNKNOWN_REFERENCE);
    assert_eq!(found.diagnostics[0].help.as_deref(), Some("did you mean `base`?"));
    assert_eq!(found.sources.text(found.diagnostics[0].span.unwrap()), "`bsae`");
}

#[test]
fn a_name_that_is_only_given_is_a_warning_and_can_be_used() {
    let found = resolved(&[("region", Some("{{user `regoin`}}"))], &given(&[("regoin", "eu")], &[]));
    assert_eq!(found.messages(), ["the template declares no variable `regoin`"]);
    assert!(!found.diagnostics[0].is_error());
    assert_eq!(found.diagnostics[0].help.as_deref(), Some("did you mean `region`?"));
    assert_eq!(found.text("region"), "eu");
    assert_eq!(
        found.sources.get(found.diagnostics[0].span.unwrap().source).map(|s| s.name.as_str()),
        Some("-var regoin")
    );
}

#[test]
fn the_environment_is_read_and_what_is_not_set_is_noted() {
    let found = resolved(
        &[
            ("a", Some("{{env `SET`}}")),
            ("b", Some("{{ env \"NOT\" }}")),
            ("c", Some("x{{user `b`}}")),
            ("d", Some("x{{env `SET`}}")),
        ],
        &given(&[], &[]),
    );
    assert_eq!(found.messages(), [""; 0]);
    let origin = |name: &str, set| Origin::Environment { name: name.into(), set };
    assert_eq!(found.variables["a"].origin, origin("SET", true));
    assert_eq!(found.variables["b"].origin, origin("NOT", false));
    assert_eq!(found.variables["d"].origin, Origin::Default);
    assert_eq!((found.text("a"), found.text("b"), found.text("c")), ("from env", "", "x"));
    assert_eq!((&found.variables["a"].unset_env, &found.variables["c"].unset_env), (&vec![], &vec!["NOT".to_owned()]));
}

#[test]
fn a_sensitive_variable_is_a_reference_and_so_is_what_holds_it() {
    let found = resolved(
        &[("!pw", Some("hunter2")), ("url", Some("u:{{user `pw`}}@h")), ("!none", Some(""))],
        &Inputs::default(),
    );
    let reference = SecretRef("var:pw".into());
    assert_eq!(found.secrets.reveal(&reference), "hunter2");
    assert!(found.variables["pw"].sensitive);
    assert!(!format!("{:?}", found.variables).contains("hunter2"));
    assert_eq!(found.variables["url"].value.reveal(&found.secrets), serde_json::json!("u:hunter2@h"));
    assert_eq!(found.text("none"), "", "an empty value hides nothing");
}

#[test]
fn data_of_the_build_passes_through() {
    let found = resolved(&[("a", Some("{{ .SourceAMI }}-{{user `b`}}")), ("b", Some("{{.Path}}"))], &Inputs::default());
    assert_eq!(found.text("a"), "{{ .SourceAMI }}-{{.Path}}");
}

#[test]
fn a_question_is_asked_once_per_variable_and_answered() {
    let variables = [("a", Some("{{consul_key `k`}}")), ("b", Some("{{user `a`}}!"))];
    let found = resolved(&variables, &Inputs::default());
    let question = Question::ConsulKey { path: "k".into() };
    assert_eq!(found.questions, std::slice::from_ref(&question));
    assert!(matches!(found.variables["b"].value, Value::Unknown(_)));
    let mut inputs = Inputs::default();
    inputs.answers.insert(question, Answer::Text("v".into()));
    assert_eq!(resolved(&variables, &inputs).text("b"), "v!");
}

#[test]
fn a_var_file_is_a_flat_object_of_strings() {
    let files = [("a.json", r#"{ "x": 5, "y": "ok", "z": ["a"] }"#), ("b.json", "[]"), ("c.pkrvars.hcl", "x = 1")];
    let found = resolved(&[("x", Some("d")), ("y", Some("d"))], &given(&[], &files));
    assert_eq!(
        found.messages(),
        [
            "variable `x` must be a string and is a number",
            "variable `z` must be a string and is an array",
            "a var-file is an object of variables, and this is an array",
            "`c.pkrvars.hcl` is a var-file in HCL, which a JSON template does not take",
        ]
    );
    assert_eq!(found.sources.text(found.diagnostics[0].span.unwrap()), "5");
    assert_eq!((found.text("x"), found.text("y")), ("d", "ok"));
}

#[test]
fn a_mistake_in_an_argument_has_its_place_there() {
    let found = resolved(&[("!a", Some("d"))], &given(&[("a", "x{{usr `b`}}")], &[]));
    let diagnostic = &found.diagnostics[0];
    assert_eq!(diagnostic.span.map(|s| (s.source, s.range())), Some((SourceId(1), 3..6)));
    assert!(diagnostic.secret, "the line that would be quoted holds a sensitive value");
}

#[test]
fn a_long_chain_of_references_is_no_burden() {
    let names: Vec<String> = (0..2000).map(|i| format!("v{i}")).collect();
    let values: Vec<String> =
        (0..2000).map(|i| if i == 1999 { "end".into() } else { format!("{{{{user `v{}`}}}}", i + 1) }).collect();
    let variables: Vec<_> = names.iter().map(String::as_str).zip(values.iter().map(|v| Some(v.as_str()))).collect();
    assert_eq!(resolved(&variables, &Inputs::default()).text("v0"), "end");
}
