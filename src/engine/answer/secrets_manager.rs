//! Reads a secret of AWS Secrets Manager.

use aws_config::BehaviorVersion;
use aws_sdk_secretsmanager::error::{DisplayErrorContext, ProvideErrorMetadata};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, Connector};
use serde_json::Value as Json;

/// The current version of a secret: the whole of it where `raw`, else the value of `key`, or of its only key.
///
/// Credentials, region and `AWS_ENDPOINT_URL` come from AWS's default chain.
pub(super) async fn read(name: &str, key: Option<&str>, raw: bool) -> Result<String, String> {
    let proxy = ProxyConfig::from_env();
    let http = Builder::new().build_with_connector_fn(move |settings, components| {
        let mut connector = Connector::builder().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        connector.set_proxy_config(Some(proxy.clone()));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(|c| c.sleep_impl()));
        connector.build()
    });
    let config = aws_config::defaults(BehaviorVersion::latest()).http_client(http).load().await;
    if config.region().is_none() {
        return Err("no AWS region is set; set AWS_REGION".to_owned());
    }
    let client = aws_sdk_secretsmanager::Client::new(&config);
    let got = client.get_secret_value().secret_id(name).version_stage("AWSCURRENT").send().await;
    let got = got.map_err(|error| match (error.code(), error.message()) {
        (Some(code), message) => format!("AWS refused ({code}): {}", message.unwrap_or("it gave no reason")),
        _ => format!("AWS Secrets Manager cannot be asked: {}; are credentials set?", DisplayErrorContext(&error)),
    })?;
    let Some(text) = got.secret_string() else {
        return Err(format!("the secret `{name}` is binary; only text can be used"));
    };
    if raw { Ok(text.to_owned()) } else { select(name, text, key) }
}

/// The value of one key, as Packer picks it: text that is no JSON object is taken whole.
pub(super) fn select(name: &str, text: &str, key: Option<&str>) -> Result<String, String> {
    let Ok(Json::Object(map)) = serde_json::from_str::<Json>(text) else { return Ok(text.to_owned()) };
    let keys = || map.keys().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
    let (key, value) = match key.filter(|k| !k.is_empty()) {
        Some(key) => {
            let value = map.get(key);
            (key, value.ok_or_else(|| format!("the secret `{name}` has no key `{key}`; it has {}", keys()))?)
        }
        None if map.len() > 1 => return Err(format!("the secret `{name}` has several keys; name one of {}", keys())),
        None => match map.iter().next() {
            Some((key, value)) => (key.as_str(), value),
            None => return Err(format!("the secret `{name}` is an empty object")),
        },
    };
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Number(number) => Ok(number.to_string()),
        _ => Err(format!("the value of `{key}` in the secret `{name}` is neither a string nor a number")),
    }
}
