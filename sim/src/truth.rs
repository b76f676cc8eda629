//! What really happened to notifies, by the OSDs' journal.

use bytes::Bytes;
use linger_core::Timestamp;
use linger_mini_cluster::{Deed, Record};
use linger_wire::Name;
use linger_wire::msg::{NotifyAcks, WatcherId};
use std::collections::{BTreeMap, BTreeSet};

/// A notify that an OSD took.
#[derive(Debug)]
pub(crate) struct Sent {
    pub at: Timestamp,
    /// Its place among all that happened.
    pub order: u64,
    pub payload: Bytes,
    pub asked: Vec<WatcherId>,
    /// How it ended, unless its OSD ended first.
    pub done: Option<Done>,
}

/// How a notify ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub at: Timestamp,
    pub return_code: i32,
    pub watchers: NotifyAcks,
}

/// All notifies, by object and number.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub notifies: BTreeMap<(Name, u64), Sent>,
    /// The places at which watches were last bound to a connection, and when that was.
    pub connected: BTreeMap<WatcherId, (u64, Timestamp)>,
    /// The places at which watches expired.
    pub expired: BTreeMap<WatcherId, u64>,
    /// Watches of which a client was told that they are not registered. They never will be again.
    pub unknown: BTreeSet<WatcherId>,
    /// How much happened so far.
    pub order: u64,
}

impl Truth {
    /// Takes a record in.
    pub fn take(&mut self, record: Record) {
        let Record { at, object, deed, .. } = record;
        self.order += 1;
        let order = self.order;
        match deed {
            Deed::NotifyStarted { notify_id, payload, asked, .. } => {
                self.notifies.insert((object, notify_id), Sent { at, order, payload, asked, done: None });
            }
            Deed::NotifyDone { notify_id, return_code, watchers } => {
                if let Some(sent) = self.notifies.get_mut(&(object, notify_id)) {
                    sent.done = Some(Done { at, return_code, watchers });
                }
            }
            Deed::WatchConnected(watcher) => _ = self.connected.insert(watcher, (order, at)),
            Deed::WatchUnknown(watcher) => _ = self.unknown.insert(watcher),
            Deed::WatchExpired(watcher) => _ = self.expired.insert(watcher, order),
            _ => {}
        }
    }

    /// The notifies of one object.
    pub fn of<'a>(&'a self, object: &Name) -> impl Iterator<Item = (u64, &'a Sent)> + use<'a> {
        let range = (object.clone(), 0)..=(object.clone(), u64::MAX);
        self.notifies.range(range).map(|((_, id), sent)| (*id, sent))
    }
}
