//! Commands: output, ends, input, terminals, cancelling, links that break.

use kiln::remote::{Exec, Exit, OutputSink, RemoteError};
use tokio_util::sync::CancellationToken;

use crate::sshd::{Printed, Sshd, command, exec, never};

#[tokio::test]
async fn output_and_status_are_exact() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let (exit, printed) = exec(&*link, "echo out; echo err >&2; exit 7").await;
    assert_eq!(exit, Ok(Exit::Status(7)));
    assert_eq!((printed.out.as_slice(), printed.err.as_slice()), (b"out\n".as_slice(), b"err\n".as_slice()));
    let (exit, printed) = exec(&*link, "head -c 3000000 /dev/zero").await;
    assert_eq!((exit, printed.out.len()), (Ok(Exit::Status(0)), 3_000_000));
}

#[tokio::test]
async fn a_signal_is_told_by_name() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    assert_eq!(exec(&*link, "kill -9 $$").await.0, Ok(Exit::Signal("KILL".to_owned())));
    assert_eq!(exec(&*link, "kill -TERM $$").await.0, Ok(Exit::Signal("TERM".to_owned())));
}

#[tokio::test]
async fn a_terminal_is_there_when_asked_for() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let ask = Exec { command: "tty; stty size; echo $TERM".to_owned(), pty: Some(true), ..Exec::default() };
    let mut printed = Printed::default();
    let exit = link.exec(&ask, &mut printed, &never()).await;
    // An sshd that is not root's can give terminals only where /dev/pts is mounted with the group `tty` (`gid=5`), as is usual.
    assert_eq!(exit, Ok(Exit::Status(0)), "{}", sshd.log());
    let lines: Vec<&str> = printed.out().lines().map(str::trim).collect();
    assert!(lines[0].starts_with("/dev/pts/"), "{lines:?}");
    assert_eq!(lines[1..], ["40 80", "xterm"]);
    assert_eq!(exec(&*link, "tty").await.0, Ok(Exit::Status(1)));
}

#[tokio::test]
async fn input_arrives_whole_and_ends() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let stdin = vec![b'x'; 5_000_000];
    let exec = Exec { command: "wc -c".to_owned(), stdin: Some(stdin), pty: None };
    let mut printed = Printed::default();
    assert_eq!(link.exec(&exec, &mut printed, &never()).await, Ok(Exit::Status(0)));
    assert_eq!(printed.out().trim(), "5000000");
    // A command that does not read its input is no error.
    let exec = Exec { command: "true".to_owned(), stdin: Some(vec![b'x'; 5_000_000]), pty: None };
    assert_eq!(link.exec(&exec, &mut Printed::default(), &never()).await, Ok(Exit::Status(0)));
    // No input at all is an end at once, not a wait.
    assert_eq!(self::exec(&*link, "cat").await.0, Ok(Exit::Status(0)));
}

#[tokio::test]
async fn commands_run_side_by_side() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let folder = sshd.folder.path().display().to_string();
    // Each waits for the other.
    let one = format!("mkfifo {folder}/f; echo x > {folder}/f");
    let other = format!("until [ -p {folder}/f ]; do sleep 0.01; done; cat {folder}/f");
    let (one, other) = tokio::join!(exec(&*link, &one), exec(&*link, &other));
    assert_eq!((one.0, other.0), (Ok(Exit::Status(0)), Ok(Exit::Status(0))));
    assert_eq!(other.1.out(), "x\n");
}

/// Does something when the first output comes.
struct OnOutput<F: FnMut() + Send>(F);

impl<F: FnMut() + Send> OutputSink for OnOutput<F> {
    fn stdout(&mut self, _: &[u8]) {
        (self.0)();
    }

    fn stderr(&mut self, _: &[u8]) {}
}

#[tokio::test]
async fn cancelling_stops_the_remote_command() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let mark = sshd.folder.path().join("ended");
    let cancel = CancellationToken::new();
    let text = format!("trap 'touch {}; exit 1' TERM; echo go; while :; do sleep 0.05; done", mark.display());
    let mut sink = OnOutput(|| cancel.cancel());
    let result = link.exec(&command(&text), &mut sink, &cancel).await;
    assert_eq!(result, Err(RemoteError::Cancelled));
    assert!(mark.exists(), "the command was told to end before the call returned");
    assert_eq!(exec(&*link, "true").await.0, Ok(Exit::Status(0)));
}

#[tokio::test]
async fn a_link_that_breaks_under_a_command_is_no_success() {
    let sshd = Sshd::start();
    let link = sshd.connect().await;
    let mut sink = OnOutput(|| sshd.kill_sessions());
    let result = link.exec(&command("echo go; sleep 1000"), &mut sink, &never()).await;
    assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
    // The next call connects anew.
    let (exit, printed) = exec(&*link, "echo again").await;
    assert_eq!((exit, printed.out()), (Ok(Exit::Status(0)), "again\n"));
}

#[tokio::test]
async fn rekeying_does_not_disturb_a_command() {
    let sshd = Sshd::with("RekeyLimit 1M");
    let link = sshd.connect().await;
    let (exit, printed) = exec(&*link, "head -c 20000000 /dev/zero").await;
    assert_eq!((exit, printed.out.len()), (Ok(Exit::Status(0)), 20_000_000));
}
