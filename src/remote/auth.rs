//! Proving who we are: keys, certificates, agents, passwords.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};
use russh::keys::{Certificate, HashAlg, PrivateKey, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};

use super::failure::ConnectError;
use super::handler::Client;
use super::options::{Auth, Hidden};

/// Tries each way in its order until the server is content. A server may want several (`partial success`): then the rest of
/// the list goes on.
pub(super) async fn authenticate(
    handle: &mut Handle<Client>,
    address: &str,
    user: &str,
    ways: &[Auth],
    agent_socket: Option<&Path>,
) -> Result<(), ConnectError> {
    let mut talk = Talk { handle, address, user, tried: Vec::new(), offered: Vec::new() };
    let mut trouble = None;
    for way in ways {
        let result = match way {
            Auth::Key { path } => talk.key(&expand(path), "key").await,
            Auth::KeyText(text) => talk.private_key(parse_key("of this build", text.reveal())?, "key").await,
            Auth::Certificate { key, certificate } => talk.certificate(&expand(key), &expand(certificate)).await,
            Auth::Agent => talk.agent(agent_socket).await,
            Auth::Password(password) => talk.password(password).await,
        };
        match result {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // An agent that is not there need not matter when a later way is good.
            Err(error @ ConnectError::Agent { .. }) => trouble = Some(error),
            Err(error) => return Err(error),
        }
    }
    match trouble {
        Some(error) if talk.tried.is_empty() => Err(error),
        _ => Err(ConnectError::AuthRefused {
            address: address.to_owned(),
            user: user.to_owned(),
            tried: talk.tried,
            offered: talk.offered,
        }),
    }
}

struct Talk<'a> {
    handle: &'a mut Handle<Client>,
    address: &'a str,
    user: &'a str,
    tried: Vec<String>,
    offered: Vec<String>,
}

impl Talk<'_> {
    async fn key(&mut self, path: &Path, name: &str) -> Result<bool, ConnectError> {
        let key = read_key(path)?;
        self.private_key(key, &format!("{name} {}", path.display())).await
    }

    async fn private_key(&mut self, key: PrivateKey, name: &str) -> Result<bool, ConnectError> {
        self.tried.push(name.to_owned());
        let key = Arc::new(key);
        for hash in self.hashes(key.algorithm().is_rsa()).await? {
            let signed = PrivateKeyWithHashAlg::new(Arc::clone(&key), hash);
            let result = self.handle.authenticate_publickey(self.user, signed).await;
            if self.settle(result.map_err(|error| error.to_string()))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn certificate(&mut self, key: &Path, path: &Path) -> Result<bool, ConnectError> {
        let bad = |why: String| ConnectError::BadKey { path: path.display().to_string(), why };
        let private = read_key(key)?;
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let certificate = Certificate::from_openssh(text.trim()).map_err(|error| bad(error.to_string()))?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if certificate.valid_after() > now {
            return Err(bad("it is not valid yet".to_owned()));
        }
        if certificate.valid_before() <= now {
            return Err(bad("it has expired".to_owned()));
        }
        self.tried.push(format!("certificate {}", path.display()));
        let result = self.handle.authenticate_openssh_cert(self.user, Arc::new(private), certificate).await;
        self.settle(result.map_err(|error| error.to_string()))
    }

    async fn agent(&mut self, socket: Option<&Path>) -> Result<bool, ConnectError> {
        let bad = |why: String| ConnectError::Agent { why };
        let mut agent = open_agent(socket).await?;
        let identities = agent.request_identities().await.map_err(|error| bad(error.to_string()))?;
        if identities.is_empty() {
            return Err(bad("it holds no keys".to_owned()));
        }
        let rsa = self.hashes(true).await?;
        for identity in identities {
            let result = match identity {
                AgentIdentity::PublicKey { key, comment } => {
                    self.tried.push(format!("agent key {comment}"));
                    let hash = if key.algorithm().is_rsa() { rsa.first().copied().flatten() } else { None };
                    self.handle.authenticate_publickey_with(self.user, key, hash, &mut agent).await
                }
                AgentIdentity::Certificate { certificate, comment } => {
                    self.tried.push(format!("agent certificate {comment}"));
                    let hash = if certificate.algorithm().is_rsa() { rsa.first().copied().flatten() } else { None };
                    self.handle.authenticate_certificate_with(self.user, certificate, hash, &mut agent).await
                }
            };
            match result {
                Ok(result) => {
                    if self.settle(Ok(result))? {
                        return Ok(true);
                    }
                }
                // An agent may decline one key (a hardware token that is not there) and hold another good one.
                Err(_) if !self.handle.is_closed() => {}
                Err(error) => return self.settle(Err(error.to_string())),
            }
        }
        Ok(false)
    }

    async fn password(&mut self, password: &Hidden) -> Result<bool, ConnectError> {
        self.tried.push("password".to_owned());
        let result = self.handle.authenticate_password(self.user, password.reveal()).await;
        if self.settle(result.map_err(|error| error.to_string()))? {
            return Ok(true);
        }
        if !self.offered.iter().any(|method| method == "keyboard-interactive") {
            return Ok(false);
        }
        self.tried.push("keyboard-interactive".to_owned());
        let mut answer = self.handle.authenticate_keyboard_interactive_start(self.user, None).await;
        loop {
            let failed = |error: russh::Error| error.to_string();
            match answer {
                Ok(KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. }) => {
                    let answers = vec![password.reveal().to_owned(); prompts.len()];
                    answer = self.handle.authenticate_keyboard_interactive_respond(answers).await;
                }
                Ok(KeyboardInteractiveAuthResponse::Success) => return Ok(true),
                Ok(KeyboardInteractiveAuthResponse::Failure { remaining_methods, partial_success }) => {
                    return self.settle(Ok(AuthResult::Failure { remaining_methods, partial_success }));
                }
                Err(error) => return self.settle(Err(failed(error))),
            }
        }
    }

    /// The signature hashes to try with an RSA key: what the server says it takes; without a word from it SHA-2 first.
    async fn hashes(&mut self, rsa: bool) -> Result<Vec<Option<HashAlg>>, ConnectError> {
        if !rsa {
            return Ok(vec![None]);
        }
        let best = self.handle.best_supported_rsa_hash().await.map_err(|error| self.broken(&error.to_string()))?;
        Ok(match best {
            Some(hash) => vec![hash],
            None => vec![Some(HashAlg::Sha512), None],
        })
    }

    fn settle(&mut self, result: Result<AuthResult, String>) -> Result<bool, ConnectError> {
        match result {
            Ok(AuthResult::Success) => Ok(true),
            Ok(AuthResult::Failure { remaining_methods, .. }) => {
                if self.handle.is_closed() {
                    return Err(self.closed());
                }
                self.offered = names(&remaining_methods);
                Ok(false)
            }
            Err(_) if self.handle.is_closed() => Err(self.closed()),
            Err(error) => Err(self.broken(&error)),
        }
    }

    /// The server hung up while it was asked: for OpenSSH this is how too many attempts end.
    fn closed(&mut self) -> ConnectError {
        ConnectError::AuthRefused {
            address: self.address.to_owned(),
            user: self.user.to_owned(),
            tried: std::mem::take(&mut self.tried),
            offered: vec!["no more attempts: it closed the connection".to_owned()],
        }
    }

    fn broken(&self, why: &str) -> ConnectError {
        ConnectError::Handshake { address: self.address.to_owned(), why: why.to_owned() }
    }
}

fn names(methods: &MethodSet) -> Vec<String> {
    methods
        .iter()
        .map(|method: &MethodKind| {
            let name: &'static str = method.into();
            name.to_owned()
        })
        .collect()
}

/// Where the agent listens: as given, else `SSH_AUTH_SOCK`.
pub(super) fn agent_socket(given: Option<&Path>) -> Option<PathBuf> {
    given.map(Path::to_path_buf).or_else(|| std::env::var_os("SSH_AUTH_SOCK").map(PathBuf::from))
}

type Agent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

async fn open_agent(socket: Option<&Path>) -> Result<Agent, ConnectError> {
    let Some(path) = agent_socket(socket) else {
        return Err(ConnectError::Agent { why: "SSH_AUTH_SOCK is not set".to_owned() });
    };
    let stream = crate::os::agent_socket::open(&path)
        .await
        .map_err(|error| ConnectError::Agent { why: format!("{}: {error}", path.display()) })?;
    Ok(AgentClient::connect(stream).dynamic())
}

fn read_key(path: &Path) -> Result<PrivateKey, ConnectError> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse_key(&name, &text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(ConnectError::BadKey { path: name, why: "it is not text; a private key in PEM form is".to_owned() })
        }
        Err(error) => Err(ConnectError::BadKey { path: name, why: error.to_string() }),
    }
}

fn parse_key(name: &str, text: &str) -> Result<PrivateKey, ConnectError> {
    const ENCRYPTED: &str = "it is encrypted with a passphrase";
    let bad = |why: &str| ConnectError::BadKey { path: name.to_owned(), why: why.to_owned() };
    if text.contains("ENCRYPTED") {
        return Err(bad(ENCRYPTED));
    }
    if text.trim_start().starts_with("ssh-") || text.trim_start().starts_with("ecdsa-") {
        return Err(bad("it is a public key; the private one is needed"));
    }
    match russh::keys::decode_secret_key(text, None) {
        Ok(key) if key.is_encrypted() => Err(bad(ENCRYPTED)),
        Ok(key) => Ok(key),
        Err(
            russh::keys::Error::KeyIsEncrypted | russh::keys::Error::SshKey(russh::keys::ssh_key::Error::Encrypted),
        ) => Err(bad(ENCRYPTED)),
        Err(russh::keys::Error::CouldNotReadKey) => Err(bad("it is not a private key in a form that kiln knows")),
        Err(error) => Err(bad(&error.to_string())),
    }
}

/// `~` and `~/…` become the home folder.
fn expand(path: &Path) -> PathBuf {
    let Ok(rest) = path.strip_prefix("~") else { return path.to_path_buf() };
    match std::env::home_dir() {
        Some(home) => home.join(rest),
        None => path.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_cannot_be_used_says_why() {
        let why = |text: &str| match parse_key("k", text) {
            Err(ConnectError::BadKey { path, why }) => {
                assert_eq!(path, "k");
                why
            }
            other => panic!("{other:?}"),
        };
        assert!(why("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n").contains("passphrase"));
        assert!(why("ssh-ed25519 AAAA me").contains("public key"));
        assert!(why("hello").contains("not a private key"));
    }
}
