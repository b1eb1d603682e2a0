//! The command line as Packer's users and CI scripts call it.

use serde_json::{Value, json};

use crate::support::{Cloud, Kiln};
use crate::templates::{builder, text, web};

#[test]
fn a_good_template_is_called_good() {
    let kiln = Kiln::new();
    kiln.file("t.json", text(&web(&[])));
    let ended = kiln.run(["validate", "t.json"]).expect(0);
    assert!(ended.stdout.contains("The configuration is valid."), "{}", ended.stdout);
}

#[test]
fn every_mistake_is_shown_at_once_with_its_place() {
    let kiln = Kiln::new();
    kiln.file(
        "t.json",
        r#"{
  "builders": [
    { "type": "amazon-ebs", "name": "a", "region": "us-east-1", "instance_tpe": "t2.micro", "ami_name": "x", "ssh_username": "u" },
    { "type": "amazon-eb", "name": "b" }
  ],
  "provisioners": [
    { "type": "shell", "inline": ["x"], "script": "missing.sh" },
    { "type": "shel" }
  ]
}"#,
    );
    let ended = kiln.run(["validate", "t.json"]).expect(2);
    for part in ["t.json:3:", "instance_type", "t.json:4:", "amazon-ebs", "t.json:7:", "t.json:8:", "`shell`"] {
        assert!(ended.stderr.contains(part), "{part:?} is missing:\n{}", ended.stderr);
    }
    let data = kiln.run(["validate", "--format", "json", "t.json"]).expect(2);
    let diagnostics: Vec<Value> =
        data.stdout.lines().map(|l| serde_json::from_str(l).expect("a diagnostic a line")).collect();
    assert!(diagnostics.len() >= 4, "{diagnostics:#?}");
    assert!(diagnostics.iter().all(|d| d["code"].as_str().is_some_and(|c| c.starts_with('K'))));
}

#[test]
fn a_wrong_template_launches_nothing_and_is_status_2() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let mut wrong = builder("wrong");
    wrong["instanc_type"] = json!("t2.micro");
    kiln.file("t.json", text(&json!({ "builders": [builder("right"), wrong] })));
    kiln.run(["build", "t.json"]).expect(2);
    assert_eq!(cloud.calls().len(), 0);
    assert!(kiln.run_dir().is_none(), "no run was begun");
}

#[test]
fn a_name_that_matches_nothing_is_named_with_a_suggestion() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&json!({ "builders": [builder("web"), builder("db")] })));
    let ended = kiln.run(["build", "-only=wep", "t.json"]).expect(2);
    assert!(ended.stderr.contains("wep") && ended.stderr.contains("`web`"), "{}", ended.stderr);
    kiln.run(["build", "-only=db", "t.json"]).expect(0);
    assert_eq!(cloud.calls_of("RunInstances").len(), 1);
}

#[test]
fn flags_may_follow_the_template_and_a_template_may_come_from_standard_input() {
    let kiln = Kiln::new();
    let mut template = web(&[]);
    template["variables"] = json!({ "name": null });
    template["builders"][0]["ami_name"] = json!("{{user `name`}}");
    kiln.file("t.json", text(&template));
    kiln.run(["validate", "t.json", "--var=name=good"]).expect(0);
    kiln.run(["validate", "t.json", "-var", "name=good"]).expect(0);
    let missing = kiln.run(["validate", "t.json"]).expect(2);
    assert!(missing.stderr.contains("`name`") && missing.stderr.contains("-var"), "{}", missing.stderr);
    kiln.run_with_input(["validate", "-var", "name=good", "-"], &text(&template)).expect(0);
}

#[test]
fn a_folder_without_a_template_is_told_of() {
    let kiln = Kiln::new();
    kiln.file("t.hcl", "source \"null\" \"x\" {}\n");
    let ended = kiln.run(["build", "."]).expect(2);
    assert!(ended.stderr.contains(".pkr.hcl"), "{}", ended.stderr);
}

#[test]
fn commands_that_have_nothing_to_do_say_so_in_a_line() {
    let kiln = Kiln::new();
    assert_eq!(kiln.run(["init", "-upgrade", "t.json"]).expect(0).stdout.lines().count(), 1);
    assert_eq!(kiln.run(["plugins", "installed"]).expect(0).stdout.lines().count(), 1);
    assert!(kiln.run(["version"]).expect(0).stdout.starts_with("kiln v"));
    let version = kiln.run(["-machine-readable", "version"]).expect(0).stdout;
    assert!(version.lines().any(|l| l.split(',').skip(1).take(2).eq(["", "version"])), "{version}");
    assert!(kiln.run(["completions", "bash"]).expect(0).stdout.contains("complete"));
    assert!(kiln.run(["explain", "k0101"]).expect(0).stdout.contains("K0101"));
    kiln.run(["explain", "K9999"]).expect(2);
}

#[test]
fn inspect_shows_each_variable_with_its_origin() {
    let mut kiln = Kiln::new();
    kiln.set("REGION", "eu-west-1");
    let mut template = web(&[]);
    template["variables"] =
        json!({ "given": "a", "kept": "b", "region": "{{env `REGION`}}", "secret": "hidden-value" });
    template["sensitive-variables"] = json!(["secret"]);
    kiln.file("t.json", text(&template));
    let ended = kiln.run(["inspect", "-var", "given=c", "t.json"]).expect(0);
    for part in ["given", "-var", "kept", "default", "eu-west-1", "REGION", "<sensitive>", "web", "amazon-ebs"] {
        assert!(ended.stdout.contains(part), "{part:?} is missing:\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains("hidden-value"));
}

#[test]
fn kilns_own_settings_stand_beside_the_template() {
    let kiln = Kiln::new();
    kiln.file("t.json", text(&web(&[])));
    kiln.file("kiln.toml", "[tags]\nenabeld = false\n");
    let ended = kiln.run(["validate", "t.json"]).expect(2);
    assert!(ended.stderr.contains("kiln.toml:2:") && ended.stderr.contains("`enabled`"), "{}", ended.stderr);
}

#[test]
fn a_journal_that_cannot_be_written_is_status_2_before_anything_is_launched() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[])));
    std::fs::remove_dir(kiln.dir.path().join("state")).expect("empty");
    std::fs::write(kiln.dir.path().join("state"), "a file where a folder should be").expect("writable");
    let ended = kiln.run(["build", "t.json"]).expect(2);
    assert!(ended.stderr.contains("journal"), "{}", ended.stderr);
    assert_eq!(cloud.calls().len(), 0);
}

#[test]
fn what_is_known_but_not_built_is_a_warning_in_validate_and_an_error_in_build() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[json!({ "type": "ansible", "playbook_file": "site.yml" })])));
    let validated = kiln.run(["validate", "t.json"]).expect(0);
    assert!(validated.stderr.contains("warning") && validated.stderr.contains("ansible"), "{}", validated.stderr);
    kiln.run(["build", "t.json"]).expect(2);
    assert_eq!(cloud.calls().len(), 0);
}
