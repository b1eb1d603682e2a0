use std::collections::BTreeMap;

use proptest::prelude::*;

use super::digest::{FileDigests, seal};
use super::revise::revise;
use super::*;
use crate::run::plan::StepPart;
use crate::run::value::{Piece, SecretText};
use crate::run::{SecretRef, StepId, Value};
use crate::template::question::Answer;

fn evaluated(template: &str, inputs: &Inputs, purpose: Purpose) -> (Sources, Evaluation) {
    let mut inputs = inputs.clone();
    inputs.cwd = "/work".into();
    loop {
        let mut sources = Sources::default();
        let id = sources.add("t.json", template);
        let evaluation = evaluate(&mut sources, id, &inputs, &RunOptions::default(), purpose);
        let open: Vec<Question> =
            evaluation.questions.iter().filter(|q| !inputs.answers.contains_key(q)).cloned().collect();
        if open.is_empty() {
            return (sources, evaluation);
        }
        inputs.answers.extend(open.into_iter().map(|q| (q, Answer::Yes)));
    }
}

fn plan_of(template: &str) -> Plan {
    let (_, evaluation) = evaluated(template, &Inputs::default(), Purpose::Build);
    assert_eq!(evaluation.diagnostics, []);
    evaluation.plan.unwrap()
}

/// Each finding as its code and the text that it points at.
fn told(template: &str, inputs: &Inputs, purpose: Purpose) -> Vec<String> {
    let (sources, evaluation) = evaluated(template, inputs, purpose);
    evaluation
        .diagnostics
        .iter()
        .map(|d| format!("{} {}", d.code, d.span.map_or(d.message.as_str(), |s| sources.text(s))))
        .collect()
}

fn steps(plan: &Plan, build: usize) -> Vec<&str> {
    plan.builds[build].steps.iter().filter(|s| s.part != StepPart::Prepare).map(|s| s.id.as_str()).collect()
}

const TWO: &str = r#"{
  "builders": [
    {"type": "null", "ssh_host": "h", "ssh_username": "u", "ssh_password": "p"},
    {"type": "null", "name": "two", "ssh_host": "h", "ssh_username": "u", "ssh_password": "p"}
  ],
  "provisioners": [
    {"type": "shell", "inline": ["one"], "only": ["null"]},
    {"type": "shell", "inline": ["both"], "override": {"two": {"inline": ["other"]}}},
    {"type": "shell-local", "inline": ["x"], "except": ["null"]}
  ]
}"#;

#[test]
fn a_build_has_the_name_that_packer_shows_and_the_steps_that_apply_to_it() {
    let plan = plan_of(TWO);
    let ids: Vec<&str> = plan.builds.iter().map(|b| b.id.as_str()).collect();
    assert_eq!(ids, ["null", "two"]);
    assert_eq!(steps(&plan, 0), ["provision-1", "provision-2"]);
    assert_eq!(steps(&plan, 1), ["provision-2", "provision-3"]);
}

#[test]
fn an_override_changes_the_step_of_its_build_alone() {
    let plan = plan_of(TWO);
    let inline = |build: usize| {
        let step = plan.builds[build].step(&StepId::from("provision-2")).unwrap();
        step.config.get("inline").cloned()
    };
    assert_eq!(inline(0), Some(Value::List(vec![Value::Text("both".into())])));
    assert_eq!(inline(1), Some(Value::List(vec![Value::Text("other".into())])));
}

#[test]
fn only_and_except_choose_builds_by_name() {
    let selected = |only: &[&str], except: &[&str]| {
        let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect();
        let inputs = Inputs { only: list(only), except: list(except), ..Inputs::default() };
        evaluated(TWO, &inputs, Purpose::Validate).1.selected
    };
    assert_eq!(selected(&[], &[]), ["null", "two"]);
    assert_eq!(selected(&["two"], &[]), ["two"]);
    assert_eq!(selected(&[], &["two"]), ["null"]);
    assert_eq!(selected(&["null", "two"], &["null"]), ["two"]);
    assert_eq!(selected(&["Two"], &[]), Vec::<String>::new());
}

#[test]
fn a_name_that_matches_nothing_is_warned_of_and_nothing_left_is_an_error_of_build_alone() {
    let inputs = Inputs { only: vec!["tow".into()], ..Inputs::default() };
    let (_, evaluation) = evaluated(TWO, &inputs, Purpose::Validate);
    assert_eq!(evaluation.diagnostics[0].help.as_deref(), Some("did you mean `two`?"));
    assert!(!evaluation.has_errors());
    let (_, evaluation) = evaluated(TWO, &inputs, Purpose::Build);
    let codes: Vec<&str> = evaluation.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["K1002", "K1003"]);
    assert!(evaluation.plan.is_none());
}

#[test]
fn except_ends_a_chain_before_the_post_processor_that_it_names() {
    let template = r#"{
      "builders": [{"type": "null", "communicator": "none"}],
      "post-processors": [
        [{"type": "shell-local", "inline": ["a"]}, {"type": "shell-local", "name": "stop", "inline": ["b"]},
         {"type": "shell-local", "inline": ["c"]}],
        {"type": "shell-local", "inline": ["d"]}
      ]
    }"#;
    let inputs = Inputs { except: vec!["stop".into()], ..Inputs::default() };
    let plan = evaluated(template, &inputs, Purpose::Build).1.plan.unwrap();
    assert_eq!(steps(&plan, 0), ["post-1-1", "post-2-1"]);
    assert_eq!(steps(&plan_of(template), 0), ["post-1-1", "post-1-2", "post-1-3", "post-2-1"]);
}

#[test]
fn mistakes_in_every_component_come_out_at_once_and_each_once() {
    let template = r#"{
      "builders": [
        {"type": "null", "communicator": "none", "aaaa": 1},
        {"type": "null", "name": "b", "communicator": "none", "bbbb": 2},
        {"type": "nul"},
        {"type": "qemu", "what": "ever"}
      ],
      "provisioners": [
        {"type": "shell-local", "inline": ["x"], "cccc": 3},
        {"type": "sleeep"}
      ]
    }"#;
    assert_eq!(
        told(template, &Inputs::default(), Purpose::Validate),
        [
            r#"K0501 "aaaa""#,
            r#"K0501 "bbbb""#,
            r#"K1006 "nul""#,
            r#"K1007 "qemu""#,
            r#"K0501 "cccc""#,
            r#"K1006 "sleeep""#
        ]
    );
}

#[test]
fn what_is_not_built_stops_a_build_and_not_a_validation() {
    let template = r#"{"builders": [{"type": "qemu"}, {"type": "null", "communicator": "none"}]}"#;
    let (_, evaluation) = evaluated(template, &Inputs::default(), Purpose::Validate);
    assert!(!evaluation.has_errors());
    let (_, evaluation) = evaluated(template, &Inputs::default(), Purpose::Build);
    assert!(evaluation.has_errors() && evaluation.plan.is_none());
    let inputs = Inputs { except: vec!["qemu".into()], ..Inputs::default() };
    assert!(evaluated(template, &inputs, Purpose::Build).1.plan.is_some());
}

#[test]
fn a_provisioner_without_a_machine_is_refused() {
    let template = r#"{"builders": [{"type": "null", "communicator": "none"}],
      "provisioners": [{"type": "shell", "inline": ["x"]}, {"type": "shell-local", "inline": ["y"]}]}"#;
    assert_eq!(told(template, &Inputs::default(), Purpose::Validate), [r#"K1008 "shell""#]);
}

#[test]
fn a_missing_file_is_a_mistake_only_once_the_question_is_answered() {
    let template = r#"{"builders": [{"type": "null", "ssh_host": "h", "ssh_username": "u", "ssh_password": "p"}],
      "provisioners": [{"type": "shell", "script": "setup.sh"}]}"#;
    let evaluate_with = |answers: BTreeMap<Question, Answer>| {
        let mut sources = Sources::default();
        let id = sources.add("t.json", template);
        let inputs = Inputs { answers, ..Inputs::default() };
        evaluate(&mut sources, id, &inputs, &RunOptions::default(), Purpose::Build)
    };
    let open = evaluate_with(BTreeMap::new());
    assert_eq!(open.questions, [Question::FileExists { path: "setup.sh".into() }]);
    assert!(!open.has_errors() && open.plan.is_none());
    let answered = |answer| evaluate_with(BTreeMap::from([(open.questions[0].clone(), answer)]));
    assert!(answered(Answer::No).has_errors());
    assert_eq!(answered(Answer::Yes).plan.map(|p| p.builds[0].steps.len() > 1), Some(true));
}

#[test]
fn a_secret_of_the_template_is_not_in_the_plan() {
    let template =
        r#"{"builders": [{"type": "null", "ssh_host": "h", "ssh_username": "u", "ssh_password": "hunter2"}]}"#;
    let (_, evaluation) = evaluated(template, &Inputs::default(), Purpose::Build);
    let text = serde_json::to_string(&evaluation.plan).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    assert_eq!(evaluation.secrets.reveal(&SecretRef("template:/builders/0/ssh_password".into())), "hunter2");
}

#[test]
fn hcl_is_told_apart_by_name() {
    let mut sources = Sources::default();
    let id = sources.add("web.pkr.hcl", "sorce \"null\" \"x\" {}");
    let evaluation = evaluate(&mut sources, id, &Inputs::default(), &RunOptions::default(), Purpose::Validate);
    let codes: Vec<&str> = evaluation.diagnostics.iter().map(|d| d.code.as_str()).collect();
    assert_eq!(codes, ["K1401"]);
}

fn template_with(inline: &[&str], host: &str) -> String {
    let provisioners: Vec<String> =
        inline.iter().map(|i| format!(r#"{{"type": "shell", "inline": ["{i}"]}}"#)).collect();
    format!(
        r#"{{"builders": [{{"type": "null", "ssh_host": "{host}", "ssh_username": "u", "ssh_password": "p"}}],
            "provisioners": [{}]}}"#,
        provisioners.join(",")
    )
}

#[test]
fn equal_steps_have_equal_digests_and_files_count_by_content() {
    let digest = |plan: &Plan, id: &str| plan.builds[0].step(&id.into()).unwrap().digest.clone();
    let plan = plan_of(&template_with(&["a", "b", "a"], "h"));
    assert_eq!(digest(&plan, "provision-1"), digest(&plan, "provision-3"));
    assert_ne!(digest(&plan, "provision-1"), digest(&plan, "provision-2"));
    assert_eq!(digest(&plan, "provision-1").len(), 64);

    let mut plan = plan_of(
        r#"{"builders": [{"type": "null", "ssh_host": "h", "ssh_username": "u", "ssh_password": "p"}],
      "provisioners": [{"type": "shell", "script": "./setup.sh"}]}"#,
    );
    assert_eq!(plan.builds[0].step(&"provision-1".into()).unwrap().files, ["/work/setup.sh"]);
    let before = (digest(&plan, "provision-1"), plan.digest.clone());
    seal(&mut plan, &FileDigests::from([("/work/setup.sh".into(), "1234".into())]));
    let after = (digest(&plan, "provision-1"), plan.digest.clone());
    assert!(before.0 != after.0 && before.1 != after.1);
}

fn ids(list: &[&str]) -> Vec<StepId> {
    list.iter().map(|id| StepId::from(*id)).collect()
}

#[test]
fn a_revision_matches_steps_by_what_they_do() {
    let old = plan_of(&template_with(&["a", "b", "c"], "h"));
    let revision = revise(&old, plan_of(&template_with(&["a", "x", "c", "d"], "h")), &FileDigests::new());
    assert_eq!(revision.plan.revision, 2);
    let changes = &revision.builds[0];
    assert!(changes.can_go_on());
    assert_eq!(
        changes.kept,
        [("provision-1".into(), "provision-1".into()), ("provision-3".into(), "provision-3".into())]
    );
    assert_eq!(changes.lost, ids(&["provision-2"]));
    assert_eq!(changes.new, ids(&["provision-2", "provision-4"]));
}

#[test]
fn an_image_is_patched_when_what_ran_is_not_what_the_plan_would_have_run() {
    let old = plan_of(&template_with(&["a", "b", "c"], "h"));
    let patched = |inline: &[&str], ran: &[&str], from: &str| {
        let revision = revise(&old, plan_of(&template_with(inline, "h")), &FileDigests::new());
        revision.builds[0].patched(&old.builds[0], &revision.plan.builds[0], &ids(ran), &from.into()).is_some()
    };
    // The failed step was mended: nothing before it differs.
    assert!(!patched(&["a", "mended", "c"], &["provision-1"], "provision-2"));
    assert!(!patched(&["a", "b", "c"], &["provision-1", "provision-2"], "provision-3"));
    // A step that ran is changed, a step is skipped, a step ran that is to run again.
    assert!(patched(&["x", "mended", "c"], &["provision-1"], "provision-2"));
    assert!(patched(&["a", "b", "c"], &["provision-1"], "provision-3"));
    assert!(patched(&["a", "b", "c"], &["provision-1", "provision-2"], "provision-2"));
}

#[test]
fn a_change_of_what_the_machine_was_launched_with_is_refused_by_name() {
    let old = plan_of(&template_with(&["a"], "h"));
    let revision = revise(&old, plan_of(&template_with(&["a"], "other")), &FileDigests::new());
    assert_eq!(revision.builds[0].refused, ["ssh_host"]);
    assert!(!revision.builds[0].can_go_on());
}

#[test]
fn builds_come_and_go_with_a_revision() {
    let old = plan_of(&template_with(&["a"], "h"));
    let renamed = template_with(&["a"], "h").replace(r#""type": "null""#, r#""type": "null", "name": "new""#);
    let revision = revise(&old, plan_of(&renamed), &FileDigests::new());
    assert!(revision.builds[0].gone);
    assert_eq!(revision.added, ["new".into()]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|n| Value::Number(n.into())),
        any::<String>().prop_map(Value::Text),
        proptest::collection::vec(
            prop_oneof![
                any::<String>().prop_map(Piece::Plain),
                "[a-z:/]{1,8}".prop_map(|r| Piece::Secret(SecretRef(r))),
            ],
            1..4
        )
        .prop_map(|pieces| Value::Secret(SecretText { pieces })),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec(("[a-zA-Z_]{0,6}", inner), 0..4)
                .prop_map(|m| Value::Map(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_plan_comes_back_from_its_text_as_it_was(config in value(), step in value(), name in any::<String>()) {
        let mut plan = plan_of(TWO);
        plan.builds[0].config = config;
        plan.builds[1].steps[0].config = step;
        plan.builds[1].id = name.as_str().into();
        seal(&mut plan, &FileDigests::new());
        let text = serde_json::to_string(&plan).unwrap();
        prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    }
}
