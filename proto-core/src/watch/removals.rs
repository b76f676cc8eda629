//! Registrations that were replaced or given up: their OSDs are asked to forget them.
//!
//! Each removal is an UNWATCH of an old cookie, sent until it is answered. It outlives its watch, so there is a
//! bound on those, too: of what is given up the OSD forgets each by its timeout.

use super::{Cluster, Owner, WatchKey, Watches, watch_action};
use crate::output::LeftBehind;
use crate::session::op::Op;
use linger_wire::msg::WatchOp;

/// Removals of one watch that may be unanswered at a time: beyond it the oldest is given up.
const REMOVALS_MAX: usize = 4;

/// Removals of all watches that have ended that may be unanswered at a time: beyond it the oldest is given up.
const ORPHANS_MAX: usize = 1024;

impl Watches {
    /// Takes a new cookie; what the OSD may still have under the old one is removed.
    pub(super) fn forget_registration(&mut self, key: WatchKey, cl: &mut Cluster<'_>) {
        self.cancel_requests(key, cl);
        let cookie = self.new_cookie();
        let Some(watch) = self.watches.get_mut(key) else { return };
        let old = core::mem::replace(&mut watch.cookie, cookie);
        let asked = core::mem::replace(&mut watch.asked, false);
        watch.bound = None;
        self.by_cookie.remove(&old);
        self.by_cookie.insert(cookie, key);
        if let (true, Some(object), Some(target)) = (asked, watch.object.clone(), watch.target) {
            let action = watch_action(WatchOp::Unwatch, old, 0, 0);
            let op = Op::new(Owner::Removal(key), object, action, target);
            watch.removals.insert(cl.sessions.submit(op, cl.map), old);
            if watch.removals.len() > REMOVALS_MAX
                && let Some((oldest, _)) = watch.removals.pop_first()
            {
                cl.sessions.cancel(oldest);
            }
        }
        self.forget_answers(key, cl);
    }

    /// The watch ends, and its removals go on without it.
    pub(super) fn orphan_removals(&mut self, key: WatchKey) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let Some(object) = &watch.object else { return };
        let gone_within = watch.lease();
        for (tid, cookie) in core::mem::take(&mut watch.removals) {
            self.orphans.insert(tid, LeftBehind { object: object.to_ref(), cookie, gone_within });
        }
    }

    /// Gives up removals beyond the bound.
    pub(super) fn bound_orphans(&mut self, cl: &mut Cluster<'_>) {
        while self.orphans.len() > ORPHANS_MAX
            && let Some((oldest, _)) = self.orphans.pop_first()
        {
            cl.sessions.cancel(oldest);
        }
    }

    /// A registration is gone, or its OSD will never say so.
    pub(crate) fn on_removed(&mut self, key: WatchKey, tid: u64) {
        self.orphans.remove(&tid);
        if let Some(watch) = self.watches.get_mut(key) {
            watch.removals.remove(&tid);
        }
    }

    /// A removal goes under another tid.
    pub(crate) fn on_removal_again(&mut self, key: WatchKey, old: u64, new: u64) {
        if let Some(left) = self.orphans.remove(&old) {
            self.orphans.insert(new, left);
        }
        if let Some(watch) = self.watches.get_mut(key)
            && let Some(cookie) = watch.removals.remove(&old)
        {
            watch.removals.insert(new, cookie);
        }
    }
}
