//! A network that carries nothing any more, and tells nobody: no end of the connection, no error, no answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kiln::remote::{ConnectOptions, Exit, OutputSink, RemoteError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::sshd::{Sshd, command, connect_with, exec, never};

/// Carries bytes between us and a server until the network dies.
struct Network {
    port: u16,
    dead: Arc<AtomicBool>,
    died: Arc<Notify>,
}

impl Network {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let network = Self { port: listener.local_addr().unwrap().port(), dead: Arc::default(), died: Arc::default() };
        let (dead, died) = (network.dead.clone(), network.died.clone());
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::spawn(carry(near_in, far_out, dead.clone(), died.clone()));
                tokio::spawn(carry(far_in, near_out, dead.clone(), died.clone()));
            }
        });
        network
    }

    fn die(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.died.notify_waiters();
    }

    fn options(&self, sshd: &Sshd) -> ConnectOptions {
        ConnectOptions { port: self.port, keep_alive: None, ..sshd.options() }
    }
}

/// Both ends stay open when the network dies: nobody is told.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    dead: Arc<AtomicBool>,
    died: Arc<Notify>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let died = died.notified();
        tokio::pin!(died);
        died.as_mut().enable();
        if dead.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        tokio::select! {
            () = &mut died => {}
            read = from.read(&mut buffer) => match read {
                Ok(n @ 1..) if to.write_all(&buffer[..n]).await.is_ok() => {}
                _ => return,
            },
        }
    }
}

/// The network dies at the first output.
struct Dies<'a>(&'a Network);

impl OutputSink for Dies<'_> {
    fn stdout(&mut self, _: &[u8]) {
        self.0.die();
    }

    fn stderr(&mut self, _: &[u8]) {}
}

#[tokio::test]
async fn a_silent_link_is_found_out_by_keep_alive() {
    let sshd = Sshd::start();
    let network = Network::to(sshd.port).await;
    let options = ConnectOptions { keep_alive: Some(Duration::from_millis(100)), ..network.options(&sshd) };
    let link = connect_with(options).await;
    let result = link.exec(&command("echo go; sleep 1000"), &mut Dies(&network), &never()).await;
    assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
}

#[tokio::test]
async fn a_silent_link_breaks_after_the_read_write_timeout_without_keep_alive() {
    let sshd = Sshd::start();
    let network = Network::to(sshd.port).await;
    let options = ConnectOptions { read_write_timeout: Some(Duration::from_millis(500)), ..network.options(&sshd) };
    let link = connect_with(options).await;
    let result = link.exec(&command("echo go; sleep 1000"), &mut Dies(&network), &never()).await;
    assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
}

#[tokio::test]
async fn a_command_that_is_quiet_for_longer_than_the_read_write_timeout_needs_keep_alive() {
    let sshd = Sshd::start();
    let network = Network::to(sshd.port).await;
    let options = ConnectOptions {
        read_write_timeout: Some(Duration::from_millis(500)),
        keep_alive: Some(Duration::from_millis(100)),
        ..network.options(&sshd)
    };
    let link = connect_with(options).await;
    assert_eq!(exec(&*link, "sleep 1.5; echo done").await.0, Ok(Exit::Status(0)));
}

#[tokio::test]
async fn a_link_that_dies_under_a_blocked_upload_is_lost() {
    for (keep_alive, read_write_timeout) in
        [(Some(Duration::from_millis(100)), None), (None, Some(Duration::from_millis(500)))]
    {
        let sshd = Sshd::start();
        let network = Network::to(sshd.port).await;
        let options = ConnectOptions { keep_alive, read_write_timeout, ..network.options(&sshd) };
        let link = connect_with(options).await;
        let large = sshd.folder.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(256 << 20).unwrap();
        let target = sshd.folder.path().join("there").display().to_string();
        // What is on its way is more than all buffers take: the upload stands still.
        let result = link
            .upload(
                &large,
                &target,
                None,
                &|done, _| {
                    if done > 0 {
                        network.die();
                    }
                },
                &never(),
            )
            .await;
        assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
    }
}

/// Cancels when so much was printed that the link is busy with it.
struct Cancels<'a>(&'a CancellationToken, usize);

impl OutputSink for Cancels<'_> {
    fn stdout(&mut self, bytes: &[u8]) {
        self.1 += bytes.len();
        if self.1 > 10_000_000 {
            self.0.cancel();
        }
    }

    fn stderr(&mut self, _: &[u8]) {}
}

#[tokio::test]
async fn cancelling_ends_a_command_that_prints_without_end() {
    let sshd = Sshd::start();
    let link = connect_with(sshd.options()).await;
    let cancel = CancellationToken::new();
    let name = sshd.folder.path().join("prints").display().to_string();
    std::os::unix::fs::symlink("/usr/bin/yes", &name).unwrap();
    let result = link.exec(&command(&name), &mut Cancels(&cancel, 0), &cancel).await;
    assert_eq!(result, Err(RemoteError::Cancelled));
    let running = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter(|p| std::fs::read(p.path().join("cmdline")).is_ok_and(|line| line.starts_with(name.as_bytes())));
    assert_eq!(running.count(), 0, "the command was told to end before the call returned");
}
