//! The byte stream under a session: TCP, perhaps through a SOCKS5 proxy, with time limits on reads and writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::failure::ConnectError;
use super::options::{Socks5, address};

/// Opens a TCP connection to `host`, through `proxy` where there is one.
pub(super) async fn dial(
    host: &str,
    port: u16,
    proxy: Option<&Socks5>,
    limit: Duration,
) -> Result<Prompt, ConnectError> {
    let Some(proxy) = proxy else { return tcp(host, port, limit).await.map(Prompt::new) };
    let failed = |why: String| ConnectError::ProxyFailed {
        proxy: address(&proxy.host, proxy.port),
        address: address(host, port),
        why,
    };
    let mut stream = tcp(&proxy.host, proxy.port, limit).await.map_err(|error| failed(error.to_string()))?;
    match tokio::time::timeout(limit, socks5(&mut stream, host, port, proxy)).await {
        Ok(Ok(())) => Ok(Prompt::new(stream)),
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("it did not answer within {} s", limit.as_secs()))),
    }
}

async fn tcp(host: &str, port: u16, limit: Duration) -> Result<TcpStream, ConnectError> {
    let address = address(host, port);
    let stream = match tokio::time::timeout(limit, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(ConnectError::of_dial(&address, &error)),
        Err(_) => return Err(ConnectError::TimedOut { address, limit }),
    };
    // A lone keystroke or request must not wait for the answer to the one before it.
    stream.set_nodelay(true).map_err(|error| ConnectError::of_dial(&address, &error))?;
    Ok(stream)
}

/// The client's half of RFC 1928 and RFC 1929. The name is resolved by the proxy.
async fn socks5(stream: &mut TcpStream, host: &str, port: u16, proxy: &Socks5) -> io::Result<()> {
    const VERSION: u8 = 5;
    const USER_AND_PASSWORD: u8 = 2;
    let user = proxy.user.as_deref().filter(|user| !user.is_empty());
    stream.write_all(if user.is_some() { &[VERSION, 2, 0, USER_AND_PASSWORD] } else { &[VERSION, 1, 0] }).await?;
    let mut chosen = [0; 2];
    stream.read_exact(&mut chosen).await?;
    if chosen[0] != VERSION {
        return Err(io::Error::other("it does not speak SOCKS5"));
    }
    match (chosen[1], user) {
        (0, _) => {}
        (USER_AND_PASSWORD, Some(user)) => {
            let mut request = vec![1];
            let password = proxy.password.as_ref().map_or("", super::Hidden::reveal);
            for text in [user, password] {
                request
                    .push(u8::try_from(text.len()).map_err(|_| io::Error::other("its user or password is too long"))?);
                request.extend_from_slice(text.as_bytes());
            }
            stream.write_all(&request).await?;
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).await?;
            if answer[1] != 0 {
                return Err(io::Error::other("it refused the user name and password"));
            }
        }
        _ => return Err(io::Error::other("it asks for a user name and password")),
    }
    let mut request = vec![VERSION, 1, 0];
    match host.parse() {
        Ok(std::net::IpAddr::V4(ip)) => {
            request.push(1);
            request.extend_from_slice(&ip.octets());
        }
        Ok(std::net::IpAddr::V6(ip)) => {
            request.push(4);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            request.extend_from_slice(&[
                3,
                u8::try_from(host.len()).map_err(|_| io::Error::other("the name is too long"))?,
            ]);
            request.extend_from_slice(host.as_bytes());
        }
    }
    request.extend_from_slice(&port.to_be_bytes());
    stream.write_all(&request).await?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await?;
    if answer[1] != 0 {
        let why = match answer[1] {
            2 => "its rules do not allow it",
            3 => "the network is unreachable from there",
            4 => "the host is unreachable from there",
            5 => "the host refused the connection",
            6 => "it took too long",
            _ => "it failed",
        };
        return Err(io::Error::other(why));
    }
    let rest = match answer[3] {
        1 => 4,
        4 => 16,
        _ => usize::from(stream.read_u8().await?),
    };
    stream.read_exact(&mut vec![0; rest + 2]).await?;
    Ok(())
}

/// What a session can run over.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Acknowledges what arrives at once while a session is made: sshd sends the answer to the first request only after the
/// acknowledgement of what it told on its own, and systems hold that back for 40 ms.
pub(super) struct Prompt {
    inner: TcpStream,
    /// Reads that are still acknowledged at once.
    left: u8,
}

impl Prompt {
    fn new(inner: TcpStream) -> Self {
        Self { inner, left: 64 }
    }
}

impl AsyncRead for Prompt {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_read(cx, buf);
        if self.left > 0 && poll.is_ready() {
            self.left -= 1;
            crate::os::socket::acknowledge_at_once(&self.inner);
        }
        poll
    }
}

impl AsyncWrite for Prompt {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

/// Breaks a stream whose read or write waits longer than allowed. The session loop of russh sends no keep-alive while it
/// waits for the socket to take bytes, so a link that dies under an upload would otherwise only end with TCP's patience.
pub(super) struct Limited<S> {
    inner: S,
    read: Limit,
    write: Limit,
}

struct Limit {
    after: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Limit {
    fn new(after: Option<Duration>) -> Self {
        Self { after, timer: None }
    }

    /// Passes on what is ready; turns a wait that became too long into an error.
    fn watch<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let (Poll::Pending, Some(after)) = (&poll, self.after) else {
            self.timer = None;
            return poll;
        };
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + after)));
        match timer.as_mut().poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => {
                let why = format!("nothing moved for {} s", after.as_secs());
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
            }
        }
    }
}

impl<S> Limited<S> {
    pub(super) fn new(inner: S, read: Option<Duration>, write: Option<Duration>) -> Self {
        Self { inner, read: Limit::new(read), write: Limit::new(write) }
    }
}

impl<S: Stream> AsyncRead for Limited<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_read(cx, buf);
        self.read.watch(cx, poll)
    }
}

impl<S: Stream> AsyncWrite for Limited<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.write.watch(cx, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
