use proptest::prelude::*;

use super::*;

fn scope() -> Scope {
    let var = Value::object([
        ("region", Value::from("us-east-1")),
        ("list", Value::tuple([Value::from("b"), Value::from("a")])),
        ("secret", Value::from("hunter2").mark(true)),
        ("open", Value::unknown(Type::String)),
    ]);
    let build = Value::object([("ID", late("ID")), ("name", Value::from("web"))]);
    Scope::from([("var".to_owned(), var), ("build".to_owned(), build)])
}

fn evaluated(text: &str) -> (Value, Vec<String>) {
    let mut sources = Sources::default();
    let id = sources.add("t", text);
    let mut diagnostics = Vec::new();
    let expression = parse_expression(sources.get(id).unwrap(), &mut diagnostics);
    let inputs = Inputs::default();
    let world = World::new(&inputs, "t");
    let scope = scope();
    let value = expression.map_or_else(anything, |e| Evaluator::new(&scope, &world, &mut diagnostics).evaluate(&e));
    let said = diagnostics.iter().map(|d| format!("{} {}", d.code, sources.text(d.span.unwrap()))).collect();
    (value, said)
}

/// The value as the console shows it.
fn shown(text: &str) -> String {
    let (value, said) = evaluated(text);
    assert!(said.is_empty(), "{text}: {said:?}");
    value.to_console()
}

#[test]
fn a_value_that_doubles_is_refused_before_it_fills_the_machine() {
    let mut sources = Sources::default();
    let id = sources.add("t", "[local.x, local.x]");
    let mut diagnostics = Vec::new();
    let expression = parse_expression(sources.get(id).unwrap(), &mut diagnostics).unwrap();
    let inputs = Inputs::default();
    let world = World::new(&inputs, "t");
    let mut value = Value::from("x");
    for _ in 0..60 {
        let scope = Scope::from([("local".to_owned(), Value::object([("x", value)]))]);
        value = Evaluator::new(&scope, &world, &mut diagnostics).evaluate(&expression);
    }
    let first = diagnostics.first().unwrap();
    assert!(first.message.contains("1000000 values"), "{}", first.message);
}

#[test]
fn expressions_have_the_values_that_packer_gives_them() {
    for (text, value) in [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("1 + \"5\"", "6"),
        ("0.1 + 0.2", "0.3"),
        ("-2 - -3", "1"),
        ("!true == false", "true"),
        ("\"1\" == 1", "false"),
        ("true && \"false\"", "false"),
        ("true ? 1 : \"a\"", "1"),
        ("false ? [] : [1, \"x\"]", "[\n  \"1\",\n  \"x\",\n]"),
        ("\"a${1}b${true}\"", "a1btrue"),
        ("\"${[1]}\"", "[\n  1,\n]"),
        ("\"$${x} $$${1}\"", "${x} $${1}"),
        ("\"a ${~ \"x\" ~} b\"", "axb"),
        ("\"%{ for i, x in [\"a\", \"b\"] }${i}${x} %{ endfor }\"", "0a 1b "),
        ("\"%{ if false }a%{ else }b%{ endif }\"", "b"),
        ("[for x in var.list : upper(x) if x != \"a\"]", "[\n  \"B\",\n]"),
        (
            "{for x in [\"ab\", \"ac\", \"b\"] : substr(x, 0, 1) => x...}",
            "{\n  \"a\" = [\n    \"ab\",\n    \"ac\",\n  ]\n  \"b\" = [\n    \"b\",\n  ]\n}",
        ),
        ("[{a = 1}, {a = 2}][*].a", "[\n  1,\n  2,\n]"),
        ("[{a = [1, 2]}, {a = [3]}].*.a.0", "[\n  1,\n  3,\n]"),
        ("\"x\"[*]", "[\n  \"x\",\n]"),
        ("[\"a\", \"b\"].1", "b"),
        ("{a = {b = 2}}.a[\"b\"]", "2"),
        ("max([1, 5, 3]...)", "5"),
        ("can(var.nothing)", "false"),
        ("try(var.nothing, \"else\")", "else"),
        ("convert([\"1\"], list(number))", "[\n  1,\n]"),
        ("{null = 1, 2 = 3}", "{\n  \"2\" = 3\n  \"null\" = 1\n}"),
    ] {
        assert_eq!(shown(text), value, "{text}");
    }
}

#[test]
fn every_mistake_stands_where_it_is() {
    for (text, said) in [
        ("upper(region)", "K1301 region"),
        ("var.regoin", "K1302 regoin"),
        ("var.list[5]", "K1302 5"),
        ("1 + var.region", "K1303 var.region"),
        ("null + 1", "K1303 null"),
        ("\"x\" ? 1 : 2", "K1304 \"x\""),
        ("[for x in 5 : x]", "K1305 5"),
        ("uper(\"x\")", "K1306 uper"),
        ("upper(\"a\", \"b\")", "K1307 \"b\""),
        ("max(\"x\"...)", "K1307 \"x\""),
        ("\"a ${null}\"", "K1308 null"),
        ("{(null) = 1}", "K1309 (null)"),
        ("{for x in [1, 1] : x => 1}", "K1309 x"),
        ("convert(1, strin)", "K1312 strin"),
        ("convert(\"x\", number)", "K1307 \"x\""),
    ] {
        assert_eq!(evaluated(text).1, [said], "{text}");
    }
}

#[test]
fn a_mistake_hides_none_and_causes_none() {
    let (_, said) = evaluated("[upper(region), var.nothing + 1, 1 + \"x\"]");
    assert_eq!(said, ["K1301 region", "K1302 nothing", "K1303 \"x\""]);
}

#[test]
fn marks_and_what_is_not_known_go_on_into_what_is_made_of_them() {
    assert!(evaluated("\"a${var.secret}\"").0.is_sensitive());
    assert!(evaluated("upper(var.secret)").0.is_sensitive());
    assert!(evaluated("{a = var.secret}.a").0.is_sensitive());
    assert!(!evaluated("[var.secret, var.region][1]").0.is_sensitive());
    assert!(evaluated("var.secret == \"x\" ? 1 : 2").0.is_sensitive());
    for text in ["var.open", "\"a${var.open}\"", "upper(var.open)", "[for x in [1] : x if var.open == \"\"]"] {
        let (value, said) = evaluated(text);
        assert!(said.is_empty() && !value.is_known(), "{text}");
    }
}

#[test]
fn what_only_a_running_build_knows_stays_an_expression() {
    let text = |source: &str| {
        let (value, said) = evaluated(source);
        assert!(said.is_empty(), "{source}: {said:?}");
        value.as_str().unwrap().to_owned()
    };
    let written = |text: &str| match pieces(text).as_slice() {
        [LatePiece::Expression(inside)] => (*inside).to_owned(),
        pieces => format!("{pieces:?}"),
    };
    assert_eq!(written(&text("build.ID")), "build.ID");
    assert_eq!(pieces(&text("\"a ${build.ID} b\"")).len(), 3);
    assert_eq!(written(&text("upper(build.ID)")), "upper(build.ID)");
    assert_eq!(
        written(&text("replace(\"x-${build.ID}\", var.region, \"\\\"\")")),
        "replace(\"x-${build.ID}\", \"us-east-1\", \"\\\"\")"
    );
    assert_eq!(
        evaluate_late("replace(\"x-${build.ID}\", \"i\", \"I\")", [("ID", "i-1")], 0, 0).as_deref(),
        Ok("x-I-1")
    );
    assert!(evaluate_late("build.Nothing", [("ID", "i-1")], 0, 0).unwrap_err().contains("Nothing"));
    assert_eq!(written(&text("build.ID == \"\" ? build.name : \"no\"")), "((build.ID == \"\") ? \"web\" : \"no\")");
}

#[test]
fn evaluation_ends_with_an_error_that_says_why() {
    let large = "[for a in range(0, 1000) : [for b in range(0, 1000) : [for c in range(0, 10) : c]]]";
    let (_, said) = evaluated(large);
    assert_eq!(said.iter().filter(|s| s.starts_with("K1310")).count(), 1, "{said:?}");
    let doubled =
        (0..40).fold("\"xxxxxxxxxxxxxxxx\"".to_owned(), |text, _| format!("[for s in [{text}] : \"${{s}}${{s}}\"][0]"));
    assert!(evaluated(&doubled).1.iter().any(|s| s.starts_with("K1310") || s.starts_with("K1210")));
}

proptest! {
    #[test]
    fn no_expression_makes_it_panic(text in "(var|null|true|1|\"a\"|\"\\$\\{1\\}\"|[+*/%!?:.,()\\[\\]{}=<>&|\\-]|for x in|upper|max|\\.\\.\\.| ){0,12}") {
        evaluated(&text);
    }
}
