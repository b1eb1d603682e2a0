//! The host keys that a build has seen, so that no other machine can step in later.

use std::collections::BTreeMap;
use std::sync::Mutex;

use russh::keys::{Algorithm, HashAlg, PublicKey};

/// Remembers for the life of a build the key with which each host proved itself when it first let us in. A first meeting is
/// trusted, as in Packer, because a fresh machine's key cannot be known; every later one must show the same key.
#[derive(Debug, Default)]
pub struct HostKeys {
    known: Mutex<BTreeMap<String, PublicKey>>,
}

/// The host showed another key than before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    pub before: String,
    pub now: String,
}

impl HostKeys {
    /// Whether `key` may be the key of `host` (`name:port`).
    ///
    /// # Errors
    /// The two fingerprints, when the host is known by another key.
    pub fn check(&self, host: &str, key: &PublicKey) -> Result<(), Changed> {
        match self.lock().get(host) {
            Some(known) if known.key_data() != key.key_data() => {
                Err(Changed { before: fingerprint(known), now: fingerprint(key) })
            }
            _ => Ok(()),
        }
    }

    /// Keeps the key of a host that let us in. The first one stays.
    pub fn remember(&self, host: &str, key: &PublicKey) {
        self.lock().entry(host.to_owned()).or_insert_with(|| key.clone());
    }

    /// Forgets all hosts: for a machine that may lawfully have a new key, such as one whose first boot makes them.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// The kind of key that a host is known by.
    pub(super) fn algorithm(&self, host: &str) -> Option<Algorithm> {
        self.lock().get(host).map(PublicKey::algorithm)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, PublicKey>> {
        self.known.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether both are names for signatures with one kind of key; the hash does not matter.
pub(super) fn same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    one == other || (matches!(one, Algorithm::Rsa { .. }) && matches!(other, Algorithm::Rsa { .. }))
}

/// `SHA256:…`, as OpenSSH shows it.
fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    #[test]
    fn the_first_key_is_kept_and_another_is_refused() {
        let (one, two) = (PublicKey::from_openssh(ONE).unwrap(), PublicKey::from_openssh(TWO).unwrap());
        let keys = HostKeys::default();
        assert_eq!(keys.check("a:22", &two), Ok(()));
        keys.remember("a:22", &one);
        assert_eq!(keys.check("a:22", &one), Ok(()));
        let changed = keys.check("a:22", &two).unwrap_err();
        assert!(changed.before.starts_with("SHA256:") && changed.before != changed.now);
        keys.remember("a:22", &two);
        assert!(keys.check("a:22", &two).is_err());
        assert_eq!(keys.check("b:22", &two), Ok(()));
        keys.forget();
        assert_eq!(keys.check("a:22", &two), Ok(()));
    }
}
