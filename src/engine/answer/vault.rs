//! Reads a key of a secret in `HashiCorp` Vault.

use serde_json::Value as Json;

use super::{Env, cause, client, is_true};

/// The value of `key` at `path`. `VAULT_ADDR` (default `https://127.0.0.1:8200`), `VAULT_TOKEN` (else `~/.vault-token`),
/// `VAULT_NAMESPACE`, `VAULT_CACERT` and `VAULT_SKIP_VERIFY` are Vault's own settings.
///
/// A path into a version 2 store already names its `data/`, as in Packer; then the answer nests its data once more.
pub(super) async fn read(path: &str, key: &str, env: Env<'_>) -> Result<String, String> {
    let address = env("VAULT_ADDR").unwrap_or_else(|| "https://127.0.0.1:8200".to_owned());
    let Some(token) = token(env).await else {
        return Err("there is no token; set VAULT_TOKEN, or log in with `vault login`".to_owned());
    };
    let skip_verify = env("VAULT_SKIP_VERIFY").is_some_and(|v| is_true(&v));
    let client = client(env("VAULT_CACERT"), skip_verify).await?;
    let url = format!("{}/v1/{}", address.trim_end_matches('/'), path.trim_start_matches('/'));
    let mut request = client.get(url).header("X-Vault-Token", token.trim()).header("X-Vault-Request", "true");
    if let Some(namespace) = env("VAULT_NAMESPACE") {
        request = request.header("X-Vault-Namespace", namespace);
    }
    let response = request.send().await.map_err(|e| {
        format!("Vault at {address} cannot be reached: {}; set VAULT_ADDR to the server's address", cause(&e))
    })?;
    let status = response.status();
    let body: Json = response.json().await.unwrap_or(Json::Null);
    if !status.is_success() {
        let errors: Vec<_> = body["errors"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let said = if errors.is_empty() { String::new() } else { format!(": {}", errors.join("; ")) };
        return Err(match status.as_u16() {
            403 => format!("Vault refuses to show `{path}`{said}; does the token in VAULT_TOKEN allow it?"),
            404 => format!("Vault has nothing at `{path}`{said}; a version 2 store wants `data/` in the path"),
            code => format!("Vault answered with status {code}{said}"),
        });
    }
    value(&body["data"], key).ok_or_else(|| format!("the secret at `{path}` has no text under the key `{key}`"))
}

/// First as in a version 2 store, then as in version 1.
fn value(data: &Json, key: &str) -> Option<String> {
    let nested = data["data"].as_object().and_then(|data| data.get(key));
    nested.or_else(|| data.get(key)).and_then(Json::as_str).map(str::to_owned)
}

async fn token(env: Env<'_>) -> Option<String> {
    if let Some(token) = env("VAULT_TOKEN") {
        return Some(token);
    }
    let home = env("HOME").or_else(|| env("USERPROFILE"))?;
    let token = tokio::fs::read_to_string(std::path::Path::new(&home).join(".vault-token")).await.ok()?;
    Some(token.trim().to_owned()).filter(|t| !t.is_empty())
}
