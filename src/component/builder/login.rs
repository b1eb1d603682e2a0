//! What `{{build …}}` gives of the way in: password and keys. They stay in memory; each attempt finds them anew.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::component::communicator::CommunicatorConfig;

/// `Password`, `SSHPrivateKey` and `SSHPublicKey` of a machine that is reached by SSH, and `WinRMPassword`, which is empty then;
/// what there is not is empty, as in Packer. `temporary`: the temporary private key.
pub async fn values(config: &CommunicatorConfig, temporary: Option<&str>) -> BTreeMap<&'static str, String> {
    let private = match temporary {
        Some(key) => key.to_owned(),
        None if config.ssh_private_key_file.is_empty() => String::new(),
        // It was read to connect; what went wrong since is no reason to fail.
        None => tokio::fs::read_to_string(expand(&config.ssh_private_key_file)).await.unwrap_or_default(),
    };
    let public = public_half(&private).unwrap_or_default();
    BTreeMap::from([
        ("Password", config.ssh_password.clone()),
        ("SSHPrivateKey", private),
        ("SSHPublicKey", public),
        ("WinRMPassword", String::new()),
    ])
}

/// A line for `authorized_keys`.
fn public_half(private: &str) -> Option<String> {
    let key = russh::keys::decode_secret_key(private, None).ok()?;
    key.public_key().to_openssh().ok()
}

fn expand(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::home_dir()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => path.into(),
    }
}

#[cfg(test)]
mod tests {
    use russh::keys::ssh_key::LineEnding;
    use russh::keys::{Algorithm, PrivateKey};

    use super::*;

    #[tokio::test]
    async fn both_halves_of_the_key_that_opens_the_machine_are_given() {
        let key = PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).unwrap();
        let text = key.to_openssh(LineEnding::LF).unwrap();
        let config = CommunicatorConfig { ssh_password: "p".into(), ..CommunicatorConfig::default() };
        let temporary = values(&config, Some(&text)).await;
        assert_eq!((temporary["SSHPrivateKey"].as_str(), temporary["Password"].as_str()), (text.as_str(), "p"));
        assert_eq!(temporary["SSHPublicKey"], key.public_key().to_openssh().unwrap());
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &*text).unwrap();
        let config = CommunicatorConfig {
            ssh_private_key_file: file.path().display().to_string(),
            ..CommunicatorConfig::default()
        };
        assert_eq!(values(&config, None).await["SSHPublicKey"], temporary["SSHPublicKey"]);
        assert!(values(&CommunicatorConfig::default(), None).await.values().all(String::is_empty));
    }
}
