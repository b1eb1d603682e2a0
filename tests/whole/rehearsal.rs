//! The practice cloud from the command line: `kiln build --practice` and `kiln practice`.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

fn kiln(folder: &std::path::Path) -> Command {
    let mut kiln = Command::new(env!("CARGO_BIN_EXE_kiln"));
    kiln.current_dir(folder).env("XDG_STATE_HOME", folder.join("state")).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_") || name.starts_with("KILN_")) {
        kiln.env_remove(name);
    }
    kiln
}

fn template(source: &str, name: &str) -> String {
    format!(
        r#"{{"builders": [{{"type": "amazon-ebs", "region": "us-east-1", "instance_type": "t3.micro", "ssh_username": "ubuntu",
            "source_ami_filter": {{"filters": {{"name": "{source}"}}, "owners": ["{owner}"], "most_recent": true}}, "ami_name": "{name}"}}],
            "provisioners": [{{"type": "shell", "inline": ["echo made by {name} > /tmp/made", "cat /tmp/made"]}}]}}"#,
        owner = if source.starts_with("ubuntu") { "099720109477" } else { "self" },
    )
}

#[test]
fn a_rehearsal_makes_an_image_that_the_next_one_starts_from() {
    let folder = tempfile::tempdir().unwrap();
    for (source, name) in [("ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*", "base"), ("base", "web")] {
        std::fs::write(folder.path().join("t.json"), template(source, name)).unwrap();
        let output = kiln(folder.path()).args(["build", "-practice", "t.json"]).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{out}{err}");
        assert!(out.contains("us-east-1: ami-"), "{out}");
        assert!(err.contains("practice: this is a rehearsal"), "{err}");
        // Machines that only show commands say so.
        assert!(out.contains(&format!("made by {name}")) || err.contains("scripted"), "{out}{err}");
    }
}

#[test]
fn a_mistake_in_a_rehearsal_ends_as_without_one() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.json"), "{").unwrap();
    let output = kiln(folder.path()).args(["build", "--practice", "t.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_practice_cloud_prints_its_exports_and_serves_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let mut cloud = kiln(folder.path())
        .args(["practice", "--scripted"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut exports = Vec::new();
    for line in BufReader::new(cloud.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if line.starts_with('#') {
            break;
        }
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        exports.push((name.to_owned(), value.to_owned()));
    }
    std::fs::write(folder.path().join("t.json"), template("ubuntu/images/*ubuntu-jammy-22.04-amd64-server-*", "base"))
        .unwrap();
    let output = kiln(folder.path()).envs(exports).args(["validate", "t.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let told = Command::new("kill").arg(cloud.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(cloud.wait().unwrap().code(), Some(0));
}

#[test]
fn a_scenario_with_a_mistake_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.toml"), "[timing]\npendin = 3\n").unwrap();
    let output = kiln(folder.path()).args(["practice", "--scenario", "s.toml"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("s.toml:2:1"), "{err}");
}
