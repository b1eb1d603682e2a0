//! What a run leaves for people and programs to read.

use serde_json::{Value, json};

use crate::support::{Cloud, Kiln};
use crate::templates::{builder, shell, text, web};

#[test]
fn the_result_names_each_image_by_build_and_region() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let mut template = web(&[]);
    template["builders"][0]["ami_regions"] = json!(["us-west-2"]);
    kiln.file("t.json", text(&template));
    let ended = kiln.run(["build", "-result", "out.json", "t.json"]).expect(0);
    let result: Value =
        serde_json::from_slice(&std::fs::read(kiln.work().join("out.json")).expect("written")).expect("JSON");
    assert_eq!(result["version"], 1);
    let images = result["builds"][0]["images"].as_array().expect("images");
    let regions: Vec<_> = images.iter().map(|i| i["region"].clone()).collect();
    assert_eq!(regions, ["us-east-1", "us-west-2"], "{result:#}");
    for image in images {
        let id = image["id"].as_str().expect("an id");
        let row = ended.stdout.lines().any(|l| l.starts_with("web ") && l.contains(id));
        assert!(row, "the table at the end has {id}:\n{}", ended.stdout);
    }
}

#[test]
fn the_journal_begins_with_the_plan_and_ends_with_the_status() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["echo hello"])])));
    kiln.run(["build", "t.json"]).expect(0);
    let journal = kiln.journal();
    assert_eq!(journal[0]["fact"], "run_started");
    assert!(journal[0]["plan"]["builds"][0]["steps"].as_array().is_some_and(|s| s.len() > 5));
    let last = journal.last().expect("facts");
    assert_eq!((last["fact"].as_str(), last["status"].as_u64()), (Some("run_ended"), Some(0)));
    let run = kiln.run_dir().expect("a run");
    assert!(run.join("inputs").is_dir() && run.join("result.json").is_file());
    let intended = journal.iter().filter(|f| f["fact"] == "intended").count();
    let settled = journal.iter().filter(|f| f["fact"] == "released" || f["fact"] == "kept").count();
    assert_eq!(intended, settled, "all that was intended was released or kept");
}

#[test]
fn json_facts_are_the_only_thing_on_standard_output() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["echo hello"])])));
    let ended = kiln.run(["build", "-format=json", "t.json"]).expect(0);
    let facts: Vec<Value> = ended.stdout.lines().map(|l| serde_json::from_str(l).expect("a fact a line")).collect();
    assert_eq!(facts[0]["fact"], "run_started");
    assert!(facts.iter().any(|f| f["fact"] == "output" && f["text"].as_str().is_some_and(|t| t.contains("hello"))));
    assert_eq!(facts.last().map(|f| f["fact"].clone()), Some(json!("run_ended")));
    let numbers: Vec<_> = facts.iter().filter_map(|f| f["seq"].as_u64()).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>(), "without gaps");
}

#[test]
fn machine_readable_lines_name_their_build() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[shell(&["echo hello"])])));
    let ended = kiln.run(["-machine-readable", "build", "t.json"]).expect(0);
    let fields: Vec<Vec<&str>> = ended.stdout.lines().map(|l| l.split(',').collect()).collect();
    assert!(fields.iter().all(|f| f.len() >= 3 && f[0].parse::<u64>().is_ok()), "{}", ended.stdout);
    assert!(fields.iter().any(|f| f[1] == "web" && f[2] == "ui" && f.last().is_some_and(|l| l.contains("web: hello"))));
    let id = fields.iter().find(|f| f[1] == "web" && f[2] == "artifact" && f[4] == "id").expect("the artifact's id");
    assert!(id[5].starts_with("us-east-1:ami-"), "{id:?}");
}

#[test]
fn tags_of_a_run_are_on_what_is_temporary_and_not_on_the_image() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[])));
    kiln.run(["build", "t.json"]).expect(0);
    let state = cloud.state();
    let tags = &state["instances"][0]["tags"];
    for key in ["kiln:run", "kiln:build", "kiln:host", "kiln:until"] {
        assert!(tags[key].is_string(), "{key}: {tags}");
    }
    let kept = state["images"].as_array().into_iter().chain(state["snapshots"].as_array()).flatten();
    for thing in kept {
        assert!(!thing["tags"].to_string().contains("kiln:"), "{thing}");
    }
}

#[test]
fn a_setting_turns_the_tags_off() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[])));
    kiln.file("kiln.toml", "[tags]\nenabled = false\n");
    kiln.run(["build", "t.json"]).expect(0);
    assert!(!cloud.state()["instances"][0]["tags"].to_string().contains("kiln:"));
}

#[test]
fn a_name_that_is_taken_is_found_before_anything_is_launched() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[])));
    kiln.run(["build", "t.json"]).expect(0);
    let ended = kiln.run(["build", "t.json"]).expect(1);
    assert!(ended.stdout.contains("image web"), "{}", ended.stdout);
    assert_eq!(cloud.calls_of("RunInstances").len(), 1);
    kiln.run(["build", "-force", "t.json"]).expect(0);
    assert_eq!(cloud.ids("images").len(), 1, "the old one was replaced");
}

#[test]
fn a_replaced_image_comes_back_when_the_new_one_cannot_be_made() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[])));
    kiln.run(["build", "t.json"]).expect(0);
    cloud.faults(&json!({ "refuse": [{ "action": "CreateImage", "nth": 2, "count": 1000, "status": 400, "code": "InvalidParameterValue", "message": "no" }] }));
    kiln.run(["build", "-force", "t.json"]).expect(1);
    let state = cloud.state();
    let names: Vec<_> = state["images"].as_array().into_iter().flatten().map(|i| i["name"].clone()).collect();
    assert_eq!(names, ["image web"], "registered again from its snapshots");
}

#[test]
fn builds_wait_for_their_turn() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let builders = [builder("one"), builder("two"), builder("three")];
    kiln.file("t.json", text(&json!({ "builders": builders })));
    kiln.run(["build", "-parallel-builds=1", "t.json"]).expect(0);
    let mut open = 0;
    for fact in kiln.journal() {
        match fact["fact"].as_str() {
            Some("attempt_started") => open += 1,
            Some("attempt_ended") => open -= 1,
            _ => {}
        }
        assert!(open <= 1, "two builds at once: {fact}");
    }
}
