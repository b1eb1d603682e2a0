use proptest::prelude::*;

use super::ast::{Body, ExpressionKind, Part};
use super::*;
use crate::text::Sources;

fn read(text: &str) -> (Body, Vec<Diagnostic>, Sources) {
    let mut sources = Sources::default();
    let id = sources.add("t.pkr.hcl", text);
    let mut diagnostics = Vec::new();
    let body = parse(sources.get(id).unwrap(), &mut diagnostics);
    (body, diagnostics, sources)
}

/// Code and the text under the underline of each mistake.
fn found(text: &str) -> Vec<String> {
    let (_, diagnostics, sources) = read(text);
    diagnostics.iter().map(|d| format!("{} {}", d.code, sources.text(d.span.unwrap()).replace('\n', "\\n"))).collect()
}

#[test]
fn everything_knows_its_place() {
    let text =
        "# comment\nsource \"amazon-ebs\" web {\n  tags = { Name = \"a${var.b}c\" } // why\n  filter { x = 1 }\n}\n";
    let (body, diagnostics, sources) = read(text);
    assert_eq!(diagnostics, []);
    let block = &body.blocks[0];
    assert_eq!(sources.text(block.header), "source \"amazon-ebs\" web");
    assert!(sources.text(block.span).ends_with("}\n}") && sources.text(block.span).starts_with("source"));
    assert_eq!(sources.text(block.labels[0].span), "\"amazon-ebs\"");
    assert_eq!(block.labels.iter().map(|l| l.text.as_str()).collect::<Vec<_>>(), ["amazon-ebs", "web"]);
    let tags = block.body.attribute("tags").unwrap();
    assert_eq!(sources.text(tags.span), "tags = { Name = \"a${var.b}c\" }");
    let ExpressionKind::Object(items) = &tags.expression.kind else { panic!("an object") };
    let ExpressionKind::Template(parts) = &items[0].1.kind else { panic!("a template") };
    let Part::Value(value) = &parts[1] else { panic!("a value") };
    assert_eq!(sources.text(value.span), "var.b");
    assert_eq!(block.body.blocks[0].kind.text, "filter");
}

#[test]
fn every_mistake_is_found_and_underlined() {
    let mut wrong = Vec::new();
    for (text, expected) in [
        ("a = \"abc\nb = 1\n", vec!["K1202 \"abc"]),
        ("a = 'x'\n", vec!["K1206 '"]),
        ("a = 1, b = 2\n", vec!["K1207 ,"]),
        ("a = 1 b = 2\n", vec!["K1207 b"]),
        ("a = 1\na = 2\n", vec!["K1208 a"]),
        ("a { b = 1, c = 2 }\n", vec!["K1207 ,"]),
        ("a { b = 1\n}\n", vec!["K1207 \\n"]),
        ("a { d {} }\n", vec!["K1207 d {"]),
        ("a {", vec!["K1204 {"]),
        ("}\n", vec!["K1204 }"]),
        ("a = [1 2]\n", vec!["K1213 2"]),
        ("a = [1, 2\n", vec!["K1204 ["]),
        ("a = { b }\n", vec!["K1213 }"]),
        ("a = { b = 1 c = 2 }\n", vec!["K1213 c"]),
        ("a = \"\\q\"\n", vec!["K1205 \\q"]),
        ("a = \"${}\"\n", vec!["K1201 ${}"]),
        ("a = \"%{if true}x\"\n", vec!["K1209 %{if"]),
        ("a = \"%{endif}\"\n", vec!["K1209 %{endif"]),
        ("a = \"%{while x}\"\n", vec!["K1209 %{while"]),
        ("a = 1.5.2\n", vec!["K1212 1.5.2"]),
        ("\"a\" = 1\n", vec!["K1214 \"a\""]),
        ("a = <<EOT\nx\n", vec!["K1203 <<EOT"]),
        ("a = \n", vec!["K1201 a"]),
        ("a : 1\n", vec!["K1201 :"]),
        ("a = [for x of y : x]\n", vec!["K1211 of"]),
        ("a = {for x in y : x}\n", vec!["K1211 }"]),
        ("a = [for x in y : x => 1]\n", vec!["K1211 x"]),
        ("a = x ? 1\n", vec!["K1201 \\n"]),
        ("a = { b.c = 1 }\n", vec!["K1201 b.c"]),
        ("a = /* x\n", vec!["K1204 /*", "K1201 a"]),
        ("a = x.\n", vec!["K1201 \\n"]),
        ("a = f(1\n", vec!["K1204 ("]),
    ] {
        if found(text) != expected {
            wrong.push(format!("{text:?}: {:?}, not {expected:?}", found(text)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_mistake_hides_no_other_block() {
    let text = "variable \"a\" {\n  default = [1, 2\n}\n\nvariable \"b\" {\n  default = \"x\n}\n\nsource \"null\" \"c\" {\n  x = ]\n  \
                y = 1\n}\n";
    let (body, diagnostics, _) = read(text);
    let names: Vec<_> = body.blocks.iter().map(|b| b.labels.last().unwrap().text.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let codes: Vec<_> = diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes.len(), 3, "{diagnostics:?}");
    assert!(body.blocks[2].body.attribute("y").is_some());
}

#[test]
fn a_missing_brace_names_its_block() {
    let text = "source \"null\" \"a\" {\n  x = 1\n\nbuild {\n  sources = [\"source.null.a\"]\n}\n";
    let (body, diagnostics, _) = read(text);
    assert_eq!(diagnostics.len(), 1, "{diagnostics:?}");
    assert!(diagnostics[0].message.contains("source \"null\" \"a\""), "{}", diagnostics[0].message);
    assert_eq!(body.blocks.iter().map(|b| b.kind.text.as_str()).collect::<Vec<_>>(), ["source", "build"]);
}

#[test]
fn what_never_ends_is_refused_and_not_followed() {
    for text in
        ["(".repeat(100_000), "[".repeat(100_000), "\"${".repeat(50_000), "-".repeat(100_000), "a {\n".repeat(50_000)]
    {
        let (_, diagnostics, _) = read(&format!("a = {text}"));
        assert!(!diagnostics.is_empty());
        let (_, diagnostics, _) = read(&text);
        assert!(!diagnostics.is_empty());
    }
    let chain = format!("a = 1{}\n", " + 1".repeat(100_000));
    assert_eq!(read(&chain).1[0].code.as_str(), "K1210");
    let path = format!("a = b{}\n", ".c".repeat(100_000));
    assert_eq!(read(&path).1[0].code.as_str(), "K1210");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_underline_nothing(text in "[a-z \\n\"{}$%\\[\\]()=,.:?<>~#/*\\\\-é1]{0,60}") {
        let (_, diagnostics, sources) = read(&text);
        for diagnostic in diagnostics {
            let span = diagnostic.span.unwrap();
            prop_assert!(sources.iter().next().unwrap().text.get(span.range()).is_some());
        }
    }
}
