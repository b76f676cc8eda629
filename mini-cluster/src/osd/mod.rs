//! An OSD: which requests it serves, which wait, and which it leaves to others.
//!
//! Facts: `osd/PrimaryLogPG.cc` (`do_request`, `do_op`), `osd/PG.cc` (`can_discard_op`), `osd/OSD.cc`.

mod backoff;
mod listing;
mod ops;
mod watch;

use crate::conns::{ConnId, Conns};
use crate::journal::{Deed, Journal};
use crate::maps::Maps;
use crate::settings::Settings;
use crate::store::{ObjectId, ObjectKey, Store};
use crate::timers::{Timer, Timers};
use linger_core::Timestamp;
use linger_core::placement::actual_pg;
use linger_wire::errno::{EBLOCKLISTED, ENOTCONN, EPERM, ETIMEDOUT};
use linger_wire::msg::{Op, OpReply, OpRequest, OpResult, WatchOp};
use linger_wire::osdmap::OsdMap;
use linger_wire::{EVersion, PgId};
use rand_chacha::ChaCha8Rng;
use rand_core::Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use watch::Loaded;

/// Requests that wait for a map or for a placement group; what comes then is dropped.
const WAITING_MAX: usize = 1 << 16;

/// What an OSD works with.
pub(crate) struct Cx<'a> {
    pub now: Timestamp,
    pub settings: &'a Settings,
    pub maps: &'a mut Maps,
    pub store: &'a mut Store,
    pub conns: &'a mut Conns,
    pub timers: &'a mut Timers,
    pub journal: &'a mut Journal,
    pub rng: &'a mut ChaCha8Rng,
}

impl Cx<'_> {
    fn note(&mut self, osd: i32, object: ObjectId, deed: impl FnOnce() -> Deed) {
        self.journal.note(self.now, osd, &self.store.key(object).name, deed);
    }

    /// A point in time within `most` from now.
    pub fn within(&mut self, most: Duration) -> Timestamp {
        let most = u64::try_from(most.as_micros()).unwrap_or(u64::MAX);
        let span = if most == 0 { 0 } else { self.rng.next_u64() % (most + 1) };
        self.now.saturating_add(Duration::from_micros(span))
    }
}

/// A request that waits.
#[derive(Debug)]
struct Waiting {
    conn: ConnId,
    tid: u64,
    request: OpRequest,
}

/// What to do with a request.
enum Verdict {
    Run,
    Wait,
    /// The client will send it again, elsewhere or later.
    Drop,
    /// As `Wait`, and the client is told so.
    Block,
}

#[derive(Debug)]
pub(crate) struct Osd {
    pub id: i32,
    /// Tells this process from those before it.
    pub nonce: u32,
    pub running: bool,
    pub paused: bool,
    /// The newest map it has.
    pub epoch: u32,
    /// Requests that it will lose.
    pub losing: u32,
    /// How long it leaves requests alone.
    pub delay: Duration,
    /// Requests that are left alone, until when.
    late: VecDeque<(Timestamp, Waiting)>,
    /// Timers that came while it was paused.
    pub overdue: Vec<Timer>,
    notifies: u32,
    waiting: VecDeque<Waiting>,
    loaded: BTreeMap<ObjectId, Loaded>,
    /// Placement groups that do not serve before this.
    peering: BTreeMap<PgId, Timestamp>,
    backoffs: Vec<backoff::Blocked>,
}

impl Osd {
    pub fn new(id: i32, nonce: u32, epoch: u32) -> Self {
        Self {
            id,
            nonce,
            running: true,
            paused: false,
            epoch,
            losing: 0,
            delay: Duration::ZERO,
            late: VecDeque::new(),
            overdue: Vec::new(),
            notifies: 0,
            waiting: VecDeque::new(),
            loaded: BTreeMap::new(),
            peering: BTreeMap::new(),
            backoffs: Vec::new(),
        }
    }

    fn map(&self, cx: &Cx<'_>) -> Arc<OsdMap> {
        cx.maps.at(self.epoch).unwrap_or(cx.maps.newest()).clone()
    }

    /// A client wants something done.
    pub fn on_request(&mut self, conn: ConnId, tid: u64, request: OpRequest, cx: &mut Cx<'_>) {
        if self.losing > 0 {
            self.losing -= 1;
            return;
        }
        if self.blocked(conn, &request) == Some(true) {
            cx.journal.note(cx.now, self.id, &request.oid, || Deed::NotHeld);
        }
        if self.delay.is_zero() && self.late.is_empty() {
            return self.take_in(conn, tid, request, cx);
        }
        if self.late.len() < WAITING_MAX {
            // Never before one that came earlier.
            let last = self.late.back().map_or(cx.now, |(at, _)| *at);
            let at = cx.now.saturating_add(self.delay).max(last);
            self.late.push_back((at, Waiting { conn, tid, request }));
            cx.timers.at(at, Timer::Late { osd: self.id });
        }
    }

    /// Looks at requests that were left alone for long enough.
    pub fn on_late(&mut self, cx: &mut Cx<'_>) {
        while self.late.front().is_some_and(|(at, _)| *at <= cx.now)
            && let Some((_, Waiting { conn, tid, request })) = self.late.pop_front()
        {
            self.take_in(conn, tid, request, cx);
        }
    }

    fn take_in(&mut self, conn: ConnId, tid: u64, request: OpRequest, cx: &mut Cx<'_>) {
        self.share_maps(conn, request.epoch, cx);
        let Some(client) = cx.conns.get(conn).and_then(|conn| conn.client.as_ref()) else { return };
        let refusal = if self.map(cx).blocklist.contains_any(&client.addrs) {
            Some(EBLOCKLISTED)
        } else if !allows(&client.caps, &request.ops) {
            Some(EPERM)
        } else {
            None
        };
        match refusal {
            Some(errno) => self.reply(conn, tid, failure(&request, -errno), cx),
            None => self.admit(conn, tid, request, cx),
        }
    }

    /// Sends the client the maps it does not have, up to one's own.
    fn share_maps(&mut self, conn: ConnId, epoch: u32, cx: &mut Cx<'_>) {
        let Some(known) = cx.conns.get(conn).map(|conn| conn.epoch.max(epoch)) else { return };
        let Some(conn) = cx.conns.get_mut(conn).filter(|_| known > 0) else { return };
        conn.epoch = known.max(self.epoch);
        if known < self.epoch {
            let features = conn.features();
            for message in cx.maps.messages(known + 1, self.epoch, features) {
                conn.send(0, &message);
            }
        }
    }

    fn admit(&mut self, conn: ConnId, tid: u64, request: OpRequest, cx: &mut Cx<'_>) {
        let verdict = self.judge(conn, &request, cx);
        if cx.journal.requests {
            self.note(conn, tid, &request, &verdict, cx);
        }
        match verdict {
            Verdict::Run => self.run(conn, tid, &request, cx),
            Verdict::Block => self.block(conn, request.pgid, cx),
            Verdict::Wait if self.waiting.len() < WAITING_MAX => {
                self.waiting.push_back(Waiting { conn, tid, request });
            }
            Verdict::Drop | Verdict::Wait => {}
        }
    }

    fn note(&self, conn: ConnId, tid: u64, request: &OpRequest, verdict: &Verdict, cx: &mut Cx<'_>) {
        let client = cx.conns.get(conn).and_then(|conn| conn.client.as_ref()).map_or(0, |client| client.id);
        let verdict = match verdict {
            Verdict::Run => "run",
            Verdict::Wait => "wait",
            Verdict::Drop => "drop",
            Verdict::Block => "block",
        };
        let OpRequest { epoch, ops, .. } = request;
        let deed = || Deed::Request { client, tid, epoch: *epoch, ops: ops.clone(), verdict };
        cx.journal.note(cx.now, self.id, &request.oid, deed);
    }

    fn judge(&self, conn: ConnId, request: &OpRequest, cx: &Cx<'_>) -> Verdict {
        let pg = request.pgid.pg;
        if request.epoch > self.epoch {
            return Verdict::Wait;
        }
        let map = self.map(cx);
        let belongs = map
            .pool(pg.pool)
            .is_some_and(|pool| actual_pg(pool, PgId { pool: pg.pool, seed: request.hash }) == pg);
        let Some(group) = cx.maps.group_at(pg, self.epoch).filter(|_| belongs) else { return Verdict::Drop };
        if group.primary() != self.id
            || request.epoch < group.primary_epoch
            || self.blocked(conn, request).is_some()
        {
            return Verdict::Drop;
        }
        let newest = cx.maps.group_at(pg, cx.maps.epoch());
        // Without the other OSDs of the group nothing can be done, and they have a newer map already.
        if newest.is_none_or(|newest| newest.epoch != group.epoch) {
            return Verdict::Wait;
        }
        let peering = !group.enough || self.peering.get(&pg).is_some_and(|until| *until > cx.now);
        match peering {
            false => Verdict::Run,
            true if cx.settings.backoff_on_peering => Verdict::Block,
            true => Verdict::Wait,
        }
    }

    /// Looks again at what waits.
    pub fn retry(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now;
        self.peering.retain(|_, until| *until > now);
        self.unblock(cx);
        for Waiting { conn, tid, request } in std::mem::take(&mut self.waiting) {
            self.admit(conn, tid, request, cx);
        }
    }

    fn run(&mut self, conn: ConnId, tid: u64, request: &OpRequest, cx: &mut Cx<'_>) {
        let Some((client, addr)) =
            cx.conns.get(conn).and_then(|conn| conn.client.as_ref()).map(|client| (client.id, client.addr))
        else {
            return;
        };
        if request.ops.iter().any(listing::is_about_group) {
            return self.reply(conn, tid, self.inspect(request, cx), cx);
        }
        let logs = request.ops.iter().any(is_logged);
        if logs && let Some(reply) = cx.store.result(client, tid) {
            let reply = OpReply { retry_attempt: request.retry_attempt, ..reply.clone() };
            return self.reply(conn, tid, reply, cx);
        }
        let object = cx.store.id(key_of(request));
        self.load(object, cx);
        let from = ops::From { client, addr };
        let ops::Done { mut reply, effects } = self.execute(object, from, request, cx);
        if [-ETIMEDOUT, -ENOTCONN].contains(&reply.result) {
            self.note_refusal(object, client, request, reply.result, cx);
        }
        reply.epoch = self.epoch;
        if logs && reply.result >= 0 {
            // The answer to a write comes when it is safe, and what follows from it then.
            cx.store.remember(client, tid, reply.clone());
            self.reply(conn, tid, reply, cx);
            self.take_effect(conn, client, object, effects, cx);
        } else {
            self.take_effect(conn, client, object, effects, cx);
            self.reply(conn, tid, reply, cx);
        }
    }

    fn reply(&self, conn: ConnId, tid: u64, reply: OpReply, cx: &mut Cx<'_>) {
        cx.conns.send(conn, tid, &OpReply { epoch: self.epoch, ..reply });
    }

    /// A map came: groups may have moved, clients may be locked out.
    pub fn on_map(&mut self, epoch: u32, cx: &mut Cx<'_>) {
        if epoch <= self.epoch {
            return;
        }
        let old = std::mem::replace(&mut self.epoch, epoch);
        let map = self.map(cx);
        let began = |maps: &Maps, pg, epoch| maps.group_at(pg, epoch).map(|group| group.epoch);
        self.loaded.retain(|object, _| {
            let pg = group_of(&map, cx.store.key(*object));
            pg.is_some_and(|pg| {
                let now = began(cx.maps, pg, epoch);
                now.is_some() && now == began(cx.maps, pg, old)
            })
        });
        let groups = cx.maps.groups_of(self.id, epoch).filter(|(_, group)| group.epoch > old);
        let groups: Vec<PgId> = groups.map(|(pg, _)| pg).collect();
        for pg in groups {
            let until = cx.within(cx.settings.peering);
            if until > cx.now {
                self.peering.insert(pg, until);
                cx.timers.at(until, Timer::Active { osd: self.id });
            }
        }
        if !map.blocklist.is_empty() {
            self.lock_out(&map, cx);
        }
        self.retry(cx);
    }

    /// A connection is gone.
    pub fn on_closed(&mut self, conn: ConnId, now: Timestamp, timers: &mut Timers) {
        self.waiting.retain(|waiting| waiting.conn != conn);
        self.late.retain(|(_, waiting)| waiting.conn != conn);
        self.backoffs.retain(|blocked| blocked.conn != conn);
        for (object, loaded) in &mut self.loaded {
            for (watcher, ends) in loaded.unbind(conn, now) {
                timers.at(ends, Timer::Watch { osd: self.id, object: *object, watcher });
            }
        }
    }

    /// The process ends; what it had in memory is gone.
    pub fn die(&mut self) {
        *self = Self { running: false, ..Self::new(self.id, self.nonce, self.epoch) };
    }
}

/// Whether a write leaves an entry in the placement group's log, by which it is known when it comes again.
fn is_logged(op: &Op) -> bool {
    match op {
        Op::Watch { op, .. } => !matches!(op, WatchOp::Reconnect | WatchOp::Ping),
        op => op.is_write(),
    }
}

fn allows(caps: &str, ops: &[Op]) -> bool {
    grants(caps, if ops.iter().any(Op::is_write) { 'w' } else { 'r' })
}

/// Whether caps as Ceph writes them, such as `allow rw`, have a right in them.
pub(crate) fn grants(caps: &str, right: char) -> bool {
    let allow = caps.split(',').filter_map(|grant| grant.trim().strip_prefix("allow "));
    let mut words = allow.filter_map(|grant| grant.split_whitespace().next());
    words.any(|word| word == "*" || word.contains(right))
}

fn key_of(request: &OpRequest) -> ObjectKey {
    ObjectKey {
        pool: request.pgid.pg.pool,
        hash: request.hash,
        nspace: request.locator.nspace.clone(),
        key: request.locator.key.clone(),
        name: request.oid.clone(),
    }
}

fn group_of(map: &OsdMap, key: &ObjectKey) -> Option<PgId> {
    let pool = map.pool(key.pool)?;
    Some(actual_pg(pool, PgId { pool: key.pool, seed: key.hash }))
}

/// The answer to a request of which nothing was done.
fn failure(request: &OpRequest, result: i32) -> OpReply {
    let ops =
        request.ops.iter().map(|op| OpResult { op: op.clone(), result: 0, output: bytes::Bytes::new() });
    OpReply {
        oid: request.oid.clone(),
        pgid: request.pgid.pg,
        flags: i64::from(request.flags.0) | 1,
        result,
        epoch: request.epoch,
        ops: ops.collect(),
        retry_attempt: request.retry_attempt,
        replay_version: EVersion::default(),
        user_version: 0,
        redirect: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caps_say_what_may_be_done() {
        let (read, write) = ([Op::Stat], [Op::Stat, Op::Delete]);
        for (caps, reads, writes) in [
            ("allow *", true, true),
            ("allow rwx pool=rbd", true, true),
            ("allow r", true, false),
            ("allow x, allow r", true, false),
            ("profile rbd", false, false),
            ("", false, false),
        ] {
            assert_eq!((allows(caps, &read), allows(caps, &write)), (reads, writes), "{caps}");
        }
    }
}
