//! Killed in any step, kiln has written down all that exists.

use serde_json::{Value, json};

use crate::cancel::{signal, started_to, steps};
use crate::support::{Cloud, Kiln};
use crate::templates::{shell, text, web};

fn template() -> Value {
    let mut template = web(&[shell(&["echo working", "sleep 0.2"])]);
    template["builders"][0]["ami_regions"] = json!(["us-west-2"]);
    template
}

#[test]
fn killed_in_any_step_the_journal_names_all_that_exists() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&template()));
    for step in steps(&kiln) {
        let cloud = Cloud::with(&json!({ "latency_ms": 40 }));
        let kiln = Kiln::on(&cloud);
        kiln.file("t.json", text(&template()));
        let mut child = started_to(&kiln, &step);
        signal(&child, "KILL");
        child.wait().expect("killed");
        let journal = kiln.journal();
        let run = journal[0]["run"].as_str().expect("the first record names the run").to_owned();
        let written = journal.iter().map(Value::to_string).collect::<String>();
        let state = cloud.state();
        for kind in ["instances", "key_pairs", "security_groups", "images"] {
            for thing in state[kind].as_array().into_iter().flatten().filter(|t| t["state"] != "terminated") {
                let names = [&thing["id"], &thing["name"]].map(|n| n.as_str().unwrap_or("-").to_owned());
                let tagged = thing["tags"]["kiln:run"] == run.as_str();
                let named = names.iter().any(|n| n != "-" && written.contains(n.as_str()));
                assert!(named || tagged, "killed in {step}: nothing finds {thing}\n{written}");
            }
        }
    }
}

#[test]
fn a_half_written_last_record_does_not_spoil_the_journal() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    kiln.file("t.json", text(&web(&[])));
    kiln.run(["build", "t.json"]).expect(0);
    let journal = kiln.journal();
    let numbers: Vec<u64> = journal.iter().filter_map(|f| f["seq"].as_u64()).collect();
    assert!(numbers.windows(2).all(|w| w[0] < w[1]), "facts are numbered in order: {numbers:?}");
}
