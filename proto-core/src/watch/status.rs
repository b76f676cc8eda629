//! How watches stand, for those who ask.

use super::state::State;
use super::{Watch, Watches};
use crate::Timestamp;
use crate::ids::WatchKey;
use crate::totals::Totals;
use core::time::Duration;

/// How a watch stands at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchStatus {
    /// Whether the OSD has the watch bound to this client, as far as the last ping proved.
    pub is_live: bool,
    /// Time since that was last proved, or since the oldest event that is not taken yet came, whichever
    /// is longer: who does not take events is no less deaf. It stays below the watch's timeout while all
    /// is well. (As `rados_watch_check` has it.)
    pub age: Duration,
    /// Time until the watch counts as lost unless a ping is confirmed; zero when there is no lease.
    pub lease_left: Duration,
    /// How long the watch has not been live; `None` while it is.
    pub deaf_for: Option<Duration>,
    /// Of the present registration, or the one under way.
    pub cookie: u64,
    /// That of the last time it went live; `None` if it never did.
    pub generation: Option<u32>,
    /// The OSD that has the watch or is asked for it; `None` without a primary.
    pub osd: Option<i32>,
    /// Events that wait to be taken.
    pub queued: usize,
}

impl Watch {
    fn status(&self, now: Timestamp) -> WatchStatus {
        let is_live = self.state == State::Live;
        let proved = self.queue.oldest().map_or(self.confirmed, |oldest| oldest.min(self.confirmed));
        let has_lease = matches!(self.state, State::Live | State::Reconnecting);
        let deaf_since = self.deaf_since.unwrap_or(self.confirmed);
        WatchStatus {
            is_live,
            age: now.saturating_since(proved),
            lease_left: if has_lease { self.lease_ends().saturating_since(now) } else { Duration::ZERO },
            deaf_for: (!is_live).then(|| now.saturating_since(deaf_since)),
            cookie: self.cookie,
            generation: self.lives.checked_sub(1),
            osd: self.osd().filter(|osd| *osd >= 0),
            queued: self.queue.len(),
        }
    }
}

impl Watches {
    /// How a watch stands; `None` once it has ended.
    pub(crate) fn status(&self, key: WatchKey, now: Timestamp) -> Option<WatchStatus> {
        let watch = self.watches.get(key).filter(|watch| watch.state != State::Closed)?;
        Some(watch.status(now))
    }

    /// The counts, with what is there at present.
    pub(crate) fn totals(&self, now: Timestamp) -> Totals {
        let mut totals = Totals { queued_bytes: self.queued_bytes, ..self.totals };
        for watch in self.watches.values() {
            totals.queued += watch.queue.len();
            match watch.state {
                State::Live => totals.live += 1,
                State::Unwatching | State::Closed => continue,
                _ => totals.deaf += 1,
            }
            if let Some(since) = watch.deaf_since {
                totals.deaf_for = totals.deaf_for.saturating_add(now.saturating_since(since));
            }
        }
        totals
    }
}
