//! Machines that print more than anybody wants to read.

use std::io::Read;

use serde_json::{Value, json};

use crate::support::{Cloud, Kiln, until};
use crate::templates::{shell, text, web};

/// Bytes, and whole lines, that are printed.
const MUCH: usize = 256 << 20;
const LINE: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde";

/// Builds while nobody reads what kiln prints, until the machine has printed all; then reads it.
fn most_memory_and_output(kiln: &Kiln, template: &Value) -> (usize, usize) {
    kiln.file("t.json", text(template));
    let mut child = kiln.start(["build", "t.json"]);
    until("the end of the provisioner", || {
        let journal = std::fs::read_to_string(kiln.run_dir()?.join("journal.jsonl")).ok()?;
        journal.contains(r#""step_ended","step":"provision-1""#).then_some(())
    });
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it lives");
    let most = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).expect("a line of it");
    let most = most.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") * 1024;
    let mut printed = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut printed).expect("text");
    assert!(child.wait().expect("it ends").success(), "{}", &printed[printed.len().saturating_sub(2000)..]);
    (most, printed.matches(LINE).count())
}

#[test]
fn memory_stays_small_however_much_a_script_prints() {
    let kiln = Kiln::new();
    let command = format!("yes {LINE} | head -c {MUCH}");
    let template = json!({
        "builders": [{ "type": "null", "communicator": "none" }],
        "provisioners": [{ "type": "shell-local", "inline": [command] }]
    });
    let (most, lines) = most_memory_and_output(&kiln, &template);
    assert_eq!(lines, MUCH / (LINE.len() + 1));
    assert!(most < 128 << 20, "{} MiB", most >> 20);
}

#[test]
fn memory_stays_small_however_much_a_machine_prints() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let (most, lines) = most_memory_and_output(&kiln, &web(&[shell(&[&format!("yes {LINE} | head -c {MUCH}")])]));
    assert_eq!(lines, MUCH / (LINE.len() + 1));
    assert!(most < 128 << 20, "{} MiB", most >> 20);
}
