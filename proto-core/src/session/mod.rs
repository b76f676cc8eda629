//! Requests to OSDs: where each goes, when it is sent, when it is sent again, and its reply.
//!
//! All requests to one OSD share one session. What is queued is state, not bytes: a request is
//! encoded when its session's outbox has room, so a moved or cancelled one costs nothing.
//!
//! | after | calls, acks, unwatches | lingers: register, reconnect, ping, notify |
//! |---|---|---|
//! | a reset of the session | the same request again, flagged RETRY | dropped; their owner makes new ones |
//! | a new interval of the PG | the same | the same |
//! | EAGAIN, redirect | a new tid | a new tid |
//! | UNBLOCK of a backoff | the same, flagged RETRY if it was sent | the same |
//!
//! Facts: `osdc/Objecter.cc`.

mod backoffs;
mod link;
pub(crate) mod op;
mod replies;
pub(crate) mod targets;

use crate::auth::TicketStore;
use crate::config::Limits;
use crate::conn::{Connection, Dial, Login, Peer, pick};
use crate::context::Context;
use crate::error::ConnFault;
use crate::ids::ConnKey;
use crate::output::Event;
use crate::placement::Target;
use crate::timers::TimerKey;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;
use linger_wire::msg::{Backoff, BackoffOp};
use linger_wire::osdmap::{OsdMap, map_flags, pool_flags};
use linger_wire::{EntityType, HObject, Name, UTime};
use link::{Link, Session, idle_check};
use op::{Op, Owner};
pub(crate) use targets::{Member, Moves, Targets};

/// The priority that clients' operations have (`osd_client_op_priority`).
const PRIORITY: u16 = 63;

/// Tickets that OSDs refused after which the client's caps are to blame. A rotation of the
/// services' keys that an OSD has not heard of yet costs one or two.
const REFUSALS: u32 = 4;

/// All sessions and all requests.
pub(crate) struct Sessions {
    sessions: BTreeMap<i32, Session>,
    by_conn: BTreeMap<ConnKey, i32>,
    ops: BTreeMap<u64, Op>,
    last_tid: u64,
    /// Sessions that got something to do since they were last looked at.
    busy: BTreeSet<i32>,
    /// Whether the map at hand made any request wait.
    paused: bool,
    pub(crate) targets: Targets,
    /// Requests whose pool the map does not have.
    homeless: BTreeSet<Member>,
    /// Whether any OSD ever let this client in.
    welcome: bool,
    /// Tickets that OSDs refused before one let this client in.
    refusals: u32,
}

impl Sessions {
    pub(crate) fn new() -> Self {
        Self {
            sessions: BTreeMap::new(),
            by_conn: BTreeMap::new(),
            ops: BTreeMap::new(),
            last_tid: 0,
            busy: BTreeSet::new(),
            paused: false,
            targets: Targets::default(),
            homeless: BTreeSet::new(),
            welcome: false,
            refusals: 0,
        }
    }

    /// Counts a refused ticket, and says whether the client's caps must be the reason: no OSD ever let it
    /// in, and each of these tickets was a new one. Later than that a refusal is a ticket's fault.
    pub(crate) fn refused(&mut self) -> bool {
        self.refusals = self.refusals.saturating_add(1);
        !self.welcome && self.refusals >= REFUSALS
    }

    /// The client is another one from now on: whether OSDs let it in is not known.
    pub(crate) fn forget_welcome(&mut self) {
        (self.welcome, self.refusals) = (false, 0);
    }

    /// Where an OSD was dialled last.
    pub(crate) fn addr(&self, osd: i32) -> Option<SocketAddr> {
        self.sessions.get(&osd)?.addr
    }

    /// The OSD whose connection this is.
    pub(crate) fn osd_of(&self, conn: ConnKey) -> Option<i32> {
        self.by_conn.get(&conn).copied()
    }

    /// Puts a request in its session's queue, or, without a primary, aside until there is one.
    pub(crate) fn submit(&mut self, op: Op, map: &OsdMap) -> u64 {
        self.last_tid += 1;
        let tid = self.last_tid;
        let (osd, turn) = (op.target.osd, (op.owner.class(), tid));
        if !op.owner.is_linger()
            && self.targets.place(Member::Op(tid), &op.object, op.overlay(), map).is_none()
        {
            self.homeless.insert(Member::Op(tid));
        }
        self.ops.insert(tid, op);
        self.enqueue(osd, turn, map);
        tid
    }

    fn enqueue(&mut self, osd: i32, turn: (u8, u64), map: &OsdMap) {
        let Some(addrs) = map.addrs(osd) else { return };
        let session = self.sessions.entry(osd).or_insert_with(|| Session::new(addrs.clone()));
        session.tids.insert(turn.1);
        session.queue.insert(turn);
        self.busy.insert(osd);
    }

    /// Forgets a request; a reply to it is a stray from now on.
    pub(crate) fn cancel(&mut self, tid: u64) -> Option<Op> {
        let op = self.ops.remove(&tid)?;
        self.targets.remove(Member::Op(tid));
        self.unlink(op.target.osd, (op.owner.class(), tid));
        Some(op)
    }

    fn unlink(&mut self, osd: i32, turn: (u8, u64)) {
        if let Some(session) = self.sessions.get_mut(&osd) {
            session.tids.remove(&turn.1);
            session.queue.remove(&turn);
            session.held.remove(&turn);
        }
    }

    /// Sends a request, sent before or not, to where its object now is.
    fn retarget(&mut self, tid: u64, target: Target, map: &OsdMap) {
        let Some(op) = self.ops.get_mut(&tid) else { return };
        let turn = (op.owner.class(), tid);
        let before = core::mem::replace(&mut op.target, target);
        self.unlink(before.osd, turn);
        self.enqueue(target.osd, turn, map);
    }

    /// Brings every session on its way that has something to do: dials, encodes.
    pub(crate) fn work(&mut self, map: &OsdMap, tickets: &TicketStore, cx: &mut Context) {
        while let Some(osd) = self.busy.pop_first() {
            let Some(session) = self.sessions.get(&osd) else { continue };
            match session.link {
                Link::Up(conn) => self.encode(osd, conn, map, cx),
                Link::Down if !session.tids.is_empty() => self.dial(osd, tickets, cx),
                _ => {}
            }
        }
    }

    /// Lets a session whose outbox got room, or that waits for a ticket, have another look.
    pub(crate) fn wake(&mut self, osd: Option<i32>) {
        match osd {
            Some(osd) => {
                self.busy.insert(osd);
            }
            None => self.busy.extend(self.sessions.keys()),
        }
    }

    fn dial(&mut self, osd: i32, tickets: &TicketStore, cx: &mut Context) {
        let Some(session) = self.sessions.get_mut(&osd) else { return };
        let target = pick(&session.addrs, &cx.config.modes)
            .and_then(|target| Ok((target, target.sock.ok_or(ConnFault::Unreachable)?)));
        let (target, addr) = match target {
            Ok(found) => found,
            // Wait for it to come back with another address.
            Err(fault) => return cx.event(Event::OsdFault { osd, addr: None, fault }),
        };
        let global_id = Some(tickets.global_id());
        // Without a good ticket the session stays down; it is tried again when tickets come.
        if !tickets.have(EntityType::OSD, cx.now) {
            return;
        }
        let Ok(login) = tickets.authorizer(EntityType::OSD, &cx.config.modes, &mut cx.rng) else {
            return;
        };
        let dial = Dial { peer: Peer::Osd(osd), target, login: Login::Service(login), global_id };
        let conn = cx.pool.open(cx.now, addr, dial, &cx.config, &mut cx.timers, &mut cx.out);
        session.link = Link::Dialing(conn);
        session.dialled = cx.now;
        session.addr = Some(addr);
        self.by_conn.insert(conn, osd);
    }

    /// The handshake with an OSD is over.
    pub(crate) fn on_ready(&mut self, conn: ConnKey, map: &OsdMap, cx: &mut Context) {
        let Some(osd) = self.osd_of(conn) else { return };
        if let Some(session) = self.sessions.get_mut(&osd) {
            session.link = Link::Up(conn);
            self.welcome = true;
            if let Some(mode) = cx.pool.get(conn).map(Connection::mode) {
                cx.event(Event::OsdUp { osd, mode });
            }
            let at = idle_check(cx.now, &cx.config.timing);
            cx.timers.set(TimerKey::Redial(osd), &mut session.timer, Some(at));
            self.encode(osd, conn, map, cx);
        }
    }

    /// Encodes queued requests while there is room.
    fn encode(&mut self, osd: i32, conn: ConnKey, map: &OsdMap, cx: &mut Context) {
        let Some(session) = self.sessions.get_mut(&osd) else { return };
        let unix = cx.unix_now.0;
        let mtime = UTime { sec: unix.as_secs() as u32, nsec: unix.subsec_nanos() };
        while let Some(link) = cx.pool.get(conn).filter(|link| link.has_room()) {
            let features = link.features();
            let Some(turn) = session.queue.pop_first() else { break };
            let Some(op) = self.ops.get_mut(&turn.1) else { continue };
            let paused = is_paused(op, map);
            self.paused |= paused;
            if paused || session.backoffs.hold(op.target.pg, || op.hobject()) {
                session.held.insert(turn);
                continue;
            }
            cx.pool.send(conn, turn.1, PRIORITY, &op.request(map.epoch, mtime, features));
            op.attempts = op.attempts.saturating_add(1);
            op.sent = Some(cx.now);
            op.first_sent.get_or_insert(cx.now);
        }
    }

    /// A connection is gone. Requests that were sent are queued again or, of lingers, dropped.
    ///
    /// Returns the OSD. If its session was up its lingers must be sent anew.
    pub(crate) fn on_fault(&mut self, conn: ConnKey, cx: &mut Context) -> Option<i32> {
        let osd = self.by_conn.remove(&conn)?;
        let session = self.sessions.get_mut(&osd)?;
        let at = session.failed(cx.now, &cx.config.timing, &mut cx.rng);
        session.link = Link::Waiting;
        cx.timers.set(TimerKey::Redial(osd), &mut session.timer, Some(at));
        self.requeue_sent(osd);
        Some(osd)
    }

    fn requeue_sent(&mut self, osd: i32) {
        let Some(session) = self.sessions.get_mut(&osd) else { return };
        session.backoffs.clear();
        session.release_held();
        let tids: Vec<_> = session.tids.iter().copied().collect();
        for tid in tids {
            let Some(op) = self.ops.get(&tid).filter(|op| op.sent.is_some()) else { continue };
            let turn = (op.owner.class(), tid);
            if op.owner.is_linger() {
                session.tids.remove(&tid);
                session.queue.remove(&turn);
                self.ops.remove(&tid);
            } else {
                session.queue.insert(turn);
            }
        }
    }

    /// A session's time came: dial again, or close it if nothing needs it.
    pub(crate) fn on_timer(&mut self, osd: i32, tickets: &TicketStore, cx: &mut Context) {
        let Some(session) = self.sessions.get_mut(&osd) else { return };
        cx.timers.set(TimerKey::Redial(osd), &mut session.timer, None);
        let needed = !session.tids.is_empty() || self.targets.is_used(osd);
        match session.link {
            Link::Up(_) if needed => {
                let at = idle_check(cx.now, &cx.config.timing);
                cx.timers.set(TimerKey::Redial(osd), &mut session.timer, Some(at));
            }
            Link::Waiting if needed => {
                session.link = Link::Down;
                self.dial(osd, tickets, cx);
            }
            _ if needed => {}
            _ => self.close(osd, cx),
        }
    }

    /// Ends a session: nothing needs it, or the map says that its OSD is not there.
    pub(crate) fn close(&mut self, osd: i32, cx: &mut Context) {
        let Some(mut session) = self.sessions.remove(&osd) else { return };
        cx.timers.set(TimerKey::Redial(osd), &mut session.timer, None);
        if let Some(conn) = session.conn() {
            self.by_conn.remove(&conn);
            cx.close(conn, ConnFault::Dropped);
        }
    }

    /// Sessions whose OSD is down in this map or is another process by now.
    pub(crate) fn outdated(&self, map: &OsdMap) -> Vec<i32> {
        let fits = |osd: i32, session: &Session| map.is_up(osd) && map.addrs(osd) == Some(&session.addrs);
        self.sessions.iter().filter(|(osd, session)| !fits(**osd, session)).map(|(osd, _)| *osd).collect()
    }

    /// Ends an outdated session and lets its requests go to where the map has them now.
    ///
    /// Requests of lingers that were sent are dropped, as by a reset.
    pub(crate) fn replace(&mut self, osd: i32, map: &OsdMap, cx: &mut Context) {
        self.requeue_sent(osd);
        let tids = self.sessions.get(&osd).map(|session| session.tids.clone()).unwrap_or_default();
        self.close(osd, cx);
        for tid in tids {
            if let Some(op) = self.ops.get(&tid) {
                let turn = (op.owner.class(), tid);
                self.enqueue(op.target.osd, turn, map);
            }
        }
    }

    /// All sessions, for closing.
    pub(crate) fn osds(&self) -> Vec<i32> {
        self.sessions.keys().copied().collect()
    }

    /// After a new map: what was paused may go on.
    pub(crate) fn release_held(&mut self) {
        self.paused = false;
        for (osd, session) in &mut self.sessions {
            if !session.held.is_empty() {
                session.release_held();
                self.busy.insert(*osd);
            }
        }
    }

    /// Whether anything can go on only with a newer map: it is paused, or without a primary.
    pub(crate) fn wait_for_map(&self) -> bool {
        self.paused || self.targets.is_used(-1)
    }

    /// When the request was sent, of those under way, that waits longest for its answer.
    pub(crate) fn first_sent(&self) -> Option<crate::Timestamp> {
        self.ops.values().filter_map(|op| op.sent).min()
    }

    /// A backoff begins or ends.
    pub(crate) fn on_backoff(
        &mut self,
        conn: ConnKey,
        backoff: Backoff,
        map: &OsdMap,
        cx: &mut Context,
    ) -> Result<(), ConnFault> {
        let Some(osd) = self.osd_of(conn) else { return Ok(()) };
        let Some(session) = self.sessions.get_mut(&osd) else { return Ok(()) };
        match backoff.op {
            BackoffOp::Block => {
                for HObject { key, oid, nspace, .. } in [&backoff.begin, &backoff.end] {
                    check_names(oid, key, nspace, &cx.config.limits)?;
                }
                let ack = Backoff { op: BackoffOp::AckBlock, ..backoff.clone() };
                // A peer that asks faster than it reads the answers must not fill the outbox.
                let room = cx.pool.has_room(conn);
                if !session.backoffs.block(backoff, cx.config.limits.backoffs) || !room {
                    return Err(ConnFault::Unexpected("number of backoffs"));
                }
                cx.pool.send(conn, 0, PRIORITY, &ack);
            }
            BackoffOp::Unblock => {
                if let Some(ended) = session.backoffs.unblock(backoff.id) {
                    for tid in &session.tids {
                        let Some(op) = self.ops.get(tid) else { continue };
                        if op.target.pg == ended.pgid && ended.covers(&op.hobject()) {
                            let turn = (op.owner.class(), *tid);
                            session.held.remove(&turn);
                            session.queue.insert(turn);
                        }
                    }
                    self.encode(osd, conn, map, cx);
                }
            }
            BackoffOp::AckBlock => return Err(ConnFault::Unexpected("backoff ack")),
        }
        Ok(())
    }

    pub(crate) fn is_up(&self, osd: i32) -> bool {
        self.sessions.get(&osd).is_some_and(Session::is_up)
    }

    /// Whether a request was encoded.
    pub(crate) fn was_sent(&self, tid: u64) -> bool {
        self.ops.get(&tid).is_some_and(|op| op.sent.is_some())
    }
}

/// Refuses what an OSD calls an object if that is longer than it may be: it would be kept.
fn check_names(name: &Name, key: &Name, nspace: &Name, limits: &Limits) -> Result<(), ConnFault> {
    let fits = |name: &Name, max| name.as_bytes().len() <= max;
    let fit =
        fits(name, limits.name_bytes) && fits(key, limits.name_bytes) && fits(nspace, limits.namespace_bytes);
    if fit { Ok(()) } else { Err(ConnFault::Unexpected("length of an object's name")) }
}

/// Whether the map says to hold a request.
///
/// Pings are never held: they change nothing, and an OSD that answers one keeps the watch.
fn is_paused(op: &Op, map: &OsdMap) -> bool {
    if matches!(op.owner, Owner::Watch(_, op::WatchRole::Ping)) {
        return false;
    }
    if !op.is_write() {
        return map.has_flag(map_flags::PAUSERD);
    }
    let full = map.pool(op.target.raw.pool).is_some_and(|pool| pool.flags & pool_flags::FULL != 0);
    let removes = op.actions.iter().any(|action| matches!(action, linger_wire::msg::Op::Delete));
    map.has_flag(map_flags::PAUSEWR) || ((full || map.has_flag(map_flags::FULL)) && !removes)
}
