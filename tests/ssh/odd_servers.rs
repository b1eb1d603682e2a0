//! Servers that OpenSSH is not: passwords, questions, commands that end without a word.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use kiln::remote::{Auth, ConnectError, ConnectOptions, Exit, Hidden, RemoteError, connect};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{self, Auth as Verdict, ChannelOpenHandle, Msg, Response, Server as _, Session};
use russh::{Channel, ChannelId, MethodKind, MethodSet};

use crate::sshd::{connect_with, exec, never};

#[derive(Clone, Copy, Default)]
struct Odd {
    /// Takes passwords only as the answers to two questions.
    asks: bool,
}

impl server::Server for Odd {
    type Handler = Self;

    fn new_client(&mut self, _: Option<std::net::SocketAddr>) -> Self {
        *self
    }
}

impl server::Handler for Odd {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Verdict, russh::Error> {
        let good = !self.asks && user == "me" && password == "sesame";
        let method = if self.asks { MethodKind::KeyboardInteractive } else { MethodKind::Password };
        let proceed = Some(MethodSet::from([method].as_slice()));
        Ok(if good {
            Verdict::Accept
        } else {
            Verdict::Reject { proceed_with_methods: proceed, partial_success: false }
        })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _user: &str,
        _submethods: &str,
        response: Option<Response<'a>>,
    ) -> Result<Verdict, russh::Error> {
        let question = |text: &'static str| (Cow::Borrowed(text), false);
        match response {
            None => Ok(Verdict::Partial {
                name: Cow::Borrowed(""),
                instructions: Cow::Borrowed(""),
                prompts: Cow::Owned(vec![question("Password: "), question("Again: ")]),
            }),
            Some(answers) => {
                let answers: Vec<_> = answers.map(|answer| answer.to_vec()).collect();
                Ok(if answers == [b"sesame".to_vec(), b"sesame".to_vec()] {
                    Verdict::Accept
                } else {
                    Verdict::reject()
                })
            }
        }
    }

    async fn channel_open_session(
        &mut self,
        _channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        reply.accept().await;
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        data: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        match data {
            b"refuse" => session.channel_failure(channel)?,
            b"vanish" => {
                session.channel_success(channel)?;
                session.data(channel, &b"almost done\n"[..])?;
                session.eof(channel)?;
                session.close(channel)?;
            }
            b"leave" => return Err(russh::Error::Disconnect),
            // Takes the request and never says anything again; its keep-alive answers stop too, as the loop is stuck.
            b"freeze" => {
                session.channel_success(channel)?;
                std::future::pending::<()>().await;
            }
            _ => {
                session.channel_success(channel)?;
                session.exit_status_request(channel, 0)?;
                session.close(channel)?;
            }
        }
        Ok(())
    }
}

async fn serve(mut odd: Odd) -> ConnectOptions {
    let key = PrivateKey::from(Ed25519Keypair::from_seed(&[7; 32]));
    let config = server::Config {
        keys: vec![key],
        auth_rejection_time: Duration::ZERO,
        auth_rejection_time_initial: Some(Duration::ZERO),
        ..server::Config::default()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { odd.run_on_socket(Arc::new(config), &listener).await });
    let mut options = ConnectOptions::new("127.0.0.1", port, "me");
    options.auth = vec![Auth::Password(Hidden::new("sesame"))];
    options
}

#[tokio::test]
async fn a_password_opens_the_door() {
    let options = serve(Odd::default()).await;
    assert_eq!(exec(&*connect_with(options.clone()).await, "true").await.0, Ok(Exit::Status(0)));
    let error =
        connect(ConnectOptions { auth: vec![Auth::Password(Hidden::new("wrong"))], ..options }, &never()).await.err();
    assert!(matches!(&error, Some(ConnectError::AuthRefused { tried, .. }) if tried == &["password"]), "{error:?}");
}

#[tokio::test]
async fn every_question_is_answered_with_the_password() {
    let options = serve(Odd { asks: true }).await;
    assert_eq!(exec(&*connect_with(options).await, "true").await.0, Ok(Exit::Status(0)));
}

#[tokio::test]
async fn a_command_that_ends_without_a_status_is_no_success() {
    let link = connect_with(serve(Odd::default()).await).await;
    let (result, printed) = exec(&*link, "vanish").await;
    assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
    assert_eq!(printed.out(), "almost done\n");
    let (result, _) = exec(&*link, "leave").await;
    assert!(matches!(result, Err(RemoteError::LinkLost(_))), "{result:?}");
    let (result, _) = exec(&*link, "refuse").await;
    assert!(matches!(result, Err(RemoteError::Refused(_))), "{result:?}");
}

#[tokio::test]
async fn a_machine_that_falls_silent_is_found_out() {
    let mut options = serve(Odd::default()).await;
    options.keep_alive = Some(Duration::from_millis(50));
    let link = connect_with(options).await;
    let (result, _) = exec(&*link, "freeze").await;
    assert!(matches!(&result, Err(RemoteError::LinkLost(why)) if why.contains("no longer answers")), "{result:?}");
}
