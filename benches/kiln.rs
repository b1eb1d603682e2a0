//! How fast the parts are that a large template, a talkative machine or a long run would slow down.
//!
//! `cargo bench --bench kiln`. The whole program against Packer: `benches/versus-packer`.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};

use kiln::engine::redact::{Filter, Redactor};
use kiln::plan::{self, Purpose};
use kiln::run::plan::{RunOptions, StepMeta, StepPart};
use kiln::run::{Event, Fact, Plan, PlannedBuild, PlannedStep, Resource, RunState, SecretRef, Secrets, Stream, Value};
use kiln::template::engine::{Findings, Stage, render};
use kiln::template::inputs::Inputs;
use kiln::template::json;
use kiln::template::tree::Text;
use kiln::template::variables::Variables;
use kiln::text::{SourceId, Sources, Span};

fn main() {
    divan::main();
}

/// A template of 5,000 lines: one builder, variables, and provisioners with inline scripts.
fn template() -> String {
    let mut text = String::from("{\n  \"variables\": {\n");
    for i in 0..500 {
        text.push_str(&format!("    \"name_{i}\": \"value-{{{{timestamp}}}}-{i}\",\n"));
    }
    text.push_str("    \"last\": \"\"\n  },\n  \"builders\": [{ \"type\": \"null\", \"communicator\": \"none\" }],\n");
    text.push_str("  \"provisioners\": [\n");
    for i in 0..642 {
        let comma = if i < 641 { "," } else { "" };
        text.push_str(&format!(
            "    {{\n      \"type\": \"shell-local\",\n      \"inline\": [\n        \"echo {{{{user `name_{}`}}}} {{{{build_name}}}}\",\n        \
             \"echo {i}\"\n      ]\n    }}{comma}\n",
            i % 500
        ));
    }
    text.push_str("  ]\n}\n");
    assert!(text.lines().count() >= 5000, "{} lines", text.lines().count());
    text
}

fn sources(text: &str) -> (Sources, SourceId) {
    let mut sources = Sources::default();
    let id = sources.add("template.json", text);
    (sources, id)
}

fn inputs() -> Inputs {
    Inputs { start: 1_600_000_000, cwd: "/work".into(), template_dir: "/work".into(), ..Inputs::default() }
}

#[divan::bench]
fn parse_5000_lines(bencher: Bencher<'_, '_>) {
    let text = template();
    let (sources, id) = sources(&text);
    let source = sources.get(id).expect("it was just added");
    bencher.counter(BytesCount::new(text.len())).bench_local(|| {
        let mut diagnostics = Vec::new();
        let root = json::parse(black_box(source), &mut diagnostics);
        assert!(root.is_some() && diagnostics.is_empty());
        root
    });
}

#[divan::bench]
fn evaluate_5000_lines(bencher: Bencher<'_, '_>) {
    let text = template();
    let (inputs, options) = (inputs(), RunOptions::default());
    bencher.counter(BytesCount::new(text.len())).with_inputs(|| sources(&text)).bench_local_values(
        |(mut sources, id)| {
            let evaluation = plan::evaluate(&mut sources, id, &inputs, &options, Purpose::Validate);
            assert!(evaluation.plan.is_some(), "{:?}", evaluation.diagnostics);
            evaluation
        },
    );
}

#[divan::bench]
fn redact_10_mib_with_20_secrets(bencher: Bencher<'_, '_>) {
    let mut secrets = Secrets::default();
    for i in 0..20 {
        secrets.insert(SecretRef(format!("var:s{i}")), format!("s3cr3t/{i:02}+{}", "x".repeat(20)));
    }
    let (redactor, _) = Redactor::new(&secrets);
    let mut output = String::new();
    let mut line = 0;
    while output.len() < 10 << 20 {
        line += 1;
        output
            .push_str(&format!("Get:{line} http://archive.example/ubuntu jammy/main amd64 package-{line} [12.3 kB]\n"));
        if line % 1000 == 0 {
            output.push_str(&format!("password is s3cr3t/07+{}\n", "x".repeat(20)));
        }
    }
    bencher.counter(BytesCount::new(output.len())).bench_local(|| {
        let mut filter = Filter::default();
        let mut shown = 0;
        for piece in output.as_bytes().chunks(32 * 1024) {
            shown += filter.push(&redactor, black_box(piece)).len();
        }
        shown + filter.finish(&redactor).len()
    });
}

fn planned(builds: usize) -> Plan {
    let step = |id: String, part| PlannedStep {
        title: id.clone(),
        digest: id.clone(),
        id: id.into(),
        part,
        component: "shell".into(),
        config: Value::Map(indexmap::IndexMap::new()),
        span: None,
        meta: StepMeta::default(),
        files: Vec::new(),
    };
    let build = |i: usize| PlannedBuild {
        id: format!("amazon-ebs.b{i}").into(),
        name: format!("b{i}"),
        builder_type: "amazon-ebs".into(),
        config: Value::Map(indexmap::IndexMap::new()),
        span: None,
        steps: (0..10).map(|s| step(format!("provision-{s}"), StepPart::Provision)).collect(),
        error_cleanup: None,
    };
    Plan { revision: 1, builds: (0..builds).map(build).collect(), ..Plan::default() }
}

#[divan::bench]
fn fold_100000_facts(bencher: Bencher<'_, '_>) {
    const FACTS: u64 = 100_000;
    let plan = planned(50);
    let mut events = Vec::new();
    for seq in 1..=FACTS {
        let build = plan.builds[usize::try_from(seq).expect("it is small") % 50].id.clone();
        let step = format!("provision-{}", seq % 10).into();
        let key = format!("{build}/1/volume/{}", seq / 7 % 20);
        let fact = match seq % 7 {
            _ if seq == 1 => {
                let plan = Box::new(plan.clone());
                Fact::RunStarted { run: "r".into(), version: String::new(), host: String::new(), plan }
            }
            0 => Fact::StepStarted { step },
            1 => Fact::StepProgressed { step, done: seq, total: None, unit: "bytes".into(), note: "file".into() },
            2 => Fact::Intended {
                resource: Resource {
                    key,
                    kind: "volume".into(),
                    region: "us-east-1".into(),
                    build: build.clone(),
                    attempt: 1,
                    step,
                    find: serde_json::Value::Null,
                    id: None,
                },
            },
            3 => Fact::Created { key, id: format!("vol-{seq}") },
            4 => Fact::Waiting { step, on: Some("the instance".into()) },
            _ => Fact::Output { step, stream: Stream::Stdout, text: "a line of output\n".into() },
        };
        events.push(Event { seq, at: 0, build: Some(build), attempt: Some(1), fact });
    }
    bencher.counter(ItemsCount::new(events.len())).bench_local(|| {
        let mut state = RunState::default();
        events.iter().for_each(|event| state.apply(black_box(event)));
        state
    });
}

#[divan::bench]
fn render_1000_strings(bencher: Bencher<'_, '_>) {
    let value = "{{ build_name }}-{{ isotime \"2006-01-02\" | clean_resource_name }}-{{ .SourceAMIName }}";
    let (_, source) = sources("");
    let text = Text { value: value.into(), span: Span::new(source, 0, 0), runs: vec![(0, 0)] };
    let (inputs, variables, secrets) = (inputs(), Variables::default(), Secrets::default());
    let stage = Stage::Component { build_name: "web", build_type: "amazon-ebs", late: true, amazon: true };
    bencher.counter(ItemsCount::new(1000_u32)).bench_local(|| {
        for _ in 0..1000 {
            let mut findings = Findings::default();
            let value = render(black_box(&text), stage, &inputs, &variables, &secrets, &mut findings);
            assert!(findings.diagnostics.is_empty(), "{:?}", findings.diagnostics);
            black_box(value);
        }
    });
}
