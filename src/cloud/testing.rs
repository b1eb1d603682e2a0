//! A tiny endpoint for tests: HTTP/1.1 with keep-alive, answers by a function of the call's parameters.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The parameters of a call, `Action` among them.
pub(super) type Call = BTreeMap<String, String>;
type Answer = dyn Fn(&Call, usize) -> (u16, String) + Send + Sync;

pub(super) struct Endpoint {
    pub(super) url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Endpoint {
    /// Answers each call with a status and a body; `answer` gets the call and how many of its action came before.
    pub(super) async fn start(answer: impl Fn(&Call, usize) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls: Arc<Mutex<Vec<Call>>> = Arc::default();
        let (seen, answer): (_, Arc<Answer>) = (calls.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, seen.clone(), answer.clone()));
            }
        });
        Self { url, calls }
    }

    pub(super) fn calls(&self, action: &str) -> Vec<Call> {
        let calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.iter().filter(|c| c["Action"] == action).cloned().collect()
    }

    pub(super) fn access(&self) -> super::Access {
        super::Access {
            access_key: "AK".into(),
            secret_key: "SK".into(),
            region: "us-east-1".into(),
            custom_endpoint_ec2: self.url.clone(),
            ..super::Access::default()
        }
    }

    pub(super) async fn region(&self) -> Arc<super::Region> {
        super::Clouds::default().account(&self.access()).await.unwrap().region("us-east-1")
    }
}

/// The values of `InstanceId.1`, `InstanceId.2`, ….
pub(super) fn ids(call: &Call, name: &str) -> Vec<String> {
    (1..).map_while(|i| call.get(&format!("{name}.{i}")).cloned()).collect()
}

pub(super) fn error(status: u16, code: &str, message: &str) -> (u16, String) {
    let body = format!(
        "<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>\
         <RequestID>req-1</RequestID></Response>"
    );
    (status, body)
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Call>>>, answer: Arc<Answer>) {
    let mut buffer = Vec::new();
    loop {
        let Some(body) = request(&mut stream, &mut buffer).await else { return };
        let call: Call = body
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(k, v)| {
                let text = v.replace('+', " ");
                (k.to_owned(), percent_encoding::percent_decode_str(&text).decode_utf8_lossy().into_owned())
            })
            .collect();
        let (status, body) = {
            let mut calls = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let before = calls.iter().filter(|c| c.get("Action") == call.get("Action")).count();
            calls.push(call.clone());
            answer(&call, before)
        };
        let head = format!("HTTP/1.1 {status} X\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n", body.len());
        if stream.write_all((head + &body).as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request on the connection.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length =
                head.lines().find_map(|l| l.strip_prefix("content-length:")).map_or(0, |n| n.trim().parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = String::from_utf8_lossy(&buffer[end + 4..end + 4 + length]).into_owned();
                buffer.drain(..end + 4 + length);
                return Some(body);
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}
