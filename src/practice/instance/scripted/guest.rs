//! A scripted machine as its SSH server sees it.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{mpsc, oneshot};

use super::super::super::machine::BoxFuture;
use super::super::files::memory::Memory;
use super::super::files::{scp, sftp};
use super::super::ssh::{Account, Duplex, Exit, Guest, Job, Kind, Running, Steer};
use super::answers::Answers;
use super::note;

const PIPE: usize = 64 << 10;

pub struct Actor {
    pub keys: Vec<String>,
    pub hostname: String,
    pub files: Memory,
    pub answers: Arc<Answers>,
    pub console: Arc<Mutex<Vec<u8>>>,
}

struct Nothing;

impl Steer for Nothing {
    fn resize(&self, _: u16, _: u16) {}
    fn signal(&self, _: &str) {}
}

/// The ends of a program's streams on its own side, and the running program as the server has it.
struct Stage {
    input: DuplexStream,
    output: DuplexStream,
    errors: DuplexStream,
    tell: oneshot::Sender<Exit>,
}

fn stage() -> (Stage, Running) {
    let ((input, to), (output, from), (errors, from_errors)) = (duplex(PIPE), duplex(PIPE), duplex(PIPE));
    let (tell, told) = oneshot::channel();
    let running = Running {
        input: Some(Box::pin(to)),
        output: Box::pin(from),
        errors: Some(Box::pin(from_errors)),
        exit: Box::pin(async move { told.await.unwrap_or(Exit::Signal(9)) }),
        steer: Box::new(Nothing),
    };
    (Stage { input, output, errors, tell }, running)
}

fn home(user: &str) -> String {
    if user == "root" { "/root".to_owned() } else { format!("/home/{user}") }
}

impl Actor {
    fn run(&self, user: &str, job: &Job) -> Running {
        let (stage, running) = stage();
        let files = self.files.at_home(&home(user));
        match &job.kind {
            Kind::Sftp => serve(stage, move |input, output| {
                let mut files = files;
                sftp::serve(&mut files, "", input, output).map(|()| 0)
            }),
            Kind::Command(line) => {
                let line = String::from_utf8_lossy(line).into_owned();
                note(&self.console, &format!("{user}$ {line}\n"));
                if let Some(call) = scp::Call::parse(&line) {
                    serve(stage, move |input, output| {
                        let mut files = files;
                        scp::serve(&mut files, &call, input, output)
                    });
                } else {
                    let answers = Arc::clone(&self.answers);
                    tokio::spawn(async move { answer(stage, &answers, &line, &files).await });
                }
            }
            Kind::Shell => {
                let (answers, prompt) = (Arc::clone(&self.answers), format!("{user}@{}:~$ ", self.hostname));
                let terminal = job.terminal.is_some();
                tokio::spawn(async move { shell(stage, &answers, &files, &prompt, terminal).await });
            }
        }
        running
    }
}

async fn answer(stage: Stage, answers: &Answers, line: &str, files: &Memory) -> io::Result<()> {
    let Stage { mut input, mut output, mut errors, tell } = stage;
    // What is piped into it goes nowhere.
    tokio::spawn(async move { tokio::io::copy(&mut input, &mut tokio::io::sink()).await });
    let answer = answers.to(line, files);
    tokio::time::sleep(Duration::from_millis(answer.ms)).await;
    output.write_all(answer.stdout.as_bytes()).await?;
    errors.write_all(answer.stderr.as_bytes()).await?;
    let _ = tell.send(Exit::Status(answer.status.into()));
    Ok(())
}

/// Shows what it is told, line by line, until `exit` or the end.
async fn shell(stage: Stage, answers: &Answers, files: &Memory, prompt: &str, terminal: bool) -> io::Result<()> {
    let Stage { mut input, mut output, errors: _errors, tell } = stage;
    let end = if terminal { "\r\n" } else { "\n" };
    let say = |text: &str| text.replace('\n', end);
    if terminal {
        output.write_all(say("This machine is scripted: commands are shown, not run.\n").as_bytes()).await?;
        output.write_all(prompt.as_bytes()).await?;
    }
    let mut line = Vec::new();
    let mut status = 0;
    loop {
        let byte = match input.read_u8().await {
            Ok(4) if line.is_empty() => break,
            Ok(byte) => byte,
            Err(_) => break,
        };
        match byte {
            b'\r' | b'\n' => {
                if terminal {
                    output.write_all(end.as_bytes()).await?;
                }
                let text = String::from_utf8_lossy(&std::mem::take(&mut line)).trim().to_owned();
                if let Some(code) = text.strip_prefix("exit") {
                    status = code.trim().parse().unwrap_or(status);
                    break;
                }
                if !text.is_empty() {
                    let answer = answers.to(&text, files);
                    tokio::time::sleep(Duration::from_millis(answer.ms)).await;
                    output.write_all(say(&(answer.stdout + &answer.stderr)).as_bytes()).await?;
                    status = answer.status.into();
                }
                if terminal {
                    output.write_all(prompt.as_bytes()).await?;
                }
            }
            // Delete and backspace.
            127 | 8 => {
                if line.pop().is_some() && terminal {
                    output.write_all(b"\x08 \x08").await?;
                }
            }
            3 => {
                line.clear();
                output.write_all(format!("^C{end}{prompt}").as_bytes()).await?;
            }
            byte => {
                line.push(byte);
                if terminal {
                    output.write_all(&[byte]).await?;
                }
            }
        }
    }
    let _ = tell.send(Exit::Status(status));
    Ok(())
}

/// Runs a file server, which waits for its streams, on a thread of its own.
fn serve(stage: Stage, act: impl FnOnce(Incoming, Outgoing) -> io::Result<u8> + Send + 'static) {
    let Stage { mut input, mut output, errors, tell } = stage;
    let (to_act, from_client) = mpsc::channel::<Bytes>(16);
    let (to_client, mut from_act) = mpsc::channel::<Bytes>(16);
    tokio::spawn(async move {
        let mut bytes = vec![0; PIPE];
        while let Ok(got @ 1..) = input.read(&mut bytes).await {
            if to_act.send(Bytes::copy_from_slice(&bytes[..got])).await.is_err() {
                break;
            }
        }
    });
    let done = tokio::task::spawn_blocking(move || {
        act(Incoming { from: from_client, rest: Bytes::new() }, Outgoing(to_client))
    });
    tokio::spawn(async move {
        while let Some(bytes) = from_act.recv().await {
            if output.write_all(&bytes).await.is_err() {
                break;
            }
        }
        drop(from_act);
        let status = done.await.ok().and_then(Result::ok).unwrap_or(1);
        drop((output, errors));
        let _ = tell.send(Exit::Status(status.into()));
    });
}

struct Incoming {
    from: mpsc::Receiver<Bytes>,
    rest: Bytes,
}

impl Read for Incoming {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.from.blocking_recv() {
                Some(bytes) => self.rest = bytes,
                None => return Ok(0),
            }
        }
        let got = self.rest.len().min(into.len());
        into[..got].copy_from_slice(&self.rest.split_to(got));
        Ok(got)
    }
}

struct Outgoing(mpsc::Sender<Bytes>);

impl Write for Outgoing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.blocking_send(Bytes::copy_from_slice(bytes)).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Guest for Actor {
    fn account<'a>(&'a self, user: &'a str) -> BoxFuture<'a, Option<Account>> {
        Box::pin(async move { Some(Account { name: user.to_owned(), keys: self.keys.clone() }) })
    }

    fn start<'a>(&'a self, user: &'a str, job: Job) -> BoxFuture<'a, io::Result<Running>> {
        Box::pin(async move { Ok(self.run(user, &job)) })
    }

    fn connect<'a>(&'a self, _: &'a str, _: u16) -> BoxFuture<'a, io::Result<Box<dyn Duplex>>> {
        Box::pin(async { Err(io::Error::other("a scripted machine connects to nothing")) })
    }
}
