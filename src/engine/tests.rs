mod world;

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
async fn the_journal_read_back_comes_to_the_same_state() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Print("hello\n".repeat(5000))]);
    bench.world.script("b/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"]), build("b", &["p1"])], OnError::Cleanup)).await;
    let outcome = engine.ended().await;
    assert_eq!((outcome.status, words(&outcome.state)), (1, vec!["done".into(), "failed".into()]));
    assert_eq!(read::state(engine.run_dir()).unwrap(), *outcome.state);
    assert_eq!(outcome.state.builds[0].log_bytes, 30_000);
    let log = std::fs::read_to_string(engine.run_dir().join("a.1.log")).unwrap();
    assert_eq!(log, "hello\n".repeat(5000));
}

#[tokio::test]
async fn a_journal_cut_off_anywhere_names_all_that_exists() {
    let bench = Bench::new();
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Cleanup)).await;
    engine.ended().await;
    let whole = std::fs::read(engine.run_dir().join(read::JOURNAL)).unwrap();
    let cut = tempfile::tempdir().unwrap();
    let lines = whole.iter().filter(|b| **b == b'\n').count();
    for end in 0..whole.len() {
        std::fs::write(cut.path().join(read::JOURNAL), &whole[..end]).unwrap();
        let events = read::events(cut.path()).unwrap();
        assert_eq!(events.len(), whole[..end].iter().filter(|b| **b == b'\n').count());
        assert!(events.len() < lines);
    }
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
        match &facts.next().await.unwrap().fact {
            Fact::Said { tone: Tone::Error, text, .. } => break text.clone(),
            _ => {}
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

#[tokio::test]
async fn secrets_are_in_no_file_of_the_run() {
    let mut bench = Bench::new();
    bench.secrets.insert(SecretRef("var:password".into()), "hunter22!");
    bench.world.script("a/p1", [Act::Print("the password is hunter22!\n".into())]);
    bench.world.script("a/image", [Act::Fail("cannot log in with hunter22!")]);
    let mut planned = plan(vec![build("a", &["p1"])], OnError::Cleanup);
    planned.builds[0].config = Value::Text("x hunter22! y".into());
    let engine = bench.start(planned).await;
    assert_eq!(engine.ended().await.status, 1);
    let mut files = 0;
    let mut folders = vec![engine.run_dir().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            files += 1;
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert!(!text.contains("hunter22"), "{}", path.display());
        }
    }
    assert!(files >= 5, "{files}");
    let log = std::fs::read_to_string(engine.run_dir().join("a.1.log")).unwrap();
    assert_eq!(log, "the password is <sensitive>\n");
}

#[tokio::test]
async fn a_journal_that_cannot_be_written_starts_nothing() {
    let bench = Bench::new();
    std::fs::write(bench.state.path().join("runs"), "in the way").unwrap();
    let request = super::StartRequest {
        plan: plan(vec![build("a", &[])], OnError::Cleanup),
        secrets: Secrets::default(),
        inputs: super::RunInputs::default(),
        state_dir: bench.state.path().into(),
        keep_runs: None,
        clouds: std::sync::Arc::default(),
    };
    let components = std::sync::Arc::new(world::Scripted(bench.world.clone()));
    let started = super::start_with(request, components, super::Pace::default()).await;
    assert!(matches!(started, Err(super::StartError::Journal { .. })));
    assert!(bench.world.log().is_empty());
}

#[tokio::test]
async fn a_face_that_sleeps_misses_nothing() {
    let bench = Bench::new();
    bench.world.script("a/p1", (0..1).map(|_| Act::Print("x\n".into())));
    let provisioners: Vec<String> = (0..2200).map(|i| format!("p{i}")).collect();
    let names: Vec<&str> = provisioners.iter().map(String::as_str).collect();
    let engine = bench.start(plan(vec![build("a", &names)], OnError::Cleanup)).await;
    let mut facts = engine.subscribe_from_start();
    let outcome = engine.ended().await;
    let mut state = RunState::default();
    let mut last = 0;
    while let Some(event) = facts.next().await {
        assert_eq!(event.seq, last + 1);
        last = event.seq;
        state.apply(&event);
    }
    assert_eq!(state, *outcome.state);
}

proptest! {
    #[test]
    fn any_facts_in_any_order_fold_without_a_panic(seeds in prop::collection::vec((0usize..20, 0u8..4, 0u64..3), 0..60)) {
        let id = |n: u8| ["a", "b", "p1", "nobody"][usize::from(n)];
        let planned = plan(vec![build("a", &["p1"]), build("b", &[])], OnError::Cleanup);
        let mut state = RunState::default();
        for (seq, (kind, n, number)) in seeds.into_iter().enumerate() {
            let step = StepId::from(id(n));
            let key = format!("k{number}");
            let failure = Failure::other("no");
            let fact = match kind {
                0 => Fact::RunStarted { run: "r".into(), version: "v".into(), host: "h".into(), plan: Box::new(planned.clone()) },
                1 => Fact::Revised { plan: Box::new(plan(vec![build("b", &["p1"])], OnError::Ask)) },
                2 => Fact::AttemptStarted { revision: 1, from: (number > 0).then_some(step) },
                3 => Fact::StepStarted { step },
                4 => Fact::StepEnded { step, ended: crate::run::event::StepEnd::Failed { failure } },
                5 => Fact::Waiting { step, on: None },
                6 => Fact::OutputAt { step, stream: Stream::Stdout, offset: 0, bytes: u64::MAX },
                7 => Fact::Created { key, id: "i".into() },
                8 => Fact::Released { key },
                9 => Fact::Kept { key },
                10 => Fact::ReleaseFailed { key, why: String::new(), help: None },
                11 => Fact::Left { key },
                12 => Fact::Answered { question: number, answer: String::new() },
                13 => Fact::Held { step, failure },
                14 => Fact::Unheld,
                15 => Fact::CleanUpStarted,
                16 => Fact::AttemptEnded { ended: crate::run::event::BuildEnd::Failed { step: None, failure } },
                17 => Fact::RunEnded { status: 1 },
                18 => Fact::Intended { resource: Resource {
                    key, kind: "instance".into(), region: String::new(), build: id(n).into(), attempt: 1, step,
                    find: serde_json::Value::Null, id: None,
                } },
                _ => Fact::Unknown,
            };
            state.apply(&Event { seq: seq as u64, at: 0, build: Some(id(n).into()), attempt: (number > 0).then_some(1), fact });
            for build in state.builds.values() {
                prop_assert!(!build.word().is_empty());
            }
        }
        prop_assert!([0, 1, 3, 130].contains(&state.outcome()));
    }
}
