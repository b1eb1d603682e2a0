//! What keeps calls from AWS, told while it lasts: the SDK tries again and again in silence.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use tokio::sync::broadcast;

use super::failure::chain;

/// Where troubles are told, and heard by who is listening at that time.
#[derive(Clone, Debug)]
pub(super) struct Troubles(broadcast::Sender<Arc<str>>);

impl Default for Troubles {
    fn default() -> Self {
        // More than one connection has at once; who misses some has heard of others.
        Self(broadcast::channel(64).0)
    }
}

impl Troubles {
    pub(super) fn listen(&self) -> broadcast::Receiver<Arc<str>> {
        self.0.subscribe()
    }

    /// A client that tells of each attempt that got no answer. `tries`: how often a call is tried in all.
    pub(super) fn told_of(&self, inner: SharedHttpClient, tries: u32) -> SharedHttpClient {
        if tries < 2 {
            return inner;
        }
        SharedHttpClient::new(Telling { inner, troubles: self.clone(), tries })
    }
}

#[derive(Debug)]
struct Telling<T> {
    inner: T,
    troubles: Troubles,
    tries: u32,
}

impl HttpClient for Telling<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Telling { inner, troubles: self.troubles.clone(), tries: self.tries })
    }
}

impl HttpConnector for Telling<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let at = origin(request.uri()).to_owned();
        let (troubles, tries) = (self.troubles.clone(), self.tries);
        let answer = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await;
            if let Err(why) = &answer {
                let why = chain(why);
                // Nobody listening is no mistake.
                let _ = troubles
                    .0
                    .send(format!("AWS is not reached at {at}: {why}; trying again, up to {tries} times").into());
            }
            answer
        })
    }
}

/// Scheme and host of an address.
fn origin(uri: &str) -> &str {
    let start = uri.find("://").map_or(0, |at| at + 3);
    uri[start..].find(['/', '?']).map_or(uri, |length| &uri[..start + length])
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn an_address_is_named_without_what_is_asked_there() {
        assert_eq!(origin("https://ec2.us-east-1.amazonaws.com/?x=y"), "https://ec2.us-east-1.amazonaws.com");
        assert_eq!(origin("http://127.0.0.1:5000"), "http://127.0.0.1:5000");
        assert_eq!(origin("http://[::1]:80?x"), "http://[::1]:80");
    }
}
