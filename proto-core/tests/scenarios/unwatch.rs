//! The end of watches and of the client: closing always wins.

use crate::support::{Sim, Who, config, millis, object, secs, watching};
use linger_core::{CommandError, ConnFault, Event, WatchEvent, WatchId, WatchOptions};
use linger_wire::errno::ENOTCONN;

type Prepare = fn(&mut Sim, WatchId);

const STATES: [(&str, Prepare); 7] = [
    ("registering", |sim, _| sim.hold = vec!["watch"]),
    ("live", |sim, _| sim.settle()),
    ("pinging", |sim, _| {
        sim.hold = vec!["ping"];
        sim.run(secs(6));
    }),
    ("reconnecting", |sim, _| {
        sim.settle();
        sim.hold = vec!["reconnect"];
        let to = sim.other(&object("obj"));
        sim.move_to(&object("obj"), &[to]);
    }),
    ("reset", |sim, _| {
        sim.settle();
        sim.hold = vec!["reconnect"];
        sim.reset(Who::Osd(sim.primary(&object("obj"))));
    }),
    ("lost", |sim, _| {
        sim.settle();
        sim.hold = vec!["watch"];
        sim.disconnect(sim.primary(&object("obj")), 1);
    }),
    ("registering again", |sim, _| {
        sim.settle();
        sim.hold = vec!["watch"];
        sim.disconnect(sim.primary(&object("obj")), 1);
        sim.run(millis(10));
    }),
];

#[test]
fn unwatch_wins_in_every_state() {
    for (name, prepare) in STATES {
        let mut sim = Sim::connected();
        let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
        prepare(&mut sim, watch);
        sim.settle();
        sim.news.clear();
        let (osd, cookie) = (sim.primary(&object("obj")), sim.last("watch").cookie());
        sim.hold = vec!["unwatch"];
        sim.seen.clear();
        sim.client.unwatch(sim.now, watch).unwrap();
        sim.run(millis(1000));
        sim.quiet();
        // Whatever comes late changes nothing any more.
        for (at, request) in sim.held.clone().iter().enumerate().filter(|(_, r)| r.kind != "unwatch") {
            sim.reply(request, if at % 2 == 0 { 0 } else { -ENOTCONN });
        }
        sim.disconnect(osd, cookie);
        sim.notify(osd, cookie, 5, b"late");
        sim.quiet();
        assert_eq!(sim.answer("unwatch", 0).cookie(), cookie, "{name}");
        sim.closed(watch);
        sim.run(secs(60));
        assert_eq!(sim.kinds(), ["unwatch"], "{name}");
        assert_eq!(sim.client.unwatch(sim.now, watch), Err(CommandError::Unknown), "{name}");
    }
}

#[test]
fn an_unwatch_outlives_a_reset_and_a_move() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["unwatch"];
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.settle();
    let first = sim.take("unwatch");
    sim.reset(Who::Osd(first.osd));
    sim.run(secs(1));
    let second = sim.take("unwatch");
    assert_eq!((second.tid, second.op.retry_attempt), (first.tid, 1));
    let to = sim.other(&object("obj"));
    sim.move_to(&object("obj"), &[to]);
    let third = sim.answer("unwatch", 0);
    assert_eq!((third.tid, third.osd), (first.tid, to));
    sim.closed(watch);
}

#[test]
fn unwatch_before_there_is_a_map() {
    let mut sim = Sim::new(config(1));
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.lazy = true;
    sim.settle();
    assert!(sim.client.osd_map().is_some());
    sim.run(secs(5));
    assert_eq!(sim.kinds(), [""; 0]);
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Closed)));
    assert!(sim.client.next(watch).is_none());
    assert_eq!(sim.client.watches(), 0);
}

#[test]
fn an_ended_watch_that_had_no_place_keeps_no_session() {
    let mut sim = Sim::new(config(1));
    sim.lazy = true;
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.settle();
    let call = linger_core::Call::Stat;
    sim.client.call(sim.now, object("obj"), call, None).unwrap();
    sim.settle();
    let osd = Who::Osd(sim.primary(&object("obj")));
    assert!(sim.has_session(osd));
    sim.run(secs(130));
    assert!(!sim.has_session(osd), "nothing needs it");
}

fn told_closed(sim: &Sim) -> Vec<usize> {
    let left = |event: &Event| match event {
        Event::Closed { left_behind } => Some(left_behind.len()),
        _ => None,
    };
    sim.events.iter().filter_map(left).collect()
}

#[test]
fn closing_unwatches_everything_and_drops_all_connections() {
    let (mut sim, watch) = watching();
    let second = sim.client.watch(sim.now, object("two"), WatchOptions::default()).unwrap();
    sim.settle();
    sim.live(second);
    sim.client.close(sim.now, secs(5));
    sim.settle();
    assert!(matches!(sim.next(watch), Some(WatchEvent::Closed)));
    assert!(matches!(sim.next(second), Some(WatchEvent::Closed)));
    assert_eq!((sim.count("unwatch"), told_closed(&sim)), (2, vec![0]));
    assert!(sim.peers.is_empty() && sim.deadline.is_none());
    assert!(sim.drops.iter().all(|(_, why)| *why == ConnFault::Dropped));
    let refused = sim.client.watch(sim.now, object("obj"), WatchOptions::default());
    assert_eq!(refused, Err(CommandError::Closing));
}

#[test]
fn closing_has_a_deadline_and_says_what_is_left_behind() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.notify(osd, 1, 5, b"unanswered");
    let notify = sim.got(watch);
    sim.hold = vec!["unwatch"];
    sim.lazy = true;
    sim.client.close(sim.now, secs(5));
    sim.run(secs(4));
    assert_eq!(told_closed(&sim), [0usize; 0]);
    sim.run(secs(2));
    assert_eq!(told_closed(&sim), [1]);
    assert!(sim.peers.is_empty() && sim.deadline.is_none());
    let dials = sim.dials.len();
    let late = sim.client.ack(sim.now, notify.token, bytes::Bytes::new());
    assert_eq!(late, Err(CommandError::Unknown));
    sim.run(secs(60));
    assert_eq!(sim.dials.len(), dials, "nothing is dialled after the end");
    let left = sim.client.next(watch);
    assert!(matches!(left, Some(WatchEvent::LeftBehind(left)) if left.gone_within == secs(30)));
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Closed)));
}
