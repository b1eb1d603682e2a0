mod hold;
mod plans;
mod stop;
mod world;
mod written;

use proptest::prelude::*;

use self::world::{Act, Bench, build, plan, step, until, words};
use super::read;
use crate::run::event::Tone;
use crate::run::plan::{OnError, StepPart};
use crate::run::state::{BuildState, Fate, Phase};
use crate::run::*;

fn held(build: &BuildState) -> bool {
    build.phase == Phase::Held
}

fn running(step: &'static str) -> impl Fn(&BuildState) -> bool {
    move |b| b.current.as_ref().is_some_and(|s| s.as_str() == step)
}

fn retry(build: &str, from: Option<&str>) -> Command {
    Command::Retry { build: build.into(), from: from.map(Into::into) }
}

#[tokio::test]
async fn a_build_runs_its_steps_in_order_and_leaves_only_its_image() {
    let bench = Bench::new();
    let engine = bench.start(plan(vec![build("a", &["p1", "p2"])], OnError::Cleanup)).await;
    let outcome = engine.ended().await;
    assert_eq!(outcome.status, 0);
    let log = bench.world.log();
    let steps = ["a/launch", "a/p1", "a/p2", "a/image", "close", "release instance-a-1", "release group-a-1"];
    assert_eq!(log, steps);
    assert_eq!(bench.world.exists(), ["image-a-1"]);
    let state = &outcome.state.builds[0];
    assert_eq!(state.artifacts[0].id, "here:image");
    assert!(outcome.state.left().next().is_none());
}

#[tokio::test]
async fn a_failed_build_disturbs_no_other() {
    let bench = Bench::new();
    bench.world.script("a/launch", [Act::Fail("no capacity")]);
    let engine = bench.start(plan(vec![build("a", &[]), build("b", &["p1"])], OnError::Cleanup)).await;
    let outcome = engine.ended().await;
    assert_eq!(words(&outcome.state), ["failed", "done"]);
    assert_eq!(bench.world.exists(), ["image-b-1"]);
}

#[tokio::test]
async fn abort_leaves_everything_and_names_it() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Abort)).await;
    let outcome = engine.ended().await;
    assert_eq!(outcome.status, 1);
    assert_eq!(bench.world.exists(), ["group-a-1", "instance-a-1"]);
    assert_eq!(outcome.state.resources.values().filter(|o| o.fate == Fate::Left).count(), 2);
    let named = read::events(engine.run_dir()).unwrap().into_iter().any(|e| {
        matches!(e.fact, Fact::Said { tone: Tone::Error, text, .. } if text.contains("instance-a-1") && text.contains("group-a-1"))
    });
    assert!(named);
    assert!(!bench.world.log().contains(&"a/error-cleanup".to_owned()));
}

#[tokio::test]
async fn the_cleanup_provisioner_runs_when_provisioning_failed_and_not_later() {
    for (failing, mode, runs) in [
        ("a/p1", OnError::Cleanup, true),
        ("a/p1", OnError::RunCleanupProvisioner, true),
        ("a/image", OnError::Cleanup, false),
        ("a/launch", OnError::RunCleanupProvisioner, false),
    ] {
        let bench = Bench::new();
        bench.world.script(failing, [Act::Fail("no")]);
        let engine = bench.start(plan(vec![build("a", &["p1"])], mode)).await;
        assert_eq!(engine.ended().await.status, 1);
        assert_eq!(bench.world.log().contains(&"a/error-cleanup".to_owned()), runs, "{failing} {mode:?}");
        assert_eq!(bench.world.exists().is_empty(), mode == OnError::Cleanup, "{failing} {mode:?}");
    }
}

#[tokio::test]
async fn one_at_a_time_goes_in_the_order_of_the_plan() {
    let bench = Bench::new();
    let names = ["d", "a", "c", "b"];
    let mut plan = plan(names.map(|n| build(n, &[])).into(), OnError::Cleanup);
    plan.options.parallel = Some(1);
    let engine = bench.start(plan).await;
    assert_eq!(engine.ended().await.status, 0);
    let log = bench.world.log();
    let launched: Vec<&str> = log.iter().filter_map(|l| l.strip_suffix("/launch")).collect();
    assert_eq!(launched, names);
}

#[tokio::test]
async fn a_mistake_of_kiln_in_a_step_is_a_failure_of_that_step() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Panic]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Cleanup)).await;
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, bench.world.exists()), (1, vec![]));
}

#[tokio::test]
async fn retries_pause_and_timeout_work_together() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("one"), Act::Deaf]);
    let mut plan = plan(vec![build("a", &["p1"])], OnError::Cleanup);
    let meta = &mut plan.builds[0].steps[1].meta;
    meta.max_retries = 2;
    meta.pause_before = Some(std::time::Duration::from_millis(1));
    meta.timeout = Some(std::time::Duration::from_millis(10));
    let engine = bench.start(plan).await;
    assert_eq!(engine.ended().await.status, 0);
    let said: Vec<String> = read::events(engine.run_dir())
        .unwrap()
        .into_iter()
        .filter_map(|e| if let Fact::Said { text, .. } = e.fact { Some(text) } else { None })
        .collect();
    let pause = "Pausing 1ms before the next provisioner...";
    let limit = "Setting a 10ms timeout for the next provisioner...";
    assert_eq!(
        said,
        [
            pause,
            limit,
            "Provisioner failed with \"one\", retrying with 2 tries left",
            pause,
            limit,
            "Cancelling provisioner after a timeout...",
            "Provisioner failed with \"the provisioner did not end within its `timeout` of 10ms\", retrying with 1 try left",
            pause,
            limit,
        ]
    );
}

#[tokio::test]
async fn chains_stand_for_themselves_and_keep_what_packer_keeps() {
    let bench = Bench::new();
    bench.world.script("a/c", [Act::Fail("no")]);
    let mut planned = build("a", &[]);
    let post = |id: &str, chain, place, keep: bool| {
        let mut step = step(id, StepPart::PostProcess { chain, place });
        step.config = Value::Map([("keep".to_owned(), Value::Bool(keep))].into_iter().collect());
        step
    };
    planned.steps.extend([
        post("a", 0, 0, false),
        post("b", 0, 1, true),
        post("c", 1, 0, false),
        post("d", 2, 0, false),
    ]);
    let engine = bench.start(plan(vec![planned], OnError::Cleanup)).await;
    let outcome = engine.ended().await;
    assert_eq!(outcome.status, 1);
    let state = &outcome.state.builds[0];
    assert_eq!(state.failure.as_ref().and_then(|(step, _)| step.clone()), Some("c".into()));
    let made: Vec<&str> = state.artifacts.iter().map(|a| a.id.as_str()).collect();
    assert_eq!(made, ["here:image", "here:image+a", "here:image+a+b", "here:image+d"]);
}
