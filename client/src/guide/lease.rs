//! The lease rule: what a watch promises, and for how long.
//!
//! An OSD keeps a watch for its timeout ([`WatchOptions::timeout`], 30 s by default) after the last sign
//! of life, and then drops it: notifiers no longer wait for this watcher. The client pings every quarter of
//! the timeout, 5 s at most, and counts for itself: **a watch is live only as long as less than its timeout
//! has passed since a ping that was confirmed was sent.** A confirmed ping proves that the OSD had the watch
//! when it answered, and the OSD's own clock started later than this one, so the client never believes in a
//! watch that its OSD has dropped for want of pings.
//!
//! * When the lease passes, [`WatchEvent::Error`] says so at once, with the cause [`LossCause::Lease`];
//!   no reply of an OSD is needed for that. A process that was stopped, or a machine that slept, finds
//!   its watches lost when it runs again: the clock runs on.
//! * The watch is registered again by itself, and [`WatchEvent::Live`] says for how long it was deaf.
//! * What pauses requests (a full cluster, a placement group without a primary) does not pause leases.
//! * Events that are not taken count: [`WatchStatus::age`] grows while the oldest of them waits. Who does not
//!   read is no less deaf.
//!
//! So whoever acts on the absence of notifies ("nobody told me, so my copy is good") asks before acting:
//!
//! ```no_run
//! use linger_client::{Error, Watch};
//! use std::time::Duration;
//!
//! /// Whether the copy that this watch keeps fresh may be used for as long as `time`.
//! async fn is_good_for(watch: &Watch, time: Duration) -> Result<bool, Error> {
//!     let Some(status) = watch.status().await? else { return Ok(false) };
//!     Ok(status.is_live && status.queued == 0 && status.lease_left > time)
//! }
//! ```
//!
//! A short timeout finds a dead watcher sooner, which its notifiers wait for, and costs more pings. The
//! shortest is 3 s.

#[allow(unused_imports, reason = "for links")]
use crate::{LossCause, WatchEvent, WatchOptions, WatchStatus};
