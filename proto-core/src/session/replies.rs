//! Replies of OSDs: to whom they go, and which ones mean "send it again".
//!
//! Facts: `osdc/Objecter.cc` (`handle_osd_op_reply`).

use super::op::{Op, Replied};
use super::{Link, Member, Sessions, check_names};
use crate::config::Limits;
use crate::error::ConnFault;
use crate::ids::ConnKey;
use crate::object::Object;
use crate::placement::locate;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use linger_wire::msg::{OpFlags, OpReply, Redirect};
use linger_wire::osdmap::OsdMap;
use linger_wire::{ObjectLocator, errno};

impl Sessions {
    /// Finds the request that a reply ends.
    ///
    /// A reply counts only from the session's current connection, for a request of that session,
    /// and for its latest attempt, or any of one that binds a watch; everything else is a stray.
    pub(crate) fn on_reply(
        &mut self,
        conn: ConnKey,
        tid: u64,
        reply: OpReply,
        map: &OsdMap,
        limits: &Limits,
    ) -> Result<Replied, ConnFault> {
        if !self.is_answer(conn, tid, reply.retry_attempt) {
            return Ok(Replied::Stray);
        }
        if let Some(Redirect { locator, object }) = &reply.redirect {
            check_names(object, &locator.key, &locator.nspace, limits)?;
        }
        if let Some(session) = self.osd_of(conn).and_then(|osd| self.sessions.get_mut(&osd)) {
            session.succeeded();
        }
        let Some(mut op) = self.cancel(tid) else { return Ok(Replied::Stray) };
        if op.owner.binds() {
            op.sent = op.sent_as(reply.retry_attempt);
        }
        Ok(match &reply.redirect {
            Some(redirect) => self.again(redirected(op, redirect), map),
            None if reply.result == -errno::EAGAIN => self.again(op, map),
            None => Replied::Done { op, reply },
        })
    }

    fn is_answer(&self, conn: ConnKey, tid: u64, attempt: i32) -> bool {
        let session = self.osd_of(conn).and_then(|osd| self.sessions.get(&osd));
        session.is_some_and(|session| session.link == Link::Up(conn) && session.tids.contains(&tid))
            && self.ops.get(&tid).is_some_and(|op| {
                let counts = attempt < 0 || attempt == op.attempts - 1;
                op.sent.is_some() && (counts || op.owner.binds() && attempt < op.attempts)
            })
    }

    /// Sends a request anew under another tid.
    fn again(&mut self, mut op: Op, map: &OsdMap) -> Replied {
        (op.sent, op.first_sent) = (None, None);
        op.attempts = 0;
        let owner = op.owner;
        if let Ok(target) = locate(map, &op.object.locator, &op.object.name, op.overlay()) {
            op.target = target;
        }
        let osd = op.target.osd;
        Replied::Again { owner, tid: self.submit(op, map), osd }
    }

    /// The watches and notifies that have to start over when an OSD's session ends: those whose primary it is,
    /// and those that another one redirected there.
    pub(crate) fn lingers_of(&self, osd: i32) -> BTreeSet<Member> {
        let tids = self.sessions.get(&osd).into_iter().flat_map(|session| &session.tids);
        let redirected = tids.filter_map(|tid| self.ops.get(tid)?.owner.linger());
        self.targets.lingers_of(osd).into_iter().chain(redirected).collect()
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

    /// Requests that have no place any more: nothing moves or ends them.
    pub(crate) fn take_homeless(&mut self) -> BTreeSet<Member> {
        core::mem::take(&mut self.homeless)
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
