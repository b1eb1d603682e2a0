//! `kiln hcl2_upgrade`: a JSON template as HCL2, and the proof that both mean the same: their plans are compared.

use std::io::Write;

use serde_json::Value as Json;

use super::report::diagnostic::Hidden;
use super::report::print;
use super::template_args::assignment;
use crate::component::catalogue;
use crate::engine::load::{self, LoadRequest};
use crate::plan::{self, Evaluation, Purpose, is_hcl};
use crate::run::plan::{Plan, PlannedStep, RunOptions};
use crate::template::hcl::upgrade::{Upgraded, upgrade};
use crate::template::json;
use crate::text::{Diagnostic, Sources, Span};

#[derive(Clone, Debug, Default, clap::Args)]
pub struct UpgradeArgs {
    /// Where to write; by default the template's path and `.pkr.hcl`
    #[arg(long, value_name = "PATH")]
    pub output_file: Option<String>,
    /// Set a variable for the comparison of both; may be given several times
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = assignment, allow_hyphen_values = true)]
    pub vars: Vec<(String, String)>,
    /// Read variables for the comparison from a file; may be given several times
    #[arg(long = "var-file", value_name = "PATH", allow_hyphen_values = true)]
    pub var_files: Vec<String>,
    // Packer's flag: its annotations are about what it generates.
    #[arg(long, hide = true)]
    pub with_annotations: bool,
    /// The JSON template
    #[arg(value_name = "TEMPLATE")]
    pub template: String,
}

/// Writes the HCL2 template. Gives the exit status: 0; 1 when both do not come to the same plan; 2 when the JSON template is
/// wrong, and then nothing is written.
pub async fn run(args: UpgradeArgs) -> u8 {
    match upgraded(&args).await {
        Ok(status) => status,
        Err(why) => {
            complain(&format!("kiln: {why}"));
            2
        }
    }
}

/// Nobody is told when standard error is closed.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

async fn upgraded(args: &UpgradeArgs) -> Result<u8, String> {
    if is_hcl(&args.template) {
        return Err(format!("`{}` is HCL2 already", args.template));
    }
    let request = LoadRequest {
        template: args.template.clone(),
        hcl: false,
        execute_data: false,
        vars: args.vars.clone(),
        var_files: args.var_files.clone(),
        only: Vec::new(),
        except: Vec::new(),
        options: RunOptions::default(),
        purpose: Purpose::Validate,
        of_run: None,
    };
    let (mut sources, files, mut inputs) = load::read(&request, false).map_err(|e| e.to_string())?;
    let id = *files.first().ok_or("there is no template")?;
    let (made, found) = convert(&sources, id);
    let Some(made) = made else {
        let secrets = crate::run::Secrets::default();
        print(&found, &sources, Hidden { secrets: &secrets, places: &[] }, false);
        return Ok(2);
    };
    let output = args.output_file.clone().unwrap_or_else(|| format!("{}.pkr.hcl", args.template));
    std::fs::write(&output, &made.text).map_err(|e| format!("cannot write `{output}`: {e}"))?;
    for note in &made.notes {
        complain(&format!("{}: {}", place(&sources, note.span), note.message));
    }
    let hcl = sources.add(output.as_str(), made.text.as_str());
    let ((before, after), sources) = load::answered(&mut inputs, |inputs| {
        let (mut sources, options) = (sources.clone(), RunOptions::default());
        let before = plan::evaluate(&mut sources, id, inputs, &options, Purpose::Validate);
        let after = plan::evaluate_hcl(&mut sources, &[hcl], inputs, &options, Purpose::Validate);
        let questions = before.questions.iter().chain(&after.questions).cloned().collect();
        (((before, after), sources), questions)
    })
    .await;
    Ok(compared(&before, &after, &sources, &output))
}

fn convert(sources: &Sources, id: crate::text::SourceId) -> (Option<Upgraded>, Vec<Diagnostic>) {
    let Some(source) = sources.get(id) else { return (None, Vec::new()) };
    let mut found = Vec::new();
    let root = json::parse(source, &mut found);
    found.retain(Diagnostic::is_error);
    let root = root.filter(|_| found.is_empty());
    (root.map(|root| upgrade(source, &root, &catalogue::schema)), found)
}

/// Says whether both mean the same; the exit status.
fn compared(before: &Evaluation, after: &Evaluation, sources: &Sources, output: &str) -> u8 {
    let (Some(json_plan), hcl_plan) = (&before.plan, &after.plan) else {
        complain(&format!(
            "{output} is written, but not compared with the JSON template, as that comes to no plan: `kiln validate` says why; \
             `-var` and `-var-file` give it values"
        ));
        return 0;
    };
    let Some(hcl_plan) = hcl_plan else {
        complain(&format!("{output} is written, but it comes to no plan, as the JSON template does:"));
        print(&after.diagnostics, sources, Hidden::of(after), false);
        return 1;
    };
    let differences = differences((json_plan, before), (hcl_plan, after));
    for difference in &differences {
        let [here, there] = difference.spans.map(|span| span.map_or_else(|| "?".into(), |span| place(sources, span)));
        complain(&format!("error: {}\n  in JSON: {here}\n  in HCL2: {there}", difference.what));
    }
    if !differences.is_empty() {
        complain(&format!("{output} is written, but it does not mean what the JSON template means"));
        return 1;
    }
    complain(&format!("{output} is written, and comes to the same plan as the JSON template"));
    0
}

/// `t.json:12`.
fn place(sources: &Sources, span: Span) -> String {
    sources
        .get(span.source)
        .map_or_else(String::new, |source| format!("{}:{}", source.name, source.position(span.start as usize).line))
}

/// What is not the same in both plans, without any value: it could be secret.
#[derive(Debug, PartialEq, Eq)]
struct Difference {
    what: String,
    /// In JSON, in HCL2.
    spans: [Option<Span>; 2],
}

fn differences(json: (&Plan, &Evaluation), hcl: (&Plan, &Evaluation)) -> Vec<Difference> {
    let mut found = Vec::new();
    if json.0.builds.len() != hcl.0.builds.len() {
        let what = format!("there are {} builds in JSON and {} in HCL2", json.0.builds.len(), hcl.0.builds.len());
        return vec![Difference { what, spans: [None, None] }];
    }
    for (a, b) in json.0.builds.iter().zip(&hcl.0.builds) {
        let spans = [a.span, b.span];
        let config = (a.config.reveal(&json.1.secrets), b.config.reveal(&hcl.1.secrets));
        if let Some(path) = first_difference(&config.0, &config.1, "") {
            found.push(Difference { what: format!("`{path}` of the builder `{}` differs", a.name), spans });
        }
        let (ours, theirs): (Vec<_>, Vec<_>) =
            (a.steps.iter().chain(&a.error_cleanup).collect(), b.steps.iter().chain(&b.error_cleanup).collect());
        if ours.len() != theirs.len() {
            found.push(Difference { what: format!("the build `{}` has another number of steps", a.name), spans });
            continue;
        }
        for (a, b) in ours.into_iter().zip(theirs) {
            if let Some(path) = step_difference((a, json.1), (b, hcl.1)) {
                let what = format!("{path} of the step `{}` differs", a.title);
                found.push(Difference { what, spans: [a.span, b.span] });
            }
        }
    }
    found
}

fn step_difference(json: (&PlannedStep, &Evaluation), hcl: (&PlannedStep, &Evaluation)) -> Option<String> {
    let ((a, before), (b, after)) = (json, hcl);
    if (a.part, &a.component) != (b.part, &b.component) {
        return Some("the type or place".into());
    }
    if a.meta != b.meta {
        return Some("`pause_before`, `timeout`, `max_retries` or `keep_input_artifact`".into());
    }
    let path = first_difference(&a.config.reveal(&before.secrets), &b.config.reveal(&after.secrets), "")?;
    Some(format!("`{path}`"))
}

/// Where two values first differ; late texts are the same when their actions are.
fn first_difference(a: &Json, b: &Json, path: &str) -> Option<String> {
    match (a, b) {
        (Json::Object(x), Json::Object(y)) => {
            let keys: std::collections::BTreeSet<_> = x.keys().chain(y.keys()).collect();
            keys.into_iter().find_map(|key| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                first_difference(x.get(key).unwrap_or(&Json::Null), y.get(key).unwrap_or(&Json::Null), &path)
            })
        }
        (Json::Array(x), Json::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).enumerate().find_map(|(i, (a, b))| first_difference(a, b, &format!("{path}[{i}]")))
        }
        (Json::String(x), Json::String(y)) if like(x) == like(y) => None,
        _ => (a != b).then(|| path.to_owned()),
    }
}

/// A text without what may differ: how actions are written, and random identifiers.
fn like(text: &str) -> String {
    let text = actions(text);
    let groups = [8, 4, 4, 4, 12];
    let length = groups.iter().sum::<usize>() + groups.len() - 1;
    let is_uuid = |part: &str| {
        part.split('-').map(str::len).eq(groups) && part.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
    };
    let (mut out, mut at) = (String::with_capacity(text.len()), 0);
    while let Some(c) = text[at..].chars().next() {
        if text.get(at..at + length).is_some_and(is_uuid) {
            out.push_str("<uuid>");
            at += length;
        } else {
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

/// A text with its actions written in one way: blanks and kinds of quotes do not count.
fn actions(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((before, action)) = rest.split_once("{{") {
        let Some((inside, after)) = action.split_once("}}") else { break };
        let words: Vec<&str> = inside.split_whitespace().collect();
        out.push_str(before);
        out.push_str(&format!("{{{{{}}}}}", words.join(" ").replace('"', "`")));
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn run_on(json: &str) -> (u8, String) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.json");
        std::fs::write(&path, json).unwrap();
        let template = path.to_string_lossy().into_owned();
        let status = run(UpgradeArgs { template: template.clone(), ..UpgradeArgs::default() }).await;
        (status, std::fs::read_to_string(format!("{template}.pkr.hcl")).unwrap_or_default())
    }

    #[tokio::test]
    async fn both_come_to_the_same_plan() {
        let (status, text) = run_on(
            r#"{
  "variables": {"name": "web", "full": "{{user `name`}}-{{isotime \"20060102\"}}", "size": "8"},
  "builders": [{
    "type": "amazon-ebs", "region": "us-east-1", "source_ami": "ami-0123456789abcdef0", "instance_type": "t3.micro",
    "ssh_username": "ubuntu", "ami_name": "{{user `full`}}-{{timestamp}}", "tags": {"Base": "{{ .SourceAMI }}", "a b": "${x}"},
    "launch_block_device_mappings": [{"device_name": "/dev/sda1", "volume_size": "{{user `size`}}"}]
  }],
  "provisioners": [
    {"type": "shell", "inline": ["echo {{build `ID`}} ${HOME} \"q\""], "execute_command": "{{ .Vars }} sh {{ .Path }}",
     "override": {"amazon-ebs": {"inline": ["echo {{ build \"Host\" }}"]}}},
    {"type": "shell", "only": ["other"], "inline": ["x"], "pause_before": "5s", "max_retries": 2}
  ],
  "post-processors": [{"type": "manifest", "output": "m.json", "custom_data": {"name": "{{user `name`}}"}}]
}"#,
        )
        .await;
        assert_eq!(status, 0, "{text}");
        assert!(text.contains("source \"amazon-ebs\" \"amazon-ebs\""), "{text}");
    }

    #[tokio::test]
    async fn what_is_lost_is_a_difference() {
        let (status, text) = run_on(
            r#"{"variables": {"a": "x"}, "builders": [{"type": "null", "communicator": "none"}],
                "provisioners": [{"type": "shell-local", "inline": ["{{if user `a`}}x{{end}}"]}]}"#,
        )
        .await;
        assert_eq!(status, 1, "{text}");
        assert!(text.contains("# kiln: "), "{text}");
    }

    #[tokio::test]
    async fn a_text_that_is_no_json_is_not_written_again() {
        assert_eq!(run_on("{").await, (2, String::new()));
    }

    #[test]
    fn actions_are_the_same_in_other_quotes() {
        assert_eq!(actions("a {{ build \"ID\" }}"), actions("a {{build `ID`}}"));
        assert_ne!(actions("{{build `ID`}}"), actions("{{build `Host`}}"));
        let [one, other] =
            ["a-6a4a7b69-0001-0002-0003-000000000004-é", "a-6a4a7b69-1001-2002-3003-400000000004-é"].map(like);
        assert_eq!((one.as_str(), &one), ("a-<uuid>-é", &other));
    }
}
