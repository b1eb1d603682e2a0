//! This machine's address as the internet sees it.

use std::net::IpAddr;
use std::time::Duration;

/// AWS's own service for this; Packer asks it too.
const SERVICE: &str = "https://checkip.amazonaws.com";

pub(super) async fn ask() -> Option<IpAddr> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).build().ok()?;
    let text = client.get(SERVICE).send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
    usable(&text)
}

/// An address that a security group can name: `None` for what is none, or is unspecified.
fn usable(text: &str) -> Option<IpAddr> {
    text.trim().parse::<IpAddr>().ok().filter(|a| !a.is_unspecified() && !a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::usable;

    #[test]
    fn only_real_addresses_are_taken() {
        assert_eq!(usable("203.0.113.9\n"), "203.0.113.9".parse().ok());
        assert_eq!(usable("2001:db8::1"), "2001:db8::1".parse().ok());
        for wrong in ["0.0.0.0", "::", "127.0.0.1", "<html>", ""] {
            assert_eq!(usable(wrong), None, "{wrong}");
        }
    }
}
