//! kiln's own log, for whoever was not there.

use serde_json::json;

use crate::support::Kiln;

const SECRET: &str = "correct horse 7";

fn failing() -> Kiln {
    let kiln = Kiln::new();
    let template = json!({
        "variables": { "token": SECRET },
        "sensitive-variables": ["token"],
        "builders": [{ "type": "null", "communicator": "none" }],
        "provisioners": [{ "type": "shell-local", "inline": ["echo {{user `token`}}; exit 3"] }],
    });
    kiln.file("t.json", template.to_string());
    kiln
}

#[test]
fn the_log_tells_of_each_run_and_holds_no_secret() {
    let kiln = failing();
    for _ in 0..2 {
        let ended = kiln.run(["build", "t.json"]).expect(1);
        assert!(!ended.stderr.contains("INFO"), "{}", ended.stderr);
    }
    let path = kiln.runs().parent().expect("the state folder").join("kiln.log");
    let log = std::fs::read_to_string(&path).expect("a log");
    for part in ["started by kiln", "null: failed: ", "ended with status 1"] {
        assert_eq!(log.matches(part).count(), 2, "{part:?} in:\n{log}");
    }
    assert!(!log.contains(SECRET), "{log}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).expect("a log").permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn packer_log_shows_the_log_and_packer_log_path_says_where() {
    let mut kiln = failing();
    kiln.set("PACKER_LOG", "1");
    let ended = kiln.run(["build", "t.json"]).expect(1);
    assert!(
        ended.stderr.contains("started by kiln") && ended.stderr.contains("ended with status 1"),
        "{}",
        ended.stderr
    );
    kiln.set("PACKER_LOG_PATH", "packer.log");
    let ended = kiln.run(["build", "t.json"]).expect(1);
    assert!(!ended.stderr.contains("started by kiln"), "{}", ended.stderr);
    let log = std::fs::read_to_string(kiln.work().join("packer.log")).expect("a log");
    assert!(log.contains("ended with status 1") && !log.contains(SECRET), "{log}");
    std::fs::remove_file(kiln.work().join("packer.log")).expect("a log");
    kiln.set("PACKER_LOG", "");
    kiln.run(["build", "t.json"]).expect(1);
    assert!(kiln.work().join("packer.log").exists(), "the path alone is enough");
    kiln.set("PACKER_LOG", "0");
    let ended = kiln.run(["build", "t.json"]).expect(1);
    assert!(!ended.stderr.contains("started by kiln"), "{}", ended.stderr);
}
