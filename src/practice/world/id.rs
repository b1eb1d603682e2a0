//! Ids, drawn from the seed: the same seed and the same calls give the same ids.

use sha2::{Digest, Sha256};

/// 64 bits of all parts together.
pub fn hash(parts: &[&[u8]]) -> u64 {
    let digest = digest(parts);
    u64::from_be_bytes([digest[0], digest[1], digest[2], digest[3], digest[4], digest[5], digest[6], digest[7]])
}

/// As many hexadecimal digits of all parts together; at most 64.
pub fn hex(parts: &[&[u8]], digits: usize) -> String {
    let mut text = String::new();
    digest(parts).iter().for_each(|b| text.push_str(&format!("{b:02x}")));
    text.truncate(digits);
    text
}

fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut sha = Sha256::new();
    for part in parts {
        sha.update((part.len() as u64).to_be_bytes());
        sha.update(part);
    }
    sha.finalize().into()
}

/// `prefix-` and the digits that ids of this kind have.
pub fn id(prefix: &str, parts: &[&[u8]]) -> String {
    let digits = if prefix == "sir" { 8 } else { 17 };
    let hex = hex(parts, 40);
    match prefix {
        "fleet" => format!("fleet-{}", uuid(&hex)),
        "" => uuid(&hex),
        _ => format!("{prefix}-{}", &hex[..digits]),
    }
}

fn uuid(hex: &str) -> String {
    format!("{}-{}-4{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}
