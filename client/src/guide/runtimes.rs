//! Runtimes: which adapter to take, and loops of one's own.
//!
//! | adapter | executor | sockets | handles |
//! |---|---|---|---|
//! | `linger-tokio` | tokio's current runtime, which has I/O and time enabled | tokio | this crate's |
//! | `linger-smol` | any: `smol`, `async-executor`, one of your own | async-io | this crate's |
//! | `linger-embassy` | embassy's, without std | embedded-nal-async | its own, of the same shape |
//! | none | your event loop | yours | none: `linger_core::Client` |
//!
//! The first two differ in [`connect`](#connecting) alone: both run this crate's
//! [`Driver`](crate::driver::Driver), a single task that owns all sockets of a client. Handles work in any
//! executor and on any thread, also in another one than the driver's.
//!
//! # Connecting
//!
//! With tokio the driver is spawned on the current runtime: `linger_tokio::connect(settings).await?`. With smol
//! there is no current one, so it is given: `linger_smol::connect(&executor, settings).await?`, or
//! `linger_smol::start(options)?` gives the driver to spawn where one likes.
//!
//! # A runtime of one's own
//!
//! What has TCP and a timer needs three small implementations. This one is complete but for the I/O:
//!
//! ```
//! use linger_client::driver::{Driver, Runtime, Tcp, Timer};
//! use linger_client::{Cluster, ConnectOptions, Error};
//! use std::io::{self, IoSlice};
//! use std::net::SocketAddr;
//! use std::task::{Context, Poll};
//! use std::time::Duration;
//!
//! enum Mine {}
//! struct Socket;
//! struct Alarm;
//!
//! impl Runtime for Mine {
//!     type Tcp = Socket;
//!     type Timer = Alarm;
//!     async fn connect(_: SocketAddr) -> io::Result<Socket> { Ok(Socket) }
//!     async fn look_up(_: String, _: u16) -> io::Result<Vec<SocketAddr>> { Ok(Vec::new()) }
//!     fn timer() -> Alarm { Alarm }
//! }
//!
//! impl Tcp for Socket {
//!     fn poll_read(&mut self, _: &mut Context<'_>, _: &mut [u8]) -> Poll<io::Result<usize>> { Poll::Pending }
//!     fn poll_write(&mut self, _: &mut Context<'_>, _: &[IoSlice<'_>]) -> Poll<io::Result<usize>> { Poll::Pending }
//! }
//!
//! impl Timer for Alarm {
//!     fn set(&mut self, _: Duration) {}
//!     fn poll_due(&mut self, _: &mut Context<'_>) -> Poll<()> { Poll::Pending }
//! }
//!
//! async fn connect(options: ConnectOptions, spawn: impl FnOnce(Driver<Mine>)) -> Result<Cluster, Error> {
//!     let (driver, connecting) = Driver::new(options)?;
//!     spawn(driver);
//!     connecting.await
//! }
//! ```
//!
//! # A loop of one's own
//!
//! Without async, drive `linger_core::Client`: the front page of `linger-core` has the loop in 40 lines, and
//! `examples/src/bin/poll_loop` in the repository is a whole program: one thread, mio, another protocol on the
//! same loop, and back-pressure from that protocol's peer to the watches. Its order is the recipe:
//!
//! 1. drain `poll_output` until it says to wait, and take events while there is room for what they cause;
//! 2. sleep until a socket is ready or the deadline comes;
//! 3. hand in what the sockets have, all of it;
//! 4. then call `handle_timeout`: answers that are there count before time that has passed.
