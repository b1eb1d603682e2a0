use proptest::prelude::*;

use super::*;
use crate::template::tree::Tree;
use crate::text::{Severity, Sources};

/// What was found: code, the text under the span, severity.
struct Read {
    node: Option<Node>,
    diagnostics: Vec<Diagnostic>,
    sources: Sources,
}

impl Read {
    /// `K0106@3` for each finding: code and line.
    fn codes(&self) -> Vec<String> {
        let line = |d: &Diagnostic| {
            let span = d.span.unwrap();
            self.sources.get(span.source).unwrap().position(span.start as usize).line
        };
        self.diagnostics.iter().map(|d| format!("{}@{}", d.code, line(d))).collect()
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_str(&format(self.node.as_ref().unwrap())).unwrap()
    }
}

fn read(text: &str) -> Read {
    let mut sources = Sources::default();
    let id = sources.add("t.json", text);
    let mut diagnostics = Vec::new();
    let node = parse(sources.get(id).unwrap(), &mut diagnostics);
    Read { node, diagnostics, sources }
}

/// The text with every offered fix applied, back to front.
fn mended(text: &str) -> String {
    let mut fixes: Vec<_> = read(text).diagnostics.into_iter().filter_map(|d| d.fix).collect();
    fixes.sort_by_key(|f| std::cmp::Reverse((f.span.start, f.span.end)));
    let mut text = text.to_owned();
    for fix in fixes {
        text.replace_range(fix.span.range(), &fix.replacement);
    }
    text
}

#[test]
fn plain_json_is_read_without_a_word() {
    let text = r#" { "a": [1, -2.5e+3, true, false, null], "b": {"c": "dä\u00e4\ud83d\ude00\"\\\/\b\f\n\r\t"}, "": [] , "d":{}}"#;
    let read = read(text);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    assert_eq!(read.json(), serde_json::from_str::<serde_json::Value>(text).unwrap());
}

#[test]
fn every_key_and_value_knows_its_place() {
    let text = r#"{"ä": ["x", 12], "b": {"c": null}}"#;
    let read = read(text);
    let at = |span| read.sources.text(span);
    let root = read.node.as_ref().unwrap();
    assert_eq!(at(root.span), text);
    assert_eq!(at(root.entries()[0].key.span), "\"ä\"");
    assert_eq!(at(root.entries()[0].value.span), "[\"x\", 12]");
    assert_eq!(at(root.get("ä").unwrap().items()[1].span), "12");
    assert_eq!(at(root.get("b").unwrap().get("c").unwrap().span), "null");
}

#[test]
fn a_place_in_a_decoded_string_leads_back_to_its_escape() {
    let read = read(r#"{"a": "x\n\u00e9é\ud83d\ude00yz"}"#);
    let text = read.node.as_ref().unwrap().get("a").unwrap().text().unwrap();
    assert_eq!(text.value, "x\néé😀yz");
    let source_of = |part: &str| {
        let start = text.value.find(part).unwrap();
        read.sources.text(text.place(start..start + part.len()))
    };
    assert_eq!(source_of("x"), "x");
    assert_eq!(source_of("\n"), r"\n");
    assert_eq!(source_of("é"), r"\u00e9");
    assert_eq!(source_of("éé"), r"\u00e9é");
    assert_eq!(source_of("😀"), r"\ud83d\ude00");
    assert_eq!(source_of("yz"), "yz");
    assert_eq!(source_of(&text.value), r"x\n\u00e9é\ud83d\ude00yz");
}

#[test]
fn comments_trailing_commas_and_a_byte_order_mark_are_warnings_with_places() {
    let text =
        "\u{feff}{ # one\n // two\n\n /* three\n */ \"a\": [1, 2,], // four\n\"b\": \"# no // comment\",\n}\n# five";
    let read = read(text);
    assert!(read.diagnostics.iter().all(|d| d.severity == Severity::Warning));
    assert_eq!(
        read.codes(),
        ["K0104@1", "K0102@1", "K0102@4", "K0103@5", "K0102@5", "K0103@6", "K0102@8"],
        "comments on neighbouring lines are one"
    );
    assert_eq!(read.json(), serde_json::json!({"a": [1, 2], "b": "# no // comment"}));
}

#[test]
fn the_seed_examples_are_read_as_they_stand() {
    let first = read(include_str!("../../../tests/templates/seed-first.json"));
    assert_eq!(first.codes(), ["K0102@10"]);
    let filter = &first.json()["builders"][0]["source_ami_filter"];
    assert_eq!(filter["filters"]["name"], "ubuntu/images/*ubuntu-xenial-16.04-amd64-server-*");
    let second = read(include_str!("../../../tests/templates/seed-second.json"));
    assert_eq!(second.codes(), ["K0102@16", "K0102@26"]);
    let json = second.json();
    assert_eq!(json["builders"][0]["tags"]["BuildAt"], "{{isotime \"02-Jan-06 03:04:05\"}}");
    assert_eq!(json["provisioners"].as_array().map(Vec::len), Some(3));
}

#[test]
fn an_endless_comment_is_an_error_where_it_begins() {
    assert_eq!(read("{\"a\": 1} /* x").codes(), ["K0101@1"]);
    assert_eq!(read("{\"a\": 1} /*/").codes(), ["K0101@1"]);
}

#[test]
fn one_mistake_gives_one_message() {
    for (text, codes) in [
        ("{\"a\": 1 \"b\": 2}", "K0106"),
        ("{\"a\": 1; \"b\": 2}", "K0106"),
        ("[1 2]", "K0106"),
        ("{\"a\" 1, \"b\": 2}", "K0107"),
        ("{\"a\" \"x\", \"b\": 2}", "K0107"),
        ("{\"a\" = \"x\", \"b\": 2}", "K0107"),
        ("{\"a\" => \"x\"}", "K0107"),
        ("{\"a\": \"x", "K0108"),
        ("{\"a\": \"x,\n\"b\": 2}", "K0108"),
        ("{\"a\": \"{{user `x`}},\n\"b\": 2}", "K0108"),
        ("{\"a: \"x\",\n\"b\": 2}", "K0108"),
        ("{\"a: 1,\n\"b\": 2}", "K0108"),
        ("{\"a\": \"x, \"b\": 2}", "K0108"),
        ("[\"a, \"b\"]", "K0108"),
        ("{\"a\": [\"x]}", "K0108"),
        ("{\"a\": [1, 2}", "K0109"),
        ("{\"a\": [1, 2, \"b\": 3}", "K0109"),
        ("{\"a\": {\"b\": [{\"c\": 1}", "K0109"),
        ("{\"a\": [{\"b\": 1]}", "K0109"),
        ("{\"a\": [{\"b\": 1, {\"b\": 2}]}", "K0109"),
        ("{\"a\": [{\"b\": 1 {\"b\": 2}]}", "K0109"),
        ("{'a': 1}", "K0110"),
        ("{\"a\": 'it\\'s', \"b\": 1}", "K0110"),
        ("{“a”: 1}", "K0110"),
        ("{\"a\": `x`}", "K0110"),
        ("{a: 1}", "K0111"),
        ("{a\": 1}", "K0111"),
        ("{\"a\": us-east-1, \"b\": 1}", "K0111"),
        ("{\"a\": us-east-1\", \"b\": 1}", "K0111"),
        ("{\"a\": 10m}", "K0111"),
        ("{\"a\": 10.0.0.1}", "K0111"),
        ("{\"a\": {{user `x`}}, \"b\": 1}", "K0111"),
        ("{\"a\": True}", "K0112"),
        ("[None]", "K0112"),
        ("{\"a\": \"\\d+\"}", "K0113"),
        ("{\"a\": \"\\u12\"}", "K0113"),
        ("{\"a\": \"\\ud800\"}", "K0113"),
        ("[007]", "K0114"),
        ("[+1]", "K0114"),
        ("[.5]", "K0114"),
        ("[5.]", "K0114"),
        ("[1_000]", "K0114"),
        ("[0x1F]", "K0114"),
        ("[-]", "K0114"),
        ("{\"a\": 1} 5", "K0115"),
        ("{\"a\": 1}}", "K0115"),
        ("{\"a\": 1}, \"b\": 2}", "K0115"),
        ("{\"a\": 1, \"a\": 2}", "K0117"),
        ("", "K0118"),
        (" \n\t", "K0118"),
        ("{\"a\": , \"b\": 1}", "K0119"),
        ("{\"a\": }", "K0119"),
        ("{\"a\"}", "K0119"),
        ("{\"a\", \"b\": 1}", "K0119"),
        ("[1,,2]", "K0120"),
        ("[,1]", "K0120"),
        ("{,\"a\": 1}", "K0120"),
        ("{\"a\": 1]", "K0121"),
        ("{\"a\": [{\"b\": 1]]}", "K0121"),
        ("{\"a\": [{\"b\": 1}}], \"c\": 1}", "K0121"),
        ("[\"a\": 1, \"b\": 2]", "K0121"),
        ("\"a\": 1, \"b\": 2}", "K0121"),
        ("{\"a\": \"say \"hi\" to\", \"b\": 1}", "K0122"),
        ("{\"a\": \"{{user \"x\"}}\", \"b\": 1}", "K0122"),
        ("{\"a\": \"x\ty\"}", "K0105"),
        ("{\"a\": \"x\n  y\n  z\",\n\"b\": 1}", "K0105"),
        ("{\"a\": 1 % 2}", "K0101"),
        ("{\"a\": 5 minutes, \"b\": 1}", "K0101"),
        ("{\"a\": ?}", "K0101"),
        ("{? \"a\": 1}", "K0101"),
        ("{: 1}", "K0101"),
        ("{\"a\":: 1}", "K0101"),
        ("{{\"a\": 1}}", "K0101"),
        ("source \"null\" \"x\" {}", "K0123"),
        ("variable \"x\" {\n}\n", "K0123"),
    ] {
        let found: Vec<_> = read(text).diagnostics.iter().map(|d| d.code.to_string()).collect();
        assert_eq!(found, [codes], "{text}");
    }
}

#[test]
fn what_follows_a_mistake_is_read_as_it_was_meant() {
    for (text, meant) in [
        ("{\"a\": 1 \"b\": 2}", r#"{"a": 1, "b": 2}"#),
        ("{\"a\": \"x,\n\"b\": 2}", r#"{"a": "x", "b": 2}"#),
        ("{\"a\": \"{{user `x`}},\n\"b\": 2}", r#"{"a": "{{user `x`}}", "b": 2}"#),
        ("{\"a: \"x\",\n\"b\": 2}", r#"{"a": "x", "b": 2}"#),
        ("{\"a\": \"x, \"b\": 2}", r#"{"a": "x", "b": 2}"#),
        ("{\"a\": [\"x]}", r#"{"a": ["x"]}"#),
        ("{\"a\": [1, 2, \"b\": 3}", r#"{"a": [1, 2], "b": 3}"#),
        ("{\"a\": [{\"b\": 1, {\"b\": 2}]}", r#"{"a": [{"b": 1}, {"b": 2}]}"#),
        ("{\"a\": 1}, \"b\": 2}", r#"{"a": 1, "b": 2}"#),
        ("{\"a\": [{\"b\": 1}}], \"c\": 1}", r#"{"a": [{"b": 1}], "c": 1}"#),
        ("\"a\": 1, \"b\": 2}", r#"{"a": 1, "b": 2}"#),
        ("{'a': 'it\\'s', b: us-east-1\", \"c\": True}", r#"{"a": "it's", "b": "us-east-1", "c": true}"#),
        ("{\"a\": \"say \"hi\" to\", \"b\": 1}", r#"{"a": "say \"hi\" to", "b": 1}"#),
        ("{\"a\": \"\\d\"}", r#"{"a": "\\d"}"#),
        ("{\"a\": \"x\n  y\",\n\"b\": 1}", r#"{"a": "x\n  y", "b": 1}"#),
    ] {
        let meant: serde_json::Value = serde_json::from_str(meant).unwrap();
        assert_eq!(read(text).json(), meant, "{text}");
    }
}

#[test]
fn applying_the_fixes_leaves_nothing_to_say() {
    for text in [
        "{\"a\": 1 \"b\": 2; \"c\" = 3,}",
        "{\"a\": \"x,\n\"b\": [1, 2}",
        "{'a': us-east-1, b\": {{user `x`}}, c: True, \"d\": [+1, .5, 5., 0644, 1_000]}",
        "\u{feff}{\"a\": [{\"b\": 1]], \"c\": \"say \"hi to\"}",
        "\"a\": 1,, \"b\": \"\\d\t\"}",
    ] {
        let mended = mended(text);
        let left = read(&mended);
        assert!(left.diagnostics.is_empty(), "{text}\n{mended}\n{:?}", left.diagnostics);
        assert!(serde_json::from_str::<serde_json::Value>(&mended).is_ok(), "{mended}");
    }
}

#[test]
fn one_run_shows_all_mistakes_of_a_file() {
    let text = "{\n  \"variables\": {\n    \"a\": \"1\"\n    \"b\": 'x',\n  },\n  \"builders\": [{\n    \"type\": \"null,\n    \
                \"port\": 022,\n    \"pty\": True\n  }],\n  provisioners: [\n    { \"type\" \"shell\", \"type\": \"file\" }\n  ]\n}\n";
    assert_eq!(
        read(text).codes(),
        ["K0106@3", "K0110@4", "K0103@4", "K0108@7", "K0114@8", "K0112@9", "K0111@11", "K0107@12", "K0117@12"]
    );
}

#[test]
fn duplicates_are_found_at_any_depth_and_point_at_both_places() {
    let read = read("{\"a\": [{\"b\": {\"c\": 1,\n\"C\": 2,\n\"c\": 3}}]}");
    assert_eq!(read.codes(), ["K0117@3"]);
    let found = &read.diagnostics[0];
    assert!(found.message.contains("`c`"));
    let first = found.related[0].span;
    assert_eq!(
        (read.sources.text(first), read.sources.get(first.source).unwrap().position(first.start as usize).line),
        ("\"c\"", 1)
    );
}

#[test]
fn an_unclosed_bracket_is_named_where_it_was_opened() {
    let read = read("{\n  \"a\": {\n    \"b\": 1,\n  \"c\": [ {} ]\n}\n");
    assert_eq!(read.codes(), ["K0109@1"]);
    let related: Vec<_> = read.diagnostics[0].related.iter().map(|r| r.span.start).collect();
    assert!(related.contains(&9), "the indentation tells which: {:?}", read.diagnostics[0]);
}

#[test]
fn depth_has_a_limit() {
    let nested = |n| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(&nested(MAX_DEPTH)).diagnostics.is_empty());
    assert_eq!(read(&format!("{{\"a\": {}, \"b\" 1}}", nested(MAX_DEPTH))).codes(), ["K0116@1", "K0107@1"]);
    assert_eq!(read(&nested(1_000_000)).codes(), ["K0116@1"]);
    assert_eq!(read(&"{\"a\":".repeat(100_000)).codes().len(), 2);
}

#[test]
fn a_file_that_is_no_json_does_not_flood() {
    let found = read(&format!("[{}", "? , ".repeat(10_000))).diagnostics;
    assert!(found.len() <= 101 && found.iter().any(|d| d.message.contains("too many")), "{}", found.len());
}

#[test]
fn formatting_is_stable_and_keeps_order_and_duplicates() {
    let read = read("{\"b\":1,\"a\":[],\"b\":{\"x\":[1,{}]}}");
    let formatted = "{\n  \"b\": 1,\n  \"a\": [],\n  \"b\": {\n    \"x\": [\n      1,\n      {}\n    ]\n  }\n}\n";
    assert_eq!(format(read.node.as_ref().unwrap()), formatted);
}

/// A tree without its places.
fn bare(node: &Node) -> String {
    format(node)
}

fn check_spans(node: &Node, text: &str) {
    let inside = |r: std::ops::Range<usize>| assert!(text.get(r.clone()).is_some(), "{r:?} in {text:?}");
    inside(node.span.range());
    let check_text = |t: &crate::template::tree::Text| {
        inside(t.span.range());
        let ends = t.value.char_indices().map(|(i, _)| i).chain([t.value.len()]).take(200);
        let mut last = 0;
        for i in ends {
            let place = t.place(0..i).range();
            inside(place.clone());
            assert!(place.end >= last && place.end <= t.span.range().end.max(place.start), "{text:?}");
            last = place.end;
        }
        assert!(t.runs.windows(2).all(|w| w[0].0 <= w[1].0 && w[0].1 <= w[1].1), "{:?} in {text:?}", t.runs);
    };
    match &node.tree {
        Tree::String(t) => check_text(t),
        Tree::Array(items) => items.iter().for_each(|i| check_spans(i, text)),
        Tree::Object(entries) => {
            for e in entries {
                check_text(&e.key);
                check_spans(&e.value, text);
            }
        }
        _ => {}
    }
}

fn check(text: &str) {
    let found = read(text);
    for d in &found.diagnostics {
        let spans = d.span.iter().chain(d.related.iter().map(|r| &r.span)).chain(d.fix.iter().map(|f| &f.span));
        for span in spans {
            assert!(text.get(span.range()).is_some(), "{d:?} in {text:?}");
        }
    }
    let strict = serde_json::from_str::<serde_json::Value>(text);
    let Some(node) = found.node else { return };
    check_spans(&node, text);
    let again = read(&format(&node));
    assert!(
        !again.diagnostics.iter().any(|d| d.code != crate::text::code::json::DUPLICATE_KEY),
        "{:?}",
        again.diagnostics
    );
    assert_eq!(bare(&node), bare(&again.node.unwrap()));
    if let Ok(strict) = strict
        && found.diagnostics.is_empty()
    {
        assert_eq!(serde_json::from_str::<serde_json::Value>(&format(&node)).unwrap(), strict);
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        "\\PC{0,8}|[\\x00-\\x7f]{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec(("[a-z\"\\\\é]{0,5}", inner), 0..6)
                .prop_map(|m| serde_json::Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_panics_and_spans_stay_inside(text in ".*") {
        check(&text);
    }

    #[test]
    fn nor_does_what_nearly_is_json(text in r#"([{}\[\],:;='"`“’\\/#*]|"a"|"é, |null|True|0[0-9]|-1\.5e3| |\n|\r\n|\t|\\n|\\ud83d\\ude00|\\u|\\|\{\{user|\}\}|//|[a-zé]{1,3}|😀|\x00){0,40}"#) {
        check(&text);
    }

    #[test]
    fn strict_json_is_read_as_it_is(value in json_value()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        let found = read(&text);
        prop_assert!(found.diagnostics.is_empty(), "{:?}", found.diagnostics);
        prop_assert_eq!(found.json(), value);
        check(&text);
    }

    #[test]
    fn damaged_json_is_survived(value in json_value(), at: prop::sample::Index, with in r#"[{}\[\],:"'\\\n]?"#) {
        let mut text = serde_json::to_string_pretty(&value).unwrap();
        let places: Vec<_> = text.char_indices().collect();
        let (i, c) = places[at.index(places.len())];
        text.replace_range(i..i + c.len_utf8(), &with);
        check(&text);
    }
}
