//! This machine's address as the internet sees it.

use std::net::IpAddr;
use std::time::Duration;

/// AWS's own service for this; Packer asks it too.
const SERVICE: &str = "https://checkip.amazonaws.com";

pub(super) async fn ask() -> Option<IpAddr> {
    ask_at(SERVICE).await
}

async fn ask_at(service: &str) -> Option<IpAddr> {
    let client = reqwest::Client::builder().timeout(Duration::from_secs(3)).build().ok()?;
    let text = client.get(service).send().await.ok()?.error_for_status().ok()?.text().await.ok()?;
    usable(&text)
}

/// An address that a security group can name: `None` for what is none, or is unspecified.
fn usable(text: &str) -> Option<IpAddr> {
    text.trim().parse::<IpAddr>().ok().filter(|a| !a.is_unspecified() && !a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cloud::testing::Endpoint;

    #[tokio::test]
    async fn an_answer_that_is_none_is_not_believed() {
        for (answer, address) in
            [((200, "203.0.113.9\n"), Some("203.0.113.9")), ((200, "sign in"), None), ((500, "203.0.113.9"), None)]
        {
            let endpoint = Endpoint::start(move |_, _| (answer.0, answer.1.to_owned())).await;
            assert_eq!(ask_at(&endpoint.url).await, address.map(|a| a.parse().unwrap()), "{answer:?}");
        }
    }

    #[test]
    fn only_real_addresses_are_taken() {
        assert_eq!(usable("203.0.113.9\n"), "203.0.113.9".parse().ok());
        assert_eq!(usable("2001:db8::1"), "2001:db8::1".parse().ok());
        for wrong in ["0.0.0.0", "::", "127.0.0.1", "<html>", ""] {
            assert_eq!(usable(wrong), None, "{wrong}");
        }
    }
}
