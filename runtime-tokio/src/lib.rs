//! linger on tokio: watch and notify objects of a Ceph cluster.
//!
//! [`connect`] gives a [`Cluster`]; what can be done with that is in [`linger_client`].
//!
//! ```no_run
//! use linger_tokio::{WatchEvent, WatchOptions, config::{Environment, Settings}};
//!
//! # async fn example() -> Result<(), linger_tokio::Error> {
//! let settings = Settings::from_environment(Environment::from_process())?;
//! let cluster = linger_tokio::connect(settings).await?;
//! let mut watch = cluster.pool("rbd").watch("rbd_header.1", WatchOptions::default()).await?;
//! while let Some(event) = watch.next().await {
//!     match event {
//!         WatchEvent::Live(live) => println!("watching as cookie {}", live.cookie),
//!         WatchEvent::Notification(notification) => {
//!             println!("{}: {:?}", notification.from, notification.payload);
//!             let _ = notification.ack("seen");
//!         }
//!         WatchEvent::Error(error) => eprintln!("{error}"),
//!         _ => {}
//!     }
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod runtime;

use linger_client::driver::Driver;
use runtime::Tokio;

pub use linger_client::*;

/// Connects to a cluster, with settings or with options made in code.
///
/// The connection is driven by a task of its own on the current runtime, which must have I/O and time
/// enabled. Dropping the future gives up connecting.
///
/// # Errors
/// The settings can not work, all monitors refuse the login, or the time for it is over: the error names what
/// happened last.
///
/// # Panics
/// Outside of a tokio runtime.
pub async fn connect<T>(options: T) -> Result<Cluster, Error>
where
    T: TryInto<ConnectOptions>,
    Error: From<T::Error>,
{
    start(options.try_into()?)?.await
}

/// Starts to connect: the [`Connecting`] is the future of the cluster, and has its events before that.
///
/// # Errors
/// The options can not work, or the system has no entropy.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn start(options: ConnectOptions) -> Result<Connecting, Error> {
    let (driver, connecting) = Driver::<Tokio>::new(options)?;
    tokio::spawn(driver);
    Ok(connecting)
}

/// The README's example.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
