//! A connection with what is wrong with it: cut after so many bytes, slow, or broken at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::super::super::machine::LinkFaults;

/// A slow link takes at most what it can pass on in this time.
const SLICE: Duration = Duration::from_millis(50);

pub struct Link {
    stream: TcpStream,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    /// Bytes to the client that are still let through.
    left: Option<u64>,
    per_second: Option<u64>,
    /// When the next bytes may go.
    next: Option<Pin<Box<Sleep>>>,
}

impl Link {
    pub fn new(stream: TcpStream, faults: &LinkFaults, cut: CancellationToken) -> Self {
        Self {
            stream,
            cut: Box::pin(cut.cancelled_owned()),
            left: faults.drop_after_bytes,
            per_second: faults.bytes_per_second.filter(|rate| *rate > 0),
            next: None,
        }
    }

    fn broken(&mut self, cx: &mut Context<'_>) -> bool {
        self.left == Some(0) || self.cut.as_mut().poll(cx).is_ready()
    }
}

fn reset<T>() -> Poll<io::Result<T>> {
    Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
}

impl AsyncRead for Link {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.broken(cx) {
            return reset();
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Link {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken(cx) {
            return reset();
        }
        if let Some(wait) = &mut self.next {
            ready!(wait.as_mut().poll(cx));
            self.next = None;
        }
        let mut most = buf.len() as u64;
        if let Some(left) = self.left {
            most = most.min(left);
        }
        if let Some(rate) = self.per_second {
            let slice = u128::from(rate) * SLICE.as_millis() / 1000;
            most = most.min(u64::try_from(slice).unwrap_or(u64::MAX).max(1));
        }
        let most = usize::try_from(most).unwrap_or(buf.len());
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, &buf[..most]))?;
        if let Some(left) = &mut self.left {
            *left -= written as u64;
        }
        if let Some(rate) = self.per_second {
            let nanos = u128::from(written as u64) * 1_000_000_000 / u128::from(rate);
            let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
            self.next = Some(Box::pin(tokio::time::sleep_until(Instant::now() + wait)));
        }
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
