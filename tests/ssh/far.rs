//! A machine that is far away: all that is sent arrives later.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use crate::sshd::{Sshd, connect_with, never};
use crate::transfers::bytes;

/// Each way takes as long.
const DELAY: Duration = Duration::from_millis(10);

/// A port that leads to `to`, over a long way.
async fn far(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let (from_near, to_near) = near.into_split();
            let (from_far, to_far) = TcpStream::connect(("127.0.0.1", to)).await.unwrap().into_split();
            tokio::spawn(carry(from_near, to_far));
            tokio::spawn(carry(from_far, to_near));
        }
    });
    port
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut on_the_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; 1 << 18];
    let mut ended = false;
    while !ended || !on_the_way.is_empty() {
        let due = on_the_way.front().map_or_else(Instant::now, |(due, _)| *due);
        tokio::select! {
            read = from.read(&mut buffer), if !ended => match read {
                Ok(read @ 1..) => on_the_way.push_back((Instant::now() + DELAY, buffer[..read].to_vec())),
                _ => ended = true,
            },
            () = tokio::time::sleep_until(due), if !on_the_way.is_empty() => {
                let Some((_, bytes)) = on_the_way.pop_front() else { continue };
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_large_file_goes_over_several_channels_and_arrives_whole() {
    let sshd = Sshd::start();
    let at = sshd.folder.path();
    let options = kiln::remote::ConnectOptions { port: far(sshd.port).await, ..sshd.options() };
    let link = connect_with(options).await;
    let (local, there) = (at.join("local"), at.join("there"));
    std::fs::write(&local, bytes(40_000_003)).unwrap();
    link.upload(&local, there.to_str().unwrap(), None, &|_, _| {}, &never()).await.unwrap();
    assert!(std::fs::read(&there).unwrap() == bytes(40_000_003));
    assert_eq!(sshd.log().matches("subsystem 'sftp'").count(), 4, "{}", sshd.log());
}
