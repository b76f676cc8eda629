//! async-io, as the driver needs it.

use async_io::Async;
use futures_lite::{AsyncRead, AsyncWrite};
use linger_client::driver::{Runtime, Tcp, Timer};
use std::future::Future;
use std::io::{self, IoSlice};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// Any executor; sockets and the timer are async-io's.
#[derive(Debug)]
pub enum Smol {}

impl Runtime for Smol {
    type Tcp = Stream;
    type Timer = Alarm;

    async fn connect(addr: SocketAddr) -> io::Result<Stream> {
        let stream = Async::<TcpStream>::connect(addr).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(Stream(stream))
    }

    async fn look_up(host: String, port: u16) -> io::Result<Vec<SocketAddr>> {
        blocking::unblock(move || Ok((host, port).to_socket_addrs()?.collect())).await
    }

    fn timer() -> Alarm {
        Alarm(async_io::Timer::never())
    }
}

/// A connection of async-io's.
#[derive(Debug)]
pub struct Stream(Async<TcpStream>);

impl Tcp for Stream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, pieces: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, pieces)
    }
}

/// A timer of async-io's.
#[derive(Debug)]
pub struct Alarm(async_io::Timer);

impl Timer for Alarm {
    fn set(&mut self, wait: Duration) {
        self.0.set_after(wait);
    }

    fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}
