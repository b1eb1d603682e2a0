//! Reads a key of Consul's key-value store.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Env, cause, client, is_true};

/// Slashes part a key's folders and stay.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// The text at a key. `CONSUL_HTTP_ADDR` (default `127.0.0.1:8500`), `CONSUL_HTTP_TOKEN`, `CONSUL_HTTP_SSL`,
/// `CONSUL_HTTP_SSL_VERIFY`, `CONSUL_CACERT` and `CONSUL_NAMESPACE` are Consul's own settings.
pub(super) async fn read(path: &str, env: Env<'_>) -> Result<String, String> {
    let address = env("CONSUL_HTTP_ADDR").unwrap_or_else(|| "127.0.0.1:8500".to_owned());
    let base = if address.contains("://") {
        address.clone()
    } else if env("CONSUL_HTTP_SSL").is_some_and(|v| is_true(&v)) {
        format!("https://{address}")
    } else {
        format!("http://{address}")
    };
    let skip_verify = env("CONSUL_HTTP_SSL_VERIFY").is_some_and(|v| !is_true(&v));
    let client = client(env("CONSUL_CACERT"), skip_verify).await?;
    let key = utf8_percent_encode(path.trim_start_matches('/'), KEY);
    let mut request = client.get(format!("{}/v1/kv/{key}?raw", base.trim_end_matches('/')));
    if let Some(token) = env("CONSUL_HTTP_TOKEN") {
        request = request.header("X-Consul-Token", token);
    }
    if let Some(namespace) = env("CONSUL_NAMESPACE") {
        request = request.header("X-Consul-Namespace", namespace);
    }
    let response = request.send().await.map_err(|e| {
        format!("Consul at {address} cannot be reached: {}; set CONSUL_HTTP_ADDR to the server's address", cause(&e))
    })?;
    let status = response.status();
    match status.as_u16() {
        200..=299 => {}
        403 => return Err(format!("Consul refuses to show `{path}`; does the token in CONSUL_HTTP_TOKEN allow it?")),
        404 => return Err(format!("Consul has no key `{path}`")),
        code => return Err(format!("Consul answered with status {code}")),
    }
    let text = response.text().await.map_err(|e| format!("Consul's answer broke off: {}", cause(&e)))?;
    if text.is_empty() { Err(format!("the key `{path}` is empty in Consul")) } else { Ok(text) }
}
