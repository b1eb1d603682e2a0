//! The HTTP clients under the SDK: plain, TLS, TLS without verification, and the one that keeps a call budget.
//!
//! Proxies are those of `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`. Reading the system's certificate authorities costs
//! milliseconds, so a connector for TLS is made when the first `https` address is asked, not before.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Connector, proxy::ProxyConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;

use super::budget::Budget;
use super::known;
use crate::run::Failure;

/// How TLS servers are verified.
#[derive(Clone, Debug)]
pub(super) enum Trust {
    System,
    /// The PEM certificates of `AWS_CA_BUNDLE` or the profile's `ca_bundle`, in place of the system's.
    Bundle(Vec<u8>),
    /// Any certificate: `insecure_skip_tls_verify`.
    Nothing,
}

impl Trust {
    /// `of_profile`: the profile's `ca_bundle`; `AWS_CA_BUNDLE` goes before it.
    ///
    /// # Errors
    /// When the file of certificates cannot be read, or holds none.
    pub(super) fn new(insecure: bool, of_profile: Option<PathBuf>) -> Result<Self, Failure> {
        if insecure {
            return Ok(Self::Nothing);
        }
        let of_env = std::env::var_os("AWS_CA_BUNDLE").filter(|p| !p.is_empty()).map(PathBuf::from);
        let (path, by) = match (of_env, of_profile) {
            (Some(path), _) => (path, "AWS_CA_BUNDLE"),
            (None, Some(path)) => (path, "`ca_bundle` of the profile"),
            (None, None) => return Ok(Self::System),
        };
        let pem = std::fs::read(&path).map_err(|e| {
            Failure::config(format!("cannot read the certificates of {by}, `{}`: {e}", path.display()))
                .help(format!("correct {by}, or remove it"))
        })?;
        if !pem.windows(11).any(|w| w == b"-----BEGIN ") {
            return Err(Failure::config(format!("`{}` of {by} holds no PEM certificate", path.display()))
                .help(format!("name a file of certificates in PEM form, or remove {by}")));
        }
        Ok(Self::Bundle(pem))
    }
}

/// The client of an account; its connections are kept alive and shared by all regions.
pub(super) fn client(trust: Trust) -> SharedHttpClient {
    SharedHttpClient::new(Lazy(Arc::new(Shared { trust, made: Mutex::default() })))
}

#[derive(Debug, Clone)]
struct Lazy(Arc<Shared>);

/// Connect time-out, read time-out, and whether it is for `https`.
type Timeouts = (Option<Duration>, Option<Duration>, bool);

#[derive(Debug)]
struct Shared {
    trust: Trust,
    made: Mutex<HashMap<Timeouts, SharedHttpConnector>>,
}

impl HttpClient for Lazy {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ByScheme {
            shared: self.0.clone(),
            settings: settings.clone(),
            sleep: components.sleep_impl(),
        })
    }
}

#[derive(Debug)]
struct ByScheme {
    shared: Arc<Shared>,
    settings: HttpConnectorSettings,
    sleep: Option<aws_sdk_ec2::config::SharedAsyncSleep>,
}

impl HttpConnector for ByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let tls = !request.uri().starts_with("http://");
        self.connector(tls).call(request)
    }
}

impl ByScheme {
    fn connector(&self, tls: bool) -> SharedHttpConnector {
        let key = (self.settings.connect_timeout(), self.settings.read_timeout(), tls);
        let mut made = self.shared.made.lock().unwrap_or_else(PoisonError::into_inner);
        made.entry(key).or_insert_with(|| self.make(tls)).clone()
    }

    fn make(&self, tls: bool) -> SharedHttpConnector {
        if tls && matches!(self.shared.trust, Trust::Nothing) {
            return SharedHttpConnector::new(Unverified::new(&self.settings));
        }
        let mut builder = Connector::builder()
            .connector_settings(self.settings.clone())
            .proxy_config(ProxyConfig::from_env())
            .enable_tcp_nodelay(true);
        builder.set_sleep_impl(self.sleep.clone());
        if !tls {
            return SharedHttpConnector::new(builder.build_http());
        }
        let store = match &self.shared.trust {
            Trust::Bundle(pem) => TrustStore::empty().with_native_roots(false).with_pem_certificate(pem.clone()),
            _ => TrustStore::empty().with_native_roots(true),
        };
        let builder = builder.tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc));
        match TlsContext::builder().with_trust_store(store).build() {
            Ok(context) => SharedHttpConnector::new(builder.tls_context(context).build()),
            Err(e) => SharedHttpConnector::new(Refuses(e.to_string())),
        }
    }
}

/// Gives the same error to every request.
#[derive(Debug)]
struct Refuses(String);

impl HttpConnector for Refuses {
    fn call(&self, _request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user(self.0.clone().into())))
    }
}

/// A client that reaches nobody: what asks the metadata service gets an answer at once.
pub(super) fn unreachable_client(why: &'static str) -> SharedHttpClient {
    aws_smithy_runtime_api::client::http::http_client_fn(move |_, _| SharedHttpConnector::new(Refuses(why.into())))
}

/// TLS without verification. The SDK's own connector cannot leave it out.
#[derive(Debug)]
struct Unverified(Result<reqwest::Client, String>);

impl Unverified {
    fn new(settings: &HttpConnectorSettings) -> Self {
        let mut builder = reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .redirect(reqwest::redirect::Policy::none())
            .tcp_nodelay(true);
        if let Some(time) = settings.connect_timeout() {
            builder = builder.connect_timeout(time);
        }
        if let Some(time) = settings.read_timeout() {
            builder = builder.read_timeout(time);
        }
        Self(builder.build().map_err(|e| e.to_string()))
    }
}

impl HttpConnector for Unverified {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move {
            let client = client.map_err(|e| ConnectorError::user(e.into()))?;
            let method =
                reqwest::Method::from_bytes(request.method().as_bytes()).map_err(|e| ConnectorError::user(e.into()))?;
            let mut call = client.request(method, request.uri());
            for (name, value) in request.headers() {
                call = call.header(name, value);
            }
            let body = collect(request.into_body()).await?;
            let answer = call.body(body).send().await.map_err(from_reqwest)?;
            let status =
                StatusCode::try_from(answer.status().as_u16()).map_err(|e| ConnectorError::other(e.into(), None))?;
            let headers = answer.headers().clone();
            let body = answer.bytes().await.map_err(from_reqwest)?;
            let mut response = HttpResponse::new(status, SdkBody::from(body.to_vec()));
            for (name, value) in &headers {
                if let Ok(value) = value.to_str() {
                    response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
                }
            }
            Ok(response)
        })
    }
}

fn from_reqwest(e: reqwest::Error) -> ConnectorError {
    if e.is_timeout() { ConnectorError::timeout(e.into()) } else { ConnectorError::io(e.into()) }
}

async fn collect(body: SdkBody) -> Result<Vec<u8>, ConnectorError> {
    if let Some(bytes) = body.bytes() {
        return Ok(bytes.to_vec());
    }
    let data = ByteStream::new(body).collect().await.map_err(|e| ConnectorError::io(e.into()))?;
    Ok(data.into_bytes().to_vec())
}

/// The client of a region: as `inner`, but each attempt waits for its turn in the budget, and AWS's complaints reach it.
pub(super) fn budgeted(inner: SharedHttpClient, budget: Arc<Budget>) -> SharedHttpClient {
    SharedHttpClient::new(Budgeted { inner, budget })
}

#[derive(Debug)]
struct Budgeted<T> {
    inner: T,
    budget: Arc<Budget>,
}

impl HttpClient for Budgeted<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Budgeted { inner, budget: self.budget.clone() })
    }
}

impl HttpConnector for Budgeted<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (inner, budget) = (self.inner.clone(), self.budget.clone());
        HttpConnectorFuture::new(async move {
            budget.turn().await;
            let mut response = inner.call(request).await?;
            if response.status().is_success() {
                return Ok(response);
            }
            // An error's body is small; its code tells throttling apart from an outage of the service.
            let body = collect(response.take_body()).await?;
            if response.status().as_u16() == 429 || code_in(&body).is_some_and(|c| known::says_throttled(&c)) {
                budget.complain();
            }
            *response.body_mut() = SdkBody::from(body);
            Ok(response)
        })
    }
}

/// The text of the first `<Code>` element.
fn code_in(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let (_, rest) = text.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_an_ec2_error_is_found() {
        let body = b"<?xml version=\"1.0\"?><Response><Errors><Error><Code>RequestLimitExceeded</Code></Error></Errors></Response>";
        assert_eq!(code_in(body).as_deref(), Some("RequestLimitExceeded"));
        assert_eq!(code_in(b"<html>bad gateway</html>"), None);
    }
}
