//! What waits for its pool: for the first map, for a pool just made, or for certainty that a pool
//! is gone.
//!
//! A pool that a map lacks may be newer than the map. So the monitors are asked for their newest
//! epoch, and only a map of that epoch or a later one decides.
//!
//! Facts: `osdc/Objecter.cc` (`_check_op_pool_dne`, `_send_linger_map_check`).

use super::Client;
use crate::error::OpError;
use crate::ids::{CallKey, NotifyKey, WatchKey};
use crate::object::{Object, ObjectRef, PoolRef};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use linger_wire::osdmap::OsdMap;

/// Something without a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Waiting {
    Watch(WatchKey),
    Notify(NotifyKey),
    Call(CallKey),
}

#[derive(Debug)]
struct Entry {
    object: ObjectRef,
    check: Check,
}

#[derive(Debug, Clone, Copy)]
enum Check {
    NotAsked,
    Asked(u64),
    /// A map of this epoch decides.
    Bound(u64),
}

/// All that waits.
#[derive(Debug, Default)]
pub(super) struct Unplaced(BTreeMap<Waiting, Entry>);

impl Unplaced {
    pub(super) fn add(&mut self, waiting: Waiting, object: ObjectRef) {
        self.0.insert(waiting, Entry { object, check: Check::NotAsked });
    }
}

fn pool_of(map: &OsdMap, object: &ObjectRef) -> Option<i64> {
    match &object.pool {
        PoolRef::Id(id) => map.pool(*id).map(|_| *id),
        PoolRef::Name(name) => map.pool_id(name),
    }
}

impl Client {
    pub(super) fn place_watch(&mut self, key: WatchKey, object: ObjectRef) {
        self.place(Waiting::Watch(key), object);
    }

    pub(super) fn place_notify(&mut self, key: NotifyKey, object: ObjectRef) {
        self.place(Waiting::Notify(key), object);
    }

    pub(super) fn place_call(&mut self, key: CallKey, object: ObjectRef) {
        self.place(Waiting::Call(key), object);
    }

    pub(super) fn unplace_watch(&mut self, key: WatchKey) {
        if let Some(object) = self.watches.object(key) {
            self.unplaced.add(Waiting::Watch(key), object.to_ref());
        }
    }

    pub(super) fn unplace_notify(&mut self, key: NotifyKey) {
        if let Some(object) = self.notifies.object(key) {
            self.unplaced.add(Waiting::Notify(key), object.to_ref());
        }
    }

    fn place(&mut self, waiting: Waiting, object: ObjectRef) {
        match self.holder.get().and_then(|map| pool_of(map, &object)) {
            Some(pool) => self.start(waiting, &object, pool),
            None => {
                self.unplaced.add(waiting, object);
                self.forget_ended();
                self.ask();
            }
        }
    }

    /// Drops what ended while it waited, once that is most of it: without a map it would pile up.
    fn forget_ended(&mut self) {
        let alive = self.watches.len() + self.in_flight();
        if self.unplaced.0.len() > alive.saturating_mul(2) {
            let Self { unplaced, watches, notifies, calls, .. } = self;
            unplaced.0.retain(|waiting, _| match waiting {
                Waiting::Watch(key) => watches.contains(*key),
                Waiting::Notify(key) => notifies.contains(*key),
                Waiting::Call(key) => calls.contains(*key),
            });
        }
    }

    fn start(&mut self, waiting: Waiting, object: &ObjectRef, pool: i64) {
        let placed = Object::new(object, pool);
        let started = self.with_cluster(|watches, notifies, calls, cl, cx| match waiting {
            Waiting::Watch(key) => {
                watches.start(key, placed, cl, cx);
                true
            }
            Waiting::Notify(key) => {
                notifies.start(key, placed, cl, cx);
                true
            }
            Waiting::Call(key) => calls.start(key, placed, cl),
        });
        if started == Some(false) {
            self.unplaced.add(waiting, object.clone());
        }
    }

    /// After new maps: places what can be placed, and ends what can not be.
    pub(super) fn place_waiting(&mut self) {
        let Some(map) = self.holder.get() else { return };
        let epoch = u64::from(map.epoch);
        let mut found = Vec::new();
        let mut gone = Vec::new();
        for (waiting, entry) in &self.unplaced.0 {
            match (pool_of(map, &entry.object), entry.check) {
                (Some(pool), _) => found.push((*waiting, pool)),
                (None, Check::Bound(bound)) if epoch >= bound => gone.push(*waiting),
                _ => {}
            }
        }
        for (waiting, pool) in found {
            if let Some(entry) = self.unplaced.0.remove(&waiting) {
                self.start(waiting, &entry.object, pool);
            }
        }
        for waiting in gone {
            self.unplaced.0.remove(&waiting);
            self.pool_gone(waiting);
        }
        self.ask();
    }

    fn pool_gone(&mut self, waiting: Waiting) {
        self.with_cluster(|watches, notifies, calls, cl, cx| match waiting {
            Waiting::Watch(key) => watches.pool_gone(key, cl, cx),
            Waiting::Notify(key) => notifies.pool_gone(key, cl, cx),
            Waiting::Call(key) => calls.fail(key, OpError::NoPool, cl.sessions, cx),
        });
    }

    /// Asks for the newest epoch on behalf of all that have not asked; without a map there is
    /// nothing to doubt yet.
    fn ask(&mut self) {
        let not_asked = |entry: &&mut Entry| matches!(entry.check, Check::NotAsked);
        if self.holder.get().is_none() || !self.unplaced.0.values_mut().any(|entry| not_asked(&entry)) {
            return;
        }
        let handle = self.mon.ask_newest(&mut self.cx);
        self.unplaced.0.values_mut().filter(not_asked).for_each(|entry| entry.check = Check::Asked(handle));
    }

    /// An answer to one question answers those asked before it.
    pub(super) fn on_newest(&mut self, handle: u64, newest: u64) {
        for entry in self.unplaced.0.values_mut() {
            if matches!(entry.check, Check::Asked(asked) if asked <= handle) {
                entry.check = Check::Bound(newest);
            }
        }
        self.newest = self.newest.max(newest);
        self.place_waiting();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{AuthMethod, AuthName, Credentials};
    use crate::{Call, Config, Timestamp, UnixTime};

    #[test]
    fn what_ended_without_a_map_does_not_pile_up() {
        let credentials = Credentials { name: AuthName::client("admin"), key: None };
        let mut config = Config::new(credentials, Some("v2:127.0.0.1:3300".parse().unwrap()));
        config.auth = [AuthMethod::None].into();
        let now = Timestamp::default();
        let mut client = Client::new(now, UnixTime::default(), config, [1; 32]).unwrap();
        for _ in 0..100 {
            let call = client.call(now, ObjectRef::new("rbd", "x"), Call::Stat, None).unwrap();
            client.abandon_call(now, call);
        }
        assert!(client.unplaced.0.len() < 5, "{}", client.unplaced.0.len());
    }
}
