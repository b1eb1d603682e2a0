//! Every code has a page for `kiln explain`, and every example on a page makes its code come out of `kiln validate`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use kiln::text::Code;

/// An example: the arguments of its fence, and its text.
struct Example {
    arguments: Vec<String>,
    text: String,
    hcl: bool,
}

/// The fenced blocks that are marked `wrong`.
fn examples(page: &str) -> Vec<Example> {
    let mut found = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let hcl = line.starts_with("```hcl wrong");
        let info = line.strip_prefix("```json wrong").or_else(|| line.strip_prefix("```hcl wrong"));
        let Some(info) = info else { continue };
        let arguments = info.trim().strip_prefix("args:").unwrap_or("");
        let text = lines.by_ref().take_while(|l| *l != "```").collect::<Vec<_>>().join("\n");
        found.push(Example { arguments: arguments.split_whitespace().map(str::to_owned).collect(), text, hcl });
    }
    found
}

fn pages() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/explain")
}

#[test]
fn every_code_has_a_page_with_its_title_and_an_example() {
    for code in Code::all() {
        let page = code.page();
        assert!(page.starts_with(&format!("# {code}: ")), "{code}: the title");
        assert!(page.lines().any(|l| l.starts_with("```")), "{code}: no example");
        assert_eq!(page.lines().filter(|l| l.starts_with("```")).count() % 2, 0, "{code}: a fence is left open");
    }
}

#[test]
fn every_page_belongs_to_a_code_and_no_code_is_used_twice() {
    let codes: Vec<&str> = Code::all().map(Code::as_str).collect();
    let distinct: BTreeSet<&str> = codes.iter().copied().collect();
    assert_eq!(distinct.len(), codes.len(), "a code is used twice");
    for entry in std::fs::read_dir(pages()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let code = name.strip_suffix(".md").unwrap_or(&name);
        assert!(distinct.contains(code), "{name} explains a code that nothing reports");
    }
}

/// The codes that `kiln validate --format json` reports, wherever it prints them.
fn reported(folder: &Path, example: &Example) -> (BTreeSet<String>, String) {
    let file = folder.join(if example.hcl { "example.pkr.hcl" } else { "example.json" });
    std::fs::write(&file, &example.text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
    command
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("XDG_STATE_HOME", folder).env("XDG_CONFIG_HOME", folder).env("XDG_CACHE_HOME", folder);
    command.arg("validate").args(&example.arguments).args(["--format", "json"]).arg(&file);
    let output = command.output().unwrap();
    let all = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let mut codes = BTreeSet::new();
    if let Ok(whole) = serde_json::from_slice(&output.stdout) {
        collect(&whole, &mut codes);
    }
    for line in all.lines() {
        if let Ok(value) = serde_json::from_str(line) {
            collect(&value, &mut codes);
        }
    }
    (codes, all)
}

/// Every `code` anywhere in the value.
fn collect(value: &serde_json::Value, codes: &mut BTreeSet<String>) {
    match value {
        serde_json::Value::Object(map) => {
            codes.extend(map.get("code").and_then(|c| c.as_str()).map(str::to_owned));
            map.values().for_each(|v| collect(v, codes));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|v| collect(v, codes)),
        _ => {}
    }
}

#[test]
fn every_example_makes_its_code_come_out_of_validate() {
    let folder = tempfile::tempdir().unwrap();
    let mut faults = Vec::new();
    let mut tried = 0;
    for code in Code::all() {
        for example in examples(code.page()) {
            tried += 1;
            let (codes, output) = reported(folder.path(), &example);
            if !codes.contains(code.as_str()) {
                faults.push(format!("{code}: validate says {codes:?}\n{output}"));
            }
        }
    }
    assert!(tried > 20, "hardly any page has an example");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn explain_prints_the_page() {
    let output = Command::new(env!("CARGO_BIN_EXE_kiln")).args(["explain", "k0101"]).output().unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("K0101"));
}

#[test]
fn an_example_is_read_with_the_arguments_of_its_fence() {
    let found = examples("# K0\n```json wrong args: -var x=y\n{\n}\n```\n```text\nno\n```\n```json wrong\n[]\n```\n");
    let seen: Vec<_> = found.iter().map(|e| (e.arguments.join(" "), e.text.as_str())).collect();
    assert_eq!(seen, [("-var x=y".to_owned(), "{\n}"), (String::new(), "[]")]);
}
