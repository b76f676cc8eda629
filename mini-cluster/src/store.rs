//! What the cluster keeps: objects and who watches them. All OSDs share it, as if copies were made at once.

use bytes::Bytes;
use linger_wire::msg::{OpReply, Watcher, WatcherId};
use linger_wire::{HObject, Name, SNAP_HEAD, UTime};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Results of writes that are remembered for clients that send them again.
const RESULTS_MAX: usize = 4096;

/// An object's identity.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectKey {
    pub pool: i64,
    pub hash: u32,
    pub nspace: Name,
    pub key: Name,
    pub name: Name,
}

impl ObjectKey {
    /// The object as its placement group has it.
    pub fn object(&self) -> HObject {
        let Self { pool, hash, nspace, key, name } = self.clone();
        HObject { key, oid: name, snap: SNAP_HEAD, hash, max: false, nspace, pool }
    }
}

/// A short name for an object, whether it exists or not.
pub(crate) type ObjectId = u32;

/// An object.
#[derive(Debug, Clone, Default)]
pub(crate) struct Object {
    pub data: Bytes,
    pub mtime: UTime,
    /// Counts writes, as users see it.
    pub version: u64,
    /// Registered watches.
    pub watchers: BTreeMap<WatcherId, Watcher>,
}

/// All objects.
#[derive(Debug, Default)]
pub(crate) struct Store {
    ids: BTreeMap<ObjectKey, ObjectId>,
    keys: Vec<ObjectKey>,
    objects: BTreeMap<ObjectId, Object>,
    results: BTreeMap<(u64, u64), OpReply>,
    results_order: VecDeque<(u64, u64)>,
    /// Counts the writes of the whole cluster.
    pub version: u64,
    /// Objects that changed, if anybody wants to know.
    changed: Option<BTreeSet<ObjectId>>,
}

impl Store {
    pub fn id(&mut self, key: ObjectKey) -> ObjectId {
        if let Some(id) = self.ids.get(&key) {
            return *id;
        }
        let id = self.keys.len() as ObjectId;
        self.keys.push(key.clone());
        self.ids.insert(key, id);
        id
    }

    pub fn key(&self, id: ObjectId) -> &ObjectKey {
        &self.keys[id as usize]
    }

    pub fn get(&self, id: ObjectId) -> Option<&Object> {
        self.objects.get(&id)
    }

    pub fn get_mut(&mut self, id: ObjectId) -> Option<&mut Object> {
        self.note(id);
        self.objects.get_mut(&id)
    }

    pub fn put(&mut self, id: ObjectId, object: Option<Object>) {
        self.note(id);
        match object {
            Some(object) => drop(self.objects.insert(id, object)),
            None => drop(self.objects.remove(&id)),
        }
    }

    /// An object that exists, by its identity.
    pub fn find(&self, key: &ObjectKey) -> Option<&Object> {
        self.get(*self.ids.get(key)?)
    }

    /// The objects that exist in a pool.
    pub fn existing(&self, pool: i64) -> impl Iterator<Item = &ObjectKey> {
        self.objects.keys().map(|id| self.key(*id)).filter(move |key| key.pool == pool)
    }

    pub fn remove_pool(&mut self, pool: i64) {
        let keys = &self.keys;
        let gone = self.objects.extract_if(.., |id, _| keys[*id as usize].pool == pool);
        let gone: Vec<ObjectId> = gone.map(|(id, _)| id).collect();
        gone.into_iter().for_each(|id| self.note(id));
    }

    /// Notes from now on which objects change.
    pub fn keep_changes(&mut self) {
        self.changed = Some(BTreeSet::new());
    }

    /// The objects that changed since the last call, as they are now.
    pub fn changed(&mut self) -> Vec<(ObjectKey, Option<Object>)> {
        let changed = self.changed.as_mut().map(std::mem::take).unwrap_or_default();
        changed.into_iter().map(|id| (self.key(id).clone(), self.get(id).cloned())).collect()
    }

    fn note(&mut self, id: ObjectId) {
        if let Some(changed) = &mut self.changed {
            changed.insert(id);
        }
    }

    /// What a client's write led to when it was sent before.
    pub fn result(&self, client: u64, tid: u64) -> Option<&OpReply> {
        self.results.get(&(client, tid))
    }

    pub fn remember(&mut self, client: u64, tid: u64, reply: OpReply) {
        if self.results_order.len() >= RESULTS_MAX
            && let Some(oldest) = self.results_order.pop_front()
        {
            self.results.remove(&oldest);
        }
        self.results_order.push_back((client, tid));
        self.results.insert((client, tid), reply);
    }
}
