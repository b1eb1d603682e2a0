//! Boto3 (`PyPI`) against the endpoint: its parser is the proof that requests and answers have the right shape. The cases are
//! in `boto.py`, which also holds every answer against AWS's model.

use std::path::{Path, PathBuf};

use kiln::practice::Options;
use kiln::practice::scenario::Scenario;

use super::start;

/// The interpreter with boto3 in it.
fn python() -> PathBuf {
    let peers = std::env::var_os("KILN_TEST_PEERS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".peers"), PathBuf::from);
    let python = peers.join("venv/bin/python");
    assert!(python.exists(), "{} is missing: run scripts/test once, which makes it", python.display());
    python
}

async fn case(name: &str, options: Options) {
    let started = start(options).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/practice/boto.py");
    let mut command = tokio::process::Command::new(python());
    command.arg(script).arg(name).arg(started.practice.endpoint()).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = command.output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    started.practice.stop().await;
}

macro_rules! cases {
    ($($name:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            case(stringify!($name), Options::default()).await;
        }
    )*};
}

cases! { build pages idempotency names wrong filters networks volumes spot identity secrets images instances }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rehearsal() {
    case("rehearsal", Options { rehearsal: true, ..Options::default() }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lost() {
    let scenario = Scenario::parse("[[lose]]\naction = \"RunInstances\"\n", "test").unwrap();
    case("lost", Options { scenario, ..Options::default() }).await;
}
