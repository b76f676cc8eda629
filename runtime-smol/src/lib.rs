//! linger on smol: watch and notify objects of a Ceph cluster.
//!
//! [`connect`] gives a [`Cluster`]; what can be done with that is in [`linger_client`].
//!
//! ```no_run
//! use linger_smol::{WatchEvent, WatchOptions, config::{Environment, Settings}};
//!
//! # fn main() -> Result<(), linger_smol::Error> {
//! let executor = async_executor::Executor::new();
//! async_io::block_on(executor.run(async {
//!     let settings = Settings::from_environment(Environment::from_process())?;
//!     let cluster = linger_smol::connect(&executor, settings).await?;
//!     let mut watch = cluster.pool("rbd").watch("rbd_header.1", WatchOptions::default()).await?;
//!     while let Some(event) = watch.next().await {
//!         match event {
//!             WatchEvent::Live(live) => println!("watching as cookie {}", live.cookie),
//!             WatchEvent::Notification(notification) => {
//!                 println!("{}: {:?}", notification.from, notification.payload);
//!                 let _ = notification.ack("seen");
//!             }
//!             WatchEvent::Error(error) => eprintln!("{error}"),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }))
//! # }
//! ```
//!
//! Sockets and timers are those of async-io, whose reactor runs inside `async_io::block_on` or in a
//! thread of its own, so any executor will do: [`start`] gives the driver as a future to spawn, as in
//! `smol::spawn(driver).detach()`. Names are looked up in a thread of the `blocking` crate.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod runtime;

use async_executor::Executor;

pub use linger_client::*;

/// The task that drives a client; see [`linger_client::driver::Driver`].
pub type Driver = driver::Driver<runtime::Smol>;

/// Connects to a cluster, with settings or with options made in code.
///
/// The connection is driven by a task of its own on the executor. Dropping the future gives up
/// connecting; dropping the executor ends every handle with [`Error::DriverGone`].
///
/// # Errors
/// The settings can not work, all monitors refuse the login, or the time for it is over: the error names what
/// happened last.
pub async fn connect<T>(executor: &Executor<'_>, options: T) -> Result<Cluster, Error>
where
    T: TryInto<ConnectOptions>,
    Error: From<T::Error>,
{
    let (driver, connecting) = start(options.try_into()?)?;
    executor.spawn(driver).detach();
    connecting.await
}

/// Starts to connect: the [`Driver`] is to be spawned, on any executor; the [`Connecting`] is the
/// future of the cluster, and has its events before that.
///
/// # Errors
/// The options can not work, or the system has no entropy.
pub fn start(options: ConnectOptions) -> Result<(Driver, Connecting), Error> {
    Driver::new(options)
}
