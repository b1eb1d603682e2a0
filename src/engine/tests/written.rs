//! What a run writes down: journal, logs, folders.

use super::world::{Act, Bench, build, plan, words};
use super::*;

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
    let lines = |bytes: &[u8]| bytes.split(|b| *b == b'\n').count() - 1;
    for end in 0..whole.len() {
        std::fs::write(cut.path().join(read::JOURNAL), &whole[..end]).unwrap();
        let events = read::events(cut.path()).unwrap();
        assert_eq!(events.len(), lines(&whole[..end]));
        assert!(events.len() < lines(&whole));
    }
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
    let request = crate::engine::StartRequest {
        plan: plan(vec![build("a", &[])], OnError::Cleanup),
        secrets: Secrets::default(),
        inputs: crate::engine::RunInputs::default(),
        state_dir: bench.state.path().into(),
        keep_runs: None,
        clouds: std::sync::Arc::default(),
    };
    let components = std::sync::Arc::new(world::Scripted(bench.world.clone()));
    let started = crate::engine::start_with(request, components, crate::engine::Pace::default()).await;
    assert!(matches!(started, Err(crate::engine::StartError::Journal { .. })));
    assert!(bench.world.log().is_empty());
}

#[tokio::test]
async fn a_face_that_sleeps_misses_nothing() {
    let bench = Bench::new();
    // More than is read in one go.
    let printed = "0123456789abcde\n".repeat(1 << 18);
    for step in ["a/p0", "a/p1", "a/p2"] {
        bench.world.script(step, [Act::Print(printed.clone())]);
    }
    let provisioners: Vec<String> = (0..2200).map(|i| format!("p{i}")).collect();
    let names: Vec<&str> = provisioners.iter().map(String::as_str).collect();
    let engine = bench.start(plan(vec![build("a", &names)], OnError::Cleanup)).await;
    let mut facts = engine.subscribe_from_start();
    let outcome = engine.ended().await;
    let mut state = RunState::default();
    let (mut last, mut bytes) = (0, 0);
    while let Some(event) = facts.next().await {
        assert_eq!(event.seq, last + 1);
        last = event.seq;
        if let Fact::Output { text, .. } = &event.fact {
            bytes += text.len();
        }
        state.apply(&event);
    }
    assert_eq!(state, *outcome.state);
    assert_eq!(bytes, 3 * printed.len());
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

#[tokio::test]
async fn a_disk_that_fills_up_stops_the_making_and_not_the_clean_up() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Fail("no"), Act::Print("x\n".into())]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Hold)).await;
    super::until(&engine, "a", super::held).await;
    // The log of the next attempt cannot be written, as on a full disk.
    std::fs::create_dir(engine.run_dir().join("a.2.log")).unwrap();
    engine.send(super::retry("a", Some("p1")));
    let outcome = engine.ended().await;
    assert_eq!(outcome.status, 1);
    let failure = outcome.state.builds[0].failure.clone().unwrap().1;
    assert_eq!(failure.kind, FailureKind::Journal);
    assert!(failure.help.is_some());
    assert!(!bench.world.log().contains(&"a/image".to_owned()));
    assert!(bench.world.exists().is_empty());
    // What is on disk names all that existed when it broke.
    assert_eq!(read::state(engine.run_dir()).unwrap().left().count(), 2);
}

#[tokio::test]
async fn pruning_takes_neither_a_live_run_nor_one_that_left_something() {
    let bench = Bench::new();
    bench.world.script("live/p1", [Act::Fail("no")]);
    let live = bench.start(plan(vec![build("live", &["p1"])], OnError::Hold)).await;
    super::until(&live, "live", super::held).await;
    bench.world.script("left/p1", [Act::Fail("no")]);
    let left = bench.start(plan(vec![build("left", &["p1"])], OnError::Abort)).await;
    left.ended().await;
    let done = bench.start(plan(vec![build("done", &[])], OnError::Cleanup)).await;
    done.ended().await;
    crate::engine::prune::prune(&bench.state.path().join("runs"), 0);
    let there = [&live, &left, &done].map(|run| run.run_dir().exists());
    assert_eq!(there, [true, true, false]);
    live.send(Command::CleanUp { build: "live".into() });
    live.ended().await;
    crate::engine::prune::prune(&bench.state.path().join("runs"), 0);
    assert!(!live.run_dir().exists());
}

#[tokio::test]
async fn a_secret_too_short_to_hide_is_named_once() {
    let mut bench = Bench::new();
    bench.secrets.insert(SecretRef("var:pin".into()), "123");
    bench.world.script("a/p1", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1"])], OnError::Hold)).await;
    super::until(&engine, "a", super::held).await;
    let mut more = bench.secrets.clone();
    more.insert(SecretRef("var:on".into()), "yes");
    engine.add_secrets(more);
    engine.send(Command::Skip { build: "a".into() });
    engine.ended().await;
    let named: Vec<String> = read::events(engine.run_dir())
        .unwrap()
        .into_iter()
        .filter_map(|e| match e.fact {
            Fact::Said { tone: Tone::Warning, text, .. } => text.split('`').nth(1).map(str::to_owned),
            _ => None,
        })
        .collect();
    assert_eq!(named, ["pin", "on"]);
}

#[tokio::test]
async fn inputs_hold_no_value_of_a_sensitive_variable_not_even_one_that_was_overridden() {
    let mut bench = Bench::new();
    bench.secrets.insert(SecretRef("var:password".into()), "the \"last\" one");
    let request = crate::engine::StartRequest {
        plan: plan(vec![build("a", &[])], OnError::Cleanup),
        secrets: bench.secrets.clone(),
        inputs: crate::engine::RunInputs {
            templates: vec![(
                "t.json".into(),
                r#"{"variables": {"password": "a default"}, "x": "the \"last\" one"}"#.into(),
            )],
            var_files: vec![("dir/v.json".into(), r#"{"password": "pw", "region": "r"}"#.into())],
        },
        state_dir: bench.state.path().into(),
        keep_runs: None,
        clouds: std::sync::Arc::default(),
    };
    let components = std::sync::Arc::new(world::Scripted(bench.world.clone()));
    let engine = crate::engine::start_with(request, components, bench.pace.clone()).await.unwrap();
    engine.ended().await;
    let read = |name: &str| std::fs::read_to_string(engine.run_dir().join("inputs").join(name)).unwrap();
    assert_eq!(read("t.json"), r#"{"variables": {"password": "<sensitive>"}, "x": "<sensitive>"}"#);
    assert_eq!(read("var-file-1-v.json"), r#"{"password": "<sensitive>", "region": "r"}"#);
}

#[tokio::test]
async fn a_face_that_lags_behind_misses_nothing_and_knows_when_it_has_seen_all() {
    let bench = Bench::new();
    bench.world.script("a/p1", [Act::Flood(64 << 20)]);
    bench.world.script("a/p2", [Act::Fail("no")]);
    let engine = bench.start(plan(vec![build("a", &["p1", "p2"])], OnError::Hold)).await;
    let mut face = engine.subscribe_from_start();
    super::until(&engine, "a", super::held).await;
    // More facts than the tail holds, after more output than it keeps.
    for _ in 0..6000 {
        engine.send(Command::Cancel { build: "nobody".into() });
    }
    let mut states = engine.subscribe();
    while states.seq < 6000 {
        states.next().await;
    }
    let last = engine.state().seq;
    let (mut seen, mut printed) = (0, 0);
    while face.has_more() {
        let event = face.next().await.unwrap();
        assert_eq!(event.seq, seen + 1);
        seen = event.seq;
        if let Fact::Output { text, .. } = &event.fact {
            printed += text.len();
        }
    }
    assert!(seen >= last, "{seen} of {last}");
    assert_eq!(printed, 64 << 20);
    engine.send(Command::CleanUp { build: "a".into() });
    engine.ended().await;
}

#[tokio::test]
async fn inputs_keep_what_steps_send_and_folders_in_one_file() {
    let bench = Bench::new();
    let here = tempfile::tempdir().unwrap();
    let at = |name: &str| here.path().join(name).display().to_string();
    std::fs::create_dir(here.path().join("tree")).unwrap();
    std::fs::write(at("script.sh"), "echo hi").unwrap();
    std::fs::write(at("tree/a"), "in a folder").unwrap();
    std::fs::write(at("tree/b"), vec![7; 3 << 20]).unwrap();
    // Its holes take no room on the disk.
    std::fs::File::create(at("huge")).unwrap().set_len(1 << 30).unwrap();
    let mut planned = plan(vec![build("a", &["p1"])], OnError::Cleanup);
    planned.builds[0].steps[0].files = vec![at("script.sh"), at("tree"), at("huge")];
    let engine = bench.start(planned).await;
    engine.ended().await;
    let inputs = engine.run_dir().join("inputs");
    let list: Vec<serde_json::Value> =
        serde_json::from_slice(&std::fs::read(inputs.join("files.json")).unwrap()).unwrap();
    let of = |name: &str| list.iter().find(|f| f["path"] == at(name)).unwrap_or_else(|| panic!("{name} in {list:?}"));
    let copy = inputs.join(of("script.sh")["copy"].as_str().unwrap());
    assert_eq!(std::fs::read_to_string(copy).unwrap(), "echo hi");
    let name = of("tree/a")["copy"].as_str().unwrap().strip_prefix("folders.tar/").unwrap().to_owned();
    let mut folders = tar::Archive::new(std::fs::File::open(inputs.join("folders.tar")).unwrap());
    let mut entries = folders.entries().unwrap().map(Result::unwrap);
    let mut entry = entries.find(|e| e.path().unwrap().to_str() == Some(&name)).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut entry, &mut text).unwrap();
    assert_eq!(text, "in a folder");
    let large = of("tree/b");
    assert_eq!((&large["size"], large.get("copy")), (&serde_json::json!(3 << 20), None));
    assert_eq!(large["digest"].as_str().unwrap().len(), 64);
    let huge = of("huge");
    assert_eq!((huge.get("digest"), huge.get("copy")), (None, None));
    assert!(huge["modified"].as_u64().unwrap() > 0);
}
