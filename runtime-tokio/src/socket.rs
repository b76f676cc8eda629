//! One TCP connection: dialling, reading, writing, without waiting.

use bytes::Buf;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Pieces that one system call writes at most; Linux takes 1024.
const PIECES: usize = 64;

type Dial = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// A connection, and the waker that names it to the driver.
pub(crate) struct Socket {
    state: State,
    waker: Waker,
    /// The outbox had more than the socket took.
    pub(crate) wants_write: bool,
}

enum State {
    Dialling(Dial),
    Open(TcpStream),
}

impl Socket {
    pub(crate) fn dial(addr: SocketAddr, waker: Waker) -> Self {
        let dial = Box::pin(async move {
            let stream = TcpStream::connect(addr).await?;
            stream.set_nodelay(true)?;
            Ok(stream)
        });
        Self { state: State::Dialling(dial), waker, wants_write: false }
    }

    /// Puts the connection on the driver's list.
    pub(crate) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// Ready once when the connection is open or can not be opened; pending from then on.
    pub(crate) fn poll_open(&mut self) -> Poll<io::Result<()>> {
        let State::Dialling(dial) = &mut self.state else { return Poll::Pending };
        let stream = ready!(dial.as_mut().poll(&mut Context::from_waker(&self.waker)))?;
        self.state = State::Open(stream);
        Poll::Ready(Ok(()))
    }

    /// Reads what is there, at most a buffer of it; 0 is the end.
    pub(crate) fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let State::Open(stream) = &mut self.state else { return Poll::Pending };
        let mut buf = ReadBuf::new(buf);
        // A read that does not fill the buffer needs no second one to see that nothing is left.
        ready!(Pin::new(stream).poll_read(&mut Context::from_waker(&self.waker), &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Writes until all is written or the socket takes no more.
    pub(crate) fn write(&mut self, mut outbox: impl Buf) -> io::Result<()> {
        self.wants_write = true;
        let State::Open(stream) = &mut self.state else { return Ok(()) };
        let mut cx = Context::from_waker(&self.waker);
        while outbox.has_remaining() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let count = outbox.chunks_vectored(&mut pieces);
            let pieces = pieces.get(..count).unwrap_or_default();
            match Pin::new(&mut *stream).poll_write_vectored(&mut cx, pieces) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => outbox.advance(written),
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        self.wants_write = false;
        Ok(())
    }
}
