//! Notifies of one's own: one ticket, one outcome.

use crate::support::{Request, Sim, Who, object, secs};
use bytes::Bytes;
use linger_core::{CommandError, Event, NotifyId, NotifyOutcome, NotifyReport, OpError};
use linger_wire::errno::{EIO, ENOENT, EPERM, ETIMEDOUT};
use linger_wire::msg::{NotifyAck, NotifyAcks, Op, WatcherId};
use linger_wire::osdmap::map_flags;

/// A notify that waits at its OSD.
fn notifying() -> (Sim, NotifyId, Request) {
    let mut sim = Sim::connected();
    sim.hold = vec!["notify"];
    let payload = Bytes::from_static(b"hello");
    let notify = sim.client.notify(sim.now, object("obj"), payload, secs(10)).unwrap();
    sim.settle();
    let request = sim.take("notify");
    (sim, notify, request)
}

fn acks() -> NotifyAcks {
    let watcher = WatcherId { client: 4200, cookie: 3 };
    NotifyAcks { acks: vec![NotifyAck { watcher, reply: Bytes::from_static(b"yes") }], missed: vec![] }
}

fn done(notify_id: u64) -> NotifyOutcome {
    NotifyOutcome::Done(NotifyReport { notify_id, watchers: acks() })
}

impl Sim {
    fn accepts(&mut self, request: &Request, notify_id: u64) {
        self.accept(request, notify_id);
        self.settle();
    }

    fn completes(&mut self, request: &Request, notify_id: u64) {
        self.complete(request.osd, request.cookie(), notify_id, &acks(), 0);
        self.settle();
    }

    fn accepted(&mut self, notify: NotifyId) -> Vec<u64> {
        let mut ids = Vec::new();
        self.events.retain(|event| match event {
            Event::NotifyAccepted { id, notify_id } if *id == notify => {
                ids.push(*notify_id);
                false
            }
            _ => true,
        });
        ids
    }
}

#[test]
fn the_request_is_as_given() {
    let (sim, _, request) = notifying();
    let Op::Notify { timeout, payload, .. } = &request.op.ops[0] else { panic!() };
    assert_eq!((*timeout, &payload[..]), (10, &b"hello"[..]));
    assert_eq!(request.osd, sim.primary(&object("obj")));
}

#[test]
fn parts_of_a_second_round_up_and_zero_is_refused() {
    let mut sim = Sim::connected();
    let late = crate::support::millis(1001);
    sim.client.notify(sim.now, object("obj"), Bytes::new(), late).unwrap();
    let none = sim.client.notify(sim.now, object("obj"), Bytes::new(), secs(0));
    assert_eq!(none, Err(CommandError::BadTimeout));
    sim.settle();
    let Op::Notify { timeout, .. } = sim.last("notify").op.ops[0] else { panic!() };
    assert_eq!(timeout, 2);
}

#[test]
fn completion_after_the_reply() {
    let (mut sim, notify, request) = notifying();
    sim.accepts(&request, 77);
    assert_eq!(sim.accepted(notify), [77]);
    assert_eq!(sim.outcome(notify), None);
    sim.completes(&request, 77);
    assert_eq!(sim.outcome(notify), Some(done(77)));
    sim.completes(&request, 77);
    sim.run(secs(60));
    assert_eq!(sim.outcome(notify), None, "told once");
}

#[test]
fn completion_before_the_reply() {
    let (mut sim, notify, request) = notifying();
    sim.completes(&request, 77);
    assert_eq!(sim.outcome(notify), Some(done(77)));
    sim.accepts(&request, 77);
    sim.completes(&request, 77);
    sim.run(secs(60));
    assert_eq!((sim.outcome(notify), sim.accepted(notify)), (None, vec![]));
}

#[test]
fn both_in_one_piece() {
    for completion_first in [true, false] {
        let (mut sim, notify, request) = notifying();
        if !completion_first {
            sim.accept(&request, 77);
        }
        sim.complete(request.osd, request.cookie(), 77, &acks(), 0);
        if completion_first {
            sim.accept(&request, 77);
        }
        sim.settle();
        assert_eq!(sim.outcome(notify), Some(done(77)));
    }
}

#[test]
fn no_watchers() {
    let (mut sim, notify, request) = notifying();
    sim.complete(request.osd, request.cookie(), 77, &NotifyAcks::default(), 0);
    sim.accept(&request, 77);
    sim.settle();
    let report = NotifyReport { notify_id: 77, watchers: NotifyAcks::default() };
    assert_eq!(sim.outcome(notify), Some(NotifyOutcome::Done(report)));
}

#[test]
fn completions_of_others_are_ignored() {
    let (mut sim, notify, request) = notifying();
    sim.complete(request.osd, request.cookie() + 1, 77, &acks(), 0);
    sim.accept(&request, 77);
    sim.complete(request.osd, request.cookie(), 76, &acks(), 0);
    sim.settle();
    assert_eq!(sim.outcome(notify), None);
    sim.completes(&request, 77);
    assert_eq!(sim.outcome(notify), Some(done(77)));
}

#[test]
fn a_refusal_is_the_outcome() {
    for errno in [ENOENT, EPERM, EIO] {
        let (mut sim, notify, request) = notifying();
        sim.reply(&request, -errno);
        sim.settle();
        let expected = NotifyOutcome::Failed(OpError::Errno(errno));
        assert_eq!(sim.outcome(notify), Some(expected));
        sim.run(secs(60));
        assert_eq!(sim.outcome(notify), None);
    }
}

#[test]
fn who_missed_it_is_told() {
    let (mut sim, notify, request) = notifying();
    sim.accept(&request, 77);
    let missed = vec![WatcherId { client: 4300, cookie: 9 }];
    let watchers = NotifyAcks { missed, ..acks() };
    sim.complete(request.osd, request.cookie(), 77, &watchers, -ETIMEDOUT);
    sim.settle();
    let report = NotifyReport { notify_id: 77, watchers };
    assert_eq!(sim.outcome(notify), Some(NotifyOutcome::TimedOut(report)));
}

#[test]
fn a_reset_sends_it_again_under_another_tid() {
    let (mut sim, notify, first) = notifying();
    sim.accepts(&first, 77);
    sim.reset(Who::Osd(first.osd));
    sim.run(secs(1));
    let second = sim.take("notify");
    assert_eq!((second.cookie(), second.op.retry_attempt), (first.cookie(), 0));
    assert_ne!(second.tid, first.tid);
    sim.accepts(&second, 80);
    assert_eq!(sim.accepted(notify), [77, 80]);
    sim.completes(&second, 77);
    assert_eq!(sim.outcome(notify), None, "of the attempt before");
    sim.completes(&second, 80);
    assert_eq!(sim.outcome(notify), Some(done(80)));
    sim.reset(Who::Osd(second.osd));
    sim.run(secs(30));
    assert!(sim.held.is_empty(), "what is over is not sent again");
}

#[test]
fn a_move_sends_it_again_and_the_old_primary_is_not_believed() {
    let (mut sim, notify, first) = notifying();
    sim.accepts(&first, 77);
    let to = sim.other(&object("obj"));
    sim.move_to(&object("obj"), &[to]);
    let second = sim.take("notify");
    assert_eq!(second.osd, to);
    sim.completes(&first, 77);
    assert_eq!(sim.outcome(notify), None);
    sim.completes(&second, 90);
    assert_eq!(sim.outcome(notify), Some(done(90)));
}

#[test]
fn never_accepted_until_the_deadline() {
    let (mut sim, notify, _) = notifying();
    sim.run(secs(14));
    assert_eq!(sim.outcome(notify), None);
    sim.run(secs(2));
    assert_eq!(sim.outcome(notify), Some(NotifyOutcome::NeverAccepted));
}

#[test]
fn the_deadline_runs_on_without_a_monitor_and_under_a_pause() {
    let mut sim = Sim::new(crate::support::config(1));
    sim.down.insert(Who::Mon(0));
    let cut_off = sim.client.notify(sim.now, object("obj"), Bytes::new(), secs(10)).unwrap();
    sim.run(secs(16));
    assert_eq!(sim.outcome(cut_off), Some(NotifyOutcome::NeverAccepted));

    let mut sim = Sim::connected();
    sim.update(|inc| inc.new_flags = Some(map_flags::PAUSERD));
    let paused = sim.client.notify(sim.now, object("obj"), Bytes::new(), secs(10)).unwrap();
    sim.run(secs(14));
    assert_eq!((sim.count("notify"), sim.outcome(paused)), (0, None));
    sim.run(secs(2));
    assert_eq!(sim.outcome(paused), Some(NotifyOutcome::NeverAccepted));
    sim.update(|inc| inc.new_flags = Some(0));
    assert_eq!(sim.count("notify"), 0, "what is over is not sent");
}

#[test]
fn accepted_and_then_nothing() {
    let (mut sim, notify, request) = notifying();
    sim.accepts(&request, 77);
    sim.run(secs(16));
    let unknown = NotifyOutcome::AcceptedOutcomeUnknown { notify_id: 77 };
    assert_eq!(sim.outcome(notify), Some(unknown));
    sim.completes(&request, 77);
    assert_eq!(sim.outcome(notify), None);
}

#[test]
fn accepted_once_and_cut_off_then() {
    let (mut sim, notify, request) = notifying();
    sim.accepts(&request, 77);
    sim.down.insert(Who::Osd(request.osd));
    sim.reset(Who::Osd(request.osd));
    sim.run(secs(16));
    let unknown = NotifyOutcome::AcceptedOutcomeUnknown { notify_id: 77 };
    assert_eq!(sim.outcome(notify), Some(unknown));
}

#[test]
fn an_abandoned_notify_tells_nothing() {
    let (mut sim, notify, request) = notifying();
    sim.client.abandon_notify(sim.now, notify);
    sim.accept(&request, 77);
    sim.completes(&request, 77);
    sim.run(secs(60));
    assert_eq!((sim.outcome(notify), sim.accepted(notify)), (None, vec![]));
}

#[test]
fn a_pool_that_is_gone_fails_it() {
    let (mut sim, notify, _) = notifying();
    sim.update(|inc| _ = inc.old_pools.insert(1));
    assert_eq!(sim.outcome(notify), Some(NotifyOutcome::Failed(OpError::NoPool)));
}

#[test]
fn a_completion_that_does_not_decode_is_an_outcome_too() {
    let (mut sim, notify, request) = notifying();
    sim.complete_raw(request.osd, request.cookie(), 77, Bytes::from_static(&[9, 0, 0, 0]));
    sim.settle();
    let outcome = sim.outcome(notify);
    assert!(matches!(outcome, Some(NotifyOutcome::Failed(OpError::BadReply(_)))), "{outcome:?}");
}
