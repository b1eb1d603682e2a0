//! Names and tokens of what is temporary, in the forms that Packer gives them.

use std::time::{SystemTime, UNIX_EPOCH};

use rand::RngExt;

const ALPHANUMERIC: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A new name for a key pair or security group: `packer_` and a UUID that begins with the time.
pub fn temporary() -> String {
    format!("packer_{}", new_uuid())
}

/// A new name for an instance profile and its role: IAM wants another form.
pub fn temporary_profile() -> String {
    format!("packer-{}", new_uuid())
}

/// A new name for a launch template.
pub fn launch_template() -> String {
    format!("packer-fleet-launch-template-{}", alphanumeric(7))
}

/// A new name for an image that is only a step on the way to the real one.
pub fn intermediate_image() -> String {
    alphanumeric(7)
}

fn alphanumeric(length: usize) -> String {
    let mut random = rand::rng();
    (0..length).map(|_| char::from(ALPHANUMERIC[random.random_range(0..ALPHANUMERIC.len())])).collect()
}

fn new_uuid() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    time_ordered_uuid(seconds, rand::random())
}

/// Packer's UUID: the seconds since 1970, then random bytes.
fn time_ordered_uuid(seconds: u64, random: [u8; 12]) -> String {
    let hex = random.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
    format!("{:08x}-{}-{}-{}-{}", seconds & 0xffff_ffff, &hex[..4], &hex[4..8], &hex[8..12], &hex[12..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_ordered_uuid_begins_with_the_time() {
        let uuid =
            time_ordered_uuid(0x6b03_02d3, [0xb7, 0xbe, 0xec, 0x4e, 0xb4, 0xd4, 0x0e, 0x33, 0xe6, 0x29, 0x5e, 0x0e]);
        assert_eq!(uuid, "6b0302d3-b7be-ec4e-b4d4-0e33e6295e0e");
    }

    #[test]
    fn names_differ_and_have_packers_forms() {
        assert_ne!(temporary(), temporary());
        assert_eq!(temporary().len(), "packer_".len() + 36);
        assert!(temporary_profile().starts_with("packer-"));
        assert_eq!(intermediate_image().len(), 7);
        assert!(intermediate_image().bytes().all(|b| ALPHANUMERIC.contains(&b)));
    }
}
