use std::time::Duration;

use serde_json::json;

use super::*;
use crate::component::contract::Done;
use crate::component::testing::{Checked, context};
use crate::run::{FailureKind, Stream};

#[tokio::test]
async fn it_runs_in_the_working_folder_with_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, facts) = context(folder.path());
    let config = json!({
        "inline": ["echo \"$PACKER_BUILD_NAME $PACKER_BUILDER_TYPE $V\"", "echo wrong >&2", "touch here"],
        "environment_vars": ["V=it's 1"],
    });
    ShellLocal.run(&config, &cx).await.unwrap();
    assert_eq!(facts.printed(Stream::Stdout), "web null it's 1\n");
    assert_eq!(facts.printed(Stream::Stderr), "wrong\n");
    assert_eq!(facts.said(), ["Running local shell script: inline (3 lines)"]);
    assert!(folder.path().join("here").exists());
}

#[tokio::test]
async fn the_first_command_that_fails_ends_an_inline_script() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, facts) = context(folder.path());
    let failure = ShellLocal.run(&json!({"inline": ["(exit 7)", "echo never"]}), &cx).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit { status: 7 });
    assert_eq!(failure.message, "Script exited with non-zero exit status: 7. Allowed exit codes are: [0]");
    assert_eq!(facts.printed(Stream::Stdout), "");
    ShellLocal.run(&json!({"inline": ["exit 7"], "valid_exit_codes": [7]}), &cx).await.unwrap();
}

#[tokio::test]
async fn a_script_is_a_file_and_must_be_executable() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, facts) = context(folder.path());
    crate::os::process_group::write_program(&folder.path().join("a.sh"), b"#!/bin/sh\necho from a file\n").unwrap();
    ShellLocal.run(&json!({"scripts": ["a.sh", "./a.sh"]}), &cx).await.unwrap();
    assert_eq!(facts.printed(Stream::Stdout), "from a file\nfrom a file\n");

    std::fs::write(folder.path().join("b.sh"), "#!/bin/sh\n").unwrap();
    let failure = ShellLocal.run(&json!({"script": "b.sh"}), &cx).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Exit { status: 126 });
    assert!(failure.help.unwrap().contains("chmod +x"));
}

#[tokio::test]
async fn another_program_may_run_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, facts) = context(folder.path());
    let config = json!({
        "inline": ["echo one"], "tempfile_extension": ".txt", "execute_command": ["/bin/cat", "{{.Script}}"],
    });
    ShellLocal.run(&config, &cx).await.unwrap();
    assert_eq!(facts.printed(Stream::Stdout), "#!/bin/sh -e\necho one\n");
    let config = json!({"inline": ["true"], "execute_command": ["echo {{.Vars}}"]});
    ShellLocal.run(&config, &cx).await.unwrap();
    assert!(facts.printed(Stream::Stdout).ends_with("PACKER_BUILDER_TYPE=null PACKER_BUILD_NAME=web\n"));
    let failure =
        ShellLocal.run(&json!({"inline": ["true"], "execute_command": ["/no/such", "x"]}), &cx).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Config);
}

#[tokio::test]
async fn other_systems_scripts_are_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, _) = context(folder.path());
    let done = ShellLocal.run(&json!({"inline": ["exit 1"], "only_on": ["windows"]}), &cx).await.unwrap();
    assert_eq!(done, Done::Skipped("Skipping shell-local due to runtime OS".into()));
}

#[tokio::test]
async fn cancelling_ends_what_the_script_started_too() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, facts) = context(folder.path());
    let cancel = cx.cancel.clone();
    let config = json!({"inline": ["sleep 1000 & echo $!", "wait"]});
    let running = ShellLocal.run(&config, &cx);
    tokio::pin!(running);
    let started = async {
        while facts.printed(Stream::Stdout).is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        ended = &mut running => panic!("it ended by itself: {ended:?}"),
        () = started => cancel.cancel(),
    }
    assert!(running.await.unwrap_err().is_cancelled());
    let sleeper = facts.printed(Stream::Stdout).trim().to_owned();
    let stat = std::fs::read_to_string(format!("/proc/{sleeper}/stat")).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "it still runs: {stat}");
}

#[tokio::test]
async fn what_a_script_leaves_running_does_not_hold_the_build_up() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, facts) = context(folder.path());
    ShellLocal.run(&json!({"inline": ["sleep 30 & echo $!"]}), &cx).await.unwrap();
    let left: u32 = facts.printed(Stream::Stdout).trim().parse().unwrap();
    std::process::Command::new("/bin/kill").arg(left.to_string()).status().unwrap();
}

#[test]
fn rules_name_what_is_wrong() {
    let codes = |config: Json| Checked::of(|cx| ShellLocal.check(&config, cx)).codes();
    assert_eq!(codes(json!({"command": "true"})), [""; 0]);
    assert_eq!(codes(json!({})), ["K0801"]);
    assert_eq!(codes(json!({"inline": ["true"], "command": "true", "script": "/dev/null"})), ["K0802", "K0802"]);
    assert_eq!(codes(json!({"inline": ["true"], "only_on": ["linux", "macos"]})), ["K0805"]);
}
