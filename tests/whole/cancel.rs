//! Cancelled in any step, a build leaves nothing.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Cloud, Kiln};
use crate::templates::{shell, text, web};

pub fn signal(child: &Child, name: &str) {
    let status =
        Command::new("kill").arg(format!("-{name}")).arg(child.id().to_string()).status().expect("kill is everywhere");
    assert!(status.success(), "{name} could not be sent");
}

/// The ids of the steps that a build of this template takes, in order.
pub fn steps(kiln: &Kiln) -> Vec<String> {
    kiln.run(["build", "t.json"]).expect(0);
    let journal = kiln.journal();
    let started = journal.iter().filter(|f| f["fact"] == "step_started").filter_map(|f| f["step"].as_str());
    started.map(str::to_owned).collect()
}

/// Starts a build and returns as soon as `step` has begun; what it prints is read on in the background.
pub fn started_to(kiln: &Kiln, step: &str) -> Child {
    let mut command = kiln.command(["build", "--format", "json", "t.json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("kiln starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let begun = lines.by_ref().map_while(Result::ok).any(|line| {
        let fact: Value = serde_json::from_str(&line).unwrap_or_default();
        fact["fact"] == "step_started" && fact["step"] == step
    });
    assert!(begun, "the build ended before {step}");
    std::thread::spawn(move || lines.for_each(drop));
    child
}

fn template() -> Value {
    let mut template = web(&[shell(&["echo working", "sleep 0.2"])]);
    template["builders"][0]["ami_regions"] = json!(["us-west-2"]);
    template["builders"][0]["tags"] = json!({ "Base": "{{ .SourceAMIName }}" });
    template
}

#[test]
fn interrupted_in_any_step_nothing_is_left() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&template()));
    let steps = steps(&kiln);
    assert!(steps.len() > 5, "{steps:?}");
    for step in steps {
        let cloud = Cloud::with(&json!({ "latency_ms": 40 }));
        let kiln = Kiln::on(&cloud);
        kiln.file("t.json", text(&template()));
        let mut child = started_to(&kiln, &step);
        signal(&child, "INT");
        let status = child.wait().expect("kiln ends").code();
        assert_eq!(cloud.left_over(), [""; 0], "interrupted in {step}");
        // A signal that comes after the last call finds a finished build.
        match status {
            Some(130) => assert_eq!(cloud.ids("images"), [""; 0], "interrupted in {step}"),
            Some(0) => assert_eq!(cloud.ids("images").len(), 2, "finished in {step}"),
            other => panic!("interrupted in {step}: status {other:?}"),
        }
        assert_eq!(kiln.journal().last().map(|f| f["fact"].clone()), Some(json!("run_ended")), "in {step}");
    }
}

#[test]
fn sigterm_and_sighup_cancel_with_clean_up() {
    for (name, status) in [("TERM", 143), ("HUP", 129)] {
        let cloud = Cloud::start();
        let kiln = Kiln::on(&cloud);
        kiln.file("t.json", text(&web(&[shell(&["sleep 30"])])));
        let mut child = started_to(&kiln, "provision-1");
        signal(&child, name);
        assert_eq!(child.wait().expect("kiln ends").code(), Some(status), "{name}");
        assert_eq!(cloud.left_over(), [""; 0], "{name}");
    }
}

#[test]
fn the_third_interrupt_leaves_and_says_what_is_left() {
    let cloud = Cloud::with(&json!({ "terminating_s": 600 }));
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["touch $HOME/running", "sleep 30"])])));
    let child = kiln.start(["build", "t.json"]);
    crate::support::until("the provisioner", || cloud.commands().contains("script_").then_some(()));
    signal(&child, "INT");
    crate::support::until("the clean-up", || (!cloud.calls_of("TerminateInstances").is_empty()).then_some(()));
    signal(&child, "INT");
    signal(&child, "INT");
    let ended: crate::support::Ended = child.wait_with_output().expect("kiln ends").into();
    let ended = ended.expect(130);
    let instance = cloud.state()["instances"][0]["id"].as_str().unwrap_or_default().to_owned();
    assert!(ended.stdout.contains(&instance), "what is left is named:\n{}\n{}", ended.stdout, ended.stderr);
}
