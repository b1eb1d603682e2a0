//! Our answers to what a server asks for or tells: its host key, its good-bye, connections that it opens to us.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use russh::client::{ChannelOpenHandle, DisconnectReason, Handler, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelOpenFailure};

use super::host_keys::{Changed, HostKeys};
use super::options::Tunnel;

/// What was learnt about a server while talking to it.
#[derive(Debug, Default)]
pub(super) struct Learnt {
    key: Mutex<Option<PublicKey>>,
    changed: Mutex<Option<Changed>>,
    ended: Mutex<Option<String>>,
}

impl Learnt {
    pub(super) fn key(&self) -> Option<PublicKey> {
        lock(&self.key).clone()
    }

    pub(super) fn changed(&self) -> Option<Changed> {
        lock(&self.changed).clone()
    }

    /// Why the session ended, where that is known.
    pub(super) fn ended(&self) -> Option<String> {
        lock(&self.ended).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Our side of one session.
pub(super) struct Client {
    pub address: String,
    pub host_keys: Arc<HostKeys>,
    pub learnt: Arc<Learnt>,
    pub remote_tunnels: Vec<Tunnel>,
    /// The agent to lead forwarded requests to.
    pub agent: Option<PathBuf>,
}

impl Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let key = key.public_key();
        let verdict = self.host_keys.check(&self.address, &key);
        *lock(&self.learnt.key) = Some(key);
        match verdict {
            Ok(()) => Ok(true),
            Err(changed) => {
                *lock(&self.learnt.changed) = Some(changed);
                Ok(false)
            }
        }
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _connected_address: &str,
        connected_port: u32,
        _originator_address: &str,
        _originator_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(tunnel) = self.remote_tunnels.iter().find(|tunnel| u32::from(tunnel.port) == connected_port) else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        let (host, port) = (tunnel.host.clone(), tunnel.host_port);
        tokio::spawn(async move {
            match tokio::net::TcpStream::connect((host.as_str(), port)).await {
                Ok(mut local) => {
                    reply.accept().await;
                    // Either side may end it at any time.
                    let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut local).await;
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), russh::Error> {
        let Some(socket) = self.agent.clone() else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        tokio::spawn(async move {
            match crate::os::agent_socket::open(&socket).await {
                Ok(mut agent) => {
                    reply.accept().await;
                    let _ = tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut agent).await;
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let (why, result) = match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                (format!("the machine said good-bye: {}", info.message.trim()), Ok(()))
            }
            DisconnectReason::Error(error) => (in_words(&error), Err(error)),
        };
        lock(&self.learnt.ended).get_or_insert(why);
        result
    }
}

fn in_words(error: &russh::Error) -> String {
    match error {
        russh::Error::KeepaliveTimeout => "the machine no longer answers (keep-alive)".to_owned(),
        russh::Error::HUP | russh::Error::Disconnect => "the machine closed the connection".to_owned(),
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the machine closed the connection".to_owned()
        }
        other => other.to_string(),
    }
}
