use serde_json::json;

use super::*;
use crate::component::late::run_uuid;
use crate::component::testing::context;
use crate::run::artifact::ArtifactFile;

async fn write(config: &Json, input: &Artifact, cx: &StepContext) -> String {
    let done = ManifestFile.run(config, input, cx).await.unwrap();
    assert!(done.keep && done.force_keep);
    assert_eq!(done.artifact.as_ref(), Some(input));
    std::fs::read_to_string(cx.cwd.join("m.json")).unwrap()
}

#[tokio::test]
async fn it_is_packers_form_byte_by_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, _) = context(folder.path());
    let config = json!({"output": "m.json", "strip_time": true, "custom_data": {"z": "a<b>&c", "a": "{}"}});
    let input = Artifact { id: "eu-west-1:ami-a,us-east-1:ami-b".into(), ..Artifact::default() };
    let uuid = run_uuid(&cx);
    let expected = format!(
        r#"{{
  "builds": [
    {{
      "name": "web",
      "builder_type": "null",
      "files": null,
      "artifact_id": "eu-west-1:ami-a,us-east-1:ami-b",
      "packer_run_uuid": "{uuid}",
      "custom_data": {{
        "a": "{{}}",
        "z": "a\u003cb\u003e\u0026c"
      }}
    }}
  ],
  "last_run_uuid": "{uuid}"
}}"#
    );
    assert_eq!(write(&config, &input, &cx).await, expected);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "neither a lock nor a half-written file stays");
}

#[tokio::test]
async fn files_are_listed_with_their_sizes() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("out")).unwrap();
    std::fs::write(folder.path().join("out/disk"), "12345").unwrap();
    let (cx, _) = context(folder.path());
    let input = Artifact { files: vec![ArtifactFile { path: "out/disk".into(), size: 0 }], ..Artifact::default() };
    let text = write(&json!({"output": "m.json", "strip_path": true}), &input, &cx).await;
    let manifest: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(manifest["builds"][0]["files"], json!([{"name": "disk", "size": 5}]));
    assert_eq!(manifest["builds"][0]["custom_data"], Json::Null);
    assert!(manifest["builds"][0]["build_time"].as_u64().unwrap() > 1_700_000_000);
}

#[tokio::test]
async fn entries_are_added_and_force_starts_anew_once_a_run() {
    let folder = tempfile::tempdir().unwrap();
    let (mut cx, _) = context(folder.path());
    let config = json!({"output": "m.json"});
    let (input, count) = (Artifact::default(), |text: &str| text.matches("\"artifact_id\"").count());
    assert_eq!(count(&write(&config, &input, &cx).await), 1);
    assert_eq!(count(&write(&config, &input, &cx).await), 2);
    cx.options.force = true;
    assert_eq!(count(&write(&config, &input, &cx).await), 3, "the same run does not throw its own entries away");
    cx.run = "another".into();
    assert_eq!(count(&write(&config, &input, &cx).await), 1);
    assert_eq!(count(&write(&config, &input, &cx).await), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builds_that_end_together_lose_no_entry() {
    let folder = tempfile::tempdir().unwrap();
    let mut builds = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (cx, _) = context(folder.path());
        builds.spawn(async move {
            ManifestFile.run(&json!({"output": "m.json"}), &Artifact::default(), &cx).await.map(|_| ())
        });
    }
    while let Some(done) = builds.join_next().await {
        done.unwrap().unwrap();
    }
    let text = std::fs::read_to_string(folder.path().join("m.json")).unwrap();
    assert_eq!(serde_json::from_str::<Json>(&text).unwrap()["builds"].as_array().unwrap().len(), 20);
}

#[tokio::test]
async fn a_file_that_is_no_manifest_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("m.json"), "[1]").unwrap();
    let (cx, _) = context(folder.path());
    let failure = ManifestFile.run(&json!({"output": "m.json"}), &Artifact::default(), &cx).await.err().unwrap();
    assert!(failure.message.contains("holds something else than a manifest"), "{}", failure.message);
    assert_eq!(std::fs::read_to_string(folder.path().join("m.json")).unwrap(), "[1]");
}
