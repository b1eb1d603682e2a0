use super::*;
use crate::run::Value;

fn evaluated(name: &str, text: &str, inputs: &Inputs, purpose: Purpose) -> (Evaluation, Sources) {
    let mut sources = Sources::default();
    let id = sources.add(name, text);
    let evaluation = evaluate(&mut sources, id, inputs, &RunOptions::default(), purpose);
    (evaluation, sources)
}

fn planned(name: &str, text: &str) -> Plan {
    let (evaluation, sources) = evaluated(name, text, &Inputs::default(), Purpose::Build);
    let told: Vec<_> = evaluation.diagnostics.iter().map(|d| (&d.message, d.span.map(|s| sources.text(s)))).collect();
    evaluation.plan.unwrap_or_else(|| panic!("no plan: {told:?}"))
}

const HCL: &str = r#"
variable "token" {
  default   = "hunter2-hunter2"
  sensitive = true
}
source "null" "a" {
  communicator = "none"
}
build {
  sources = ["source.null.a"]
  provisioner "shell-local" {
    max_retries      = 2
    pause_before     = "5s"
    environment_vars = ["TOKEN=${var.token}"]
    inline           = ["echo ${build.ID} ${upper(build.PackerRunUUID)}", "true"]
  }
  post-processor "manifest" {
    output = "m.json"
  }
}
"#;

#[test]
fn both_languages_come_to_the_same_steps() {
    let json = r#"{
      "variables": {"token": "hunter2-hunter2"}, "sensitive-variables": ["token"],
      "builders": [{"type": "null", "name": "a", "communicator": "none"}],
      "provisioners": [{"type": "shell-local", "max_retries": 2, "pause_before": "5s",
        "environment_vars": ["TOKEN={{user `token`}}"],
        "inline": ["echo {{build `ID`}} {{hcl \"upper(build.PackerRunUUID)\"}}", "true"]}],
      "post-processors": [{"type": "manifest", "output": "m.json"}]
    }"#;
    let (hcl, json) = (planned("t.pkr.hcl", HCL), planned("t.json", json));
    let (hcl, json) = (&hcl.builds[0], &json.builds[0]);
    assert_eq!((hcl.id.as_str(), json.id.as_str()), ("null.a", "a"));
    assert_eq!((&hcl.name, &hcl.builder_type, &hcl.config), (&json.name, &json.builder_type, &json.config));
    let shape = |b: &crate::run::PlannedBuild| {
        b.steps.iter().map(|s| (s.id.clone(), s.title.clone(), s.config.clone(), s.meta.clone())).collect::<Vec<_>>()
    };
    assert_eq!(shape(hcl), shape(json));
}

#[test]
fn a_plan_holds_no_secret() {
    let plan = serde_json::to_string(&planned("t.pkr.hcl", HCL)).unwrap();
    assert!(!plan.contains("hunter2"), "{plan}");
    assert!(plan.contains("var:token"));
}

#[test]
fn builds_are_chosen_by_patterns_on_their_full_names() {
    let template = "source \"null\" \"a\" {\n  communicator = \"none\"\n}\nsource \"null\" \"b\" {\n  communicator = \"none\"\n}\nbuild {\n  name = \
                    \"x\"\n  sources = [\"source.null.a\", \"source.null.b\"]\n}\n";
    let selected = |only: &[&str], except: &[&str]| {
        let of = |list: &[&str]| list.iter().map(|n| (*n).to_owned()).collect();
        let inputs = Inputs { only: of(only), except: of(except), ..Inputs::default() };
        let (evaluation, _) = evaluated("t.pkr.hcl", template, &inputs, Purpose::Validate);
        (evaluation.selected, evaluation.diagnostics.into_iter().filter_map(|d| d.help).collect::<Vec<_>>())
    };
    assert_eq!(selected(&["x.null.a"], &[]).0, ["x.null.a"]);
    assert_eq!(selected(&["*.b"], &[]).0, ["x.null.b"]);
    assert_eq!(selected(&["*.{a,b}"], &["*a"]).0, ["x.null.b"]);
    assert_eq!(selected(&["null.a"], &[]), (Vec::new(), vec!["did you mean `x.null.a`?".to_owned()]));
}

#[test]
fn unknown_keys_are_named_as_in_json() {
    let template = HCL.replace("output = \"m.json\"", "outptu = \"m.json\"");
    let (evaluation, sources) = evaluated("t.pkr.hcl", &template, &Inputs::default(), Purpose::Validate);
    let [found] = evaluation.diagnostics.as_slice() else { panic!("{:?}", evaluation.diagnostics) };
    assert_eq!((found.code.as_str(), sources.text(found.span.unwrap())), ("K0501", "outptu"));
    assert_eq!(found.fix.as_ref().map(|f| f.replacement.as_str()), Some("output"));
}

#[test]
fn what_only_a_data_source_knows_stands_in_the_way_of_a_plan_and_is_no_mistake() {
    let template = format!(
        "data \"http\" \"d\" {{\n  url = \"http://localhost\"\n}}\nlocals {{\n  b = data.http.d.body\n}}\n{}",
        HCL.replace("\"true\"]", "\"echo ${local.b}\"]")
    );
    let (evaluation, _) = evaluated("t.pkr.hcl", &template, &Inputs::default(), Purpose::Validate);
    assert!(evaluation.diagnostics.is_empty(), "{:?}", evaluation.diagnostics);
    assert!(evaluation.plan.is_none() && evaluation.questions.is_empty());
    let (evaluation, _) = evaluated("t.pkr.hcl", &template, &Inputs::default(), Purpose::Build);
    assert_eq!(evaluation.questions.len(), 1);
}

#[test]
fn variables_are_shown_with_their_values() {
    let (evaluation, _) = evaluated("t.pkr.hcl", HCL, &Inputs::default(), Purpose::Validate);
    assert!(matches!(evaluation.variables["token"].value, Value::Secret(_)));
    let document = evaluation.document.unwrap();
    assert_eq!(document.builders[0].raw_name(), "null.a");
    assert_eq!((document.provisioners.len(), document.post_processors.len()), (1, 1));
}
