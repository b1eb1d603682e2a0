//! A secret appears in no file and no output, in no encoding, however its bytes arrive.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::support::{Cloud, Kiln};
use crate::templates::{shell, text, web};

const SECRET: &str = "hunter2'\"$x/+ y&z=Ω%9";

/// The value as it might be met, by the name of its encoding.
fn encodings() -> Vec<(&'static str, Vec<u8>)> {
    let url: String = SECRET
        .bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let json = serde_json::to_string(SECRET).expect("JSON");
    let mut found = vec![
        ("raw", SECRET.as_bytes().to_vec()),
        ("shell", SECRET.replace('\'', "'\"'\"'").into_bytes()),
        ("JSON", json.trim_matches('"').as_bytes().to_vec()),
        ("URL", url.into_bytes()),
    ];
    for (name, pad) in [("base64 at 0", ""), ("base64 at 1", "x"), ("base64 at 2", "xy")] {
        let whole = STANDARD.encode(format!("{pad}{SECRET}"));
        let url_safe = URL_SAFE_NO_PAD.encode(format!("{pad}{SECRET}"));
        // The characters that the value alone decides.
        let (from, to) = ((pad.len() * 4).div_ceil(3) + usize::from(!pad.is_empty()), whole.len() - 4);
        found.push((name, whole.as_bytes()[from..to].to_vec()));
        found.push((name, url_safe.as_bytes()[from..to].to_vec()));
    }
    found
}

fn assert_hidden(what: &str, bytes: &[u8]) {
    for (encoding, value) in encodings() {
        let at = bytes.windows(value.len()).position(|w| w == value);
        let near = at.map(|at| {
            String::from_utf8_lossy(&bytes[at.saturating_sub(60)..(at + value.len() + 20).min(bytes.len())])
                .into_owned()
        });
        assert!(at.is_none(), "{what} has the secret, as {encoding}: {near:?}");
    }
}

#[test]
fn a_secret_variable_stays_hidden_in_every_encoding() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let mut template = web(&[json!({
        "type": "shell",
        "environment_vars": ["TOKEN={{user `token`}}"],
        "inline": [
            "echo \"raw $TOKEN\"",
            "printf '%s' \"$TOKEN\" | base64 -w0; echo",
            "printf 'x%s' \"$TOKEN\" | base64 -w0; echo",
            "printf 'xy%s' \"$TOKEN\" | base64 -w0 | tr '+/' '-_'; echo",
            "printf '%s' \"$TOKEN\" | od -An -v -tx1 | tr -d '\\n' | sed 's/ /%/g' | tr a-f A-F; echo",
            "printf '%s' \"$TOKEN\" | head -c 5; sleep 0.3; printf '%s' \"$TOKEN\" | tail -c +6; echo",
            "echo \"$TOKEN\" >&2",
            "set -x; : \"$TOKEN\"",
            "exit 4"
        ]
    })]);
    template["variables"] = json!({ "token": "" });
    template["sensitive-variables"] = json!(["token"]);
    kiln.file("t.json", text(&template));
    kiln.file("token.json", json!({ "token": SECRET }).to_string());
    let ended = kiln.run(["build", "-var-file", "token.json", "t.json"]).expect(1);
    assert!(ended.stdout.contains("raw <sensitive>"), "{}", ended.stdout);
    assert_hidden("standard output", ended.stdout.as_bytes());
    assert_hidden("standard error", ended.stderr.as_bytes());
    let written = kiln.written();
    assert!(written.len() > 3, "{:?}", written.iter().map(|(p, _)| p).collect::<Vec<_>>());
    for (path, bytes) in written {
        assert_hidden(&path.display().to_string(), &bytes);
    }
}

#[test]
fn credentials_in_the_template_stay_hidden_in_every_report() {
    for flags in [&["--format", "json"][..], &["-machine-readable"], &[]] {
        let cloud = Cloud::start();
        let kiln = Kiln::on(&cloud);
        let mut template = web(&[shell(&["echo the key is $KEY"])]);
        template["provisioners"][0]["environment_vars"] = json!(["KEY={{user `key`}}"]);
        template["variables"] = json!({ "key": SECRET });
        template["builders"][0]["access_key"] = json!("AKIDEXAMPLE");
        template["builders"][0]["secret_key"] = json!("{{user `key`}}");
        kiln.file("t.json", text(&template));
        let mut arguments = vec!["build"];
        arguments.extend(flags);
        arguments.push("t.json");
        let ended = kiln.run(arguments).expect(0);
        assert_hidden("standard output", ended.stdout.as_bytes());
        assert_hidden("standard error", ended.stderr.as_bytes());
        for (path, bytes) in kiln.written() {
            assert_hidden(&path.display().to_string(), &bytes);
        }
    }
}

#[test]
fn private_keys_are_for_their_owner_alone_and_gone_at_the_end() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["echo hello"])])));
    let ended = kiln.run(["build", "t.json"]).expect(0);
    assert!(!ended.stdout.contains("PRIVATE KEY"));
    for (path, bytes) in kiln.written() {
        assert!(!String::from_utf8_lossy(&bytes).contains("PRIVATE KEY"), "{} holds a key", path.display());
    }
}

#[test]
fn a_mistake_in_a_secret_field_is_shown_without_its_value() {
    let kiln = Kiln::new();
    let template = json!({ "builders": [{ "type": "amazon-ebs", "secret_key": format!("{SECRET}{{{{usr `x`}}}}"), "access_key": "x" }] });
    kiln.file("t.json", serde_json::to_string(&template).expect("JSON"));
    let ended = kiln.run(["validate", "t.json"]).expect(2);
    assert_hidden("standard error", ended.stderr.as_bytes());
}

#[test]
fn the_temporary_key_reaches_scripts_that_ask_for_it_and_no_log() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file(
        "t.json",
        text(&web(&[shell(&[
            "echo '{{build `SSHPrivateKey`}}' > key; chmod 600 key; ssh-keygen -y -f key > pub",
            "case '{{build `SSHPublicKey`}}' in *\"$(cut -d' ' -f2 pub)\"*) echo they fit ;; esac",
            "echo \"[{{build `Password`}}] [{{build `WinRMPassword`}}]\"",
            "cat key",
        ])])),
    );
    let ended = kiln.run(["build", "t.json"]).expect(0);
    assert!(ended.stdout.contains("web: they fit") && ended.stdout.contains("web: [] []"), "{}", ended.stdout);
    let machines = std::fs::read_dir(cloud.dir.path().join("machines")).expect("a machine").flatten();
    let key =
        machines.into_iter().find_map(|m| std::fs::read_to_string(m.path().join("home/key")).ok()).expect("the key");
    let lines: Vec<&str> = key.lines().filter(|l| !l.is_empty() && !l.starts_with("-----")).collect();
    assert!(lines.len() > 3, "{key}");
    let written = kiln.written();
    for line in lines {
        assert!(!ended.stdout.contains(line), "{}", ended.stdout);
        for (path, bytes) in &written {
            assert!(!String::from_utf8_lossy(bytes).contains(line), "{} has the key", path.display());
        }
    }
}
