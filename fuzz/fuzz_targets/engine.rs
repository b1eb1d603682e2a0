//! The `{{ }}` language, rendered at once and late.
#![no_main]

use kiln::run::Secrets;
use kiln::template::engine::{Findings, LateScope, Stage, render, render_late};
use kiln::template::inputs::Inputs;
use kiln::template::tree::Text;
use kiln::template::variables::Variables;
use kiln::text::SourceId;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let template = Text::plain(text, SourceId(0), 0);
    let inputs = Inputs { start: 1_700_000_000, seed: 7, cwd: "/work".into(), ..Inputs::default() };
    let late = Stage::Component { build_name: "a", build_type: "null", late: true, amazon: true };
    let once = Stage::Component { build_name: "a", build_type: "null", late: false, amazon: false };
    for stage in [Stage::Variable, Stage::Name, late, once] {
        let mut findings = Findings::default();
        render(&template, stage, &inputs, &Variables::default(), &Secrets::default(), &mut findings);
        for diagnostic in &findings.diagnostics {
            if let Some(span) = &diagnostic.span {
                assert!(text.get(span.range()).is_some(), "{diagnostic:?}");
            }
        }
    }
    let dot = Default::default();
    let scope = LateScope {
        dot: &dot,
        start: 1_700_000_000,
        seed: 7,
        cwd: "/work",
        template_dir: "/work",
        build_name: "a",
        build_type: "null",
    };
    if let Err(error) = render_late(text, &scope) {
        assert!(text.get(..error.offset).is_some(), "{error:?}");
    }
});
