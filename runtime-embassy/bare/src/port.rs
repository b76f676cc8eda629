//! A clock that ticks when it is looked at, and a network where one peer listens and says nothing.

use alloc::vec::Vec;
use core::cell::RefCell;
use core::convert::Infallible;
use core::future::pending;
use core::net::{IpAddr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::task::Waker;
use embassy_time_driver::{Driver, TICK_HZ};
use embedded_io_async::{ErrorType, Read, Write};
use embedded_nal_async::{AddrType, Dns, TcpConnect};

struct Ticks(AtomicU64);

impl Driver for Ticks {
    /// A millisecond later than the last time.
    fn now(&self) -> u64 {
        self.0.fetch_add(TICK_HZ / 1000, Ordering::Relaxed)
    }

    /// Whoever waits is polled all the time.
    fn schedule_wake(&self, _: u64, _: &Waker) {}
}

embassy_time_driver::time_driver_impl!(static TICKS: Ticks = Ticks(AtomicU64::new(0)));

/// The network: what was written to the peer.
#[derive(Default)]
pub struct Wire(RefCell<Vec<u8>>);

impl Wire {
    pub fn written(&self) -> Vec<u8> {
        self.0.borrow().clone()
    }
}

pub struct Connection<'a>(&'a Wire);

impl TcpConnect for Wire {
    type Error = Infallible;
    type Connection<'a> = Connection<'a>;

    async fn connect<'a>(&'a self, _: SocketAddr) -> Result<Connection<'a>, Infallible> {
        Ok(Connection(self))
    }
}

impl ErrorType for Connection<'_> {
    type Error = Infallible;
}

impl Read for Connection<'_> {
    async fn read(&mut self, _: &mut [u8]) -> Result<usize, Infallible> {
        pending().await
    }
}

impl Write for Connection<'_> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.0.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    async fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Dns for Wire {
    type Error = Infallible;

    async fn get_host_by_name(&self, _: &str, _: AddrType) -> Result<IpAddr, Infallible> {
        pending().await
    }

    async fn get_host_by_address(&self, _: IpAddr, _: &mut [u8]) -> Result<usize, Infallible> {
        pending().await
    }
}
