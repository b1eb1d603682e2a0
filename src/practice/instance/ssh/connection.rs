//! One client: who it is, and the channels that it opens.

use std::net::SocketAddr;
use std::sync::Arc;

use russh::keys::PublicKey;
use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelOpenFailure, Pty};

use super::{Account, Guest, session};

pub struct Connection {
    guest: Arc<dyn Guest>,
    client: SocketAddr,
    server: SocketAddr,
    user: Option<String>,
}

impl Connection {
    pub fn new(guest: Arc<dyn Guest>, client: SocketAddr, server: SocketAddr) -> Self {
        Self { guest, client, server, user: None }
    }
}

/// Whether a line of `authorized_keys`, with or without options before it, is this key.
fn is_key(line: &str, key: &PublicKey) -> bool {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return false;
    }
    let kinds = ["ssh-", "ecdsa-", "sk-"];
    let starts = line.split_whitespace().scan(0, |from, word| {
        let at = line[*from..].find(word)? + *from;
        *from = at + word.len();
        Some((at, word))
    });
    let Some((at, _)) = starts.into_iter().find(|(_, word)| kinds.iter().any(|kind| word.starts_with(kind))) else {
        return false;
    };
    PublicKey::from_openssh(&line[at..]).is_ok_and(|there| there.key_data() == key.key_data())
}

impl Handler for Connection {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, user: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        let Some(Account { name, keys }) = self.guest.account(user).await else { return Ok(Auth::reject()) };
        if !keys.iter().any(|line| is_key(line, key.public_key)) {
            return Ok(Auth::reject());
        }
        self.user = Some(name);
        Ok(Auth::Accept)
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let Some(user) = self.user.clone() else {
            reply.reject(ChannelOpenFailure::AdministrativelyProhibited).await;
            return Ok(());
        };
        reply.accept().await;
        let handle = session.handle();
        tokio::spawn(session::run(Arc::clone(&self.guest), user, channel, handle, self.client, self.server));
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), Self::Error> {
        let Ok(port) = u16::try_from(port) else {
            reply.reject(ChannelOpenFailure::ConnectFailed).await;
            return Ok(());
        };
        let (guest, host) = (Arc::clone(&self.guest), host.to_owned());
        tokio::spawn(async move {
            match guest.connect(&host, port).await {
                Ok(mut there) => {
                    reply.accept().await;
                    let mut here = channel.into_stream();
                    let _ = tokio::io::copy_bidirectional(&mut here, &mut there).await;
                }
                Err(_) => reply.reject(ChannelOpenFailure::ConnectFailed).await,
            }
        });
        Ok(())
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if session::is_fine(name, value) { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn exec_request(&mut self, channel: ChannelId, _: &[u8], session: &mut Session) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == session::SFTP { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _: bool,
        _: &str,
        _: &str,
        _: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_failure(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_with_options_and_comments() {
        let line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ me@here";
        let key = PublicKey::from_openssh(line).unwrap();
        assert!(is_key(line, &key));
        assert!(is_key(&format!("no-pty,command=\"echo hi\" {line}"), &key));
        assert!(!is_key(&format!("# {line}"), &key));
        let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
        assert!(!is_key(other, &key));
    }
}
