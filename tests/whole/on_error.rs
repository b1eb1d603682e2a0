//! What happens when a provisioner fails, by `-on-error`.

use serde_json::json;

use crate::support::{Cloud, Kiln};
use crate::templates::{builder, shell, text, web};

#[test]
fn one_of_two_builders_fails_and_the_other_finishes() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let fails = json!({ "type": "shell", "inline": ["echo about to fail", "exit 3"], "only": ["two"] });
    kiln.file(
        "t.json",
        text(&json!({ "builders": [builder("one"), builder("two")], "provisioners": [shell(&["echo hello"]), fails] })),
    );
    let ended = kiln.run(["build", "t.json"]).expect(1);
    assert!(ended.stdout.contains("Script exited with non-zero exit status: 3"), "{}", ended.stdout);
    let state = cloud.state();
    let images: Vec<_> = state["images"].as_array().into_iter().flatten().map(|i| i["name"].clone()).collect();
    assert_eq!(images, ["image one"]);
    assert_eq!(cloud.left_over(), [""; 0]);
    let failures = ended.stdout.rfind("--> two:").expect("the failure is listed at the end");
    assert!(failures > ended.stdout.rfind("us-east-1").unwrap_or(0), "failures come last:\n{}", ended.stdout);
    assert!(ended.stdout[failures..].contains("about to fail"), "with their last lines:\n{}", ended.stdout);
}

#[test]
fn cleanup_leaves_nothing() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["exit 1"])])));
    kiln.run(["build", "t.json"]).expect(1);
    assert_eq!(cloud.left_over(), [""; 0]);
    assert_eq!(cloud.ids("images"), [""; 0]);
}

#[test]
fn abort_leaves_everything_and_lists_it() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["exit 1"])])));
    let ended = kiln.run(["build", "-on-error=abort", "t.json"]).expect(1);
    let instances = cloud.ids("instances");
    assert_eq!(instances.len(), 1);
    assert!(ended.stdout.contains(&instances[0]), "what is left is named:\n{}", ended.stdout);
    assert_eq!(cloud.ids("key_pairs").len(), 1);
    assert_eq!(cloud.ids("security_groups").len(), 1);
}

#[test]
fn run_cleanup_provisioner_runs_it_and_leaves_the_machine() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let mut template = web(&[shell(&["exit 1"])]);
    template["error-cleanup-provisioner"] = shell(&["echo saving the logs"]);
    kiln.file("t.json", text(&template));
    let ended = kiln.run(["build", "-on-error=run-cleanup-provisioner", "t.json"]).expect(1);
    assert!(ended.stdout.contains("web: saving the logs"), "{}", ended.stdout);
    assert_eq!(cloud.ids("instances").len(), 1);
}

#[test]
fn the_error_cleanup_provisioner_runs_before_the_machine_goes() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let mut template = web(&[shell(&["exit 1"])]);
    template["error-cleanup-provisioner"] = shell(&["echo saving the logs"]);
    kiln.file("t.json", text(&template));
    let ended = kiln.run(["build", "t.json"]).expect(1);
    assert!(ended.stdout.contains("web: saving the logs"), "{}", ended.stdout);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn without_a_terminal_ask_and_hold_clean_up_and_say_so() {
    for mode in ["ask", "hold"] {
        let cloud = Cloud::start();
        let kiln = Kiln::on(&cloud);
        kiln.file("t.json", text(&web(&[shell(&["exit 1"])])));
        let ended = kiln.run(["build", &format!("-on-error={mode}"), "t.json"]).expect(1);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.to_lowercase().contains("nobody is there to ask"), "{mode}: {said}");
        assert_eq!(cloud.left_over(), [""; 0], "{mode}");
    }
}

#[test]
fn a_breakpoint_without_a_terminal_goes_on_and_says_so() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file(
        "t.json",
        text(&web(&[json!({ "type": "breakpoint", "note": "look around" }), shell(&["echo went on"])])),
    );
    let ended = kiln.run(["build", "t.json"]).expect(0);
    assert!(ended.stdout.contains("look around") && ended.stdout.contains("went on"), "{}", ended.stdout);
}
