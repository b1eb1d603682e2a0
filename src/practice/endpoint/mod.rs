//! The HTTP face: loopback only, AWS's query and JSON protocols on one port, and the cloud's own controls beside them.

mod aws;
mod control;
mod signature;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::serve::ListenerExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::cloud::Cloud;

/// Bytes of a request; user data is the longest that there is.
const LONGEST_BODY: usize = 4 << 20;

/// Answers requests until `stop`; those under way are finished.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, cloud: Arc<Cloud>, stop: CancellationToken) -> std::io::Result<()> {
    let listener = listener.tap_io(|stream| {
        // A failure costs some milliseconds, nothing more.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router(cloud)).with_graceful_shutdown(async move { stop.cancelled().await }).await
}

/// All that is served; without a socket, for tests.
pub fn router(cloud: Arc<Cloud>) -> Router {
    let control = Router::new()
        .route("/practice/state", get(control::state))
        .route("/practice/calls", get(control::calls))
        .route("/practice/faults", get(control::faults).post(control::add_fault).delete(control::clear_faults))
        .route("/practice/faults/{id}", delete(control::remove_fault))
        .route("/practice/timing", post(control::set_timing))
        .route("/practice/machines/{id}/cut", post(control::cut));
    control.fallback(aws::answer).layer(middleware::from_fn(only_from_here)).with_state(cloud)
}

/// A page in a browser on this computer could send requests too, under a name of its own that leads to 127.0.0.1: only
/// requests to the loopback's own names are answered.
async fn only_from_here(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    if is_loopback(host) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "The practice cloud answers only to 127.0.0.1 and localhost.\n").into_response()
}

fn is_loopback(host: &str) -> bool {
    let name =
        host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(host, |(n, _)| n);
    let address = host.parse::<SocketAddr>().map(|a| a.ip()).or_else(|_| name.trim_matches(['[', ']']).parse());
    match address {
        Ok(address) => address.is_loopback(),
        Err(_) => name == "localhost" || name.ends_with(".localhost"),
    }
}

type Shared = State<Arc<Cloud>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_answered() {
        for host in ["127.0.0.1:5000", "127.9.9.9", "localhost:1", "ec2.localhost:80", "[::1]:5000", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["", "example.com", "10.0.0.1:5000", "localhost.example.com", "127.0.0.1.example.com:80"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
