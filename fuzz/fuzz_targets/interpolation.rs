//! A whole template from its text to its plan: variables that name each other, every component's fields.
#![no_main]

use kiln::plan::{Purpose, evaluate};
use kiln::run::plan::RunOptions;
use kiln::template::inputs::Inputs;
use kiln::text::Sources;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut sources = Sources::default();
    let template = sources.add("fuzz.json", text);
    let inputs = Inputs { start: 1_700_000_000, seed: 7, cwd: "/work".into(), ..Inputs::default() };
    let evaluation = evaluate(&mut sources, template, &inputs, &RunOptions::default(), Purpose::Validate);
    for diagnostic in &evaluation.diagnostics {
        for span in &diagnostic.span {
            let source = sources.get(span.source).expect("a span names a source that exists");
            assert!(source.text.get(span.range()).is_some(), "{diagnostic:?}");
        }
    }
});
