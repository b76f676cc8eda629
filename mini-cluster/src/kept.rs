//! What of a cluster outlives its process: how it is told to whoever keeps it, and taken back.
//!
//! The map with its pools, blocklist and epochs; keys and numbers of clients; objects with their
//! registered watches. What OSDs have in memory is lost, as when they restart.

use crate::keys::KeptKeys;
use crate::servers::Servers;
use crate::settings::Settings;
use crate::store::{Object, ObjectKey};
use linger_core::{Timestamp, UnixTime};
use linger_wire::osdmap::OsdMap;
use std::sync::Arc;

/// The cluster without its objects.
#[derive(Debug, Clone)]
pub(crate) struct KeptCluster {
    pub map: Arc<OsdMap>,
    pub keys: KeptKeys,
    /// How many writes there were.
    pub version: u64,
}

/// Something that is to be kept from now on.
#[derive(Debug)]
pub(crate) enum Change {
    Cluster(Box<KeptCluster>),
    /// An object is like this now, or gone.
    Object(ObjectKey, Option<Object>),
}

impl Servers {
    /// A cluster as it was kept: all its daemons have just started again, at the addresses of `settings`,
    /// which has as many OSDs and the same way to log in.
    pub(crate) fn again(
        now: Timestamp,
        unix_now: UnixTime,
        settings: Settings,
        seed: [u8; 32],
        cluster: KeptCluster,
        objects: Vec<(ObjectKey, Object)>,
    ) -> Self {
        let mut servers = Self::new(now, unix_now, settings, seed);
        servers.take_back(cluster);
        for (key, object) in objects {
            let id = servers.store.id(key);
            servers.store.version = servers.store.version.max(object.version);
            servers.store.put(id, Some(object));
        }
        for osd in 0..servers.osds.len() as i32 {
            servers.boot(osd);
        }
        servers.settle();
        servers
    }

    /// Notes from now on what is to be kept, beginning with the cluster itself.
    pub(crate) fn keep_changes(&mut self) {
        self.store.keep_changes();
        self.kept_epoch = Some(0);
    }

    /// What is to be kept since the last call.
    pub(crate) fn changes(&mut self) -> Vec<Change> {
        let Some(kept) = self.kept_epoch else { return Vec::new() };
        let mut changes = Vec::new();
        if kept != self.map().epoch || self.keys.gave_numbers() {
            self.kept_epoch = Some(self.map().epoch);
            let (map, keys) = (self.maps.newest().clone(), self.keys.keep());
            let cluster = KeptCluster { map, keys, version: self.store.version };
            changes.push(Change::Cluster(Box::new(cluster)));
        }
        let objects = self.store.changed().into_iter();
        changes.extend(objects.map(|(key, object)| Change::Object(key, object)));
        changes
    }
}
