//! Names that users choose never decide where kiln writes.

use serde_json::json;

use crate::support::{Cloud, Kiln};
use crate::templates::{builder, shell, text};

#[test]
fn a_build_named_like_a_path_stays_in_the_runs_folder() {
    let cloud = Cloud::start();
    let kiln = Kiln::on(&cloud);
    let names = ["../x", "../../etc/y", "a/b", "CON", "name with spaces", "ünï", &"l".repeat(200)];
    let builders: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let mut one = builder(name);
            one["ami_name"] = json!(format!("image {i}"));
            one
        })
        .collect();
    kiln.file("t.json", text(&json!({ "builders": builders, "provisioners": [shell(&["echo in"])] })));
    kiln.run(["build", "t.json"]).expect(0);
    assert_eq!(cloud.ids("images").len(), names.len());
    let run = kiln.run_dir().expect("a run");
    let logs = std::fs::read_dir(&run).expect("readable").flatten();
    let logs = logs.filter(|e| e.path().extension().is_some_and(|x| x == "log")).count();
    assert_eq!(logs, names.len(), "a log for each build, in {}", run.display());
    let outside: Vec<_> =
        kiln.written().into_iter().filter(|(p, _)| !p.starts_with(&run) && !p.ends_with("kiln.log")).collect();
    assert!(outside.is_empty(), "{:?}", outside.iter().map(|(p, _)| p).collect::<Vec<_>>());
}
