//! A builder that fails is held with its machine, mended on disk, and finished, while the others run.

use serde_json::json;

use crate::support::{Cloud, Kiln, Terminal};
use crate::templates::{builder, shell, text, web};

#[test]
fn a_script_is_mended_under_a_held_builder_which_then_finishes() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("setup.sh", "echo first try\nexit 9\n");
    kiln.file(
        "t.json",
        text(&web(&[shell(&["echo once"]), json!({ "type": "shell", "script": "setup.sh" }), shell(&["echo after"])])),
    );
    let mut terminal = Terminal::start(&kiln, &["build", "-on-error=hold", "-color=false", "t.json"]);
    terminal.wait_for("web> ", 1);
    let machine = cloud.ids("instances");
    assert_eq!(machine.len(), 1, "the machine is kept");
    kiln.file("setup.sh", "echo second try\n");
    terminal.type_line("r");
    assert_eq!(terminal.ended(), 0, "{}", terminal.shown());
    let shown = terminal.shown();
    assert!(shown.contains("web: second try") && shown.contains("web: after"), "{shown}");
    assert_eq!(shown.matches("web: once").count(), 1, "what was done is not done again:\n{shown}");
    assert_eq!(cloud.calls_of("RunInstances").len(), 1, "the same machine");
    assert_eq!(cloud.ids("images").len(), 1);
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn a_held_step_can_be_skipped_and_the_image_says_that_it_is_patched() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["exit 9"]), shell(&["echo after"])])));
    let mut terminal = Terminal::start(&kiln, &["build", "-on-error=ask", "-color=false", "t.json"]);
    terminal.wait_for("web> ", 1);
    terminal.type_line("s");
    assert_eq!(terminal.ended(), 0, "{}", terminal.shown());
    assert!(terminal.shown().contains("patched"), "{}", terminal.shown());
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn giving_a_held_builder_up_releases_its_machine() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["exit 9"])])));
    let mut terminal = Terminal::start(&kiln, &["build", "-on-error=hold", "-color=false", "t.json"]);
    terminal.wait_for("web> ", 1);
    terminal.type_line("c");
    assert_eq!(terminal.ended(), 1, "{}", terminal.shown());
    assert_eq!(cloud.left_over(), [""; 0]);
}

#[test]
fn others_finish_while_one_is_held() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let fails = json!({ "type": "shell", "inline": ["exit 9"], "only": ["two"] });
    kiln.file("t.json", text(&json!({ "builders": [builder("one"), builder("two")], "provisioners": [fails] })));
    let mut terminal = Terminal::start(&kiln, &["build", "-on-error=hold", "-color=false", "t.json"]);
    terminal.wait_for("two> ", 1);
    terminal.wait_for("Build 'one' finished", 1);
    terminal.type_line("c");
    assert_eq!(terminal.ended(), 1, "{}", terminal.shown());
    assert_eq!(cloud.ids("images").len(), 1);
}

#[test]
fn a_changed_machine_is_refused_with_the_field_named_and_stays_held() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let mut template = web(&[shell(&["exit 9"])]);
    kiln.file("t.json", text(&template));
    let mut terminal = Terminal::start(&kiln, &["build", "-on-error=hold", "-color=false", "t.json"]);
    terminal.wait_for("web> ", 1);
    template["builders"][0]["instance_type"] = json!("m5.large");
    kiln.file("t.json", text(&template));
    terminal.type_line("r");
    terminal.wait_for("instance_type", 1);
    terminal.wait_for("web> ", 2);
    terminal.type_line("c");
    assert_eq!(terminal.ended(), 1, "{}", terminal.shown());
    assert_eq!(cloud.left_over(), [""; 0]);
}
