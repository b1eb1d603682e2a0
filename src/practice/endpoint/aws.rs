//! AWS's protocols: a form or JSON in, XML or JSON out.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde_json::{Value, json};

use super::signature::{Caller, caller};
use super::{LONGEST_BODY, Shared};
use crate::practice::cloud::{Asked, Cloud};
use crate::practice::wire::{Refusal, decode, form, model};

/// Every request that is none of the cloud's own.
pub async fn answer(State(cloud): Shared, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let request_id = uuid::Uuid::new_v4().to_string();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let Ok(body) = axum::body::to_bytes(body, LONGEST_BODY).await else {
        let refusal =
            Refusal::new("RequestEntityTooLarge", "The request is longer than any that is served").status(413);
        return xml(refusal.status, refusal.ec2_body(&request_id), &request_id);
    };
    if let Some(target) = parts.headers.get("x-amz-target").and_then(|t| t.to_str().ok()) {
        return json_call(&cloud, &parts.headers, target, &body, &request_id).await;
    }
    query_call(&cloud, &parts.headers, &query, &body, &request_id).await
}

async fn query_call(
    cloud: &std::sync::Arc<Cloud>,
    headers: &HeaderMap,
    query: &str,
    body: &[u8],
    id: &str,
) -> Response {
    let understood = understand(headers, query, body);
    let (asked, service) = match understood {
        Ok(understood) => understood,
        Err((refusal, service)) => {
            cloud.refused(&refusal, body);
            return refused(&refusal, service, id);
        }
    };
    let action = asked.action.clone();
    match cloud.call(asked).await {
        Ok(Some(inside)) => done(service, &action, &inside, id),
        Ok(None) => lost(),
        Err(refusal) => refused(&refusal, Some(service), id),
    }
}

type Service = &'static model::Service;

/// What is asked, by whom.
fn understand(headers: &HeaderMap, query: &str, body: &[u8]) -> Result<(Asked, Service), (Refusal, Option<Service>)> {
    let mut fields = form::parse(query.as_bytes()).map_err(|r| (r, None))?;
    fields.extend(form::parse(body).map_err(|r| (r, None))?);
    let action = fields.iter().find(|(name, _)| name == "Action").map(|(_, a)| a.clone()).unwrap_or_default();
    let unsigned = action == "AssumeRoleWithWebIdentity";
    let caller = match caller(headers, &fields) {
        Err(_) if unsigned => {
            Caller { access_key: String::new(), region: "us-east-1".to_owned(), service: "sts".to_owned() }
        }
        other => other.map_err(|r| (r, None))?,
    };
    let service = model::service(&caller.service).ok_or_else(|| {
        let text = format!("The practice cloud does not serve {}", caller.service);
        (Refusal::new("InvalidAction", text), None)
    })?;
    let refuse = |r| (r, Some(service));
    if action.is_empty() {
        return Err(refuse(Refusal::new("MissingAction", "The request must contain the parameter Action")));
    }
    if !service.actions.contains_key(action.as_str()) {
        let text = format!("The action {action} is not valid for this web service.");
        return Err(refuse(Refusal::new("InvalidAction", text)));
    }
    let input = decode::decode(service, &action, &fields).map_err(refuse)?;
    let asked = Asked {
        service: service.name.to_owned(),
        action,
        access_key: caller.access_key,
        region: caller.region,
        input,
        json: false,
    };
    Ok((asked, service))
}

fn done(service: Service, action: &str, inside: &str, id: &str) -> Response {
    let mut x = crate::practice::wire::Xml::document();
    x.root(&format!("{action}Response"), service.namespace, |x| {
        if service.name == "ec2" {
            x.text("requestId", id).append(inside);
        } else {
            x.node(&format!("{action}Result"), |x| _ = x.append(inside));
            x.node("ResponseMetadata", |x| _ = x.text("RequestId", id));
        }
    });
    xml(200, x.finish(), id)
}

fn refused(refusal: &Refusal, service: Option<Service>, id: &str) -> Response {
    let body = match service {
        Some(service) if service.name != "ec2" => refusal.query_body(service.namespace, id),
        _ => refusal.ec2_body(id),
    };
    xml(refusal.status, body, id)
}

fn xml(status: u16, body: String, id: &str) -> Response {
    whole(status, "text/xml;charset=UTF-8", body, id)
}

fn whole(status: u16, kind: &'static str, body: String, id: &str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert("x-amzn-requestid", id);
    }
    response
}

/// A body that fails before its first byte: the connection ends without an answer.
fn lost() -> Response {
    let failure = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "the answer is lost by a fault");
    let stream = futures_util::stream::once(std::future::ready(Err::<bytes::Bytes, _>(failure)));
    Response::new(Body::from_stream(stream))
}

/// Of answers of the JSON services.
const KIND: &str = "application/x-amz-json-1.1";

async fn json_call(
    cloud: &std::sync::Arc<Cloud>,
    headers: &HeaderMap,
    target: &str,
    body: &[u8],
    id: &str,
) -> Response {
    let answer = match json_asked(headers, target, body) {
        Ok(asked) => cloud.call(asked).await,
        Err(refusal) => {
            cloud.refused(&refusal, target.as_bytes());
            Err(refusal)
        }
    };
    match answer {
        Ok(Some(text)) => whole(200, KIND, text, id),
        Ok(None) => lost(),
        Err(refusal) => {
            let body = json!({ "__type": refusal.code, "message": refusal.message }).to_string();
            whole(refusal.status, KIND, body, id)
        }
    }
}

fn json_asked(headers: &HeaderMap, target: &str, body: &[u8]) -> Result<Asked, Refusal> {
    let caller = caller(headers, &[])?;
    if !crate::practice::world::TARGETS.contains(&target) {
        return Err(Refusal::new("UnknownOperationException", format!("The practice cloud does not serve {target}")));
    }
    let input: Value = if body.is_empty() {
        json!({})
    } else {
        serde_json::from_slice(body).map_err(|e| Refusal::new("SerializationException", e.to_string()))?
    };
    Ok(Asked {
        service: caller.service,
        action: target.to_owned(),
        access_key: caller.access_key,
        region: caller.region,
        input,
        json: true,
    })
}
