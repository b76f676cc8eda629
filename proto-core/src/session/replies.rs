//! Replies of OSDs: to whom they go, and which ones mean "send it again".
//!
//! Facts: `osdc/Objecter.cc` (`handle_osd_op_reply`).

use super::op::{Op, Replied};
use super::{Link, Member, Sessions};
use crate::ids::ConnKey;
use crate::object::Object;
use crate::placement::locate;
use alloc::sync::Arc;
use linger_wire::msg::{OpFlags, OpReply, Redirect};
use linger_wire::osdmap::OsdMap;
use linger_wire::{ObjectLocator, errno};

impl Sessions {
    /// Finds the request that a reply ends.
    ///
    /// A reply counts only from the session's current connection, for a request of that session,
    /// and for its latest attempt; everything else is a stray.
    pub(crate) fn on_reply(&mut self, conn: ConnKey, tid: u64, reply: OpReply, map: &OsdMap) -> Replied {
        let Some(osd) = self.osd_of(conn) else { return Replied::Stray };
        let Some(session) = self.sessions.get_mut(&osd) else { return Replied::Stray };
        if session.link != Link::Up(conn) || !session.tids.contains(&tid) {
            return Replied::Stray;
        }
        let Some(op) = self.ops.get(&tid) else { return Replied::Stray };
        if op.sent.is_none() || (reply.retry_attempt >= 0 && reply.retry_attempt != op.attempts - 1) {
            return Replied::Stray;
        }
        session.succeeded();
        let Some(op) = self.cancel(tid) else { return Replied::Stray };
        if let Some(redirect) = &reply.redirect {
            return self.again(redirected(op, redirect), map);
        }
        if reply.result == -errno::EAGAIN {
            return self.again(op, map);
        }
        Replied::Done { op, reply }
    }

    /// Sends a request anew under another tid.
    fn again(&mut self, mut op: Op, map: &OsdMap) -> Replied {
        op.sent = None;
        op.attempts = 0;
        let owner = op.owner;
        if let Ok(target) = locate(map, &op.object.locator, &op.object.name, op.overlay()) {
            op.target = target;
        }
        Replied::Again { owner, tid: self.submit(op, map) }
    }

    /// Sends a request to where a new map has its object; false if its pool is gone.
    pub(crate) fn move_op(&mut self, tid: u64, map: &OsdMap) -> bool {
        let Some(op) = self.ops.get(&tid) else { return true };
        let (object, overlay) = (Arc::clone(&op.object), op.overlay());
        match self.targets.place(Member::Op(tid), &object, overlay, map) {
            Some(target) => {
                self.retarget(tid, target, map);
                true
            }
            None => false,
        }
    }
}

/// The request with the object that a redirect names.
fn redirected(op: Op, redirect: &Redirect) -> Op {
    let pool = match redirect.locator.pool {
        -1 => op.object.locator.pool,
        pool => pool,
    };
    let name = if redirect.object.is_empty() { op.object.name.clone() } else { redirect.object.clone() };
    let locator = ObjectLocator { pool, ..redirect.locator.clone() };
    let flags = OpFlags::REDIRECTED | OpFlags::IGNORE_CACHE | OpFlags::IGNORE_OVERLAY;
    Op { object: Arc::new(Object { locator, name }), extra_flags: op.extra_flags | flags, ..op }
}
