//! The cloud's own calls, in JSON: what exists, what was called, which faults are on.
//!
//! What changes anything must come as `application/json`, so that no page in a browser can send it unasked.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Shared;
use crate::practice::scenario::{Fault, Timing};

fn answer(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value:#}\n")).into_response()
}

fn ok(value: &Value) -> Response {
    answer(StatusCode::OK, value)
}

fn read<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Response> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|k| k.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return Err(answer(StatusCode::UNSUPPORTED_MEDIA_TYPE, &json!({"error": "send it as application/json"})));
    }
    serde_json::from_slice(body).map_err(|e| answer(StatusCode::BAD_REQUEST, &json!({ "error": e.to_string() })))
}

pub async fn state(State(cloud): Shared) -> Response {
    ok(&cloud.state())
}

/// `?since=N`: only calls after the N-th.
pub async fn calls(State(cloud): Shared, query: axum::http::Uri) -> Response {
    let since = query.query().unwrap_or_default().split('&').find_map(|p| p.strip_prefix("since=")?.parse().ok());
    ok(&json!({ "calls": cloud.calls(since.unwrap_or(0)) }))
}

pub async fn faults(State(cloud): Shared) -> Response {
    ok(&json!({ "faults": cloud.faults(), "timing": cloud.timing() }))
}

pub async fn add_fault(State(cloud): Shared, headers: HeaderMap, body: Bytes) -> Response {
    match read::<Fault>(&headers, &body) {
        Ok(fault) => ok(&json!({ "id": cloud.add_fault(fault) })),
        Err(refused) => refused,
    }
}

pub async fn remove_fault(State(cloud): Shared, Path(id): Path<u64>) -> Response {
    if cloud.remove_fault(id) {
        ok(&json!({}))
    } else {
        answer(StatusCode::NOT_FOUND, &json!({ "error": format!("no fault {id}") }))
    }
}

pub async fn clear_faults(State(cloud): Shared) -> Response {
    cloud.clear_faults();
    ok(&json!({}))
}

pub async fn set_timing(State(cloud): Shared, headers: HeaderMap, body: Bytes) -> Response {
    match read::<Timing>(&headers, &body) {
        Ok(timing) => {
            cloud.set_timing(timing);
            ok(&json!({}))
        }
        Err(refused) => refused,
    }
}

pub async fn cut(State(cloud): Shared, Path(id): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refused) = read::<Value>(&headers, &body) {
        return refused;
    }
    cloud.cut(&id);
    ok(&json!({}))
}
