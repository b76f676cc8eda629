//! What the primary of an object knows of its watches: which are connected, and the notifies under way.
//!
//! Registrations outlive the primary; all of this is lost with it, and made anew from them.
//!
//! Facts: `osd/Watch.cc`, `osd/PrimaryLogPG.cc` (`do_osd_op_effects`, `populate_obc_watchers`).

use super::{Cx, Osd};
use crate::conns::ConnId;
use crate::journal::Deed;
use crate::store::ObjectId;
use crate::timers::Timer;
use bytes::Bytes;
use linger_core::Timestamp;
use linger_wire::Encode;
use linger_wire::errno::{ENOTCONN, ETIMEDOUT};
use linger_wire::msg::{NotifyAck, NotifyAcks, NotifyOpcode, Op, OpRequest, WatchNotify, WatcherId};
use linger_wire::osdmap::OsdMap;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What follows from an operation.
#[derive(Debug)]
pub(super) enum Effect {
    Connect { watcher: WatcherId, timeout: u32, will_ping: bool },
    Ping { watcher: WatcherId },
    Remove { watcher: WatcherId },
    Deleted,
    Notify { notify_id: u64, cookie: u64, timeout: u32, payload: Bytes, version: u64 },
    Ack { notify_id: u64, cookie: u64, reply: Bytes },
}

#[derive(Debug)]
struct Watch {
    conn: Option<ConnId>,
    will_ping: bool,
    last_ping: Timestamp,
    timeout: Duration,
    /// When it ends; not while a watcher that does not ping is connected.
    ends: Option<Timestamp>,
}

#[derive(Debug)]
struct Notify {
    /// The notifier's connection.
    conn: ConnId,
    notifier: u64,
    cookie: u64,
    version: u64,
    payload: Bytes,
    acks: BTreeMap<WatcherId, Bytes>,
    waiting: BTreeSet<WatcherId>,
    ends: Timestamp,
}

/// An object that was looked at in this interval.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    watches: BTreeMap<WatcherId, Watch>,
    notifies: BTreeMap<u64, Notify>,
}

impl Loaded {
    pub fn is_connected(&self, watcher: WatcherId) -> bool {
        self.watches.get(&watcher).is_some_and(|watch| watch.conn.is_some())
    }

    /// A connection is gone. Whoever pings keeps the time that is left since the last ping; a watcher that does
    /// not has its whole timeout from now on, and is given with its end.
    pub fn unbind(&mut self, conn: ConnId, now: Timestamp) -> Vec<(WatcherId, Timestamp)> {
        let mut ends = Vec::new();
        for (watcher, watch) in self.watches.iter_mut().filter(|(_, watch)| watch.conn == Some(conn)) {
            watch.conn = None;
            if watch.ends.is_none() {
                let at = now.saturating_add(watch.timeout);
                watch.ends = Some(at);
                ends.push((*watcher, at));
            }
        }
        ends
    }
}

impl Osd {
    /// Makes watches of an object's registrations, if it was not looked at in this interval yet.
    pub(super) fn load(&mut self, object: ObjectId, cx: &mut Cx<'_>) {
        if self.loaded.contains_key(&object) {
            return;
        }
        let map = self.map(cx);
        let mut loaded = Loaded::default();
        let mut locked_out = Vec::new();
        for (id, entry) in cx.store.get(object).into_iter().flat_map(|object| &object.watchers) {
            if map.blocklist.contains(&entry.addr) {
                locked_out.push(*id);
                continue;
            }
            let timeout = Duration::from_secs(entry.timeout.into());
            let ends = cx.now.saturating_add(timeout);
            let watch = Watch { conn: None, will_ping: true, last_ping: cx.now, timeout, ends: Some(ends) };
            loaded.watches.insert(*id, watch);
            cx.timers.at(ends, Timer::Watch { osd: self.id, object, watcher: *id });
        }
        self.loaded.insert(object, loaded);
        locked_out.into_iter().for_each(|watcher| self.expire(object, watcher, cx));
    }

    pub(super) fn take_effect(
        &mut self,
        conn: ConnId,
        client: u64,
        object: ObjectId,
        effects: Vec<Effect>,
        cx: &mut Cx<'_>,
    ) {
        for effect in effects {
            match effect {
                Effect::Connect { watcher, timeout, will_ping } => {
                    self.connect(conn, object, watcher, timeout, will_ping, cx);
                }
                Effect::Ping { watcher } => self.ping(object, watcher, cx),
                Effect::Remove { watcher } => self.remove(object, watcher, false, cx),
                Effect::Deleted => {
                    let watchers = self.loaded.get(&object).map(|loaded| loaded.watches.keys().copied());
                    let watchers: Vec<_> = watchers.into_iter().flatten().collect();
                    watchers.into_iter().for_each(|watcher| self.remove(object, watcher, true, cx));
                }
                Effect::Notify { notify_id, cookie, timeout, payload, version } => {
                    let ends = cx.now.saturating_add(Duration::from_secs(timeout.into()));
                    let (acks, waiting) = (BTreeMap::new(), BTreeSet::new());
                    let notifier = client;
                    let notify = Notify { conn, notifier, cookie, version, payload, acks, waiting, ends };
                    self.notify(object, notify_id, notify, cx);
                }
                Effect::Ack { notify_id, cookie, reply } => {
                    self.ack(object, notify_id, WatcherId { client, cookie }, reply, cx);
                }
            }
        }
    }

    fn connect(
        &mut self,
        conn: ConnId,
        object: ObjectId,
        watcher: WatcherId,
        timeout: u32,
        will_ping: bool,
        cx: &mut Cx<'_>,
    ) {
        let loaded = self.loaded.entry(object).or_default();
        let timeout = Duration::from_secs(timeout.into());
        let watch = loaded.watches.entry(watcher).or_insert(Watch {
            conn: None,
            will_ping,
            last_ping: cx.now,
            timeout,
            ends: None,
        });
        if watch.conn == Some(conn) {
            return;
        }
        watch.conn = Some(conn);
        watch.will_ping = will_ping;
        watch.last_ping = cx.now;
        let ends = cx.now.saturating_add(watch.timeout);
        watch.ends = will_ping.then_some(ends);
        cx.journal.note(cx.now, self.id, &cx.store.key(object).name, || Deed::WatchConnected(watcher));
        if will_ping {
            cx.timers.at(ends, Timer::Watch { osd: self.id, object, watcher });
        }
        for (id, notify) in loaded.notifies.iter().filter(|(_, notify)| notify.waiting.contains(&watcher)) {
            cx.conns.send(conn, 0, &notify.to_watcher(*id, watcher.cookie));
        }
    }

    fn ping(&mut self, object: ObjectId, watcher: WatcherId, cx: &mut Cx<'_>) {
        let watch = self.loaded.get_mut(&object).and_then(|loaded| loaded.watches.get_mut(&watcher));
        if let Some(watch) = watch {
            watch.last_ping = cx.now;
            // The timer is not moved: when it comes it sees that there is time left.
            watch.ends = Some(cx.now.saturating_add(watch.timeout));
        }
    }

    /// Notes a ping or RECONNECT for a watch that is not registered, and a ping for one that is bound to no
    /// connection, if its client knows the interval and is in time.
    pub(super) fn note_refusal(
        &self,
        object: ObjectId,
        client: u64,
        request: &OpRequest,
        result: i32,
        cx: &mut Cx<'_>,
    ) {
        let began = cx.maps.group_at(request.pgid.pg, self.epoch).map(|group| group.epoch);
        for op in &request.ops {
            let Op::Watch { cookie, .. } = op else { continue };
            let watcher = WatcherId { client, cookie: *cookie };
            let watch = self.loaded.get(&object).and_then(|loaded| loaded.watches.get(&watcher));
            let in_time = watch.is_some_and(|watch| watch.last_ping.saturating_add(watch.timeout) >= cx.now);
            if result == -ENOTCONN {
                cx.note(self.id, object, || Deed::WatchUnknown(watcher));
            } else if in_time && began.is_some_and(|began| request.epoch >= began) {
                cx.note(self.id, object, || Deed::PingedUnbound(watcher));
            }
        }
    }

    /// Removes a watch whose registration is gone.
    fn remove(&mut self, object: ObjectId, watcher: WatcherId, tell: bool, cx: &mut Cx<'_>) {
        let Some(loaded) = self.loaded.get_mut(&object) else { return };
        let Some(watch) = loaded.watches.remove(&watcher) else { return };
        if let Some(conn) = watch.conn.filter(|_| tell) {
            cx.conns.send(conn, 0, &disconnect(watcher.cookie));
        }
        for notify in loaded.notifies.values_mut() {
            notify.waiting.remove(&watcher);
        }
        self.complete(object, cx);
    }

    /// A watch has lost its right: unregister and remove it.
    fn expire(&mut self, object: ObjectId, watcher: WatcherId, cx: &mut Cx<'_>) {
        if let Some(object) = cx.store.get_mut(object) {
            object.watchers.remove(&watcher);
        }
        self.remove(object, watcher, true, cx);
    }

    fn notify(&mut self, object: ObjectId, id: u64, mut notify: Notify, cx: &mut Cx<'_>) {
        let loaded = self.loaded.entry(object).or_default();
        for (watcher, watch) in &mut loaded.watches {
            // One that did not ping in time is not counted on, even if its timer has not come yet.
            if watch.will_ping && watch.last_ping.saturating_add(watch.timeout) < cx.now {
                watch.conn = None;
                continue;
            }
            notify.waiting.insert(*watcher);
            if let Some(conn) = watch.conn {
                cx.conns.send(conn, 0, &notify.to_watcher(id, watcher.cookie));
            }
        }
        cx.timers.at(notify.ends, Timer::Notify { osd: self.id, object, notify_id: id });
        cx.note(self.id, object, || Deed::NotifyStarted {
            notify_id: id,
            notifier: notify.notifier,
            payload: notify.payload.clone(),
            asked: notify.waiting.iter().copied().collect(),
        });
        loaded.notifies.insert(id, notify);
        self.complete(object, cx);
    }

    fn ack(&mut self, object: ObjectId, id: u64, watcher: WatcherId, reply: Bytes, cx: &mut Cx<'_>) {
        let Some(loaded) = self.loaded.get_mut(&object) else { return };
        let Some(notify) = loaded.notifies.get_mut(&id) else { return };
        // Only those count that were asked, and once.
        if loaded.watches.contains_key(&watcher) && notify.waiting.remove(&watcher) {
            notify.acks.insert(watcher, reply);
            self.complete(object, cx);
        } else if notify.acks.contains_key(&watcher) {
            cx.note(self.id, object, || Deed::AckedAgain { notify_id: id, watcher });
        }
    }

    /// Completes the notifies that nobody is waited for any more.
    fn complete(&mut self, object: ObjectId, cx: &mut Cx<'_>) {
        let Some(loaded) = self.loaded.get_mut(&object) else { return };
        let done = |(id, notify): (&u64, &Notify)| notify.waiting.is_empty().then_some(*id);
        let done: Vec<u64> = loaded.notifies.iter().filter_map(done).collect();
        for id in done {
            if let Some(notify) = loaded.notifies.remove(&id) {
                notify.end(self.id, object, id, 0, cx);
            }
        }
    }

    /// A watch's time may be over.
    pub fn on_watch_timer(&mut self, object: ObjectId, watcher: WatcherId, cx: &mut Cx<'_>) {
        if !self.serves(object, cx) {
            return;
        }
        let Some(loaded) = self.loaded.get_mut(&object) else { return };
        let Some(watch) = loaded.watches.get_mut(&watcher) else { return };
        match watch.ends {
            None => {}
            Some(ends) if ends > cx.now => cx.timers.at(ends, Timer::Watch { osd: self.id, object, watcher }),
            Some(_) => {
                cx.note(self.id, object, || Deed::WatchExpired(watcher));
                self.expire(object, watcher, cx);
            }
        }
    }

    /// A notify's time may be over.
    pub fn on_notify_timer(&mut self, object: ObjectId, id: u64, cx: &mut Cx<'_>) {
        let Some(loaded) = self.loaded.get_mut(&object) else { return };
        if loaded.notifies.get(&id).is_some_and(|notify| notify.ends <= cx.now)
            && let Some(notify) = loaded.notifies.remove(&id)
        {
            notify.end(self.id, object, id, -ETIMEDOUT, cx);
        }
    }

    /// Ends the watches of clients that a map locks out.
    pub(super) fn lock_out(&mut self, map: &OsdMap, cx: &mut Cx<'_>) {
        let mut locked_out = Vec::new();
        for object in self.loaded.keys() {
            for (id, entry) in cx.store.get(*object).into_iter().flat_map(|object| &object.watchers) {
                if map.blocklist.contains(&entry.addr) {
                    locked_out.push((*object, *id));
                }
            }
        }
        locked_out.into_iter().for_each(|(object, watcher)| self.expire(object, watcher, cx));
    }

    /// Whether this OSD can write the object: as for requests, in the newest interval only. If not, the
    /// new interval will have its own timers.
    fn serves(&self, object: ObjectId, cx: &Cx<'_>) -> bool {
        let map = self.map(cx);
        let Some(pg) = super::group_of(&map, cx.store.key(object)) else { return false };
        let (mine, newest) = (cx.maps.group_at(pg, self.epoch), cx.maps.group_at(pg, cx.maps.epoch()));
        mine.zip(newest).is_some_and(|(mine, newest)| mine.epoch == newest.epoch && mine.primary() == self.id)
    }
}

impl Notify {
    fn to_watcher(&self, notify_id: u64, cookie: u64) -> WatchNotify {
        WatchNotify {
            opcode: NotifyOpcode::Notify,
            cookie,
            version: self.version,
            notify_id,
            payload: self.payload.clone(),
            return_code: 0,
            notifier: self.notifier,
            reply: Bytes::new(),
        }
    }

    /// Tells the notifier how it ended.
    fn end(self, osd: i32, object: ObjectId, notify_id: u64, return_code: i32, cx: &mut Cx<'_>) {
        let ack =
            |(watcher, reply): (&WatcherId, &Bytes)| NotifyAck { watcher: *watcher, reply: reply.clone() };
        let watchers = NotifyAcks {
            acks: self.acks.iter().map(ack).collect(),
            missed: self.waiting.iter().copied().collect(),
        };
        let message = WatchNotify {
            opcode: NotifyOpcode::Complete,
            payload: Bytes::new(),
            return_code,
            reply: watchers.to_bytes(),
            ..self.to_watcher(notify_id, self.cookie)
        };
        cx.conns.send(self.conn, 0, &message);
        cx.note(osd, object, || Deed::NotifyDone { notify_id, return_code, watchers });
    }
}

fn disconnect(cookie: u64) -> WatchNotify {
    WatchNotify {
        opcode: NotifyOpcode::Disconnect,
        cookie,
        version: 0,
        notify_id: 0,
        payload: Bytes::new(),
        return_code: 0,
        notifier: 0,
        reply: Bytes::new(),
    }
}

#[cfg(test)]
mod tests;
