//! What can be asked of a cluster.

use super::Servers;
use crate::conns::{ConnId, Session};
use crate::settings::{Settings, User};
use crate::store::{Object, ObjectKey};
use bytes::Bytes;
use linger_core::placement::{Overlay, actual_pg, pg_to_osds, raw_pg};
use linger_core::{ObjectRef, PoolRef};
use linger_wire::msg::{MonMap, Watcher};
use linger_wire::osdmap::OsdMap;
use linger_wire::{EntityAddr, Fsid, ObjectLocator, PgId};

impl Servers {
    /// The cluster's id.
    #[must_use]
    pub fn fsid(&self) -> Fsid {
        self.mon_map.fsid
    }

    /// The user `client.admin`, with its key.
    #[must_use]
    pub fn admin(&self) -> &User {
        self.keys.admin()
    }

    /// What the cluster is like.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The newest map.
    #[must_use]
    pub fn map(&self) -> &OsdMap {
        self.maps.newest()
    }

    /// The registered watches of an object, if it exists.
    #[must_use]
    pub fn watchers(&self, object: &ObjectRef) -> Option<Vec<Watcher>> {
        let found = self.find(object)?;
        Some(found.watchers.values().cloned().collect())
    }

    /// An object's content, if it exists.
    #[must_use]
    pub fn content(&self, object: &ObjectRef) -> Option<Bytes> {
        self.find(object).map(|object| object.data.clone())
    }

    /// The placement group of an object, which need not exist.
    #[must_use]
    pub fn group(&self, object: &ObjectRef) -> Option<PgId> {
        let raw = self.raw(object)?;
        self.map().pool(raw.pool).map(|pool| actual_pg(pool, raw))
    }

    /// The OSD that serves an object, which need not exist; `None` if no OSD does at present.
    #[must_use]
    pub fn primary(&self, object: &ObjectRef) -> Option<i32> {
        let primary = pg_to_osds(self.map(), self.group(object)?).acting_primary;
        (primary >= 0).then_some(primary)
    }

    pub(crate) fn mon_map(&self) -> &MonMap {
        &self.mon_map
    }

    /// Ranks of the monitors that run.
    pub(crate) fn quorum(&self) -> Vec<usize> {
        self.mons.iter().enumerate().filter(|(_, runs)| **runs).map(|(rank, _)| rank).collect()
    }

    pub(crate) fn raw(&self, object: &ObjectRef) -> Option<PgId> {
        let pool = match &object.pool {
            PoolRef::Id(id) => *id,
            PoolRef::Name(name) => self.map().pool_id(name)?,
        };
        let (key, nspace) = (object.key.clone(), object.namespace.clone());
        let locator = ObjectLocator { pool, key, nspace, hash: -1 };
        raw_pg(self.map(), &locator, &object.name, Overlay::Ignore).ok()
    }

    fn find(&self, object: &ObjectRef) -> Option<&Object> {
        let PgId { pool, seed: hash } = self.raw(object)?;
        let (nspace, key, name) = (object.namespace.clone(), object.key.clone(), object.name.clone());
        self.store.find(&ObjectKey { pool, hash, nspace, key, name })
    }

    /// All sessions of clients, with monitors and OSDs.
    #[must_use]
    pub fn sessions(&self) -> Vec<Session> {
        self.conns.sessions().collect()
    }

    /// The address by which the client at a connection is known, once its session is open.
    #[must_use]
    pub fn client_addr(&self, conn: ConnId) -> Option<EntityAddr> {
        self.conns.get(conn)?.client.as_ref().map(|client| client.addr)
    }
}
