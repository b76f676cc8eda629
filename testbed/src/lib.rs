//! Boots real Ceph releases on loopback for tests.
//!
//! [`Root::fetch`] unpacks a release's Debian packages into a cache folder, [`Cluster::builder`] boots its mons, mgr and
//! OSDs from there, and dropping the [`Cluster`] kills them and removes its folder. [`Cluster::command`] runs that
//! release's own tools, [`Cluster::rados`] is a long-lived python3-rados client of it.
//!
//! Root and a Debian machine are needed; [`available`] says what is missing, and [`need_cluster!`] skips a test by name.
//!
//! ```no_run
//! use linger_testbed::{Cluster, Daemon, PoolKind, Release};
//!
//! let cluster = Cluster::builder().release(Release::Pacific).osds(3).boot()?;
//! let pool = cluster.pool("rep", PoolKind::Replicated, 8)?;
//! let rados = cluster.rados()?;
//! rados.write_full(&pool.object("greeting"), b"hello")?;
//! cluster.kill(Daemon::Osd(0))?;
//! cluster.wait_active()?;
//! # anyhow::Ok(())
//! ```
//!
//! Environment: `LINGER_CEPH_ROOTS` (cache folder), `LINGER_TEST_CONF` (use this cluster instead of booting one for
//! [`shared`]), `LINGER_KEEP_CLUSTERS` (do not remove folders), `LINGER_SKIPPED` (file that names skipped tests),
//! `LINGER_NEED_CLUSTER` (a test that would be skipped fails).

mod available;
mod builder;
mod cluster;
mod conf;
mod daemon;
mod fetch;
mod keeper;
mod pool;
mod ports;
mod rados;
mod release;
mod root;
mod shared;
mod wait;

pub use available::{Unavailable, available, skip};
pub use builder::{Auth, Bind, Builder, KeyType, Mode, Store};
pub use cluster::Cluster;
pub use daemon::{Daemon, State};
pub use pool::{Object, Pool, PoolKind, Watcher};
pub use rados::{Ack, Event, NotifyReport, Rados, RadosError, WatchId};
pub use release::Release;
pub use root::Root;
pub use shared::shared;
