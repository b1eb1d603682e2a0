//! One session channel: what is asked for before something is started, and then its streams.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use russh::server::{Handle, Msg};
use russh::{Channel, ChannelMsg, ChannelReadHalf, Sig};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;

use super::{Exit, Guest, Job, Kind, Reader, Running, Steer, Terminal, Writer};

/// So much of a client's data waits for a program that does not read it.
const WAITING: usize = 4 << 20;
const PIECE: usize = 32 << 10;

/// Serves the channel to its end.
pub async fn run(
    guest: Arc<dyn Guest>,
    user: String,
    channel: Channel<Msg>,
    handle: Handle,
    client: SocketAddr,
    server: SocketAddr,
) {
    let id = channel.id();
    let (mut read, write) = channel.split();
    let Some(job) = asked(&mut read, client, server).await else { return };
    let running = match guest.start(&user, job).await {
        Ok(running) => running,
        Err(error) => {
            let words = format!("the machine could not start it: {error}\r\n");
            let _ = handle.extended_data(id, 1, words.into_bytes()).await;
            let _ = handle.exit_status_request(id, 255).await;
            let _ = handle.close(id).await;
            return;
        }
    };
    let Running { input, output, errors, exit, steer } = running;
    // How many writes to the client wait: then its data must be read on, for what frees them comes behind it.
    let stuck = watch::Sender::new(0_u32);
    let out = pump(output, write.make_writer(), stuck.clone());
    let err = async {
        if let Some(errors) = errors {
            pump(errors, write.make_writer_ext(Some(1)), stuck.clone()).await;
        }
    };
    let ended = async {
        let told = exit.await;
        // Before the streams end, as sshd does: a process left behind may hold them for long.
        match told {
            Exit::Status(status) => {
                let _ = handle.exit_status_request(id, status).await;
            }
            Exit::Signal(number) => {
                let _ = handle.exit_signal_request(id, signal(number), false, String::new(), String::new()).await;
            }
        }
    };
    let all = async {
        tokio::join!(out, err, ended);
        let _ = handle.eof(id).await;
        let _ = handle.close(id).await;
    };
    tokio::select! {
        () = all => {}
        () = feed(&mut read, input, &*steer, stuck.subscribe()) => {}
    }
}

/// Reads requests until one starts something; they are answered where they arrive.
async fn asked(read: &mut ChannelReadHalf, client: SocketAddr, server: SocketAddr) -> Option<Job> {
    let mut job = Job { kind: Kind::Shell, variables: Vec::new(), terminal: None, client, server };
    loop {
        match read.wait().await? {
            ChannelMsg::SetEnv { variable_name: name, variable_value: value, .. } if is_fine(&name, &value) => {
                job.variables.push((name, value));
            }
            ChannelMsg::RequestPty { term, col_width, row_height, .. } => {
                job.terminal = Some(Terminal { name: term, columns: cells(col_width), rows: cells(row_height) });
            }
            ChannelMsg::WindowChange { col_width, row_height, .. } => {
                if let Some(terminal) = &mut job.terminal {
                    (terminal.columns, terminal.rows) = (cells(col_width), cells(row_height));
                }
            }
            ChannelMsg::Exec { command, .. } => return Some(Job { kind: Kind::Command(command), ..job }),
            ChannelMsg::RequestShell { .. } => return Some(job),
            ChannelMsg::RequestSubsystem { name, .. } if name == SFTP => {
                return Some(Job { kind: Kind::Sftp, terminal: None, ..job });
            }
            ChannelMsg::Close => return None,
            _ => {}
        }
    }
}

pub const SFTP: &str = "sftp";

/// Whether a login's environment takes this variable: not one that changes how its programs are loaded.
pub fn is_fine(name: &str, value: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0') && !name.starts_with("LD_")
}

fn cells(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

async fn pump(mut from: Reader, mut to: impl AsyncWrite + Unpin, stuck: watch::Sender<u32>) {
    let mut bytes = vec![0; PIECE];
    loop {
        // A terminal without programs reads as an error.
        let Ok(got @ 1..) = from.read(&mut bytes).await else { return };
        stuck.send_modify(|writers| *writers += 1);
        let written = to.write_all(&bytes[..got]).await;
        stuck.send_modify(|writers| *writers -= 1);
        if written.is_err() {
            return;
        }
    }
}

/// Passes the client's data, signals and window sizes on; returns when the client closes the channel.
async fn feed(
    read: &mut ChannelReadHalf,
    mut input: Option<Writer>,
    steer: &dyn Steer,
    mut stuck: watch::Receiver<u32>,
) {
    let mut waiting: VecDeque<Bytes> = VecDeque::new();
    let mut size = 0;
    let mut ended = false;
    loop {
        if ended && waiting.is_empty() {
            input = None;
        }
        let more = size < WAITING || *stuck.borrow_and_update() > 0;
        let written = async {
            match (&mut input, waiting.front()) {
                (Some(input), Some(front)) => input.write(front).await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            written = written => if let (Ok(written @ 1..), Some(front)) = (written, waiting.front_mut()) {
                let _ = front.split_to(written);
                size -= written;
                if front.is_empty() {
                    waiting.pop_front();
                }
            } else {
                // Nobody reads it any more.
                input = None;
                waiting.clear();
                size = 0;
            },
            changed = stuck.changed(), if !more => if changed.is_err() { return },
            message = read.wait(), if more => match message {
                Some(ChannelMsg::Data { data }) => if input.is_some() && !data.is_empty() {
                    size += data.len();
                    waiting.push_back(data);
                },
                Some(ChannelMsg::Eof) => ended = true,
                Some(ChannelMsg::WindowChange { col_width, row_height, .. }) => {
                    steer.resize(cells(col_width), cells(row_height));
                }
                Some(ChannelMsg::Signal { signal }) => steer.signal(name(&signal)),
                Some(ChannelMsg::Close) | None => return,
                Some(_) => {}
            },
        }
    }
}

fn name(signal: &Sig) -> &str {
    match signal {
        Sig::ABRT => "ABRT",
        Sig::ALRM => "ALRM",
        Sig::FPE => "FPE",
        Sig::HUP => "HUP",
        Sig::ILL => "ILL",
        Sig::INT => "INT",
        Sig::KILL => "KILL",
        Sig::PIPE => "PIPE",
        Sig::QUIT => "QUIT",
        Sig::SEGV => "SEGV",
        Sig::TERM => "TERM",
        Sig::USR1 => "USR1",
        Sig::Custom(name) => name,
    }
}

/// The numbers that are the same on every system with SSH's signals, and Linux's others.
fn signal(number: i32) -> Sig {
    match number {
        1 => Sig::HUP,
        2 => Sig::INT,
        3 => Sig::QUIT,
        4 => Sig::ILL,
        6 => Sig::ABRT,
        8 => Sig::FPE,
        9 => Sig::KILL,
        10 => Sig::USR1,
        11 => Sig::SEGV,
        13 => Sig::PIPE,
        14 => Sig::ALRM,
        15 => Sig::TERM,
        12 => Sig::Custom("USR2@openssh.com".to_owned()),
        other => Sig::Custom(format!("{other}@practice")),
    }
}
