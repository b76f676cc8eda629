//! One TCP connection: dialling, reading, writing, without waiting.

use super::{Runtime, Tcp};
use bytes::Buf;
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

/// Pieces that one system call writes at most; Linux takes 1024.
const PIECES: usize = 64;

type Dial<T> = Pin<Box<dyn Future<Output = io::Result<T>> + Send>>;

/// A connection, and the waker that names it to the driver.
pub(super) struct Socket<T> {
    state: State<T>,
    waker: Waker,
    /// The outbox had more than the socket took.
    pub(super) wants_write: bool,
}

enum State<T> {
    Dialling(Dial<T>),
    Open(T),
}

impl<T: Tcp> Socket<T> {
    pub(super) fn dial<R: Runtime<Tcp = T>>(addr: SocketAddr, waker: Waker) -> Self {
        Self { state: State::Dialling(Box::pin(R::connect(addr))), waker, wants_write: false }
    }

    /// Puts the connection on the driver's list.
    pub(super) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    /// Ready once when the connection is open or can not be opened; pending from then on.
    pub(super) fn poll_open(&mut self) -> Poll<io::Result<()>> {
        let State::Dialling(dial) = &mut self.state else { return Poll::Pending };
        let tcp = ready!(dial.as_mut().poll(&mut Context::from_waker(&self.waker)))?;
        self.state = State::Open(tcp);
        Poll::Ready(Ok(()))
    }

    /// Reads what is there, at most a buffer of it; 0 is the end.
    pub(super) fn poll_read(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let State::Open(tcp) = &mut self.state else { return Poll::Pending };
        tcp.poll_read(&mut Context::from_waker(&self.waker), buf)
    }

    /// Writes until all is written or the socket takes no more.
    pub(super) fn write(&mut self, mut outbox: impl Buf) -> io::Result<()> {
        self.wants_write = true;
        let State::Open(tcp) = &mut self.state else { return Ok(()) };
        let mut cx = Context::from_waker(&self.waker);
        while outbox.has_remaining() {
            let mut pieces = [IoSlice::new(&[]); PIECES];
            let count = outbox.chunks_vectored(&mut pieces);
            let pieces = pieces.get(..count).unwrap_or_default();
            match tcp.poll_write(&mut cx, pieces) {
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
