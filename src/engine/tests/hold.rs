//! Builds that stand still with their machine, and what they are told.

use super::world::{Act, Bench, build, plan, until};
use super::*;

#[tokio::test]
async fn nobody_to_ask_means_clean_up() {
    for mode in [OnError::Ask, OnError::Hold] {
        let bench = Bench::new();
        bench.world.script("a/p1", [Act::Fail("no")]);
        let mut plan = plan(vec![build("a", &["p1"])], mode);
        plan.options.interactive = false;
        let engine = bench.start(plan).await;
        assert_eq!(engine.ended().await.status, 1);
        assert!(bench.world.exists().is_empty());
    }
}

#[tokio::test]
async fn a_held_build_goes_on_from_the_mended_step_on_its_machine() {
    let bench = Bench::new();
    bench.world.script("a/p2", [Act::Fail("no")]);
    let first = plan(vec![build("a", &["p1", "p2"])], OnError::Hold);
    let engine = bench.start(first.clone()).await;
    until(&engine, "a", held).await;
    let mut mended = first;
    mended.revision = 2;
    mended.builds[0].steps[2].digest = "mended".into();
    engine.send(Command::Revise { plan: Box::new(mended) });
    engine.send(retry("a", Some("p2")));
    let outcome = engine.ended().await;
    assert_eq!(outcome.status, 0);
    let log = bench.world.log();
    let steps: Vec<&str> = log.iter().map(String::as_str).filter(|l| l.starts_with("a/")).collect();
    assert_eq!(steps, ["a/launch", "a/p1", "a/p2", "a/p2", "a/image"]);
    let build = &outcome.state.builds[0];
    assert_eq!((build.attempt, build.revision, build.earlier.len()), (2, 2, 1));
    assert!(build.patched.is_empty());
    assert_eq!(bench.world.exists(), ["image-a-2"]);
    assert_eq!(read::state(engine.run_dir()).unwrap(), *outcome.state);
}

#[tokio::test]
async fn a_change_before_the_step_marks_the_image_patched() {
    let bench = Bench::new();
    bench.world.script("a/p2", [Act::Fail("no")]);
    let first = plan(vec![build("a", &["p1", "p2"])], OnError::Hold);
    let engine = bench.start(first.clone()).await;
    until(&engine, "a", held).await;
    let mut mended = first;
    mended.builds[0].steps[1].digest = "changed".into();
    engine.send(Command::Revise { plan: Box::new(mended) });
    engine.send(retry("a", Some("p2")));
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, outcome.state.builds[0].patched.len()), (0, 1));
}

#[tokio::test]
async fn what_the_machine_was_launched_with_cannot_change_under_it() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no")]);
    let first = plan(vec![build("a", &["p1"])], OnError::Hold);
    let engine = bench.start(first.clone()).await;
    until(&engine, "a", held).await;
    let mut other = first;
    let config = Value::Map([("instance_type".to_owned(), Value::Text("x".into()))].into_iter().collect());
    other.builds[0].config = config.clone();
    other.builds[0].steps[0].config = config;
    engine.send(Command::Revise { plan: Box::new(other) });
    let mut facts = engine.subscribe();
    engine.send(retry("a", Some("p1")));
    let refusal = loop {
        if let Fact::Said { tone: Tone::Error, text, .. } = &facts.next().await.unwrap().fact {
            break text.clone();
        }
    };
    assert!(refusal.contains("`instance_type`"), "{refusal}");
    // It is held still, and can start over.
    engine.send(retry("a", None));
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, outcome.state.builds[0].attempt), (0, 2));
    assert_eq!(bench.world.exists(), ["image-a-2"]);
}

#[tokio::test]
async fn a_held_build_can_be_skipped_given_up_and_left() {
    for (command, status, exists, patched) in [
        (Command::Skip { build: "a".into() }, 0, vec!["image-a-1"], 1),
        (Command::CleanUp { build: "a".into() }, 1, vec![], 0),
        (Command::Abort { build: "a".into() }, 1, vec!["group-a-1", "instance-a-1"], 0),
        (Command::Cancel { build: "a".into() }, 130, vec![], 0),
    ] {
        let bench = Bench::new();
        bench.world.script("a/p1", [Act::Fail("no")]);
        let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Ask)).await;
        until(&engine, "a", held).await;
        engine.send(command.clone());
        let outcome = engine.ended().await;
        assert_eq!(outcome.status, status, "{command:?}");
        assert_eq!(bench.world.exists(), exists, "{command:?}");
        assert_eq!(outcome.state.builds[0].patched.len(), patched, "{command:?}");
        let cleaned = bench.world.log().contains(&"a/error-cleanup".to_owned());
        assert_eq!(cleaned, matches!(command, Command::CleanUp { .. }), "{command:?}");
    }
}

#[tokio::test]
async fn a_lost_link_is_opened_again_from_what_was_learnt() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::LoseLink]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Hold)).await;
    until(&engine, "a", held).await;
    engine.send(retry("a", Some("p1")));
    assert_eq!(engine.ended().await.status, 0);
    assert!(bench.world.log().contains(&"reconnect to 10.0.0.1".to_owned()));
}

#[tokio::test]
async fn two_held_builds_are_told_apart() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no")]);
    bench.world.script("b/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"]), build("b", &["p1"])], OnError::Hold)).await;
    until(&engine, "a", held).await;
    until(&engine, "b", held).await;
    engine.send(Command::CleanUp { build: "b".into() });
    until(&engine, "b", |b| b.phase == Phase::Failed).await;
    assert_eq!(engine.state().builds[0].phase, Phase::Held);
    assert_eq!(bench.world.exists(), ["group-a-1", "instance-a-1"]);
    engine.send(retry("a", Some("p1")));
    let outcome = engine.ended().await;
    assert_eq!(super::world::words(&outcome.state), ["done", "failed"]);
    assert_eq!(bench.world.exists(), ["image-a-2"]);
}

#[tokio::test]
async fn a_build_that_was_cleaned_up_can_start_over() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Print("first\n".into())]);
    bench.world.script("a/image", [Act::Fail("no")]);
    bench.world.script("b/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"]), build("b", &["p1"])], OnError::Hold)).await;
    until(&engine, "a", held).await;
    until(&engine, "b", held).await;
    engine.send(Command::CleanUp { build: "a".into() });
    until(&engine, "a", |b| b.phase == Phase::Failed).await;
    bench.world.script("a/p1", [Act::Print("second\n".into())]);
    engine.send(retry("a", None));
    until(&engine, "a", |b| b.phase == Phase::Done).await;
    engine.send(Command::CleanUp { build: "b".into() });
    let outcome = engine.ended().await;
    let a = &outcome.state.builds[0];
    assert_eq!((a.attempt, a.earlier.len(), a.log_bytes), (2, 1, 7));
    assert!(a.earlier[0].failure.is_some());
    let log = |name: &str| std::fs::read_to_string(engine.run_dir().join(name)).unwrap();
    assert_eq!((log("a.1.log"), log("a.2.log")), ("first\n".into(), "second\n".into()));
    assert_eq!(bench.world.exists(), ["image-a-2"]);
}

#[tokio::test]
async fn a_second_order_for_the_same_hold_decides_nothing_later() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Hold)).await;
    until(&engine, "a", held).await;
    engine.send(retry("a", None));
    engine.send(retry("a", None));
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, outcome.state.builds[0].attempt), (0, 2));
}

#[tokio::test]
async fn a_build_that_only_a_revision_has_is_refused_by_name() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Hold)).await;
    until(&engine, "a", held).await;
    let mut revised = plan(vec![build("new", &[]), build("a", &["p1"])], OnError::Hold);
    revised.revision = 2;
    engine.send(Command::Revise { plan: Box::new(revised) });
    engine.send(retry("a", Some("p1")));
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, outcome.state.builds.len()), (0, 1));
    let refused = read::events(engine.run_dir()).unwrap().into_iter().any(
        |e| matches!(e.fact, Fact::Said { tone: Tone::Warning, text, .. } if text.contains("`new` is new in the plan")),
    );
    assert!(refused);
}

#[tokio::test]
async fn a_build_that_a_revision_no_longer_has_can_only_be_given_up() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Hold)).await;
    until(&engine, "a", held).await;
    let mut facts = engine.subscribe();
    engine.send(Command::Revise { plan: Box::new(plan(vec![build("b", &[])], OnError::Hold)) });
    engine.send(retry("a", Some("p1")));
    let refusal = loop {
        if let Fact::Said { tone: Tone::Error, text, .. } = &facts.next().await.unwrap().fact {
            break text.clone();
        }
    };
    assert!(refusal.contains("has no build `a`"), "{refusal}");
    engine.send(Command::CleanUp { build: "a".into() });
    assert_eq!(engine.ended().await.status, 1);
    assert!(bench.world.exists().is_empty());
}

#[tokio::test]
async fn the_machine_is_known_again_by_its_host_key() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::LoseLink]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Hold)).await;
    until(&engine, "a", held).await;
    engine.send(retry("a", Some("p1")));
    assert_eq!(engine.ended().await.status, 0);
    let keys = bench.world.host_keys.lock().unwrap();
    assert_eq!(keys.len(), 2);
    assert!(std::sync::Arc::ptr_eq(&keys[0], &keys[1]));
}

#[tokio::test]
async fn a_retry_by_max_retries_opens_a_lost_link_first() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::LoseLink]);
    let mut plan = plan(vec![build("a", &["p1"])], OnError::Cleanup);
    plan.builds[0].steps[1].meta.max_retries = 1;
    let engine = bench.start(plan).await;
    assert_eq!(engine.ended().await.status, 0);
    let log = bench.world.log();
    assert_eq!(log[..4], ["a/launch", "a/p1", "reconnect to 10.0.0.1", "a/p1"]);
}
