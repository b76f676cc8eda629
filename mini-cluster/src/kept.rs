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

/// What was kept last.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    epoch: u32,
    version: u64,
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
        self.kept = Some(Kept::default());
    }

    /// What is to be kept since the last call.
    pub(crate) fn changes(&mut self) -> Vec<Change> {
        let Some(kept) = &mut self.kept else { return Vec::new() };
        let objects = self.store.changed();
        // The newest version of all is that of an object, or else it has to be kept here.
        let is_lost = kept.version < self.store.version && objects.iter().any(|(_, object)| object.is_none());
        let mut changes = Vec::new();
        if kept.epoch != self.maps.newest().epoch || self.keys.gave_numbers() || is_lost {
            let (map, keys) = (self.maps.newest().clone(), self.keys.keep());
            let cluster = KeptCluster { map, keys, version: self.store.version };
            *kept = Kept { epoch: cluster.map.epoch, version: cluster.version };
            changes.push(Change::Cluster(Box::new(cluster)));
        }
        changes.extend(objects.into_iter().map(|(key, object)| Change::Object(key, object)));
        changes
    }
}
