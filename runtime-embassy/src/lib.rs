//! linger on embassy: watch and notify objects of a Ceph cluster, without std.
//!
//! [`new`] gives a [`Cluster`] and its [`Runner`]. The runner does the I/O and has a task of its own;
//! the cluster, its watches and notifies belong to any tasks of the same executor.
//!
//! ```no_run
//! use core::time::Duration;
//! use embedded_nal_async::{Dns, TcpConnect};
//! use linger_embassy::{Config, ObjectRef, Runner, UnixTime, WatchEvent, WatchOptions};
//!
//! async fn watch<N: TcpConnect, D: Dns>(net: N, dns: D, config: Config, seed: [u8; 32]) {
//!     let (cluster, runner) = linger_embassy::new(net, dns, config, UnixTime::default(), seed).unwrap();
//!     let user = async {
//!         let mut watch = cluster.watch(ObjectRef::new("rbd", "greeting"), WatchOptions::default()).unwrap();
//!         while let Some(event) = watch.next().await {
//!             if let WatchEvent::Notify(notify) = event {
//!                 // notify.payload, and then the answer, for which the notifier waits:
//!                 let _ = watch.ack(notify.token, "seen");
//!             }
//!         }
//!     };
//!     // In a program the runner is spawned as a task.
//!     futures_util::future::join(runner.run(), user).await;
//! }
//! ```
//!
//! # What it takes
//!
//! * An allocator, and atomics as wide as a pointer. How much is allocated is bounded by
//!   [`Limits`]: see there, and lower what a device has no room for, above all `front_bytes` (an OSD
//!   map must fit), `data_bytes`, `notify_bytes` and `outbox_bytes`. There are two buffers of
//!   [`IO_BYTES`] for each connection, of which there is one to a monitor (three while looking for one)
//!   and one to each OSD that has a watched object.
//! * A TCP stack with [`TcpConnect`](embedded_nal_async::TcpConnect), as embassy-net's `TcpClient` is.
//!   Dropping a future of its `read` must not lose bytes, which embassy-net's does not.
//! * [`Dns`](embedded_nal_async::Dns), where monitors are named by host names. It knows no service records, so
//!   some have to be named.
//! * A clock: the time driver of embassy-time, at any tick rate. It should run on while the device
//!   sleeps: a watch's lease at its OSD does.
//! * 32 bytes of entropy for each client, and the time of day if there is one: it becomes the
//!   modification time of objects that are written.
#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

mod cluster;
mod op;
mod runner;
mod shared;
mod socket;
mod watch;

pub use cluster::Cluster;
pub use op::{Notify, Pending};
pub use runner::Runner;
pub use socket::IO_BYTES;
pub use watch::Watch;

pub use linger_core::auth::Credentials;
pub use linger_core::mon_host::MonHost;
pub use linger_core::{
    AckToken, Call, CallOutput, CommandError, Config, ConfigError, ConnFault, LeftBehind, Limits, Live,
    NotifyOutcome, ObjectRef, OnDrop, OpError, PoolRef, Timing, UnixTime, WatchError, WatchEvent,
    WatchOptions, WhenFull,
};

use embassy_time::Instant;
use linger_core::{Client, Timestamp};
use shared::Shared;

/// A client of one cluster, and what drives it.
///
/// `seed` is 32 bytes of entropy that nobody else has or gets: challenges and nonces come from it.
/// `unix_now` is the time of day; [`UnixTime::default`] where there is none.
///
/// # Errors
/// No client can work with this configuration.
pub fn new<N, D>(
    net: N,
    dns: D,
    config: Config,
    unix_now: UnixTime,
    seed: [u8; 32],
) -> Result<(Cluster, Runner<N, D>), ConfigError> {
    let now = Timestamp::from_embassy(Instant::now());
    let shared = Shared::new(Client::new(now, unix_now, config, seed)?);
    Ok((Cluster::new(&shared), Runner::new(net, dns, shared)))
}
