//! std's sockets and names, as embedded-nal-async has them.

use async_io::Async;
use embedded_io_adapters::futures_03::FromFutures;
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs};

/// The host's network.
#[derive(Debug, Clone, Copy)]
pub struct Host;

impl TcpConnect for Host {
    type Error = io::Error;
    type Connection<'a> = FromFutures<Async<TcpStream>>;

    async fn connect(&self, remote: SocketAddr) -> io::Result<FromFutures<Async<TcpStream>>> {
        let stream = Async::<TcpStream>::connect(remote).await?;
        stream.get_ref().set_nodelay(true)?;
        Ok(FromFutures::new(stream))
    }
}

impl Dns for Host {
    type Error = io::Error;

    /// Blocks for as long as the system's resolver does.
    async fn get_host_by_name(&self, host: &str, _: AddrType) -> io::Result<IpAddr> {
        let addr = (host, 0).to_socket_addrs()?.next();
        addr.map(|addr| addr.ip()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }
}
