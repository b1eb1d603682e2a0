//! What the data sources of HCL2 templates give.

use serde_json::{Map, Value as Json, json};

use super::secrets_manager;
use crate::component::builder::amazon::data_source;

/// Asks a data source; what it gives as JSON. `config`: its attributes as JSON.
pub(super) async fn read(kind: &str, config: &str) -> Result<String, String> {
    let config: Map<String, Json> = serde_json::from_str(config).map_err(|e| e.to_string())?;
    let given = match kind {
        "http" => http(&config).await?,
        "amazon-ami" => data_source::ami(Json::Object(config)).await.map_err(|failure| failure.to_string())?,
        "amazon-secretsmanager" => secret(&config).await?,
        _ => return Err("this version of kiln cannot ask it; give the value by a variable instead".into()),
    };
    Ok(given.to_string())
}

fn text<'c>(config: &'c Map<String, Json>, key: &str) -> Option<&'c str> {
    config.get(key).and_then(Json::as_str).filter(|t| !t.is_empty())
}

async fn secret(config: &Map<String, Json>) -> Result<Json, String> {
    let name = text(config, "name").ok_or("it needs `name`")?;
    if let Some(key) = config.keys().find(|k| !matches!(k.as_str(), "name" | "key")) {
        return Err(format!("this version of kiln does not know its attribute `{key}`"));
    }
    let whole = secrets_manager::read(name, None, true).await?;
    let value = match text(config, "key") {
        Some(key) => secrets_manager::read(name, Some(key), false).await?,
        None => secrets_manager::read(name, None, false).await.unwrap_or_else(|_| whole.clone()),
    };
    Ok(json!({ "value": value, "secret_string": whole, "secret_binary": "", "version_id": "" }))
}

async fn http(config: &Map<String, Json>) -> Result<Json, String> {
    let url = text(config, "url").ok_or("it needs `url`")?;
    let method = text(config, "method").unwrap_or("GET");
    if !matches!(method, "HEAD" | "GET" | "POST" | "PUT" | "DELETE" | "OPTIONS" | "PATCH") {
        return Err(format!("there is no method `{method}`; write one such as `GET`"));
    }
    let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|e| e.to_string())?;
    let mut request = reqwest::Client::new().request(method, url);
    if let Some(Json::Object(headers)) = config.get("request_headers") {
        for (name, value) in headers {
            request = request.header(name, value.as_str().unwrap_or_default());
        }
    }
    if let Some(body) = text(config, "request_body") {
        request = request.body(body.to_owned());
    }
    let answer = request.send().await.map_err(|e| format!("`{url}`: {}", e.without_url()))?;
    if !answer.status().is_success() {
        return Err(format!("`{url}` answers {}", answer.status()));
    }
    let body = answer.text().await.map_err(|e| e.without_url().to_string())?;
    let headers = config.get("request_headers").cloned().unwrap_or_else(|| json!({}));
    Ok(json!({ "url": url, "body": body, "request_headers": headers }))
}
