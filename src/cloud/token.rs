//! Client tokens: the same call asked twice makes one thing.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// A client token for one purpose of one attempt: equal arguments give the same token, so that a call repeated after a lost
/// answer or a crash makes nothing twice. 36 ASCII characters; EC2 takes up to 64.
#[must_use]
pub fn client_token(seed: u64, build: &str, attempt: u32, purpose: &str) -> String {
    let mut hash = Sha256::new();
    // NUL cannot stand in a name, so that no two argument lists give the same text.
    hash.update(format!("{seed}\0{build}\0{attempt}\0{purpose}").as_bytes());
    let mut token = String::from("kiln");
    for byte in hash.finalize().iter().take(16) {
        let _ = write!(token, "{byte:02x}");
    }
    token
}

#[cfg(test)]
mod tests {
    use super::client_token;

    #[test]
    fn a_token_is_stable_and_differs_with_every_argument() {
        let token = client_token(7, "web", 1, "launch");
        assert_eq!(token, client_token(7, "web", 1, "launch"));
        assert_eq!(token.len(), 36);
        for other in [
            client_token(8, "web", 1, "launch"),
            client_token(7, "db", 1, "launch"),
            client_token(7, "web", 2, "launch"),
            client_token(7, "web", 1, "image"),
        ] {
            assert_ne!(token, other);
        }
    }
}
