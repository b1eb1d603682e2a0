#![allow(clippy::needless_pass_by_value, reason = "`json!` reads best in the call")]

use std::path::Path;

use serde_json::json;

use super::*;
use crate::component::testing::{Asked, Checked, Puppet, context};
use crate::remote::{Exit, RemoteError};
use crate::run::{Failure, FailureKind, Stream};

fn lost() -> Result<Exit, RemoteError> {
    Err(RemoteError::LinkLost("reset by peer".into()))
}

async fn provision(
    config: Json,
    machine: &std::sync::Arc<Puppet>,
    folder: &Path,
) -> (Result<(), Failure>, Vec<String>) {
    let (cx, facts) = context(folder);
    machine.attach(&cx);
    let result = Shell.run(&config, &cx).await.map(|_| ());
    (result, facts.said())
}

fn put(asked: &[Asked]) -> Vec<(&str, &str, u32)> {
    let mut sent = Vec::new();
    for one in asked {
        if let Asked::Put(path, text, Some(mode)) = one {
            sent.push((path.as_str(), text.as_str(), *mode));
        }
    }
    sent
}

#[tokio::test]
async fn an_inline_script_is_sent_run_and_removed_in_three_calls() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Puppet::new([]);
    let (cx, facts) = context(folder.path());
    machine.attach(&cx);
    Shell.run(&json!({"inline": ["echo hello"]}), &cx).await.unwrap();
    let asked = machine.asked();
    let [(path, text, mode)] = put(&asked)[..] else { panic!("{asked:?}") };
    assert_eq!((text, mode), ("#!/bin/sh -e\necho hello\n", 0o755));
    let number = path.strip_prefix("/tmp/script_").and_then(|p| p.strip_suffix(".sh")).unwrap();
    assert!(number.bytes().all(|b| b.is_ascii_digit()), "{path}");
    assert_eq!(
        asked[1..],
        [
            Asked::Exec(format!("chmod +x {path}; PACKER_BUILDER_TYPE='null' PACKER_BUILD_NAME='web'  {path}")),
            Asked::Exec(format!("rm -f {path}")),
        ]
    );
    assert_eq!(facts.said(), ["Provisioning with shell script: inline (1 line)"]);
    assert_eq!(facts.printed(Stream::Stdout), "out\nout\n");
    assert_eq!(facts.printed(Stream::Stderr), "err\nerr\n");
}

#[tokio::test]
async fn scripts_lose_windows_line_ends_unless_they_are_binary() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.sh"), "#!/bin/sh\r\necho a\r\necho \r b").unwrap();
    for (binary, sent) in [(false, "#!/bin/sh\necho a\necho \r b\n"), (true, "#!/bin/sh\r\necho a\r\necho \r b")] {
        let machine = Puppet::new([]);
        let config = json!({"script": "a.sh", "binary": binary, "remote_path": "/opt/x"});
        let (result, said) = provision(config, &machine, folder.path()).await;
        result.unwrap();
        assert_eq!(put(&machine.asked()), [("/opt/x", sent, 0o755)]);
        assert_eq!(said, ["Provisioning with shell script: a.sh"]);
    }
}

#[tokio::test]
async fn the_environment_is_sorted_and_quoted_and_env_wins() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Puppet::new([]);
    let config = json!({
        "inline": ["true"], "remote_path": "/s", "skip_clean": true, "environment_vars": ["Z=it's", "A=1", "E=", "EQ=a=b"],
        "env": {"A": "2"}, "execute_command": "sudo -E {{.Path}} {{.Vars}}",
    });
    provision(config, &machine, folder.path()).await.0.unwrap();
    let [command] = &machine.commands()[..] else { panic!("it was removed too") };
    assert_eq!(
        *command,
        format!(
            "sudo -E /s {}",
            r#"A='2' E='' EQ='a=b' PACKER_BUILDER_TYPE='null' PACKER_BUILD_NAME='web' Z='it'"'"'s' "#
        )
    );
}

#[tokio::test]
async fn a_file_of_variables_is_private_and_removed_together_with_the_script() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Puppet::new([]);
    let config =
        json!({"inline": ["true"], "remote_path": "/s", "use_env_var_file": true, "remote_folder": "/var/tmp/"});
    provision(config, &machine, folder.path()).await.0.unwrap();
    let asked = machine.asked();
    let (file, text, mode) = put(&asked)[1];
    assert!(file.starts_with("/var/tmp/varfile_"), "{file}");
    assert_eq!((text, mode), ("export PACKER_BUILDER_TYPE='null'\nexport PACKER_BUILD_NAME='web'\n", 0o600));
    assert_eq!(machine.commands(), [format!("chmod +x /s; . {file} && /s"), format!("rm -f /s {file}")]);
}

#[tokio::test]
async fn a_status_that_is_not_allowed_fails_in_packers_words_and_still_tidies_up() {
    let folder = tempfile::tempdir().unwrap();
    let ok = || Ok(Exit::Status(0));
    let machine = Puppet::new([ok(), Ok(Exit::Status(3))]);
    let config = json!({"inline": ["exit 3"], "remote_path": "/s"});
    let failure = provision(config, &machine, folder.path()).await.0.unwrap_err();
    assert_eq!(failure.message, "Script exited with non-zero exit status: 3. Allowed exit codes are: [0]");
    assert_eq!(failure.kind, FailureKind::Exit { status: 3 });
    assert_eq!(machine.commands()[1], "rm -f /s");

    let machine = Puppet::new([ok(), Ok(Exit::Status(3))]);
    let config = json!({"inline": ["exit 3"], "valid_exit_codes": [0, 3]});
    provision(config, &machine, folder.path()).await.0.unwrap();

    let machine = Puppet::new([ok(), Ok(Exit::Signal("KILL".into()))]);
    let failure = provision(json!({"inline": ["x"]}), &machine, folder.path()).await.0.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Signal { name: "KILL".into() });
}

#[tokio::test]
async fn a_lost_link_is_a_failure_with_that_name_and_runs_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Puppet::new([Ok(Exit::Status(0)), lost()]);
    let config = json!({"inline": ["reboot"], "remote_path": "/s"});
    let failure = provision(config, &machine, folder.path()).await.0.unwrap_err();
    assert_eq!(failure.kind, FailureKind::LinkLost);
    assert!(failure.help.unwrap().contains("expect_disconnect"));
    assert_eq!(machine.commands().len(), 1);
}

#[tokio::test]
async fn an_expected_reboot_is_waited_out_before_the_script_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    for expected in [json!({"expect_disconnect": true}), json!({"valid_exit_codes": [0, 2_300_218]})] {
        let machine = Puppet::new([Ok(Exit::Status(0)), lost(), lost()]);
        let mut config = json!({"inline": ["reboot"], "remote_path": "/s"});
        config.as_object_mut().unwrap().extend(expected.as_object().unwrap().clone());
        provision(config, &machine, folder.path()).await.0.unwrap();
        let asked = machine.asked();
        let remove = Asked::Exec("rm -f /s".into());
        assert_eq!(asked[2..], [remove.clone(), Asked::AwaitReturn, remove]);
    }
}

#[tokio::test]
async fn sending_is_tried_again_until_the_patience_ends() {
    let folder = tempfile::tempdir().unwrap();
    let machine = Puppet::new([lost(), Ok(Exit::Status(0)), lost()]);
    provision(json!({"inline": ["true"]}), &machine, folder.path()).await.0.unwrap();
    assert_eq!(machine.commands().len(), 2);

    let machine = Puppet::new((0..100).map(|_| lost()));
    let config = json!({"inline": ["true"], "start_retry_timeout": "50ms"});
    let failure = provision(config, &machine, folder.path()).await.0.unwrap_err();
    assert_eq!(failure.kind, FailureKind::LinkLost);
    assert!(machine.commands().is_empty());
}

#[tokio::test]
async fn it_pauses_after_the_last_script() {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({"inline": ["true"], "pause_after": "1ms"});
    let (result, said) = provision(config, &Puppet::new([]), folder.path()).await;
    result.unwrap();
    assert_eq!(said[1], "Pausing 1ms after this provisioner...");
}

#[tokio::test]
async fn without_a_machine_it_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, _) = context(folder.path());
    let failure = Shell.run(&json!({"inline": ["true"]}), &cx).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Config);
}

#[test]
fn rules_name_what_is_wrong() {
    let codes = |config: Json| Checked::of(|cx| Shell.check(&config, cx)).codes();
    assert_eq!(codes(json!({"inline": ["true"], "environment_vars": ["A=", "B=x"]})), [""; 0]);
    assert_eq!(codes(json!({})), ["K0801"]);
    assert_eq!(codes(json!({"inline": ["true"], "script": "/dev/null"})), ["K0802"]);
    assert_eq!(codes(json!({"scripts": ["/dev/null", "nope", "{{.Later}}"]})), ["K0803"]);
    assert_eq!(codes(json!({"inline": ["true"], "environment_vars": ["A", "=B"]})), ["K0804", "K0804"]);
}

#[test]
fn every_field_of_packers_is_known() {
    let schema = Shell.schema();
    let mut names: Vec<&str> = schema.fields.as_ref().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names.join(" "),
        "binary env env_var_format environment_vars execute_command expect_disconnect inline inline_shebang pause_after \
         remote_file remote_folder remote_path script scripts skip_clean start_retry_timeout use_env_var_file \
         valid_exit_codes"
    );
    assert!(schema.fields.unwrap().values().all(|f| !f.help.is_empty()));
}
