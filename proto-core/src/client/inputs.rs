//! What the adapter has seen: connections, bytes, names, the passing of time.

use super::{Client, CloseReason};
use crate::Timestamp;
use crate::auth::AuthError;
use crate::conn::ConnEvent;
use crate::error::{ConnFault, OpError};
use crate::ids::{ConnId, ConnKey, ResolveId};
use crate::mon::MonNews;
use crate::output::Event;
use crate::session::Member;
use crate::session::op::{Owner, Replied};
use crate::timers::TimerKey;
use crate::totals::Why;
use crate::watch::Answer;
use alloc::collections::BTreeSet;
use core::net::SocketAddr;
use linger_wire::errno;
use linger_wire::msg::{Msg, NotifyOpcode, OpReply, WatchNotify};

/// How often in a row a deadline may lead to another one at the same time.
const UNMOVED_MAX: u32 = 2;

impl Client {
    /// A connection is open.
    pub fn handle_connected(&mut self, now: Timestamp, conn: ConnId) {
        self.at(now);
        self.cx.pool.on_connected(conn.key());
        self.pump();
    }

    /// Bytes came, in pieces of any size.
    pub fn handle_bytes(&mut self, now: Timestamp, conn: ConnId, bytes: &[u8]) {
        self.at(now);
        let key = conn.key();
        self.cx.pool.push(self.cx.now, key, bytes, &mut self.cx.timers);
        loop {
            let cx = &mut self.cx;
            let event = match cx.pool.pull(cx.now, key, &mut cx.rng, &mut cx.timers) {
                Ok(Some(event)) => self.on_conn_event(key, event),
                Ok(None) => break,
                Err(fault) => Err(fault),
            };
            if let Err(fault) = event {
                self.cx.close(key, fault.clone());
                self.on_conn_lost(key, fault);
                break;
            }
        }
        self.pump();
    }

    /// A connection could not be opened, or is closed. Its id is dead.
    pub fn handle_closed(&mut self, now: Timestamp, conn: ConnId, why: CloseReason) {
        self.at(now);
        let key = conn.key();
        if self.cx.pool.forget(key, &mut self.cx.timers) {
            let fault = match why {
                CloseReason::Unreachable => ConnFault::Unreachable,
                CloseReason::Closed => ConnFault::Closed,
            };
            self.on_conn_lost(key, fault);
        }
        self.pump();
    }

    /// The answer to [`Output::Resolve`](crate::Output::Resolve); empty if nothing was found.
    pub fn handle_resolved(&mut self, now: Timestamp, id: ResolveId, addrs: &[SocketAddr]) {
        self.at(now);
        self.mon.on_resolved(id.key(), addrs, &mut self.cx);
        self.pump();
    }

    /// The time of a deadline came, or any time before it: then nothing happens.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.at(now);
        let mut unmoved = 0;
        while let Some(key) = self.cx.timers.due(self.cx.now) {
            let before = self.cx.timers.first();
            self.on_timer(key);
            // A lease that ends now leads to a registration that is due now: that moves on next.
            unmoved = if self.cx.timers.first() == before { unmoved + 1 } else { 0 };
            if unmoved > UNMOVED_MAX {
                debug_assert!(false, "{key:?} does not move its deadline on");
                break;
            }
        }
        self.pump();
    }

    fn on_timer(&mut self, key: TimerKey) {
        match key {
            TimerKey::Conn(conn) => {
                let cx = &mut self.cx;
                if let Err(fault) = cx.pool.on_timer(cx.now, conn, &mut cx.timers) {
                    self.cx.close(conn, fault.clone());
                    self.on_conn_lost(conn, fault);
                }
            }
            TimerKey::Mon => self.mon.on_timer(&mut self.cx),
            TimerKey::Redial(osd) => self.sessions.on_timer(osd, self.mon.tickets(), &mut self.cx),
            TimerKey::Overdue => self.on_overdue(),
            TimerKey::Watch(watch) => {
                let placed = self.with_cluster(|watches, _, _, cl, cx| watches.on_timer(watch, Some(cl), cx));
                if placed.is_none() {
                    self.watches.on_timer(watch, None, &mut self.cx);
                }
            }
            TimerKey::Notify(notify) => self.notifies.on_timer(notify, &mut self.sessions, &mut self.cx),
            TimerKey::Call(call) => {
                let placed = self.with_cluster(|_, _, calls, cl, cx| calls.on_timer(call, cl, cx));
                if placed.is_none() {
                    self.calls.expire(call, &mut self.sessions, &mut self.cx);
                }
            }
            TimerKey::Close => self.finish_closing(),
        }
    }

    fn on_conn_event(&mut self, conn: ConnKey, event: ConnEvent) -> Result<(), ConnFault> {
        match event {
            ConnEvent::LoggedIn(login) => self.mon.on_login(conn, *login, &mut self.cx),
            ConnEvent::Ready if self.mon.owns(conn) => self.mon.on_ready(&mut self.cx),
            ConnEvent::Ready => {
                if let Some(map) = self.holder.get() {
                    self.sessions.on_ready(conn, map, &mut self.cx);
                }
            }
            ConnEvent::Message { msg: Msg::OsdMap(message), .. } => {
                if self.mon.fsid().is_some_and(|fsid| fsid != message.fsid) {
                    return Err(ConnFault::WrongCluster { found: message.fsid });
                }
                self.on_map(&message, self.mon.owns(conn));
            }
            ConnEvent::Message { msg, .. } if self.mon.owns(conn) => {
                self.mon.on_message(msg, &mut self.cx)?;
                self.tell_connected();
            }
            ConnEvent::Message { tid, msg } => self.on_osd_message(conn, tid, msg)?,
        }
        self.on_news();
        Ok(())
    }

    fn on_osd_message(&mut self, conn: ConnKey, tid: u64, msg: Msg) -> Result<(), ConnFault> {
        let Some(map) = self.holder.get() else { return Ok(()) };
        match msg {
            Msg::OpReply(reply) => {
                match self.sessions.on_reply(conn, tid, reply, map, &self.cx.config.limits)? {
                    Replied::Done { op, reply } => {
                        self.on_reply(op.owner, tid, op.sent.unwrap_or(self.cx.now), &reply);
                    }
                    Replied::Again { owner, tid: new, osd } => self.on_again(owner, tid, new, osd),
                    Replied::Stray => {}
                }
            }
            Msg::WatchNotify(message) => self.on_watch_notify(conn, message),
            Msg::Backoff(backoff) => self.sessions.on_backoff(conn, backoff, map, &mut self.cx)?,
            _ => {}
        }
        Ok(())
    }

    fn on_reply(&mut self, owner: Owner, tid: u64, sent: Timestamp, reply: &OpReply) {
        if reply.result == -errno::EBLOCKLISTED {
            self.on_blocklisted();
        }
        self.with_cluster(|watches, notifies, calls, cl, cx| match owner {
            Owner::Call(key) => calls.on_reply(key, reply, cl, cx),
            Owner::Notify(key) => notifies.on_reply(key, tid, reply, cl, cx),
            Owner::Watch(key, role) => watches.on_reply(key, &Answer { role, tid, sent, reply }, cl, cx),
            Owner::Ack { watch, notify_id } => watches.on_ack_reply(watch, notify_id, tid),
            Owner::Removal(key) => watches.on_removed(key, tid),
        });
    }

    fn on_again(&mut self, owner: Owner, old: u64, new: u64, osd: i32) {
        match owner {
            Owner::Call(key) => self.calls.on_again(key, new),
            Owner::Notify(key) => self.notifies.on_again(key, new, osd),
            Owner::Watch(key, role) => self.watches.on_again(key, role, old, new, osd),
            Owner::Ack { watch, notify_id } => self.watches.on_ack_again(watch, notify_id, new),
            Owner::Removal(key) => self.watches.on_removal_again(key, old, new),
        }
    }

    fn on_watch_notify(&mut self, conn: ConnKey, message: WatchNotify) {
        let Some(osd) = self.sessions.osd_of(conn) else { return };
        self.with_cluster(|watches, notifies, _, cl, cx| match message.opcode {
            NotifyOpcode::Notify => watches.on_notify(message, cl, cx),
            NotifyOpcode::Complete => notifies.on_complete(osd, &message, cl, cx),
            NotifyOpcode::Disconnect => watches.on_disconnect(osd, message.cookie, cl, cx),
        });
    }

    /// A connection is gone; what depended on it goes on elsewhere.
    pub(super) fn on_conn_lost(&mut self, conn: ConnKey, fault: ConnFault) {
        if self.mon.owns(conn) {
            self.mon.on_fault(conn, fault, &mut self.cx);
            return self.on_news();
        }
        let osd = self.sessions.osd_of(conn).filter(|osd| self.sessions.is_up(*osd));
        let lingers = osd.map(|osd| self.lingers_of(osd)).unwrap_or_default();
        let Some(osd) = self.sessions.on_fault(conn, &mut self.cx) else { return };
        let tickets = matches!(&fault, ConnFault::Auth(error) if error.may_be_the_ticket());
        let news = tickets && self.mon.invalidate_tickets(&mut self.cx);
        let refused = match &fault {
            ConnFault::Auth(AuthError::Refused { errno, .. }) if news => Some(*errno),
            _ => None,
        };
        self.cx.event(Event::OsdFault { osd, addr: self.sessions.addr(osd), fault });
        if let Some(errno) = refused
            && self.sessions.refused()
        {
            self.on_denied(errno);
        }
        self.resend(lingers);
        // The OSD may be elsewhere by now.
        self.want_newer();
    }

    /// What is to be sent anew when an OSD's session ends: look before it does.
    pub(super) fn lingers_of(&self, osd: i32) -> BTreeSet<Member> {
        let mut members = self.sessions.lingers_of(osd);
        members.extend(self.notifies.at(osd).map(Member::Notify));
        members
    }

    /// Sends the lingers of an OSD anew.
    fn resend(&mut self, members: BTreeSet<Member>) {
        self.with_cluster(|watches, notifies, _, cl, cx| {
            for member in members {
                match member {
                    Member::Watch(key) => _ = watches.moved(key, Why::Reset, cl, cx),
                    Member::Notify(key) => _ = notifies.moved(key, cl, cx),
                    Member::Op(_) => {}
                }
            }
        });
    }

    /// Takes in what the monitors' part found out.
    pub(super) fn on_news(&mut self) {
        while let Some(news) = self.mon.news.pop_front() {
            match news {
                MonNews::LoggedIn { changed } => {
                    if changed {
                        self.on_identity_changed();
                    }
                    self.tell_identity();
                    self.sessions.wake(None);
                }
                MonNews::Up => self.tell_connected(),
                MonNews::Tickets => self.sessions.wake(None),
                MonNews::Newest { handle, epoch } => self.on_newest(handle, epoch),
            }
        }
    }

    /// All sessions speak for an identity that is gone: they end, and every watch is lost; a client that closes
    /// is closed.
    pub(super) fn on_identity_changed(&mut self) {
        if let Some(closing) = &mut self.closing {
            closing.renamed = true;
            return;
        }
        for osd in self.sessions.osds() {
            let lingers = self.lingers_of(osd);
            if let Some(map) = self.holder.get() {
                self.sessions.replace(osd, map, &mut self.cx);
            }
            self.with_cluster(|_, notifies, _, cl, cx| {
                for member in lingers {
                    if let Member::Notify(key) = member {
                        notifies.moved(key, cl, cx);
                    }
                }
            });
        }
        self.with_cluster(|watches, _, _, cl, cx| watches.identity_changed(cl, cx));
    }

    /// Says which number the client has, if it had another one before.
    fn tell_identity(&mut self) {
        let Some(global_id) = self.mon.global_id() else { return };
        if self.told_identity.replace(global_id).is_some_and(|before| before != global_id) {
            self.cx.event(Event::IdentityChanged { global_id });
        }
    }

    pub(super) fn on_blocklisted(&mut self) {
        if core::mem::replace(&mut self.blocklisted, true) {
            return;
        }
        self.with_cluster(|watches, _, _, cl, cx| watches.blocklisted(cl, cx));
        let error = OpError::Errno(errno::EBLOCKLISTED);
        self.notifies.fail_all(error, &mut self.sessions, &mut self.cx);
        self.calls.fail_all(error, &mut self.sessions, &mut self.cx);
    }

    /// The caps have nothing for OSDs: since Tentacle they refuse the login of such a client, not its requests.
    fn on_denied(&mut self, errno: i32) {
        self.with_cluster(|watches, _, _, cl, cx| watches.denied(errno, cl, cx));
        let error = OpError::Errno(errno);
        self.notifies.fail_all(error, &mut self.sessions, &mut self.cx);
        self.calls.fail_all(error, &mut self.sessions, &mut self.cx);
    }

    pub(super) fn tell_connected(&mut self) {
        if let (false, Some(fsid), Some(global_id), Some(_)) =
            (self.told_connected, self.mon.fsid(), self.mon.global_id(), self.holder.get())
        {
            self.told_connected = true;
            self.cx.event(Event::Connected { fsid, global_id });
        }
    }
}
