//! The life of a watch: registration, pings, moves.

use crate::support::{
    Pieces, Sim, Who, config, first_map, lost, millis, object, osd_addrs, secs, target, watching,
};
use linger_core::{LossCause, Timestamp, WatchOptions};
use linger_wire::errno::{ENOTCONN, ETIMEDOUT};
use linger_wire::msg::Op;
use linger_wire::osdmap::osd_state;

#[test]
fn registers_and_pings_every_five_seconds() {
    let (mut sim, _) = watching();
    sim.run(secs(300));
    let times: Vec<Timestamp> = sim.seen.iter().map(|request| request.at).collect();
    assert!(sim.seen.iter().all(|request| request.kind == "ping" && request.watch() == (1, 0)));
    for pair in times.windows(2) {
        let gap = pair[1].saturating_since(pair[0]);
        assert!((millis(3750)..=millis(5000)).contains(&gap), "{gap:?}");
    }
    assert!((60..=80).contains(&times.len()), "{} pings", times.len());
    sim.quiet();
}

#[test]
fn a_short_timeout_is_pinged_more_often() {
    let (mut sim, _) = Sim::watching(WatchOptions { timeout: millis(2001), ..WatchOptions::default() });
    let Op::Watch { timeout, .. } = sim.last("watch").op.ops[0] else { panic!() };
    assert_eq!(timeout, 3, "whole seconds, rounded up");
    sim.seen.clear();
    sim.run(secs(30));
    assert!((40..=54).contains(&sim.count("ping")), "{}", sim.count("ping"));
    sim.quiet();
}

#[test]
fn a_reset_reconnects_without_an_error() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    for generation in 1..=3 {
        sim.run(secs(20));
        sim.seen.clear();
        sim.hold = vec!["reconnect"];
        sim.reset(Who::Osd(osd));
        sim.run(millis(100));
        sim.quiet();
        let request = sim.take("reconnect");
        assert_eq!(request.watch(), (1, generation));
        sim.run(secs(2));
        assert_eq!(sim.count("ping"), 0, "no ping before the reconnect is answered");
        sim.reply(&request, 0);
        sim.settle();
        let live = sim.live(watch);
        assert_eq!((live.generation, live.may_have_missed, live.osd), (generation, false, osd));
        assert_eq!((live.cookie, live.deaf_for), (1, millis(2100)));
        sim.hold.clear();
        sim.seen.clear();
        sim.run(secs(5));
        assert_eq!(sim.last("ping").watch(), (1, generation));
    }
    assert_eq!(sim.count("watch"), 0);
}

#[test]
fn a_new_interval_reconnects_on_the_new_primary_and_on_the_same() {
    let (mut sim, watch) = watching();
    let obj = object("obj");
    let (a, b) = (sim.primary(&obj), sim.other(&obj));
    let c = 3 - a - b;
    for (generation, osds) in [(1, vec![b, a]), (2, vec![b, c]), (3, vec![c, a, b])] {
        sim.move_to(&obj, &osds);
        sim.run(millis(10));
        let request = sim.last("reconnect");
        assert_eq!((request.osd, request.watch()), (osds[0], (1, generation)), "{osds:?}");
        let live = sim.live(watch);
        assert_eq!((live.generation, live.may_have_missed, live.osd), (generation, false, osds[0]));
        // The same primary may have had the watch all the time: only a ping tells how long it keeps it.
        let expected: &[_] = if generation == 2 { &["reconnect", "ping"] } else { &["reconnect"] };
        assert_eq!(sim.kinds(), expected);
    }
    sim.quiet();
}

#[test]
fn an_epoch_that_moves_nothing_changes_nothing() {
    let (mut sim, _) = watching();
    let other = object("elsewhere");
    assert_ne!(target(&sim.map, &other).pg, target(&sim.map, &object("obj")).pg);
    sim.update(|_| {});
    sim.move_to(&other, &[0]);
    sim.run(millis(10));
    assert_eq!(sim.kinds(), [""; 0]);
    sim.quiet();
}

#[test]
fn moving_there_and_back_within_one_message_reconnects() {
    let (mut sim, watch) = watching();
    let obj = object("obj");
    let (a, b) = (sim.primary(&obj), sim.other(&obj));
    sim.stage_move(&obj, &[b, a]);
    sim.stage_move(&obj, &[]);
    assert_eq!(sim.primary(&obj), a);
    sim.publish();
    sim.settle();
    assert_eq!(sim.kinds(), ["reconnect"]);
    let live = sim.live(watch);
    assert_eq!((live.generation, live.osd), (1, a));
}

#[test]
fn skipped_epochs_reconnect_everything() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    (0..5).for_each(|_| sim.stage(|_| {}));
    sim.oldest = sim.map.epoch;
    sim.publish();
    sim.settle();
    assert_eq!(sim.client.osd_map().unwrap().epoch, sim.map.epoch);
    assert_eq!(sim.kinds(), ["reconnect"]);
    let live = sim.live(watch);
    assert_eq!((live.generation, live.osd), (1, osd));
}

#[test]
fn another_process_of_the_same_osd_gets_a_reconnect() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    // Down and up again within one message, and then once more without ever being seen down.
    sim.stage(|inc| _ = inc.new_state.insert(osd, osd_state::UP));
    sim.stage(|inc| _ = inc.new_up_client.insert(osd, osd_addrs(osd, 1)));
    sim.publish();
    sim.run(millis(10));
    assert_eq!(sim.live(watch).generation, 1);
    sim.update(|inc| _ = inc.new_up_client.insert(osd, osd_addrs(osd, 2)));
    sim.run(millis(10));
    assert_eq!(sim.live(watch).generation, 2);
    assert_eq!(sim.kinds(), ["reconnect", "reconnect"]);
    assert_eq!(sim.drops.iter().filter(|(who, _)| *who == Who::Osd(osd)).count(), 2);
    sim.quiet();
}

#[test]
fn stale_answers_of_pings_are_ignored() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.hold = vec!["ping"];
    sim.run(secs(6));
    let ping = sim.take("ping");
    // A new interval on the same connection: the ping is of an older generation.
    sim.move_to(&object("obj"), &[osd]);
    assert_eq!(sim.live(watch).generation, 1);
    sim.reply(&ping, -ETIMEDOUT);
    sim.settle();
    sim.quiet();
}

#[test]
fn a_late_answer_of_a_cancelled_reconnect_is_ignored() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.hold = vec!["reconnect"];
    sim.move_to(&object("obj"), &[osd]);
    sim.move_to(&object("obj"), &[osd, (osd + 1) % 3]);
    let (first, second) = (sim.take("reconnect"), sim.take("reconnect"));
    assert_eq!((first.watch().1, second.watch().1), (1, 2));
    sim.reply(&first, -ENOTCONN);
    sim.settle();
    sim.quiet();
    sim.reply(&second, 0);
    sim.settle();
    assert_eq!(sim.live(watch).generation, 1);
    sim.reply(&second, -ENOTCONN);
    sim.settle();
    sim.quiet();
}

/// An OSD that has the watch bound to the connection does not start its timer anew for a RECONNECT that
/// comes over that connection, so the lease must not either; a ping makes up for it.
#[test]
fn a_reconnect_over_the_same_connection_is_no_sign_of_life() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.run(secs(4));
    sim.hold = vec!["ping"];
    let before = sim.client.status(sim.now, watch).unwrap().lease_left;
    let pings = sim.count("ping");
    sim.move_to(&object("obj"), &[osd]);
    assert!(!sim.live(watch).may_have_missed);
    let status = sim.client.status(sim.now, watch).unwrap();
    assert!(status.is_live && status.lease_left <= before, "{status:?} after {before:?}");
    sim.run(millis(0));
    assert_eq!(sim.count("ping"), pings + 1, "a ping follows at once");
    sim.answer("ping", 0);
    let status = sim.client.status(sim.now, watch).unwrap();
    assert_eq!(status.lease_left, secs(30), "{status:?}");
}

/// A WATCH that was sent twice over one connection, as the group had a new interval in between, counts from
/// the first time: that one may be what started the OSD's timer.
#[test]
fn a_watch_sent_twice_counts_from_the_first_time() {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch"];
    let obj = object("obj");
    let osd = sim.primary(&obj);
    let watch = sim.client.watch(sim.now, obj.clone(), WatchOptions::default()).unwrap();
    sim.settle();
    let first = sim.last("watch");
    sim.run(secs(2));
    sim.move_to(&obj, &[osd]);
    let second = sim.last("watch");
    assert_ne!(first.tid, second.tid);
    assert_eq!(first.watch(), second.watch(), "the same cookie");
    sim.reply(&second, 0);
    sim.settle();
    assert_eq!(sim.live(watch).generation, 0);
    let status = sim.client.status(sim.now, watch).unwrap();
    assert_eq!(status.lease_left, secs(28), "{status:?}");
    // A connection of its own binds it anew.
    sim.hold.clear();
    sim.reset(Who::Osd(osd));
    sim.run(secs(1));
    assert!(!sim.live(watch).may_have_missed);
    assert!(sim.client.status(sim.now, watch).unwrap().lease_left > secs(28));
}

/// A WATCH that is answered a whole lease late may be about to end at its OSD, which nothing that is said over the
/// same connection puts off but a ping: the watch is registered anew, under another cookie.
#[test]
fn a_watch_that_is_answered_a_lease_late_is_registered_anew() {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch"];
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.run(secs(31));
    let late = sim.answer("watch", 0);
    sim.settle();
    sim.quiet();
    assert_eq!((sim.count("unwatch"), sim.count("reconnect"), sim.count("ping")), (1, 0, 0));
    let anew = sim.last("watch");
    assert_ne!(anew.cookie(), late.cookie());
    sim.run(secs(1));
    sim.answer("watch", 0);
    let live = sim.live(watch);
    assert_eq!((live.generation, live.may_have_missed, live.cookie), (0, true, anew.cookie()));
    let status = sim.client.status(sim.now, watch).unwrap();
    assert_eq!(status.lease_left, secs(29), "{status:?}");
}

#[test]
fn a_pool_that_is_not_there_yet_is_waited_for() {
    let mut sim = Sim::connected();
    let pool = first_map().pools[&1].clone();
    sim.stage(|inc| {
        inc.new_pools.insert(3, pool);
        inc.new_pool_names.insert(3, "new".into());
        inc.new_pool_max = Some(3);
    });
    // The monitor knows a newer epoch than the client has seen.
    let obj = linger_core::ObjectRef::new("new", "obj");
    let watch = sim.client.watch(sim.now, obj, WatchOptions::default()).unwrap();
    sim.settle();
    sim.quiet();
    sim.publish();
    sim.settle();
    assert_eq!(sim.live(watch).pg.pool, 3);

    let obj = linger_core::ObjectRef::new("never", "obj");
    let watch = sim.client.watch(sim.now, obj, WatchOptions::default()).unwrap();
    sim.settle();
    assert_eq!(sim.error(watch), lost(LossCause::PoolGone, None));
    sim.closed(watch);
}

#[test]
fn without_a_primary_it_waits_for_one() {
    let mut sim = Sim::connected();
    sim.update(|inc| (0..3).for_each(|osd| _ = inc.new_state.insert(osd, osd_state::UP)));
    assert_eq!(sim.primary(&object("obj")), -1);
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.run(secs(30));
    assert_eq!(sim.kinds(), [""; 0]);
    sim.quiet();
    sim.update(|inc| _ = inc.new_up_client.insert(1, osd_addrs(1, 1)));
    sim.run(millis(10));
    assert_eq!(sim.live(watch).osd, 1);

    // And a live one that loses its primary: deaf, then lost once, then back.
    sim.update(|inc| _ = inc.new_state.insert(1, osd_state::UP));
    assert!(!sim.has_session(Who::Osd(1)));
    sim.run(secs(20));
    sim.quiet();
    sim.run(secs(60));
    assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
    sim.quiet();
    sim.update(|inc| _ = inc.new_up_client.insert(2, osd_addrs(2, 1)));
    sim.run(millis(10));
    let live = sim.live(watch);
    assert_eq!((live.generation, live.may_have_missed, live.osd), (1, true, 2));
    sim.quiet();
}

#[test]
fn watches_in_single_bytes() {
    let mut sim = Sim::with_pieces(config(1), Pieces::Single);
    sim.settle();
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.settle();
    assert_eq!(sim.live(watch).generation, 0);
}
