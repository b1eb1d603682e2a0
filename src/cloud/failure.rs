//! An AWS error in words: what was asked, what AWS said, and the way out.

use aws_sdk_ec2::config::http::HttpResponse;
use aws_sdk_ec2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ec2::operation::RequestId as _;

use super::known;
use crate::run::{Failure, FailureKind};

/// The failure for an error of an AWS call. `what` says what was tried, without a final full stop:
/// `cannot launch the source instance`.
#[must_use]
pub fn failure<E>(err: &SdkError<E, HttpResponse>, what: &str) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(code) = code_of(err) {
        let meta = err.meta();
        let message = meta.message().unwrap_or("no message").trim_end_matches('.');
        let kind = FailureKind::Aws { code: code.to_owned(), request_id: request_id(err) };
        let failure = Failure::new(kind, format!("{what}: {message} ({code})"));
        return match known::way_out(code, message) {
            Some(help) => failure.help(help),
            None => failure,
        };
    }
    match err {
        SdkError::TimeoutError(_) => Failure::timed_out(format!("{what}: AWS did not answer in time"))
            .help("check the network, proxy settings (`HTTPS_PROXY`) and the region's name"),
        SdkError::ResponseError(e) => {
            let status = e.raw().status().as_u16();
            Failure::other(format!("{what}: the answer cannot be read (HTTP status {status}): {}", chain(err)))
                .help("check that the endpoint or proxy really is AWS, or speaks its protocol")
        }
        SdkError::ServiceError(e) => {
            let status = e.raw().status().as_u16();
            Failure::other(format!("{what}: HTTP status {status} without an error code"))
                .help("check that the endpoint or proxy really is AWS, or speaks its protocol")
        }
        _ => unreached(&chain(err), what),
    }
}

/// The id under which AWS's support finds the call: of the header, else of the body.
fn request_id<E: ProvideErrorMetadata>(err: &SdkError<E, HttpResponse>) -> Option<String> {
    if let Some(id) = err.as_service_error().and_then(|e| e.meta().request_id()) {
        return Some(id.to_owned());
    }
    let body = String::from_utf8_lossy(err.raw_response()?.body().bytes()?);
    let (_, rest) = body.split_once("<RequestID>").or_else(|| body.split_once("<RequestId>"))?;
    rest.split_once('<').map(|(id, _)| id.trim().to_owned()).filter(|id| !id.is_empty())
}

/// What is said when no answer came at all.
fn unreached(reason: &str, what: &str) -> Failure {
    let lower = reason.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| lower.contains(w));
    let help = if says(&["credential"]) {
        known::CREDENTIALS
    } else if says(&["dns", "resolve", "lookup", "name or service not known"]) {
        "check the region's name and the network; a proxy is taken from `HTTPS_PROXY`"
    } else if says(&["certificate", "unknownissuer", "tls"]) {
        "name the certificate authority of your proxy in `AWS_CA_BUNDLE`"
    } else if says(&["refused"]) {
        "nothing listens there: check `custom_endpoint_ec2`, `AWS_ENDPOINT_URL` and the proxy settings"
    } else {
        "check the network, the endpoint and the proxy settings (`HTTPS_PROXY`, `NO_PROXY`)"
    };
    Failure::other(format!("{what}: {reason}")).help(help)
}

/// The causes of an error, innermost last, without what repeats itself.
pub(super) fn chain(err: &(dyn std::error::Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(err);
    while let Some(e) = next {
        let text = e.to_string();
        if !said.iter().any(|s| s.contains(&text)) {
            said.push(text);
        }
        next = e.source();
    }
    said.join(": ")
}

/// AWS's error code, when it gave one.
#[must_use]
pub fn code_of<E: ProvideErrorMetadata>(err: &SdkError<E, HttpResponse>) -> Option<&str> {
    err.as_service_error().and_then(ProvideErrorMetadata::code)
}

/// Whether AWS says that the thing does not exist (`InvalidInstanceID.NotFound`, `NoSuchEntity`, …).
#[must_use]
pub fn is_not_found<E: ProvideErrorMetadata>(err: &SdkError<E, HttpResponse>) -> bool {
    code_of(err).is_some_and(known::says_not_found)
}

/// Whether AWS refused for being asked too often.
#[must_use]
pub fn is_throttled<E: ProvideErrorMetadata>(err: &SdkError<E, HttpResponse>) -> bool {
    code_of(err).is_some_and(known::says_throttled)
}
