//! What a runtime has to have.

use std::future::Future;
use std::io::{self, IoSlice};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

/// A runtime, as the driver needs it: TCP connections, names, one timer.
///
/// Everything is polled in the driver's task with wakers of the driver's own.
pub trait Runtime: 'static {
    /// An open connection.
    type Tcp: Tcp;
    /// The timer.
    type Timer: Timer;

    /// Opens a connection that does not wait to fill packets (`TCP_NODELAY`). Dropping the future
    /// gives up.
    fn connect(addr: SocketAddr) -> impl Future<Output = io::Result<Self::Tcp>> + Send + 'static;

    /// A host's addresses, each with the port; an error if it has none.
    fn look_up(host: String, port: u16)
    -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static;

    /// A timer that is not set.
    fn timer() -> Self::Timer;
}

/// A TCP connection that never blocks. Dropping it closes it.
///
/// Reading and writing remember a waker each: neither makes the other forget whom to wake.
pub trait Tcp: Send + Unpin + 'static {
    /// Reads what is there, at most a buffer of it; 0 is the end.
    ///
    /// # Errors
    /// The connection broke.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes as much of the pieces as the connection takes at once.
    ///
    /// # Errors
    /// The connection broke.
    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>>;
}

/// A timer that is set again and again.
pub trait Timer: Send + Unpin + 'static {
    /// Sets it to the end of `wait` from now, instead of what it was set to. A wait that the
    /// runtime's clock can not hold is for ever.
    fn set(&mut self, wait: Duration);

    /// Ready when the time has come; polled no more then until it is set again.
    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}
