//! The way out of a machine's own network: an HTTP proxy in kiln, which sees what the host sees, but for the host itself.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio_util::sync::CancellationToken;

use super::http::{Head, answer, read_head};

/// Serves until `end`.
pub async fn serve(listener: TcpListener, end: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
        };
        let end = end.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = end.cancelled() => {}
                _ = talk(stream) => {}
            }
        });
    }
}

async fn talk(mut stream: TcpStream) -> io::Result<()> {
    let Some(head) = read_head(&mut stream, Vec::new()).await? else { return Ok(()) };
    let tunnel = head.method == "CONNECT";
    let Some((authority, path)) = place(&head) else {
        return refuse(&mut stream, "400 Bad Request", "this is a proxy: ask for a whole address").await;
    };
    let mut out = match dial(&authority).await {
        Ok(out) => out,
        Err(error) => return refuse(&mut stream, "502 Bad Gateway", &format!("{authority}: {error}")).await,
    };
    if tunnel {
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
        out.write_all(&head.rest).await?;
        copy_bidirectional(&mut stream, &mut out).await?;
        return Ok(());
    }
    // One request a connection: the next may be for another server.
    let mut request = format!("{} {path} HTTP/1.1\r\n", head.method);
    let own = ["connection", "proxy-connection", "proxy-authorization", "keep-alive"];
    for (name, value) in head.headers.iter().filter(|(name, _)| !own.iter().any(|own| name.eq_ignore_ascii_case(own))) {
        request += &format!("{name}: {value}\r\n");
    }
    request += "Connection: close\r\n\r\n";
    out.write_all(request.as_bytes()).await?;
    let (mut from, mut to) = stream.split();
    let (mut back, mut forth) = out.split();
    let chunked = head.header("transfer-encoding").is_some();
    let length = head.header("content-length").and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let body = async {
        if chunked {
            forth.write_all(&head.rest).await?;
            tokio::io::copy(&mut from, &mut forth).await?;
        } else {
            let mut body = (&head.rest[..]).chain(&mut from).take(length);
            tokio::io::copy(&mut body, &mut forth).await?;
        }
        std::future::pending::<io::Result<()>>().await
    };
    tokio::select! {
        answered = tokio::io::copy(&mut back, &mut to) => answered.map(|_| ()),
        sent = body => sent,
    }
}

async fn refuse(stream: &mut TcpStream, status: &str, why: &str) -> io::Result<()> {
    stream.write_all(&answer(status, format!("kiln practice: {why}\n").as_bytes())).await?;
    stream.shutdown().await
}

/// Server and path of a request.
fn place(head: &Head) -> Option<(String, String)> {
    if head.method == "CONNECT" {
        return Some((head.target.clone(), String::new()));
    }
    let rest = head.target.strip_prefix("http://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let authority = authority.rsplit('@').next()?;
    let port = authority.rsplit(']').next().is_some_and(|end| end.contains(':'));
    let authority = if port { authority.to_owned() } else { format!("{authority}:80") };
    Some((authority, if path.is_empty() { "/".to_owned() } else { path.to_owned() }))
}

async fn dial(authority: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    for address in lookup_host(authority).await? {
        if is_host(address) {
            last = io::Error::new(io::ErrorKind::PermissionDenied, "a machine does not reach its host");
            continue;
        }
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// This computer itself, or its link.
fn is_host(address: SocketAddr) -> bool {
    let own = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unspecified() || ip.is_unicast_link_local(),
    };
    let ip = address.ip().to_canonical();
    // An address that can be bound to is one of this computer's own.
    own(&ip) || std::net::UdpSocket::bind((ip, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let head =
            |method: &str, target: &str| Head { method: method.into(), target: target.into(), ..Head::default() };
        let pair = |a: &str, b: &str| Some((a.to_owned(), b.to_owned()));
        assert_eq!(place(&head("CONNECT", "a.b:443")), pair("a.b:443", ""));
        assert_eq!(place(&head("GET", "http://a.b/c?d")), pair("a.b:80", "/c?d"));
        assert_eq!(place(&head("GET", "http://u@a.b:8")), pair("a.b:8", "/"));
        assert_eq!(place(&head("GET", "http://[::1]/")), pair("[::1]:80", "/"));
        assert_eq!(place(&head("GET", "/x")), None);
    }

    #[test]
    fn the_host_is_out_of_reach() {
        for own in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "0.0.0.0:1", "169.254.169.254:80", "[::ffff:127.0.0.1]:1"]
        {
            assert!(is_host(own.parse().unwrap()), "{own}");
        }
        assert!(!is_host("192.0.2.1:80".parse().unwrap()));
    }
}
