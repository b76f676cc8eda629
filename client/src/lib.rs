//! Handles on a Ceph cluster's watches and notifies, free of any runtime, and Ceph's configuration.
//!
//! An adapter such as `linger-tokio` connects and gives a [`Cluster`]; from there on all is here:
//!
//! ```no_run
//! use linger_client::{Cluster, Error, NotifyOutcome, WatchEvent, WatchOptions};
//! use std::time::Duration;
//!
//! async fn demo(cluster: Cluster) -> Result<(), Error> {
//!     let pool = cluster.pool("rbd");
//!     pool.create("greetings", false).await?;
//!     let mut watch = pool.watch("greetings", WatchOptions::default()).await?;
//!     watch.live().await?;
//!
//!     let notify = pool.notify("greetings", "hello", Duration::from_secs(10)).await?;
//!     while let Some(event) = watch.next().await {
//!         if let WatchEvent::Notification(notification) = event {
//!             println!("{} says {:?}", notification.from, notification.payload);
//!             let _ = notification.ack("hello yourself");
//!             break;
//!         }
//!     }
//!     if let NotifyOutcome::Done(report) = notify.await? {
//!         println!("{} answers", report.watchers.acks.len());
//!     }
//!     watch.unwatch().await?;
//!     cluster.close(Duration::from_secs(5)).await?;
//!     Ok(())
//! }
//! ```
//!
//! The [`guide`] has recipes: a copy that is never stale without knowing it, what a watch promises and for
//! how long, what happens to notifies that are not taken, and which runtime to take.
//!
//! # For adapters
//!
//! A runtime with TCP and a timer needs an implementation of [`driver::Runtime`]: [`driver::Driver`] does
//! the rest. Where that does not fit, an [`Engine`] is the core with its handles and leaves all I/O to
//! its owner.
#![deny(missing_docs)]

mod clock;
mod cluster;
pub mod config;
pub mod driver;
mod engine;
mod error;
mod event;
mod flush;
#[cfg(any(doc, doctest))]
pub mod guide;
mod mailbox;
mod notify;
mod options;
mod pool;
mod ready;
mod shared;
mod ticket;
mod watch;

pub use clock::Clock;
pub use cluster::{Cluster, Connecting};
pub use engine::{Command, Engine, IoOutput};
pub use error::{ConnectError, Error};
pub use event::{ClusterEvent, Events};
pub use notify::Notify;
pub use options::ConnectOptions;
pub use pool::{Content, ListedWatcher, Pool, Stat};
pub use ready::ReadyList;
pub use watch::{Notification, Watch, WatchEvent};

pub use linger_core::auth::{AuthError, AuthMethod, ConMode};
pub use linger_core::{
    CommandError, Config, ConfigError, ConnFault, LeftBehind, Limits, LinkMode, Live, LossCause, Losses,
    NotifyOutcome, NotifyReport, ObjectRef, OnDrop, OpError, PoolRef, Reconnects, Reregister, RoundTrips,
    Timing, Totals, WatchError, WatchId, WatchOptions, WatchStatus, WhenFull,
};
pub use linger_wire::{EntityName, Fsid, Name, msg::Watcher, osdmap::OsdMap};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks; what a panic elsewhere left behind is still whole, as no step here can panic half-done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
