//! The JSON parser, the reading of a template's structure, and the formatter.
#![no_main]

use kiln::template::{document, json};
use kiln::text::{Diagnostic, Sources};
use libfuzzer_sys::fuzz_target;

fn check(diagnostics: &[Diagnostic], text: &str) {
    for d in diagnostics {
        for span in d.span.iter().chain(d.related.iter().map(|r| &r.span)).chain(d.fix.iter().map(|f| &f.span)) {
            assert!(text.get(span.range()).is_some(), "{d:?}");
        }
    }
}

fuzz_target!(|text: &str| {
    let mut sources = Sources::default();
    let id = sources.add("fuzz", text);
    let mut diagnostics = Vec::new();
    let node = sources.get(id).and_then(|s| json::parse(s, &mut diagnostics));
    check(&diagnostics, text);
    let Some(node) = node else { return };
    let _ = document::read(&node, &mut diagnostics);
    check(&diagnostics, text);
    let formatted = json::format(&node);
    let id = sources.add("formatted", formatted.as_str());
    let again = sources.get(id).and_then(|s| json::parse(s, &mut Vec::new()));
    assert_eq!(again.map(|n| json::format(&n)), Some(formatted));
});
