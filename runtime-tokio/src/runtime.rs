//! tokio, as the driver needs it.

use linger_client::driver::{Runtime, Tcp, Timer};
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// The current tokio runtime.
pub(crate) enum Tokio {}

impl Runtime for Tokio {
    type Tcp = Stream;
    type Timer = Alarm;

    async fn connect(addr: SocketAddr) -> io::Result<Stream> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(Stream(stream))
    }

    async fn look_up(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    fn timer() -> Alarm {
        Alarm(Box::pin(sleep(Duration::ZERO)))
    }
}

pub(crate) struct Stream(TcpStream);

impl Tcp for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(buf);
        // A read that does not fill the buffer needs no second one to see that nothing is left.
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, pieces)
    }
}

pub(crate) struct Alarm(Pin<Box<Sleep>>);

impl Timer for Alarm {
    fn set(&mut self, wait: Duration) {
        match Instant::now().checked_add(wait) {
            Some(at) => self.0.as_mut().reset(at),
            // The runtime's own idea of for ever.
            None => self.0.set(sleep(Duration::MAX)),
        }
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}
