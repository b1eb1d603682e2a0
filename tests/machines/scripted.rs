//! The form without isolation: files are taken, commands shown and answered, and none is run.

use kiln::practice::instance::Options;
use kiln::practice::machine::{Isolation, ScriptedAnswer};

use super::bench::{Bench, Wish, layer, run_with, status, text};

async fn bench(answers: Vec<ScriptedAnswer>) -> Bench {
    let bench = Bench::open(Options { scripted: true, answers, ..Options::default() }).await;
    assert!(matches!(bench.machines.isolation(), Isolation::Scripted { .. }));
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_shown_and_answered_and_files_kept() {
    let rule = ScriptedAnswer {
        command: "systemctl * nginx".to_owned(),
        stdout: "starting\n".to_owned(),
        stderr: "no such unit\n".to_owned(),
        status: 5,
        ms: 10,
        times: 1,
    };
    let bench = bench(vec![rule]).await;
    let address = bench.launch("i-1", Wish::default()).await;
    let at = ("ubuntu", address);
    let witness = bench.folder.path().join("witness");
    let output = bench.ssh(at, &format!("touch {}", witness.display())).await;
    assert_eq!(status(&output), 0);
    assert!(text(&output.stdout).starts_with("[not run] touch "));
    assert!(!witness.exists());

    let here = bench.folder.path().join("script.sh");
    std::fs::write(&here, "#!/bin/sh\nsystemctl restart nginx\n").unwrap();
    for (old, name) in [("-O", "one.sh"), ("-s", "two.sh")] {
        let mut scp = bench.client("scp", address);
        scp.arg(old).arg(&here).arg(format!("ubuntu@{address}:/tmp/{name}"));
        let output = run_with(scp, b"").await;
        assert_eq!(status(&output), 0, "{}", text(&output.stderr));
        let back = bench.folder.path().join(name);
        let mut scp = bench.client("scp", address);
        scp.arg(old).arg(format!("ubuntu@{address}:/tmp/{name}")).arg(&back);
        assert_eq!(status(&run_with(scp, b"").await), 0);
        assert_eq!(std::fs::read(&back).unwrap(), std::fs::read(&here).unwrap());
    }
    let output = bench.ssh(at, "chmod +x /tmp/one.sh; /tmp/one.sh").await;
    assert_eq!(
        (text(&output.stdout), text(&output.stderr), status(&output)),
        ("starting".into(), "no such unit".into(), 5)
    );
    // It is used up.
    let output = bench.ssh(at, "/tmp/one.sh").await;
    assert_eq!(status(&output), 0);
    assert!(text(&output.stdout).contains("[not run]   systemctl restart nginx"));
    let mut ssh = bench.client("ssh", address);
    ssh.arg("-tt").arg(format!("ubuntu@{address}"));
    let output = run_with(ssh, b"ls /\nexit 3\n").await;
    assert!(text(&output.stdout).contains("[not run] ls /") && status(&output) == 3);

    bench.machines.capture("i-1", &layer("one"), true).await.unwrap();
    let address = bench.launch("i-2", Wish { layers: vec![layer("one")], ..Wish::default() }).await;
    // Another machine has what the first was given, and answers of its own.
    let output = bench.ssh(("root", address), "sh /tmp/two.sh").await;
    assert_eq!((text(&output.stdout), status(&output)), ("starting".into(), 5));
    bench.machines.stop("i-2", false).await.unwrap();
    assert_eq!(status(&bench.ssh(("root", address), "true").await), 255);
    bench.machines.reboot("i-2").await.unwrap();
    assert_eq!(status(&bench.ssh(("root", address), "true").await), 0);
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand() {
    let bench = bench(Vec::new()).await;
    let mut last = None;
    for number in 0..1000 {
        last = Some(bench.launch(&format!("i-{number}"), Wish::default()).await);
    }
    assert_eq!(bench.says(("root", last.unwrap()), "echo there").await, "there");
    bench.machines.close().await;
}
