#![allow(clippy::needless_pass_by_value, reason = "`json!` reads best in the call")]

use serde_json::json;

use super::*;
use crate::component::testing::{Asked, Checked, Puppet, context};
use crate::run::Fact;

async fn run(config: Json, folder: &Path) -> (Vec<Asked>, Vec<String>) {
    let (cx, facts) = context(folder);
    let machine = Puppet::new([]);
    machine.attach(&cx);
    File.run(&config, &cx).await.unwrap();
    assert!(facts.facts().iter().filter(|f| matches!(f, Fact::StepProgressed { .. })).count() <= machine.asked().len());
    (machine.asked(), facts.said())
}

fn sent(path: &str, text: &str) -> Asked {
    Asked::Put(path.into(), text.into(), None)
}

#[tokio::test]
async fn a_slash_at_the_end_of_the_destination_keeps_the_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tree")).unwrap();
    std::fs::write(folder.path().join("one.txt"), "1").unwrap();
    std::fs::write(folder.path().join("tree/a.txt"), "a").unwrap();
    let config = json!({"sources": ["one.txt", "tree/a.txt"], "destination": "/tmp/d/"});
    let (asked, said) = run(config, folder.path()).await;
    assert_eq!(asked, [sent("/tmp/d/one.txt", "1"), sent("/tmp/d/a.txt", "a")]);
    assert_eq!(said, ["Uploading one.txt => /tmp/d/", "Uploading tree/a.txt => /tmp/d/"]);
    let (asked, _) = run(json!({"source": "one.txt", "destination": "/tmp/d"}), folder.path()).await;
    assert_eq!(asked, [sent("/tmp/d", "1")]);
}

#[tokio::test]
async fn a_folder_is_sent_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("tree")).unwrap();
    let here = folder.path().display();
    for source in ["tree", "tree/"] {
        let (asked, _) = run(json!({"source": source, "destination": "/tmp/d"}), folder.path()).await;
        assert_eq!(asked, [Asked::PutDir(format!("{here}/{source}"), "/tmp/d".into())]);
    }
}

#[tokio::test]
async fn content_becomes_a_private_file() {
    let folder = tempfile::tempdir().unwrap();
    let (asked, said) = run(json!({"content": "a\n", "destination": "/etc/x"}), folder.path()).await;
    assert_eq!(asked, [Asked::Put("/etc/x".into(), "a\n".into(), Some(0o600))]);
    assert_eq!(said, ["Uploading content => /etc/x"]);
}

#[tokio::test]
async fn downloads_make_their_folders() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().display();
    let download = |source: &str, destination: &str| {
        let config = json!({"direction": "download", "source": source, "destination": destination});
        let folder = folder.path().to_owned();
        async move { run(config, &folder).await.0 }
    };
    assert_eq!(download("/r/one", "got/a/one").await, [Asked::Get("/r/one".into(), format!("{here}/got/a/one"))]);
    assert!(folder.path().join("got/a").is_dir());
    assert_eq!(download("/r/one", "got/b/").await, [Asked::Get("/r/one".into(), format!("{here}/got/b/one"))]);
    assert!(folder.path().join("got/b").is_dir());
    for source in ["/r/", "/r/*.log"] {
        assert_eq!(download(source, "all").await, [Asked::GetDir(source.into(), format!("{here}/all"))]);
    }
    assert!(folder.path().join("all").is_dir());
}

#[tokio::test]
async fn a_source_that_went_away_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (cx, _) = context(folder.path());
    Puppet::new([]).attach(&cx);
    let failure = File.run(&json!({"source": "nope", "destination": "/x"}), &cx).await.unwrap_err();
    assert!(failure.message.starts_with("`nope` cannot be read"), "{}", failure.message);
}

#[test]
fn rules_name_what_is_wrong() {
    let codes = |config: Json| Checked::of(|cx| File.check(&config, cx)).codes();
    assert_eq!(codes(json!({"source": "/dev/null", "destination": "/x"})), [""; 0]);
    assert_eq!(codes(json!({"source": "nope", "destination": "/x"})), ["K0803"]);
    assert_eq!(codes(json!({"source": "nope", "destination": "/x", "generated": true})), [""; 0]);
    assert_eq!(codes(json!({"source": "nope", "destination": "x", "direction": "download"})), [""; 0]);
    assert_eq!(codes(json!({"destination": "/x"})), ["K0806"]);
    assert_eq!(codes(json!({"content": "x", "sources": ["/dev/null"], "destination": "/x"})), ["K0807"]);
    assert_eq!(codes(json!({"content": "x", "direction": "download", "destination": "/x"})), ["K0808"]);
    assert_eq!(codes(json!({"content": "x", "destination": "/x/"})), ["K0809"]);
}
