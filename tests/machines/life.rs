//! Boots, user data, reboots, ends: by the API, from inside, and by the death of kiln.

use std::process::{Command, Stdio};

use kiln::practice::instance::Options;
use kiln::practice::machine::{Happened, LinkFaults};

use super::bench::{Bench, Wish, descendants, ended, runs, started, status, text, token};

#[tokio::test(flavor = "multi_thread")]
async fn user_data_of_either_kind_runs_at_the_first_boot_only() {
    let bench = Bench::real().await;
    let script = b"#!/bin/bash\nsleep 1\nid -u > /root/who\necho boot >> /root/boots\necho to the console\n".to_vec();
    let address = bench.launch("i-1", Wish { user_data: Some(script), ..Wish::default() }).await;
    let at = ("ubuntu", address);
    // It is held back until the script has ended.
    let waited = bench
        .says(at, "cloud-init status --wait && test -e /var/lib/cloud/instance/boot-finished && sudo cat /root/who")
        .await;
    assert_eq!(
        waited.lines().skip_while(|line| !line.starts_with("status")).collect::<Vec<_>>(),
        ["status: done", "0"]
    );
    bench.told.times("i-1", 1, |what| *what == Happened::UserDataDone { ok: true }).await;
    assert!(String::from_utf8_lossy(&bench.machines.console("i-1")).contains("to the console"));
    bench.machines.reboot("i-1").await.unwrap();
    bench.told.booted("i-1", 2).await;
    assert_eq!(bench.says(at, "cloud-init status; sudo cat /root/boots").await, "status: done\nboot");

    let config = "#cloud-config\nhostname: web-1\nusers:\n  - default\n  - name: deploy\n    sudo: ALL=(ALL) NOPASSWD:ALL\n    ssh_authorized_keys:\n      - KEY\n\
                  write_files:\n  - {path: /etc/app/app.conf, content: 'port=80', permissions: '0640'}\n\
                  runcmd:\n  - echo $((1 + 1)) > /root/sum\n  - [touch, '/root/a b']\n"
        .replace("KEY", bench.key.trim());
    let address = bench.launch("i-2", Wish { user_data: Some(config.into_bytes()), ..Wish::default() }).await;
    bench.told.times("i-2", 1, |what| *what == Happened::UserDataDone { ok: true }).await;
    let said = bench
        .says(
            ("deploy", address),
            "uname -n; sudo cat /root/sum /etc/app/app.conf; echo; sudo ls '/root/a b'; stat -c %a /etc/app/app.conf",
        )
        .await;
    assert_eq!(said, "web-1\n2\nport=80\n/root/a b\n640");

    let wrong = b"#!/bin/sh\nexit 3\n".to_vec();
    let address = bench.launch("i-3", Wish { user_data: Some(wrong), ..Wish::default() }).await;
    bench.told.times("i-3", 1, |what| *what == Happened::UserDataDone { ok: false }).await;
    let output = bench.ssh(("ubuntu", address), "cloud-init status").await;
    assert_eq!((text(&output.stdout), status(&output)), ("status: error".to_owned(), 1));
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_reboot_and_power_off_from_inside() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let at = ("ubuntu", address);
    bench.says(at, "sudo touch /kept /tmp/lost; mkdir -p /run/lost 2>/dev/null; true").await;
    let mut boots = 1;
    for command in [
        "sudo reboot",
        "sudo shutdown -r now",
        "sudo systemctl reboot",
        "sudo perl -e 'syscall(169, 0xfee1dead, 672274793, 0x1234567, 0)'",
    ] {
        let output = bench.ssh(at, &format!("{command}; sleep 30; echo alive")).await;
        assert_eq!(text(&output.stdout), "", "{command}");
        boots += 1;
        bench.told.booted("i-1", boots).await;
        bench.told.times("i-1", boots - 1, |what| *what == Happened::Rebooting).await;
    }
    assert_eq!(bench.says(at, "ls /kept /tmp").await, "/kept\n\n/tmp:");
    if bench.has_users() {
        let output = bench.ssh(at, "reboot").await;
        assert_ne!(status(&output), 0, "only root may");
    }
    for (number, command) in ["sudo poweroff", "sudo shutdown -h now", "sudo halt"].into_iter().enumerate() {
        bench.ssh(at, &format!("{command}; sleep 30")).await;
        bench.told.times("i-1", number + 1, |what| *what == Happened::PoweredOff).await;
        // Nobody listens while it is off.
        assert!(tokio::net::TcpStream::connect((address, bench.machines.ssh_port(address))).await.is_err());
        let mut spec = bench.spec("i-1", Wish::default());
        spec.address = address;
        bench.machines.start(spec, bench.told.clone()).await.unwrap();
        boots += 1;
        bench.told.booted("i-1", boots).await;
    }
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_buried_and_a_stop_gives_programs_time() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let at = ("ubuntu", address);
    let orphans = "for i in 1 2 3 4 5 6 7 8; do (setsid sh -c 'sleep 0.2' >/dev/null 2>&1 &); done; \
                   until [ $(ps -e -o ppid=,comm= | grep -c '^ *1 sh') = 0 ]; do sleep 0.05; done; ps -e -o stat= | grep -c Z; true";
    assert_eq!(bench.says(at, orphans).await, "0");
    bench.says(at, "(setsid sh -c 'trap \"echo stopped > /home/ubuntu/end; exit\" TERM; echo up > /home/ubuntu/up; while :; do sleep 0.1; done' >/dev/null 2>&1 </dev/null &); until [ -s up ]; do sleep 0.05; done").await;
    bench.machines.stop("i-1", false).await.unwrap();
    let mut spec = bench.spec("i-1", Wish::default());
    spec.address = address;
    bench.machines.start(spec, bench.told.clone()).await.unwrap();
    bench.told.booted("i-1", 2).await;
    assert_eq!(bench.says(at, "cat end").await, "stopped");
    // By force, nobody is asked.
    let sleep = token(1);
    let deaf = format!("(setsid sh -c 'trap \"\" TERM; exec sleep {sleep}' >/dev/null 2>&1 </dev/null &); true");
    bench.says(at, &deaf).await;
    started(&sleep).await;
    bench.machines.terminate("i-1").await.unwrap();
    assert!(!runs(&sleep));
    assert!(!bench.folder.path().join("store/machines/i-1").exists());
    bench.machines.terminate("i-1").await.unwrap();
}

/// Not a test of its own: the process that [`nothing_outlives_a_killed_kiln`] kills.
#[tokio::test(flavor = "multi_thread")]
async fn victim() {
    let Some(folder) = std::env::var_os("KILN_TEST_VICTIM") else { return };
    let folder = tempfile::Builder::new().prefix("victim").tempdir_in(folder).unwrap();
    let bench = Bench::at(folder, Options::default()).await;
    let address = bench.launch("i-1", Wish::default()).await;
    let [left, session] = [2, 3].map(|number| std::env::var(format!("KILN_TEST_SLEEP_{number}")).unwrap());
    let leave = format!(
        "mkdir -p ~/a/b && touch ~/a/b/c && chmod 555 ~/a/b && chmod 0 ~/a; (setsid sleep {left} >/dev/null 2>&1 &); echo done"
    );
    assert_eq!(bench.says(("ubuntu", address), &leave).await, "done");
    println!("ready {}", bench.folder.path().display());
    let session = bench.ssh(("root", address), &format!("exec sleep {session}")).await;
    unreachable!("{session:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_a_killed_kiln() {
    use std::io::BufRead;
    let folder = tempfile::tempdir().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "life::victim", "--nocapture"])
        .env("KILN_TEST_VICTIM", folder.path())
        .env("KILN_TEST_SLEEP_2", token(2))
        .env("KILN_TEST_SLEEP_3", token(3))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(victim.stdout.take().unwrap()).lines();
    let place = lines.find_map(|line| Some(line.ok()?.split_once("ready ")?.1.to_owned())).expect("the victim starts");
    started(&token(2)).await;
    started(&token(3)).await;
    let all = descendants(victim.id());
    assert!(all.len() > 4, "{all:?}");
    rustix::process::kill_process(rustix::process::Pid::from_child(&victim), rustix::process::Signal::KILL).unwrap();
    victim.wait().unwrap();
    ended(&all).await;
    assert!(!runs(&token(2)) && !runs(&token(3)));
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounts.contains(&place));
    let removed = Command::new("rm").arg("-rf").arg(&place).output().unwrap();
    assert!(removed.status.success(), "{}", text(&removed.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_goes_on_with_its_disk_under_a_later_kiln() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().to_owned();
    let bench = Bench::at(folder, Options::default()).await;
    let address = bench.launch("i-1", Wish::default()).await;
    bench.says(("ubuntu", address), "echo mine > kept").await;
    bench.machines.close().await;
    let key = std::fs::read(store.join("key")).unwrap();
    let Bench { folder, machines, .. } = bench;
    drop(machines);
    let bench = Bench::at(folder, Options::default()).await;
    assert_eq!(std::fs::read(store.join("key")).unwrap(), key);
    let spec = bench.spec("i-1", Wish::default());
    let address = spec.address;
    bench.machines.start(spec, bench.told.clone()).await.unwrap();
    bench.told.booted("i-1", 1).await;
    assert_eq!(bench.says(("ubuntu", address), "cat kept").await, "mine");
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_to_a_machine_breaks_as_told() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let at = ("ubuntu", address);
    bench.link.send_replace(LinkFaults { drop_after_bytes: Some(200_000), ..LinkFaults::default() });
    let output = bench.ssh(at, "head -c 1000000 /dev/zero").await;
    assert!(status(&output) == 255 && output.stdout.len() < 200_000, "{}", output.stdout.len());
    bench.link.send_replace(LinkFaults { refuse: true, ..LinkFaults::default() });
    let refused = async {
        while tokio::net::TcpStream::connect((address, bench.machines.ssh_port(address))).await.is_ok() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), refused).await.unwrap();
    bench.link.send_replace(LinkFaults::default());
    let open = async {
        while tokio::net::TcpStream::connect((address, bench.machines.ssh_port(address))).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), open).await.unwrap();
    // A connection that hangs says nothing until it is cut.
    bench.link.send_replace(LinkFaults { hang: true, ..LinkFaults::default() });
    let hung = async {
        let (output, ()) = tokio::join!(bench.ssh(at, "true"), async {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            bench.machines.cut("i-1");
        });
        output
    };
    assert_eq!(status(&hung.await), 255);
    bench.link.send_replace(LinkFaults { bytes_per_second: Some(200_000), delay_ms: 10, ..LinkFaults::default() });
    assert_eq!(bench.ssh(at, "head -c 50000 /dev/zero").await.stdout.len(), 50_000);
    // A session that runs is broken by a cut, and the next one is let in.
    bench.link.send_replace(LinkFaults::default());
    let sleep = token(4);
    let command = format!("exec sleep {sleep}");
    let cut = async {
        started(&sleep).await;
        bench.machines.cut("i-1");
    };
    let (output, ()) = tokio::join!(bench.ssh(at, &command), cut);
    assert_eq!(status(&output), 255);
    assert_eq!(bench.says(at, "echo again").await, "again");
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once() {
    let bench = Bench::real().await;
    let ids: Vec<String> = (0..50).map(|number| format!("i-{number}")).collect();
    let addresses: Vec<_> = ids
        .iter()
        .map(|id| {
            let spec = bench.spec(id, Wish::default());
            (spec.address, bench.machines.launch(spec, bench.told.clone()))
        })
        .collect();
    let mut places = Vec::new();
    for (address, launch) in addresses {
        places.push(address);
        launch.await.unwrap();
    }
    for (id, address) in ids.iter().zip(&places) {
        bench.told.booted(id, 1).await;
        assert_eq!(bench.says(("root", *address), "echo up").await, "up");
    }
    bench.machines.close().await;
}
