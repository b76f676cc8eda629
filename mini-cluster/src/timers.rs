//! What the daemons do later.

use crate::store::ObjectId;
use linger_core::Timestamp;
use linger_wire::msg::WatcherId;
use std::collections::BTreeSet;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// A map reaches an OSD.
    Map { osd: i32, epoch: u32 },
    /// Requests of an OSD are late enough.
    Late { osd: i32 },
    /// Placement groups of an OSD may serve again.
    Active { osd: i32 },
    /// A watch may be without pings for too long.
    Watch { osd: i32, object: ObjectId, watcher: WatcherId },
    /// A notify may be over.
    Notify { osd: i32, object: ObjectId, notify_id: u64 },
    /// The monitors notice that an OSD's process is gone.
    Down { osd: i32, nonce: u32 },
    /// The time of a blocklisted client may be over.
    Blocklist,
}

impl Timer {
    /// The OSD that has to be awake for it.
    pub fn needs(self) -> Option<i32> {
        match self {
            Self::Map { osd, .. }
            | Self::Late { osd }
            | Self::Active { osd }
            | Self::Watch { osd, .. }
            | Self::Notify { osd, .. } => Some(osd),
            Self::Down { .. } | Self::Blocklist => None,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Timestamp, Timer)>);

impl Timers {
    pub fn at(&mut self, at: Timestamp, timer: Timer) {
        self.0.insert((at, timer));
    }

    pub fn first(&self) -> Option<Timestamp> {
        self.0.first().map(|(at, _)| *at)
    }

    pub fn due(&mut self, now: Timestamp) -> Option<Timer> {
        let (at, _) = *self.0.first()?;
        if at > now {
            return None;
        }
        self.0.pop_first().map(|(_, timer)| timer)
    }
}
