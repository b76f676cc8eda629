//! Watch, then read: a copy of an object that is never stale without knowing it.
//!
//! A notify says that something happened, not what the object has now, and what happened before the
//! watch was registered is not told at all. So:
//!
//! 1. **Watch first, read after.** The other way round, a change between the two is missed.
//! 2. **Read at each [`WatchEvent::Live`] whose `may_have_missed` is set**: the first one, and each after a loss
//!    in which a notify may have gone by. One without it says that none did: RECONNECT found the watch in place.
//! 3. **Read at each notify, then ack.** The notifier waits for the ack: when its notify is done, every
//!    watcher has the new state.
//! 4. **Between a [`WatchEvent::Error`] and the next `Live` the copy is as old as the loss.** Serve it as
//!    stale, or not at all.
//! 5. **Delivery is at least once.** Reading twice does no harm, so this recipe need not tell a repeated
//!    notify from a new one.
//!
//! ```no_run
//! use linger_client::{Cluster, Error, WatchEvent, WatchOptions};
//!
//! /// Calls `changed` with the object's content each time that it may be another one, and with `None` while
//! /// nobody can say.
//! async fn follow(
//!     cluster: &Cluster,
//!     name: &str,
//!     mut changed: impl FnMut(Option<&[u8]>),
//! ) -> Result<(), Error> {
//!     let pool = cluster.pool("config");
//!     let mut watch = pool.watch(name, WatchOptions::default()).await?;
//!     while let Some(event) = watch.next().await {
//!         match event {
//!             WatchEvent::Live(live) if live.may_have_missed => {
//!                 changed(Some(&pool.read(name, 0, 0).await?.data));
//!             }
//!             WatchEvent::Notification(notification) => {
//!                 changed(Some(&pool.read(name, 0, 0).await?.data));
//!                 let _ = notification.ack("");
//!             }
//!             // Notifies were shed: read once for all of them.
//!             WatchEvent::Overflow { .. } => changed(Some(&pool.read(name, 0, 0).await?.data)),
//!             // Lost. A terminal error is followed by the end of the stream, any other by `Live`.
//!             WatchEvent::Error(_) => changed(None),
//!             WatchEvent::Failed(error) => return Err(error),
//!             _ => {}
//!         }
//!     }
//!     Ok(())
//! }
//! ```
//!
//! A reader that finds more notifies waiting can take them all before it reads once: see
//! [`Watch::flush`] and [`WhenFull::Coalesce`].

#[allow(unused_imports, reason = "for links")]
use crate::{Watch, WatchEvent, WhenFull};
