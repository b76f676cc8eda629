//! The requests that a watch makes: WATCH, RECONNECT, PING, UNWATCH.

use super::state::State;
use super::{Cluster, Owner, WatchKey, WatchRole, Watches};
use crate::context::Context;
use crate::session::op::Op;
use alloc::sync::Arc;
use linger_wire::msg::{Op as Action, WatchOp};

/// Pings of one watch that may be unanswered at a time.
///
/// A late answer still proves that the OSD has the watch, so older pings are not given up; but an
/// OSD that answers none is not sent ever more of them.
const PINGS_MAX: usize = 4;

impl Watches {
    /// Sends WATCH, if there is a primary; else the next map that has one does.
    pub(super) fn register(&mut self, key: WatchKey, cl: &mut Cluster<'_>) {
        self.cancel_requests(key, cl);
        let Some(watch) = self.watches.get_mut(key) else { return };
        watch.register_gen = 0;
        watch.is_new = true;
        self.send(key, WatchOp::Watch, WatchRole::Register, cl);
    }

    pub(super) fn reconnect(&mut self, key: WatchKey, cl: &mut Cluster<'_>) {
        self.cancel_requests(key, cl);
        let Some(watch) = self.watches.get_mut(key) else { return };
        watch.register_gen = watch.register_gen.wrapping_add(1);
        self.send(key, WatchOp::Reconnect, WatchRole::Reconnect, cl);
    }

    pub(super) fn unwatch(&mut self, key: WatchKey, cl: &mut Cluster<'_>, cx: &mut Context) {
        self.cancel_requests(key, cl);
        let Some(watch) = self.watches.get(key) else { return };
        if watch.object.is_none() || watch.target.is_none() {
            return self.input(key, super::Input::Unwatched, cl, cx);
        }
        self.send(key, WatchOp::Unwatch, WatchRole::Unwatch, cl);
    }

    pub(super) fn ping(&mut self, key: WatchKey, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        watch.next_ping = watch.next_ping_after(cx.now, &mut cx.rng);
        let (Some(object), Some(target)) = (&watch.object, watch.target) else { return };
        // One that still waits to be sent serves as well as a new one.
        let waits = watch.pings.last().is_some_and(|tid| !cl.sessions.was_sent(*tid));
        if waits || watch.pings.len() >= PINGS_MAX {
            return;
        }
        let action = watch_action(WatchOp::Ping, watch.cookie, watch.register_gen, watch.timeout_secs);
        let owner = Owner::Watch(key, WatchRole::Ping);
        watch.pings.insert(cl.sessions.submit(Op::new(owner, Arc::clone(object), action, target), cl.map));
    }

    fn send(&mut self, key: WatchKey, op: WatchOp, role: WatchRole, cl: &mut Cluster<'_>) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let (Some(object), Some(target)) = (watch.object.clone(), watch.target) else { return };
        // A linger without a primary is not queued: the map that brings one makes its request.
        if target.osd < 0 && role != WatchRole::Unwatch {
            return;
        }
        watch.redirected = None;
        let action = watch_action(op, watch.cookie, watch.register_gen, watch.timeout_secs);
        let tid = cl.sessions.submit(Op::new(Owner::Watch(key, role), object, action, target), cl.map);
        watch.tid = Some(tid);
    }

    /// Forgets what is under way: late answers to it are strays.
    pub(super) fn cancel_requests(&mut self, key: WatchKey, cl: &mut Cluster<'_>) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        for tid in core::mem::take(&mut watch.pings) {
            cl.sessions.cancel(tid);
        }
        let Some(tid) = watch.tid.take() else { return };
        let Some(op) = cl.sessions.cancel(tid) else {
            // A reset dropped it: only what was sent.
            watch.asked = true;
            return;
        };
        if let (true, Some(sent)) = (op.owner.binds(), op.first_sent) {
            watch.bound.get_or_insert(sent);
            watch.asked = true;
        }
    }

    /// A request goes under another tid, and by a redirect to another OSD.
    pub(crate) fn on_again(&mut self, key: WatchKey, role: WatchRole, old: u64, new: u64, osd: i32) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        match role {
            WatchRole::Ping if watch.state == State::Live => {
                watch.pings.remove(&old);
                watch.pings.insert(new);
            }
            WatchRole::Ping => {}
            _ if watch.tid == Some(old) => {
                (watch.tid, watch.asked) = (Some(new), true);
                watch.redirected = Some(osd);
            }
            _ => {}
        }
    }
}

pub(super) fn watch_action(op: WatchOp, cookie: u64, generation: u32, timeout_secs: u32) -> Action {
    let timeout = if op == WatchOp::Unwatch { 0 } else { timeout_secs };
    Action::Watch { op, cookie, generation, timeout }
}
