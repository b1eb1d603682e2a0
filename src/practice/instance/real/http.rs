//! The little HTTP/1.1 that a machine's metadata service and its way out need.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

const LONGEST_HEAD: usize = 32 << 10;

/// A request's head, and what came behind it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub rest: Vec<u8>,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(there, _)| there.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Reads a head that begins with `rest`; `None`: the stream ended before one began.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin), mut rest: Vec<u8>) -> io::Result<Option<Head>> {
    loop {
        if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
            let behind = rest.split_off(end + 4);
            let mut head = parse(&rest).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
            head.rest = behind;
            return Ok(Some(head));
        }
        if rest.len() > LONGEST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(&mut rest).await? == 0 {
            return if rest.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Head> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut lines = text.split("\r\n");
    let mut words = lines.next()?.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    });
    Some(Head { method, target, headers: headers.collect::<Option<_>>()?, rest: Vec::new() })
}

/// An answer with a body; the connection stays open.
pub fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut bytes =
        format!("HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n").into_bytes();
    bytes.extend(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn heads() {
        let mut stream = &b"T /x HTTP/1.1\r\nA: b\r\nC:d \r\n\r\nbody"[..];
        let head = read_head(&mut stream, b"GE".to_vec()).await.unwrap().unwrap();
        assert_eq!((head.method.as_str(), head.target.as_str(), head.header("c")), ("GET", "/x", Some("d")));
        assert_eq!(head.rest, b"body");
        assert!(read_head(&mut &b""[..], Vec::new()).await.unwrap().is_none());
        for wrong in [&b"GET /\r\n\r\n"[..], b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"GET /"] {
            assert!(read_head(&mut &*wrong, Vec::new()).await.is_err());
        }
    }
}
