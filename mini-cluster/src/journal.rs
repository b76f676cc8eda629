//! What really happened, for tests that compare it with what clients were told.

use bytes::Bytes;
use linger_core::Timestamp;
use linger_wire::Name;
use linger_wire::msg::{NotifyAcks, Op, WatcherId};

/// Something that an OSD did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// When.
    pub at: Timestamp,
    /// The OSD.
    pub osd: i32,
    /// The object's name.
    pub object: Name,
    /// What.
    pub deed: Deed,
}

/// What an OSD did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deed {
    /// A notify was taken.
    NotifyStarted {
        /// Its number at the OSD.
        notify_id: u64,
        /// The client that sent it.
        notifier: u64,
        /// What it sent.
        payload: Bytes,
        /// The watches that are asked.
        asked: Vec<WatcherId>,
    },
    /// A notify is over.
    NotifyDone {
        /// Its number at the OSD.
        notify_id: u64,
        /// 0, or -ETIMEDOUT.
        return_code: i32,
        /// Who answered and who did not.
        watchers: NotifyAcks,
    },
    /// A watch answered a notify that it had answered before.
    AckedAgain {
        /// The notify's number at the OSD.
        notify_id: u64,
        /// The watch.
        watcher: WatcherId,
    },
    /// A client sent a request that it had agreed to hold.
    NotHeld,
    /// A client was told that a watch is not registered.
    WatchUnknown(WatcherId),
    /// A client pinged and had not reconnected the watch, though it knew that it had to.
    PingedUnbound(WatcherId),
    /// A request came, or was looked at again; only if requests are wanted.
    Request {
        /// The client that sent it.
        client: u64,
        /// Its transaction.
        tid: u64,
        /// The client's map.
        epoch: u32,
        /// What is to be done.
        ops: Vec<Op>,
        /// What becomes of it: run, wait, drop, block.
        verdict: &'static str,
    },
    /// A watch is bound to a connection of its client.
    WatchConnected(WatcherId),
    /// A watch was not pinged in time and is gone.
    WatchExpired(WatcherId),
}

/// Records, if anybody wants them.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    pub wanted: bool,
    pub requests: bool,
    records: Vec<Record>,
}

impl Journal {
    pub fn note(&mut self, at: Timestamp, osd: i32, object: &Name, deed: impl FnOnce() -> Deed) {
        if self.wanted {
            self.records.push(Record { at, osd, object: object.clone(), deed: deed() });
        }
    }

    pub fn take(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }
}
