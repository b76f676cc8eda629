//! Requests to OSDs: sent, held, released, sent again.

use crate::support::{Request, Sim, Who, config, millis, object, osd_addrs, secs, target};
use bytes::{Buf, Bytes};
use linger_core::{Call, CallId, CallOutput, CommandError, Event, ObjectRef, OpError, WatchOptions};
use linger_wire::errno::{EAGAIN, ENOENT};
use linger_wire::msg::{Backoff, BackoffOp, Op, OpFlags, Redirect};
use linger_wire::osdmap::{map_flags, pool_flags};
use linger_wire::{HObject, ObjectLocator};

impl Sim {
    pub fn call(&mut self, object: ObjectRef, call: Call) -> CallId {
        let id = self.client.call(self.now, object, call, None).unwrap();
        self.settle();
        id
    }

    pub fn result(&mut self, call: CallId) -> Option<Result<CallOutput, OpError>> {
        let at = self.events.iter().position(|e| matches!(e, Event::CallDone { id, .. } if *id == call))?;
        match self.events.remove(at) {
            Some(Event::CallDone { result, .. }) => Some(result),
            _ => None,
        }
    }

    fn flags(&mut self, flags: u32) {
        self.update(|inc| inc.new_flags = Some(flags));
    }
}

fn calling(call: Call) -> (Sim, CallId, Request) {
    let mut sim = Sim::connected();
    sim.hold = vec!["all"];
    let id = sim.call(object("obj"), call);
    let request = sim.held.pop_front().unwrap();
    (sim, id, request)
}

const DONE: Result<CallOutput, OpError> = Ok(CallOutput::Done { version: 5 });

fn write() -> Call {
    Call::WriteFull(Bytes::from_static(b"data"))
}

#[test]
fn eagain_goes_under_another_tid() {
    let (mut sim, id, first) = calling(write());
    sim.reply(&first, -EAGAIN);
    sim.settle();
    let second = sim.take("write");
    assert!(second.tid > first.tid);
    assert_eq!(second.op.retry_attempt, 0);
    sim.reply(&first, -ENOENT);
    sim.settle();
    assert_eq!(sim.result(id), None, "the old tid is a stray");
    sim.reply(&second, 0);
    sim.settle();
    assert_eq!(sim.result(id), Some(DONE));
}

#[test]
fn a_redirect_is_followed() {
    let (mut sim, id, first) = calling(write());
    let locator = ObjectLocator { pool: 2, key: "".into(), nspace: "".into(), hash: -1 };
    sim.reply_with(&first, |reply| reply.redirect = Some(Redirect { locator, object: "there".into() }));
    sim.settle();
    let second = sim.take("write");
    assert_eq!((second.op.locator.pool, second.op.oid.to_string_lossy().as_ref()), (2, "there"));
    let flags = OpFlags::REDIRECTED | OpFlags::IGNORE_CACHE | OpFlags::IGNORE_OVERLAY;
    assert!(second.op.flags.has(flags) && second.tid > first.tid);
    assert_eq!(second.osd, target(&sim.map, &ObjectRef::new("two", "there")).osd);
    sim.reply(&second, 0);
    sim.settle();
    assert_eq!(sim.result(id), Some(DONE));
}

#[test]
fn an_answer_to_another_attempt_is_a_stray() {
    let (mut sim, id, first) = calling(write());
    sim.reset(Who::Osd(first.osd));
    sim.run(secs(1));
    let second = sim.take("write");
    assert_eq!((second.tid, second.op.retry_attempt), (first.tid, 1));
    assert!(second.op.flags.has(OpFlags::RETRY) && !first.op.flags.has(OpFlags::RETRY));
    sim.reply_with(&second, |reply| reply.retry_attempt = 0);
    sim.settle();
    assert_eq!(sim.result(id), None);
    sim.reply_with(&second, |reply| reply.retry_attempt = -1);
    sim.settle();
    assert_eq!(sim.result(id), Some(DONE), "an OSD that does not say is believed");
}

fn backoff(request: &Request, id: u64, op: BackoffOp) -> Backoff {
    let begin = HObject { pool: 1, hash: 0, ..HObject::min() };
    let end = HObject { max: true, ..HObject::min() };
    Backoff { pgid: request.op.pgid, epoch: 10, op, id, begin, end }
}

#[test]
fn a_backoff_holds_its_group_and_its_end_sends_again() {
    let (mut sim, id, first) = calling(write());
    let osd = Who::Osd(first.osd);
    let block = backoff(&first, 1, BackoffOp::Block);
    sim.peer(osd).message(0, &block);
    sim.settle();
    assert_eq!(sim.backoff_acks, [Backoff { op: BackoffOp::AckBlock, ..block.clone() }]);
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.run(secs(1));
    assert!(sim.held.is_empty(), "held: {:?}", sim.held);
    sim.peer(osd).message(0, &Backoff { op: BackoffOp::Unblock, ..block });
    sim.settle();
    let again = sim.take("write");
    assert_eq!((again.tid, again.op.retry_attempt), (first.tid, 1));
    assert!(again.op.flags.has(OpFlags::RETRY));
    assert_eq!(sim.take("watch").op.retry_attempt, 0);
    sim.reply(&first, -ENOENT);
    sim.settle();
    assert_eq!(sim.result(id), None, "an answer to the attempt before");
    sim.reply(&again, 0);
    sim.settle();
    assert_eq!(sim.result(id), Some(DONE));
    sim.client.unwatch(sim.now, watch).unwrap();
}

#[test]
fn a_backoff_ends_with_its_connection() {
    let (mut sim, _, first) = calling(write());
    let osd = Who::Osd(first.osd);
    sim.peer(osd).message(0, &backoff(&first, 1, BackoffOp::Block));
    sim.reset(osd);
    sim.run(secs(1));
    assert_eq!(sim.take("write").tid, first.tid);
}

#[test]
fn pauses_hold_reads_and_writes_apart() {
    for (flags, held, sent) in [
        (map_flags::PAUSERD, Call::Stat, write()),
        (map_flags::PAUSEWR, write(), Call::Stat),
        (map_flags::FULL, write(), Call::Remove),
    ] {
        let mut sim = Sim::connected();
        sim.flags(flags);
        let held = sim.call(object("obj"), held);
        let through = sim.call(object("obj"), sent);
        sim.run(secs(60));
        assert_eq!(sim.seen.len(), 1, "{flags}");
        assert!(sim.result(through).is_some());
        assert!(sim.result(held).is_none());
        sim.flags(0);
        assert!(sim.result(held).is_some());
    }
}

#[test]
fn a_full_pool_holds_its_writes_only() {
    let mut sim = Sim::connected();
    let mut pool = sim.map.pools[&1].clone();
    pool.flags |= pool_flags::FULL;
    sim.update(|inc| _ = inc.new_pools.insert(1, pool.clone()));
    let held = sim.call(object("obj"), write());
    let other = sim.call(ObjectRef::new("two", "obj"), write());
    sim.settle();
    assert_eq!((sim.result(held), sim.result(other)), (None, Some(DONE)));
    pool.flags &= !pool_flags::FULL;
    sim.update(|inc| _ = inc.new_pools.insert(1, pool));
    assert_eq!(sim.result(held), Some(DONE));
}

#[test]
fn a_split_moves_requests_and_watches() {
    let mut sim = Sim::connected();
    let before = sim.map.clone();
    let mut pool = sim.map.pools[&1].clone();
    pool.pg_num = 16;
    pool.pgp_num = 16;
    sim.update(|_| {});
    sim.hold = vec!["write"];
    let names: Vec<String> = (0..20).map(|n| format!("o{n}")).collect();
    let calls: Vec<_> = names.iter().map(|name| sim.call(object(name), write())).collect();
    let watches: Vec<_> = (names.iter())
        .map(|name| sim.client.watch(sim.now, object(name), WatchOptions::default()).unwrap())
        .collect();
    sim.settle();
    watches.iter().for_each(|watch| _ = sim.live(*watch));
    sim.held.clear();
    sim.update(|inc| _ = inc.new_pools.insert(1, pool));
    sim.run(millis(10));
    let mut moved = 0;
    for ((name, watch), call) in names.iter().zip(&watches).zip(&calls) {
        let (old, new) = (target(&before, &object(name)), target(&sim.map, &object(name)));
        moved += i32::from(old.pg != new.pg);
        // Parents that split are in a new interval too, and every group of a doubled pool splits.
        let live = sim.live(*watch);
        assert_eq!((live.pg, live.osd), (new.pg.pg, new.osd), "{name}");
        let at = sim.held.iter().position(|request| request.op.oid == name.as_str().into());
        let request = sim.held.remove(at.unwrap()).unwrap();
        assert_eq!((request.op.pgid, request.osd), (new.pg, new.osd), "{name}");
        sim.reply(&request, 0);
        sim.settle();
        assert_eq!(sim.result(*call), Some(DONE));
    }
    assert!(moved > 3, "{moved}");
}

/// A WATCH that came just as a backoff ended is sent again, though the OSD took it: its timer runs from the first.
#[test]
fn a_lease_counts_from_the_attempt_that_is_answered() {
    let lease_left = |answered| {
        let mut sim = Sim::connected();
        sim.hold = vec!["watch", "ping"];
        let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
        sim.settle();
        let first = sim.take("watch");
        sim.run(secs(5));
        for op in [BackoffOp::Block, BackoffOp::Unblock] {
            sim.peer(Who::Osd(first.osd)).message(0, &backoff(&first, 1, op));
        }
        sim.settle();
        let second = sim.take("watch");
        assert_eq!((second.tid, second.op.retry_attempt), (first.tid, 1));
        sim.run(secs(2));
        sim.reply_with(&second, |reply| reply.retry_attempt = answered);
        sim.settle();
        sim.live(watch);
        sim.client.status(sim.now, watch).unwrap().lease_left
    };
    assert_eq!(lease_left(1), secs(28));
    assert_eq!(lease_left(0), secs(23));
    assert_eq!(lease_left(-1), secs(23), "one that is not named may be the first");
}

#[test]
fn requests_follow_an_osd_that_restarts() {
    let (mut sim, id, first) = calling(write());
    sim.update(|inc| _ = inc.new_up_client.insert(first.osd, osd_addrs(first.osd, 1)));
    sim.run(secs(1));
    let second = sim.take("write");
    assert_eq!((second.tid, second.osd, second.op.retry_attempt), (first.tid, first.osd, 1));
    assert_ne!(second.conn, first.conn);
    sim.reply(&second, 0);
    sim.settle();
    assert_eq!(sim.result(id), Some(DONE));
}

#[test]
fn a_slow_reader_gets_a_window_of_bytes() {
    let mut config = config(1);
    config.limits.outbox_bytes = 10_000;
    let mut sim = Sim::new(config);
    sim.settle();
    let first = sim.call(object("obj"), Call::Stat);
    assert!(sim.result(first).is_some());
    let osd = Who::Osd(sim.primary(&object("obj")));
    let conn = sim.conn_to(osd);
    sim.peer(osd).stalled = true;
    let calls: Vec<_> =
        (0..100).map(|_| sim.call(object("obj"), Call::WriteFull(Bytes::from(vec![7; 1000])))).collect();
    let waits = sim.client.outbox(conn).remaining();
    assert!((10_000..12_000).contains(&waits), "{waits}");
    // A watch goes before them.
    sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.settle();
    sim.seen.clear();
    sim.peer(osd).stalled = false;
    sim.carry(conn);
    sim.settle();
    let kinds: Vec<_> = sim.seen.iter().map(|request| request.kind).collect();
    let at = kinds.iter().position(|kind| *kind == "watch").unwrap();
    assert!(at < 12, "behind {at} writes");
    assert!(calls.into_iter().all(|call| sim.result(call).is_some()));
}

#[test]
fn a_call_has_a_deadline() {
    let mut sim = Sim::connected();
    sim.hold = vec!["all"];
    let id = sim.client.call(sim.now, object("obj"), Call::Stat, Some(secs(3))).unwrap();
    sim.run(secs(4));
    assert_eq!(sim.result(id), Some(Err(OpError::DeadlinePassed)));
    let request = sim.take("stat");
    sim.reply(&request, 0);
    sim.settle();
    assert_eq!(sim.result(id), None);
}

#[test]
fn results_of_calls() {
    let (mut sim, id, request) = calling(Call::Read { offset: 3, len: 10 });
    assert_eq!(request.op.ops, [Op::Read { offset: 3, len: 10 }]);
    sim.reply_with(&request, |reply| reply.ops[0].output = Bytes::from_static(b"abc"));
    sim.settle();
    let data = CallOutput::Data { data: Bytes::from_static(b"abc"), version: 5 };
    assert_eq!(sim.result(id), Some(Ok(data)));

    let (mut sim, id, request) = calling(Call::Stat);
    sim.reply(&request, -ENOENT);
    sim.settle();
    assert_eq!(sim.result(id), Some(Err(OpError::Errno(ENOENT))));

    let (mut sim, id, request) = calling(Call::Stat);
    sim.reply(&request, 0);
    sim.settle();
    assert!(matches!(sim.result(id), Some(Err(OpError::BadReply(_)))), "a stat without output");
}

#[test]
fn an_idle_session_is_closed_and_opened_again() {
    let mut sim = Sim::connected();
    let osd = Who::Osd(sim.primary(&object("obj")));
    sim.call(object("obj"), Call::Stat);
    assert!(sim.has_session(osd));
    sim.run(secs(61));
    assert!(!sim.has_session(osd));
    let id = sim.call(object("obj"), Call::Stat);
    assert!(sim.result(id).is_some());
}

#[test]
fn busy_and_ready_again() {
    let mut config = config(1);
    config.limits.ops_in_flight = 2;
    let mut sim = Sim::new(config);
    sim.settle();
    sim.events.clear();
    sim.hold = vec!["all"];
    sim.call(object("obj"), Call::Stat);
    sim.client.notify(sim.now, object("obj"), Bytes::new(), secs(10)).unwrap();
    let third = sim.client.call(sim.now, object("obj"), Call::Stat, None);
    assert_eq!(third, Err(CommandError::Busy));
    sim.settle();
    let ready = |sim: &Sim| sim.events.iter().filter(|event| matches!(event, Event::CommandsReady)).count();
    assert_eq!(ready(&sim), 0);
    sim.answer("stat", 0);
    assert_eq!(ready(&sim), 1);
    sim.call(object("obj"), Call::Stat);
}
