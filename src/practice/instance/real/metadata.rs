//! The instance metadata service, `IMDSv2` and the older way: tokens here, contents from the cloud.

use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::super::super::machine::Host;
use super::http::{Head, answer, read_head};

const LONGEST_LIFE: u32 = 21_600;

/// Serves one instance until `end`.
pub async fn serve(listener: TcpListener, instance_id: String, host: Arc<dyn Host>, end: CancellationToken) {
    // Whoever can read it is on the machine already; it only has to be another one than yesterday's.
    let token: Arc<str> = format!("AQAEA{}==", uuid::Uuid::new_v4().simple()).into();
    loop {
        let stream = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
        };
        let (instance_id, host, token, end) = (instance_id.clone(), Arc::clone(&host), Arc::clone(&token), end.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                _ = talk(stream, &instance_id, &*host, &token) => {}
            }
        });
    }
}

async fn talk(mut stream: TcpStream, instance_id: &str, host: &dyn Host, token: &str) -> std::io::Result<()> {
    let mut rest = Vec::new();
    while let Some(mut head) = read_head(&mut stream, rest).await? {
        rest = std::mem::take(&mut head.rest);
        stream.write_all(&respond(&head, instance_id, host, token)).await?;
        if head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            break;
        }
    }
    stream.shutdown().await
}

fn respond(head: &Head, instance_id: &str, host: &dyn Host, token: &str) -> Vec<u8> {
    let path = head.target.split('?').next().unwrap_or_default();
    match head.method.as_str() {
        "PUT" if path == "/latest/api/token" => {
            let life = head.header("x-aws-ec2-metadata-token-ttl-seconds").and_then(|text| text.parse::<u32>().ok());
            match life {
                Some(life @ 1..=LONGEST_LIFE) => {
                    let mut bytes = answer("200 OK", token.as_bytes());
                    let header = format!("x-aws-ec2-metadata-token-ttl-seconds: {life}\r\n");
                    let at = bytes.windows(2).position(|two| two == b"\r\n").map_or(0, |at| at + 2);
                    bytes.splice(at..at, header.into_bytes());
                    bytes
                }
                _ => answer("400 Bad Request", b""),
            }
        }
        "GET" => match head.header("x-aws-ec2-metadata-token") {
            Some(given) if given != token => answer("401 Unauthorized", b""),
            _ => match host.metadata(instance_id, path) {
                Some(body) => answer("200 OK", &body),
                None => answer("404 Not Found", b"404 - Not Found"),
            },
        },
        _ => answer("405 Method Not Allowed", b""),
    }
}
