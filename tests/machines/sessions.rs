//! Commands, terminals, files and forwarded connections, as clients see them.

use std::time::Duration;

use russh::keys::{PrivateKeyWithHashAlg, PublicKeyOrCertificate, load_secret_key};
use russh::{ChannelMsg, Sig, client};
use std::sync::Arc;

use super::bench::{Bench, Wish, run_with, started, status, text, token};

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_as_their_login_with_streams_apart_and_the_exact_status() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let output = bench.ssh(("ubuntu", address), "echo out; echo err >&2; pwd; uname -n; exit 7").await;
    assert_eq!(text(&output.stdout), "out\n/home/ubuntu\nip-10-0-0-1");
    assert_eq!(text(&output.stderr), "err");
    assert_eq!(status(&output), 7);
    // Every login of well-known images is there, and may do everything by sudo.
    for user in ["ubuntu", "ec2-user", "admin", "debian", "rocky", "root"] {
        let home = if user == "root" { "/root".to_owned() } else { format!("/home/{user}") };
        assert_eq!(
            bench.says((user, address), "echo $USER $HOME; sudo sh -c 'id -u; echo $HOME'").await,
            format!("{user} {home}\n0\n/root")
        );
        assert_eq!(
            bench.says((user, address), "sudo -n -H -u admin sh -c 'echo $HOME'; sudo X=1 printenv X").await,
            "/home/admin\n1"
        );
    }
    assert_eq!(
        bench.says(("ubuntu", address), "X=5 sudo -E sh -c 'echo $X'; echo hidden | sudo -S cat").await,
        "5\nhidden"
    );
    // A wrong key is refused, and so is a user that is not there.
    assert_eq!(status(&bench.ssh(("nobody-here", address), "true").await), 255);
    let other = bench.folder.path().join("other");
    let made = std::process::Command::new("ssh-keygen").args(["-q", "-t", "rsa", "-N", "", "-f"]).arg(&other).status();
    assert!(made.unwrap().success());
    let mut ssh = tokio::process::Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(&other)
        .args(["-p", &bench.machines.ssh_port(address).to_string(), &format!("ubuntu@{address}"), "true"]);
    assert_eq!(status(&run_with(ssh, b"").await), 255);
    // One that is put there inside is taken, as by sshd.
    let key = std::fs::read_to_string(other.with_extension("pub")).unwrap();
    bench.says(("admin", address), &format!("echo 'no-pty {}' >> ~/.ssh/authorized_keys", key.trim())).await;
    let mut ssh = tokio::process::Command::new("ssh");
    ssh.args(["-F", "/dev/null", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"])
        .args(["-o", "UserKnownHostsFile=/dev/null", "-i"])
        .arg(&other)
        .args(["-p", &bench.machines.ssh_port(address).to_string(), &format!("admin@{address}"), "true"]);
    assert_eq!(status(&run_with(ssh, b"").await), 0);
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_streams_pass_both_ways_at_once() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let data: Vec<u8> = (0..40_000_000_u32).map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let output = bench.ssh_with(("ubuntu", address), "cat", &data).await;
    assert!(output.stdout == data, "{} bytes came back", output.stdout.len());
    // A program that nobody reads waits; one that stops reading is no hindrance.
    let output = bench.ssh_with(("ubuntu", address), "head -c 5; echo; exit 3", &data).await;
    assert_eq!((output.stdout.len(), status(&output)), (6, 3));
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_by_sftp_and_by_both_kinds_of_scp() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let here = bench.folder.path().join("files");
    std::fs::create_dir_all(here.join("tree/deep/er")).unwrap();
    let data: Vec<u8> = (0..3_000_000_u32).map(|at| at.wrapping_mul(40_503).to_be_bytes()[2]).collect();
    std::fs::write(here.join("tree/big"), &data).unwrap();
    std::fs::write(here.join("tree/deep/a name with spaces"), "x").unwrap();
    std::fs::write(here.join("tree/deep/er/empty"), "").unwrap();
    for (number, old) in [(0, "-O"), (1, "-s")] {
        let there = format!("/tmp/tree{number}");
        let mut scp = bench.client("scp", address);
        scp.args([old, "-r", "-p"]).arg(here.join("tree")).arg(format!("ubuntu@{address}:{there}"));
        let output = run_with(scp, b"").await;
        assert_eq!(status(&output), 0, "{}", text(&output.stderr));
        assert_eq!(
            bench
                .says(
                    ("ubuntu", address),
                    &format!("cd {there} && find . -type f | sort; stat -c %U big | grep -v root; id -un")
                )
                .await
                .lines()
                .take(3)
                .collect::<Vec<_>>(),
            ["./big", "./deep/a name with spaces", "./deep/er/empty"]
        );
        let back = here.join(format!("back{number}"));
        let mut scp = bench.client("scp", address);
        scp.args([old, "-r"]).arg(format!("ubuntu@{address}:{there}")).arg(&back);
        assert_eq!(status(&run_with(scp, b"").await), 0);
        assert!(std::fs::read(back.join("big")).unwrap() == data);
        assert_eq!(std::fs::read_to_string(back.join("deep/a name with spaces")).unwrap(), "x");
        // What does not work says why and fails.
        let mut scp = bench.client("scp", address);
        scp.arg(old).arg(format!("ubuntu@{address}:/no/such/file")).arg(&here);
        let output = run_with(scp, b"").await;
        assert_eq!(status(&output), 1);
        assert!(text(&output.stderr).to_lowercase().contains("no such file"), "{}", text(&output.stderr));
    }
    let batch = format!(
        "mkdir /tmp/q\nput {0} /tmp/q/one\nrename /tmp/q/one /tmp/q/two\nchmod 640 /tmp/q/two\nsymlink /tmp/q/two /tmp/q/link\n\
         get /tmp/q/link {1}\nln /tmp/q/two /tmp/q/hard\nrm /tmp/q/two\nls -l /tmp/q\n-rmdir /tmp/q\n-get /etc/nope\n",
        here.join("tree/big").display(),
        here.join("got").display()
    );
    let mut sftp = bench.client("sftp", address);
    sftp.args(["-q", "-b", "-"]).arg(format!("ubuntu@{address}"));
    let output = run_with(sftp, batch.as_bytes()).await;
    assert_eq!(status(&output), 0, "{}", text(&output.stderr));
    assert!(std::fs::read(here.join("got")).unwrap() == data);
    let list = bench.says(("ubuntu", address), "stat -c '%a %n' /tmp/q/*; pwd").await;
    assert_eq!(list, "640 /tmp/q/hard\n777 /tmp/q/link\n/home/ubuntu");
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_forwarded_into_the_machine() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    // A server inside, which nobody outside can reach: bash listens by no means, so python, which Debian has, or perl.
    let server = "perl -MIO::Socket::INET -e '$s=IO::Socket::INET->new(LocalAddr=>\"127.0.0.1:8099\",Listen=>5) or die; \
                  print \"up\\n\"; close STDOUT; while($c=$s->accept){print $c \"from inside\\n\"; close $c}'";
    bench
        .says(
            ("ubuntu", address),
            &format!("nohup {server} > /tmp/up 2>&1 < /dev/null & until grep -q up /tmp/up; do sleep 0.05; done"),
        )
        .await;
    assert!(tokio::net::TcpStream::connect("127.0.0.1:8099").await.is_err());
    let mut ssh = bench.client("ssh", address);
    ssh.args(["-W", "localhost:8099"]).arg(format!("ubuntu@{address}"));
    let output = run_with(ssh, b"").await;
    assert_eq!(text(&output.stdout), "from inside");
    let mut ssh = bench.client("ssh", address);
    ssh.args(["-W", "localhost:1"]).arg(format!("ubuntu@{address}"));
    assert_ne!(status(&run_with(ssh, b"").await), 0);
    bench.machines.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_metadata_service_answers_inside() {
    let bench = Bench::real().await;
    let address = bench.launch("i-77", Wish::default()).await;
    // HTTP by bash alone, as no client need be there.
    let ask = |request: &str| {
        format!(
            "exec 3<>/dev/tcp/169.254.169.254/80; printf '{request}\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' >&3; tr -d '\\r' <&3"
        )
    };
    let run = |script: String| format!("bash -c \"$(cat <<'END'\n{script}\nEND\n)\"");
    let first = bench.says(("ubuntu", address), &run(ask("GET /latest/meta-data/instance-id HTTP/1.1"))).await;
    assert!(first.starts_with("HTTP/1.1 200 OK") && first.ends_with("i-77"), "{first}");
    let put = "PUT /latest/api/token HTTP/1.1\\r\\nX-aws-ec2-metadata-token-ttl-seconds: 60";
    let token = bench.says(("ubuntu", address), &run(ask(put))).await;
    let token = token.lines().last().unwrap().to_owned();
    let with =
        |token: &str| format!("GET /latest/meta-data/instance-id HTTP/1.1\\r\\nX-aws-ec2-metadata-token: {token}");
    assert!(bench.says(("ubuntu", address), &run(ask(&with(&token)))).await.ends_with("i-77"));
    assert!(bench.says(("ubuntu", address), &run(ask(&with("wrong")))).await.starts_with("HTTP/1.1 401"));
    assert!(bench.says(("ubuntu", address), &run(ask("GET /nope HTTP/1.1"))).await.starts_with("HTTP/1.1 404"));
    bench.machines.close().await;
}

struct Any;

impl client::Handler for Any {
    type Error = russh::Error;

    async fn check_server_key(&mut self, _: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        Ok(true)
    }
}

async fn next(channel: &mut russh::Channel<client::Msg>) -> Option<ChannelMsg> {
    tokio::time::timeout(Duration::from_secs(60), channel.wait()).await.expect("the machine said nothing")
}

/// Reads until the channel's output contains `text`.
async fn until(channel: &mut russh::Channel<client::Msg>, wanted: &str) {
    let mut all = Vec::new();
    while let Some(message) = next(channel).await {
        if let ChannelMsg::Data { data } = message {
            all.extend_from_slice(&data);
            if String::from_utf8_lossy(&all).contains(wanted) {
                return;
            }
        }
    }
    panic!("no {wanted:?} in {:?}", String::from_utf8_lossy(&all));
}

#[tokio::test(flavor = "multi_thread")]
async fn terminals_have_sizes_and_signals_arrive() {
    let bench = Bench::real().await;
    let address = bench.launch("i-1", Wish::default()).await;
    let key = load_secret_key(bench.folder.path().join("key"), None).unwrap();
    let place = (address.to_string(), bench.machines.ssh_port(address));
    let mut session = client::connect(Arc::new(client::Config::default()), place, Any).await.unwrap();
    let key = PrivateKeyWithHashAlg::new(Arc::new(key), None);
    assert!(session.authenticate_publickey("ubuntu", key).await.unwrap().success());

    let mut shell = session.channel_open_session().await.unwrap();
    shell.set_env(true, "LC_MINE", "here").await.unwrap();
    assert!(matches!(next(&mut shell).await, Some(ChannelMsg::Success)));
    shell.request_pty(true, "xterm", 80, 24, 0, 0, &[]).await.unwrap();
    assert!(matches!(next(&mut shell).await, Some(ChannelMsg::Success)));
    shell.request_shell(true).await.unwrap();
    assert!(matches!(next(&mut shell).await, Some(ChannelMsg::Success)));
    shell.data(&b"PS1=; stty -echo; echo size $(stty size) on $(tty) $TERM $LC_MINE\n"[..]).await.unwrap();
    until(&mut shell, "size 24 80 on /dev/pts/0 xterm here").await;
    shell.window_change(132, 43, 0, 0).await.unwrap();
    shell
        .data(&b"until [ \"$(stty size)\" = '43 132' ]; do sleep 0.05; done; echo now $((1 + 1))\n"[..])
        .await
        .unwrap();
    until(&mut shell, "now 2").await;
    // The interrupt character ends what runs, not the shell.
    let sleep = token(5);
    shell.data(format!("sleep {sleep}; echo after $?\n").as_bytes()).await.unwrap();
    started(&sleep).await;
    shell.data(&b"\x03"[..]).await.unwrap();
    shell.data(&b"echo still $((40 + 2)); exit 5\n"[..]).await.unwrap();
    until(&mut shell, "still 42").await;
    let mut ended = None;
    while let Some(message) = next(&mut shell).await {
        if let ChannelMsg::ExitStatus { exit_status } = message {
            ended = Some(exit_status);
        }
    }
    assert_eq!(ended, Some(5));

    for (send, expected) in [(Some(Sig::TERM), "TERM"), (None, "KILL")] {
        let mut channel = session.channel_open_session().await.unwrap();
        let command = if send.is_some() { "echo up; exec sleep 600" } else { "echo up; kill -9 $$" };
        channel.exec(true, command).await.unwrap();
        until(&mut channel, "up").await;
        if let Some(signal) = send {
            channel.signal(signal).await.unwrap();
        }
        let mut ended = None;
        while let Some(message) = next(&mut channel).await {
            if let ChannelMsg::ExitSignal { signal_name, .. } = message {
                ended = Some(format!("{signal_name:?}"));
            }
        }
        assert_eq!(ended.as_deref(), Some(expected));
    }
    bench.machines.close().await;
}
