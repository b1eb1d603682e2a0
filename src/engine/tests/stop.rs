//! Cancel, force, abandon; and clean-up that meets resistance.

use super::world::{Act, Bench, build, plan, until, words};
use super::*;

#[tokio::test]
async fn a_cancel_in_any_step_leaves_nothing() {
    for step in ["launch", "p1", "image"] {
        for act in [Act::Wait, Act::Deaf] {
            let bench = Bench::new();
            bench.world.script(&format!("a/{step}"), [act.clone()]);
            let engine = bench.start(plan(vec![build("a", &["p1"]), build("b", &[])], OnError::Abort)).await;
            until(&engine, "a", running(step)).await;
            engine.send(Command::Cancel { build: "a".into() });
            let outcome = engine.ended().await;
            assert_eq!((outcome.status, words(&outcome.state)), (130, vec!["cancelled".into(), "done".into()]));
            assert_eq!(bench.world.exists(), ["image-b-1"], "{step} {act:?}");
        }
    }
}

#[tokio::test]
async fn what_waits_for_its_turn_is_never_started_after_a_cancel() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Wait]);
    let mut plan = plan(vec![build("a", &["p1"]), build("b", &[])], OnError::Cleanup);
    plan.options.parallel = Some(1);
    let engine = bench.start(plan).await;
    until(&engine, "a", running("p1")).await;
    engine.send(Command::CancelAll);
    let outcome = engine.ended().await;
    assert_eq!(words(&outcome.state), ["cancelled", "cancelled"]);
    assert!(!bench.world.log().iter().any(|l| l.starts_with("b/")));
}

#[tokio::test]
async fn releases_are_tried_again_and_given_up_with_a_status_of_their_own() {
    let bench = Bench::new();
    bench.world.stubborn.lock().unwrap().insert("group", 3);
    let engine = bench.start(plan(vec![build("a", &[])], OnError::Cleanup)).await;
    assert_eq!(engine.ended().await.status, 0);

    let mut bench = Bench::new();
    bench.pace.release_limit = std::time::Duration::ZERO;
    bench.world.stubborn.lock().unwrap().insert("group", u32::MAX);
    let engine = bench.start(plan(vec![build("a", &[])], OnError::Cleanup)).await;
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, words(&outcome.state)), (3, vec!["done".into()]));
    let left: Vec<_> = outcome.state.left().map(|o| (o.resource.kind.clone(), o.fate.clone())).collect();
    let fate = Fate::ReleaseFailed { why: "DependencyViolation".into(), help: Some("wait".into()) };
    assert_eq!(left, [("group".to_owned(), fate)]);
}

/// A build that is cancelled in its provisioner, and whose instance takes its time to be gone.
async fn cleaning_up(bench: &Bench) -> crate::engine::EngineHandle {
    bench.world.slow.send_modify(|slow| {
        slow.insert("instance");
    });
    bench.world.script("a/p1", [Act::Wait]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Cleanup)).await;
    until(&engine, "a", running("p1")).await;
    engine.send(Command::CancelAll);
    until(&engine, "a", |b| b.phase == Phase::CleaningUp).await;
    engine
}

#[tokio::test]
async fn force_waits_for_nothing_and_asks_for_everything() {
    let bench = Bench::new();
    let engine = cleaning_up(&bench).await;
    engine.send(Command::Force);
    let outcome = engine.ended().await;
    assert_eq!(outcome.status, 130);
    let asked: Vec<String> = bench.world.log().into_iter().filter(|l| l.starts_with("release")).collect();
    assert_eq!(asked, ["release instance-a-1", "release group-a-1"]);
    // Nobody saw the instance gone: it is named.
    let left: Vec<_> = outcome.state.left().filter_map(|o| o.resource.id.clone()).collect();
    assert_eq!(left, ["instance-a-1"]);
}

#[tokio::test]
async fn force_gives_up_a_release_that_nobody_answers() {
    let mut bench = Bench::new();
    bench.pace.force_ask_limit = std::time::Duration::from_millis(1);
    bench.world.dead.lock().unwrap().insert("instance");
    bench.world.script("a/p1", [Act::Deaf]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Cleanup)).await;
    until(&engine, "a", running("p1")).await;
    engine.send(Command::Force);
    let outcome = engine.ended().await;
    assert_eq!(outcome.status, 130);
    assert_eq!(bench.world.exists(), ["instance-a-1"]);
}

#[tokio::test]
async fn abandon_leaves_at_once_and_names_what_is_left() {
    for dead in [true, false] {
        let mut bench = Bench::new();
        // Longer than the test may take: nothing of it is waited for.
        bench.pace.force_ask_limit = std::time::Duration::from_hours(1);
        bench.pace.force_grace = std::time::Duration::from_hours(1);
        if dead {
            bench.world.dead.lock().unwrap().insert("instance");
        }
        let engine = cleaning_up(&bench).await;
        engine.send(Command::Abandon);
        let outcome = engine.ended().await;
        assert_eq!(outcome.status, 130);
        let left: Vec<_> = outcome.state.left().filter_map(|o| o.resource.id.clone()).collect();
        assert_eq!(left, ["group-a-1", "instance-a-1"]);
        let result = std::fs::read_to_string(engine.run_dir().join("result.json")).unwrap();
        assert!(result.contains("instance-a-1") && result.contains("group-a-1"), "{result}");
        assert_eq!(read::state(engine.run_dir()).unwrap().status, Some(130));
    }
}

#[tokio::test]
async fn a_cancel_during_clean_up_changes_nothing_of_it() {
    let bench = Bench::new();
    let engine = cleaning_up(&bench).await;
    engine.send(Command::Cancel { build: "a".into() });
    engine.send(Command::CancelAll);
    bench.world.slow.send_modify(std::collections::BTreeSet::clear);
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, bench.world.exists()), (130, vec![]));
    assert!(outcome.state.left().next().is_none());
}

#[tokio::test]
async fn a_cancel_in_a_post_processor_keeps_the_image() {
    for act in [Act::Wait, Act::Deaf] {
        let bench = Bench::new();
        bench.world.script("a/post", [act]);
        let mut planned = build("a", &[]);
        planned.steps.push(step("post", StepPart::PostProcess { chain: 0, place: 0 }));
        let engine = bench.start(plan(vec![planned], OnError::Cleanup)).await;
        until(&engine, "a", running("post")).await;
        engine.send(Command::CancelAll);
        let outcome = engine.ended().await;
        assert_eq!((outcome.status, words(&outcome.state)), (130, vec!["cancelled".into()]));
        assert_eq!(bench.world.exists(), ["image-a-1"]);
        assert_eq!(outcome.state.builds[0].artifacts[0].id, "here:image");
    }
}

#[tokio::test]
async fn a_mistake_of_kiln_in_a_release_keeps_the_others_from_nothing() {
    let bench = Bench::new();
    bench.world.broken.lock().unwrap().insert("instance");
    let engine = bench.start(plan(vec![build("a", &[])], OnError::Cleanup)).await;
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, words(&outcome.state)), (3, vec!["done".into()]));
    assert_eq!(bench.world.exists(), ["image-a-1", "instance-a-1"]);
}

#[tokio::test]
async fn a_cancel_right_after_a_new_attempt_was_ordered_stops_that_attempt() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no")]);
    bench.world.script("b/p1", [Act::Wait]);
    let engine = bench.start(plan(vec![build("a", &["p1"]), build("b", &["p1"])], OnError::Cleanup)).await;
    until(&engine, "a", |b| b.phase == Phase::Failed).await;
    engine.send(retry("a", None));
    engine.send(Command::Cancel { build: "a".into() });
    until(&engine, "a", |b| b.phase == Phase::Cancelled).await;
    engine.send(Command::CancelAll);
    assert_eq!(engine.ended().await.status, 130);
    assert!(bench.world.exists().is_empty());
}
