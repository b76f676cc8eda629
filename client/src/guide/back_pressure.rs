//! Back-pressure: what happens to notifies that are not taken.
//!
//! A watch has one ordered queue. Losses and returns are always kept; notifies up to
//! [`WatchOptions::queue`] (1024, [`Limits::notifies_per_watch`]), and all of a client's up to
//! [`Limits::notify_bytes`] (64 MiB). The client never stops reading a socket, so a watch that nobody reads
//! costs no other watch anything, and its pings go on. What is over the bound is shed by
//! [`WatchOptions::when_full`]:
//!
//! | policy | keeps | for |
//! |---|---|---|
//! | [`WhenFull::KeepOldest`] (default) | what came first | logs, where an [`WatchEvent::Overflow`] asks for a full read |
//! | [`WhenFull::KeepNewest`] | what came last | state that each notify carries in full |
//! | [`WhenFull::Coalesce`] | the last one alone | "something changed; read again" |
//! | [`WhenFull::Close`] | nothing: the watch ends | when a gap is worse than an end |
//!
//! The next events of each watch are on their way to its handle already: up to 16, and of large notifies fewer,
//! though at least one. They count against [`Limits::notify_bytes`] until they are taken, but no policy sheds them,
//! so what comes is shed when others fill the room. [`Cluster::totals`] says how much waits, in both places.
//!
//! A notify that is shed is answered for its watcher by [`WatchOptions::on_drop`], as one whose
//! [`Notification`] is dropped: with an empty ack, so that its notifier need not wait, or
//! with nothing ([`OnDrop::Silent`]), so that it learns that this watcher missed it.
//!
//! ```no_run
//! use linger_client::{Error, OnDrop, Pool, Watch, WatchOptions, WhenFull};
//!
//! /// A watch that wakes its reader once, however many notifies there were, and counts as missed until read.
//! async fn lazy(pool: &Pool, name: &str) -> Result<Watch, Error> {
//!     let options = WatchOptions {
//!         when_full: WhenFull::Coalesce,
//!         on_drop: OnDrop::Silent,
//!         ..WatchOptions::default()
//!     };
//!     pool.watch(name, options).await
//! }
//! ```
//!
//! The other way round, a client's own requests wait: beyond [`Limits::ops_in_flight`] (1024) the futures of
//! [`Pool::notify`] and of calls are pending until there is room, first come, first served. Dropping one
//! gives its place back.

#[allow(unused_imports, reason = "for links")]
use crate::{Cluster, Limits, Notification, OnDrop, Pool, WatchEvent, WatchOptions, WhenFull};
