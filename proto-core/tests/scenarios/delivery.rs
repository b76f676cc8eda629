//! Notifies on their way to the user, and answers on their way back.

use crate::support::{Sim, Who, lost, millis, object, secs, watching};
use bytes::Bytes;
use linger_core::{
    CommandError, LossCause, Notify, OnDrop, Reregister, WatchEvent, WatchId, WatchOptions, WhenFull,
};
use linger_wire::msg::Op;

/// (notify id, cookie, reply) of all acks since the last call.
fn acks(sim: &mut Sim) -> Vec<(u64, u64, Bytes)> {
    let ack = |op: &Op| match op {
        Op::NotifyAck { notify_id, cookie, reply } => Some((*notify_id, *cookie, reply.clone())),
        _ => None,
    };
    let acks = sim.seen.iter().filter_map(|request| ack(&request.op.ops[0])).collect();
    sim.seen.clear();
    acks
}

fn reply(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn notified() -> (Sim, WatchId, i32, Notify) {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.notify(osd, 1, 77, b"hello");
    let notify = sim.got(watch);
    (sim, watch, osd, notify)
}

#[test]
fn a_notify_is_delivered_and_acked_once() {
    let (mut sim, watch, _, notify) = notified();
    assert_eq!((notify.notify_id, &notify.payload[..]), (77, &b"hello"[..]));
    assert_eq!(notify.from.to_string(), "client.9000");
    assert_eq!((notify.token.watch(), notify.token.notify_id()), (watch, 77));
    assert_eq!(acks(&mut sim), []);
    sim.client.ack(sim.now, notify.token, reply("yes")).unwrap();
    sim.settle();
    assert_eq!(acks(&mut sim), [(77, 1, reply("yes"))]);
    sim.run(millis(100));
    assert_eq!(acks(&mut sim), []);
}

#[test]
fn a_notify_for_an_unknown_cookie_is_ignored() {
    let (mut sim, _) = watching();
    let osd = sim.primary(&object("obj"));
    sim.notify(osd, 99, 77, b"hello");
    sim.quiet();
    assert_eq!(acks(&mut sim), []);
}

#[test]
fn delivered_again_while_out_it_is_swallowed() {
    let (mut sim, watch, osd, notify) = notified();
    sim.notify(osd, 1, 77, b"hello");
    sim.quiet();
    sim.reset(Who::Osd(osd));
    sim.run(millis(500));
    assert_eq!(sim.live(watch).generation, 1);
    sim.notify(osd, 1, 77, b"hello");
    sim.quiet();
    sim.client.ack(sim.now, notify.token, reply("yes")).unwrap();
    sim.settle();
    assert_eq!(acks(&mut sim), [(77, 1, reply("yes"))]);
}

#[test]
fn two_sessions_deliver_while_the_watch_moves() {
    let (mut sim, watch, old, notify) = notified();
    let new = sim.other(&object("obj"));
    sim.move_to(&object("obj"), &[new]);
    sim.run(millis(10));
    assert_eq!(sim.live(watch).osd, new);
    assert!(sim.has_session(Who::Osd(old)), "kept for others");
    // The notifier sends it again, and its new primary delivers it under a number of its own; the old one
    // says again what it said, and something that was still on its way.
    sim.notify(new, 1, 78, b"hello");
    sim.notify(old, 1, 77, b"hello");
    sim.notify(old, 1, 79, b"late");
    let (again, late) = (sim.got(watch), sim.got(watch));
    assert_eq!((again.notify_id, late.notify_id), (78, 79));
    sim.quiet();
    for notify in [notify, again, late] {
        sim.client.ack(sim.now, notify.token, reply("yes")).unwrap();
    }
    sim.settle();
    assert!(sim.seen.iter().filter(|request| request.kind == "ack").all(|request| request.osd == new));
    assert_eq!(acks(&mut sim).len(), 3);
    assert_eq!(sim.client.totals(sim.now).duplicates, 1);
}

/// A watch that its client counts as lost may still be one to its OSD, which delivers again what it has no
/// ack for.
#[test]
fn a_lost_watch_gets_no_notify_twice() {
    let manual = WatchOptions { reregister: Reregister::Manual, ..WatchOptions::default() };
    let (mut sim, watch) = Sim::watching(manual);
    let osd = sim.primary(&object("obj"));
    sim.notify(osd, 1, 77, b"hello");
    let notify = sim.got(watch);
    sim.hold = vec!["ping"];
    sim.run(secs(31));
    assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
    assert!(matches!(sim.next(watch), Some(WatchEvent::ReregisterNeeded { .. })));
    sim.notify(osd, 1, 77, b"hello");
    sim.quiet();
    sim.client.ack(sim.now, notify.token, reply("late")).unwrap();
}

#[test]
fn delivered_again_after_the_ack_it_is_acked_again() {
    let (mut sim, watch, osd, notify) = notified();
    sim.hold = vec!["ack"];
    sim.client.ack(sim.now, notify.token, reply("yes")).unwrap();
    sim.settle();
    assert_eq!(acks(&mut sim), [(77, 1, reply("yes"))]);
    sim.notify(osd, 1, 77, b"hello");
    assert_eq!(acks(&mut sim), [(77, 1, reply("yes"))]);
    sim.quiet();
    // Lost with the session: the same request again.
    sim.reset(Who::Osd(osd));
    sim.run(millis(500));
    sim.live(watch);
    assert_eq!(acks(&mut sim), [(77, 1, reply("yes"))]);
    let again = sim.held.back().unwrap().clone();
    assert_eq!(again.op.retry_attempt, 1);
    sim.reply(&again, 0);
    sim.settle();
    // The OSD has it now; what it would deliver under this id is another notify.
    sim.notify(osd, 1, 77, b"hello");
    assert_eq!(sim.got(watch).notify_id, 77);
}

#[test]
fn declined_it_is_never_acked() {
    let (mut sim, _, osd, notify) = notified();
    sim.client.decline(sim.now, notify.token).unwrap();
    sim.notify(osd, 1, 77, b"hello");
    sim.run(secs(1));
    sim.quiet();
    assert_eq!(acks(&mut sim), []);
}

#[test]
fn an_ack_of_an_earlier_registration_is_dropped() {
    let (mut sim, watch, osd, notify) = notified();
    sim.disconnect(osd, 1);
    sim.run(millis(10));
    sim.error(watch);
    assert_eq!(sim.live(watch).generation, 1);
    sim.client.ack(sim.now, notify.token, reply("late")).unwrap();
    sim.settle();
    assert_eq!(acks(&mut sim), []);
}

#[test]
fn an_ack_after_unwatch() {
    let (mut sim, watch, _, notify) = notified();
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.settle();
    sim.closed(watch);
    assert_eq!(sim.client.ack(sim.now, notify.token, reply("late")), Err(CommandError::Unknown));
    sim.settle();
    assert_eq!(acks(&mut sim), []);
}

#[test]
fn the_ack_follows_its_object() {
    let (mut sim, watch, _, notify) = notified();
    let to = sim.other(&object("obj"));
    sim.move_to(&object("obj"), &[to]);
    assert_eq!(sim.live(watch).osd, to);
    sim.client.ack(sim.now, notify.token, reply("yes")).unwrap();
    sim.settle();
    assert_eq!(sim.last("ack").osd, to);
}

/// Five notifies into a queue of two that nobody reads: what the user sees then, and the acks.
fn overflow(when_full: WhenFull, on_drop: OnDrop) -> (Vec<String>, Vec<u64>) {
    let opts = WatchOptions { queue: Some(2), when_full, on_drop, ..WatchOptions::default() };
    let (mut sim, watch) = Sim::watching(opts);
    let osd = sim.primary(&object("obj"));
    sim.lazy = true;
    sim.seen.clear();
    (71..=75).for_each(|id| sim.notify(osd, 1, id, b"x"));
    let acked = acks(&mut sim).into_iter().map(|(id, _, _)| id).collect();
    let mut seen = Vec::new();
    while let Some(event) = sim.client.next(watch) {
        seen.push(match event {
            WatchEvent::Notify(notify) => notify.notify_id.to_string(),
            WatchEvent::Overflow { lost } => format!("lost {lost}"),
            WatchEvent::Error(error) => format!("{:?}", error.cause),
            WatchEvent::Closed => "end".into(),
            other => panic!("{other:?}"),
        });
    }
    (seen, acked)
}

#[test]
fn a_full_queue_sheds_by_its_policy_and_acks_what_it_sheds() {
    let cases: [(WhenFull, &[&str], &[u64]); 3] = [
        (WhenFull::KeepOldest, &["71", "72", "lost 3"], &[73, 74, 75]),
        (WhenFull::KeepNewest, &["lost 3", "74", "75"], &[71, 72, 73]),
        (WhenFull::Coalesce, &["lost 4", "75"], &[71, 72, 73, 74]),
    ];
    for (when_full, mut expected, shed) in cases.map(|(w, e, s)| (w, e.to_vec(), s)) {
        let (mut seen, acked) = overflow(when_full, OnDrop::AckEmpty);
        expected.sort_unstable();
        seen.sort_unstable();
        if when_full != WhenFull::Coalesce {
            assert_eq!(seen, expected, "{when_full:?}");
            assert_eq!(acked, shed, "{when_full:?}");
        } else {
            // After a merge there is room for one more.
            assert!(seen.contains(&"75".to_owned()) && acked.len() + seen.len() == 6, "{seen:?} {acked:?}");
        }
        assert_eq!(overflow(when_full, OnDrop::Silent).1, [0u64; 0], "{when_full:?}");
    }
}

#[test]
fn a_full_queue_can_close_the_watch() {
    let (seen, acked) = overflow(WhenFull::Close, OnDrop::AckEmpty);
    assert_eq!(seen, ["71", "72", &format!("{:?}", LossCause::Closed), "end"]);
    assert_eq!(acked, [73]);
}

#[test]
fn one_budget_for_all_watches() {
    let mut config = crate::support::config(1);
    config.limits.notify_bytes = 10;
    let mut sim = Sim::new(config);
    sim.settle();
    let opts = WatchOptions::default();
    let one = sim.client.watch(sim.now, object("obj"), opts.clone()).unwrap();
    let two = sim.client.watch(sim.now, object("obj"), opts).unwrap();
    sim.settle();
    sim.live(one);
    sim.live(two);
    let osd = sim.primary(&object("obj"));
    sim.lazy = true;
    sim.notify(osd, 1, 71, b"123456");
    sim.notify(osd, 2, 71, b"1234");
    sim.notify(osd, 2, 72, b"1");
    assert!(matches!(sim.client.next(two), Some(WatchEvent::Notify(_))));
    assert!(matches!(sim.client.next(two), Some(WatchEvent::Overflow { lost: 1 })));
    sim.notify(osd, 2, 73, b"1234");
    assert!(matches!(sim.client.next(two), Some(WatchEvent::Notify(_))), "there is room again");
    assert!(matches!(sim.client.next(one), Some(WatchEvent::Notify(_))));
}

#[test]
fn what_is_held_elsewhere_counts_against_the_budget() {
    let mut config = crate::support::config(1);
    config.limits.notify_bytes = 10;
    let mut sim = Sim::new(config);
    sim.settle();
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.settle();
    sim.live(watch);
    let osd = sim.primary(&object("obj"));
    sim.lazy = true;
    sim.client.set_held_bytes(6);
    sim.notify(osd, 1, 71, b"1234");
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Notify(_))), "at the bound");
    sim.notify(osd, 1, 72, b"12345");
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Overflow { lost: 1 })), "beyond it");
    sim.client.set_held_bytes(usize::MAX);
    sim.notify(osd, 1, 73, b"1");
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Overflow { lost: 1 })));
    sim.client.set_held_bytes(0);
    sim.notify(osd, 1, 74, b"1234567890");
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Notify(_))), "there is room again");
}

/// What comes is larger than what it would take the place of.
#[test]
fn no_policy_exceeds_the_budget() {
    for when_full in [WhenFull::KeepNewest, WhenFull::Coalesce] {
        let mut config = crate::support::config(1);
        config.limits.notify_bytes = 10;
        let mut sim = Sim::new(config);
        sim.settle();
        let opts = WatchOptions { when_full, ..WatchOptions::default() };
        let watch = sim.client.watch(sim.now, object("obj"), opts).unwrap();
        sim.settle();
        sim.live(watch);
        let osd = sim.primary(&object("obj"));
        sim.lazy = true;
        for (id, payload) in [(71, &b"12345"[..]), (72, b"12345"), (73, b"1234567"), (74, b"12345678901")] {
            sim.notify(osd, 1, id, payload);
            let kept = sim.client.totals(sim.now).queued_bytes;
            assert!(kept <= 10, "{when_full:?}: {kept} bytes after {id}");
        }
        assert_eq!(sim.client.totals(sim.now).shed, 3, "{when_full:?}");
    }
}

#[test]
fn tokens_that_are_never_spent_do_not_pile_up() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    for id in 0..5000 {
        sim.notify(osd, 1, id, b"");
        assert_eq!(sim.got(watch).token.notify_id(), id);
    }
    sim.notify(osd, 1, 4999, b"");
    sim.quiet();
    sim.notify(osd, 1, 0, b"");
    let oldest = sim.got(watch);
    assert_eq!(oldest.notify_id, 0, "the oldest was forgotten");
    assert_eq!(sim.client.totals(sim.now).forgotten, 5001 - 2048);
    let answered = sim.client.ack(sim.now, oldest.token, Bytes::new());
    assert_eq!(answered, Ok(()), "it came again");
}

/// A notify that was forgotten for others is not answered, and its user learns of it.
#[test]
fn an_answer_that_comes_too_late_is_refused() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    let mut tokens: Vec<_> = (0..2049)
        .map(|id| {
            sim.notify(osd, 1, id, b"");
            sim.got(watch).token
        })
        .collect();
    let now = sim.now;
    assert_eq!(sim.client.ack(now, tokens.remove(0), Bytes::new()), Err(CommandError::Unknown));
    assert!(tokens.into_iter().all(|token| sim.client.ack(now, token, Bytes::new()).is_ok()));
    sim.settle();
    assert_eq!(sim.count("ack"), 2048);
}

/// A lost watch's answers are for nobody: an OSD that confirms none of them does not make them pile up.
#[test]
fn answers_to_a_registration_that_is_gone_are_forgotten() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.hold = vec!["ack"];
    for id in 0..3 {
        sim.notify(osd, 1, id, b"");
        let token = sim.got(watch).token;
        sim.client.ack(sim.now, token, Bytes::new()).unwrap();
    }
    sim.settle();
    assert_eq!(sim.count("ack"), 3);
    sim.disconnect(osd, 1);
    sim.run(secs(2));
    assert_eq!(sim.error(watch).cause, LossCause::Disconnected);
    sim.live(watch);
    sim.seen.clear();
    sim.reset(Who::Osd(osd));
    sim.run(millis(100));
    assert_eq!((sim.count("ack"), sim.count("reconnect")), (0, 1));
}
