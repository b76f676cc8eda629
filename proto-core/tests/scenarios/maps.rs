//! Maps: from epoch to epoch, over gaps, and those that can not be used.

use crate::support::{Sim, Who, config, first_map, object, secs, watching};
use bytes::Bytes;
use linger_core::{Call, CallId, Event, FEATURES, ObjectRef, OpError};
use linger_wire::msg::MapMessage;
use linger_wire::osdmap::OsdMap;

const MON: Who = Who::Mon(0);

fn epoch(sim: &Sim) -> u32 {
    sim.client.osd_map().unwrap().epoch
}

fn bad_maps(sim: &Sim) -> Vec<u32> {
    let bad = |event: &Event| match event {
        Event::MapFault { epoch, .. } => Some(*epoch),
        _ => None,
    };
    sim.events.iter().filter_map(bad).collect()
}

fn map_of(epoch: u32) -> Bytes {
    OsdMap { epoch, ..first_map() }.encode_for(FEATURES)
}

#[test]
fn a_map_of_another_epoch_than_its_label_is_refused() {
    // Above the label, at the label before, far below: none of them may be taken, or asked for
    // without end.
    for (label, inside) in [(11, 10), (11, 3), (20, 5), (11, 12), (30, u32::MAX)] {
        let mut sim = Sim::connected();
        let fulls = [(label, map_of(inside))].into();
        let message =
            MapMessage { fsid: sim.map.fsid, fulls, oldest: label, newest: label, ..MapMessage::default() };
        sim.peer(MON).message(0, &message);
        sim.settle();
        assert_eq!(epoch(&sim), 10, "{inside} as {label}");
        assert_eq!(bad_maps(&sim), [label], "{inside} as {label}");
    }
}

#[test]
fn a_first_map_of_another_cluster_than_its_label_is_refused() {
    let mut sim = Sim::new(config(1));
    let other = OsdMap { fsid: linger_wire::Fsid([9; 16]), ..first_map() };
    let good = sim.fulls.insert(10, other.encode_for(FEATURES)).unwrap();
    sim.settle();
    assert!(sim.client.osd_map().is_none());
    assert_eq!(bad_maps(&sim), [10]);
    sim.fulls.insert(10, good);
    sim.update(|_| {});
    assert_eq!(epoch(&sim), 11);
}

#[test]
fn after_a_bad_incremental_the_full_map_is_asked_for() {
    let (mut sim, watch) = watching();
    let to = sim.other(&object("obj"));
    sim.stage_move(&object("obj"), &[to]);
    sim.incs.insert(11, Bytes::from_static(b"garbage"));
    sim.subscribed.clear();
    sim.publish();
    sim.settle();
    assert_eq!(bad_maps(&sim), [11]);
    assert_eq!(sim.subscribed, [(0, "osdmap".into(), 0, 0)]);
    assert_eq!(epoch(&sim), 11);
    assert_eq!(sim.live(watch).osd, to);
    sim.update(|_| {});
    assert_eq!(epoch(&sim), 12);
}

/// Sends one epoch alone.
fn share(sim: &mut Sim, epoch: u32) {
    let incrementals = [(epoch, sim.incs[&epoch].clone())].into();
    let message =
        MapMessage { fsid: sim.map.fsid, incrementals, oldest: 1, newest: epoch, ..MapMessage::default() };
    sim.peer(MON).message(0, &message);
}

#[test]
fn a_gap_is_asked_for() {
    let mut sim = Sim::connected();
    (0..3).for_each(|_| sim.stage(|_| {}));
    // As from an OSD that shares what it thinks the client lacks.
    share(&mut sim, 13);
    sim.settle();
    assert_eq!(epoch(&sim), 10, "the subscription brings the rest");
    sim.publish();
    sim.settle();
    assert_eq!(epoch(&sim), 13);
    assert_eq!(bad_maps(&sim), [0; 0]);
}

#[test]
fn a_full_map_is_still_needed_after_the_good_maps_before_a_bad_one() {
    let mut sim = Sim::connected();
    sim.peer(MON).stalled = true;
    (0..2).for_each(|_| sim.stage(|_| {}));
    sim.incs.insert(12, Bytes::from_static(b"garbage"));
    sim.publish();
    sim.settle();
    assert_eq!((epoch(&sim), bad_maps(&sim)), (11, vec![12]));
    sim.subscribed.clear();
    sim.reset(MON);
    sim.run(secs(1));
    let asked: Vec<_> = sim.subscribed.iter().filter(|(_, name, ..)| name == "osdmap").collect();
    assert!(matches!(asked[..], [(_, _, 0, _)]), "{asked:?}");
    assert_eq!(epoch(&sim), 12);
}

#[test]
fn a_full_map_of_the_same_epoch_ends_the_need_for_one() {
    let (mut sim, _) = watching();
    let incrementals = [(11, Bytes::from_static(b"garbage"))].into();
    let message =
        MapMessage { fsid: sim.map.fsid, incrementals, oldest: 1, newest: 11, ..MapMessage::default() };
    sim.subscribed.clear();
    sim.peer(MON).message(0, &message);
    sim.settle();
    assert_eq!(sim.subscribed, [(0, "osdmap".into(), 0, 0)]);
    // What is missing later is asked for as ever.
    (0..3).for_each(|_| sim.stage(|_| {}));
    share(&mut sim, 13);
    sim.settle();
    sim.publish();
    sim.settle();
    assert_eq!(epoch(&sim), 13);
    assert_eq!(sim.subscribed.len(), 1, "{:?}", sim.subscribed);
    assert_eq!(sim.count("reconnect"), 0, "no epoch was skipped");
}

#[test]
fn a_bad_incremental_behind_a_good_full_map_makes_another_full_one_be_asked_for() {
    let mut sim = Sim::connected();
    (0..2).for_each(|_| sim.stage(|_| {}));
    let message = MapMessage {
        fsid: sim.map.fsid,
        fulls: [(11, map_of(11))].into(),
        incrementals: [(12, Bytes::from_static(b"garbage"))].into(),
        oldest: 1,
        newest: 12,
    };
    sim.subscribed.clear();
    sim.peer(MON).message(0, &message);
    sim.settle();
    assert_eq!(bad_maps(&sim), [12]);
    assert_eq!(sim.subscribed, [(0, "osdmap".into(), 0, 0)]);
    assert_eq!(epoch(&sim), 12);
}

/// Has the monitor send a full map that is none, as the last thing a subscription brings.
fn send_bad_full(sim: &mut Sim, epoch: u32) {
    let fulls = [(epoch, Bytes::from_static(b"garbage"))].into();
    let message = MapMessage { fsid: sim.map.fsid, fulls, oldest: 1, newest: epoch, ..MapMessage::default() };
    if let Some(item) = sim.peer(MON).subs.get_mut("osdmap") {
        item.start = u64::from(epoch) + 1;
    }
    sim.peer(MON).message(0, &message);
    sim.settle();
}

#[test]
fn a_full_map_that_does_not_decode_is_asked_for_anew() {
    let mut sim = Sim::connected();
    sim.stage(|_| {});
    sim.subscribed.clear();
    send_bad_full(&mut sim, 11);
    assert_eq!(bad_maps(&sim), [11]);
    assert_eq!(sim.subscribed, [(0, "osdmap".into(), 0, 0)]);
    assert_eq!(epoch(&sim), 11);
    sim.update(|_| {});
    assert_eq!((epoch(&sim), sim.subscribed.len()), (12, 1));
}

#[test]
fn a_monitor_without_a_full_map_of_use_is_not_asked_without_end() {
    for follow_map in [true, false] {
        let mut config = config(1);
        config.follow_map = follow_map;
        let mut sim = Sim::new(config);
        sim.settle();
        sim.stage(|_| {});
        let good = sim.fulls.insert(11, Bytes::from_static(b"garbage")).unwrap();
        sim.subscribed.clear();
        let starts = |sim: &Sim| sim.subscribed.iter().map(|(_, _, start, _)| *start).collect::<Vec<_>>();
        send_bad_full(&mut sim, 11);
        assert_eq!(starts(&sim), [0, 12], "another one only once there is a newer one");
        (0..100).for_each(|_| send_bad_full(&mut sim, 11));
        assert_eq!(starts(&sim), [0, 12]);
        sim.update(|_| {});
        assert_eq!((epoch(&sim), starts(&sim)), (12, vec![0, 12, 0]));
        // So with another monitor.
        sim.stage(|_| {});
        sim.fulls.insert(13, good);
        send_bad_full(&mut sim, 13);
        sim.subscribed.clear();
        sim.fulls.insert(13, map_of(13));
        sim.reset(MON);
        sim.run(secs(1));
        assert!(starts(&sim).contains(&0), "{:?}", sim.subscribed);
        assert_eq!(epoch(&sim), 13);
    }
}

#[test]
fn who_is_helped_before_the_full_map_comes_lacks_nothing_after_it() {
    let (mut sim, _) = watching();
    let osd = sim.primary(&object("obj"));
    (0..3).for_each(|_| sim.stage(|_| {}));
    sim.peer(MON).stalled = true;
    for bytes in [Bytes::from_static(b"garbage"), sim.incs[&11].clone()] {
        let incrementals = [(11, bytes)].into();
        let message =
            MapMessage { fsid: sim.map.fsid, incrementals, oldest: 1, newest: 13, ..MapMessage::default() };
        sim.peer(Who::Osd(osd)).message(0, &message);
        sim.settle();
    }
    assert_eq!((epoch(&sim), bad_maps(&sim)), (11, vec![11]));
    let mon = sim.conn_to(MON);
    sim.peer(MON).stalled = false;
    sim.carry(mon);
    sim.settle();
    assert_eq!(epoch(&sim), 13);
    assert_eq!(sim.count("reconnect"), 0, "no epoch was skipped");
    sim.update(|_| {});
    assert_eq!(epoch(&sim), 14);
}

#[test]
fn older_maps_are_ignored() {
    let mut sim = Sim::connected();
    sim.update(|_| {});
    let fulls = [(10, map_of(10))].into();
    let message = MapMessage { fsid: sim.map.fsid, fulls, oldest: 1, newest: 11, ..MapMessage::default() };
    sim.peer(MON).message(0, &message);
    sim.settle();
    assert_eq!(epoch(&sim), 11);
}

#[test]
fn an_osd_may_bring_maps() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    let to = sim.other(&object("obj"));
    sim.stage_move(&object("obj"), &[to]);
    let incrementals = [(11, sim.incs[&11].clone())].into();
    let message =
        MapMessage { fsid: sim.map.fsid, incrementals, oldest: 1, newest: 11, ..MapMessage::default() };
    sim.peer(Who::Osd(osd)).message(0, &message);
    sim.settle();
    assert_eq!(sim.live(watch).osd, to);
    // The monitor's own copy changes nothing any more.
    sim.publish();
    sim.settle();
    sim.quiet();
}

#[test]
fn without_a_subscription_maps_come_when_something_waits_for_one() {
    let mut config = config(1);
    config.follow_map = false;
    let mut sim = Sim::new(config);
    sim.settle();
    sim.subscribed.clear();
    sim.update(|inc| {
        (0..3).for_each(|osd| _ = inc.new_state.insert(osd, linger_wire::osdmap::osd_state::UP));
    });
    assert_eq!(epoch(&sim), 10, "nobody asked");
    let call = sim.client.call(sim.now, object("obj"), Call::Stat, None).unwrap();
    sim.down.extend((0..3).map(Who::Osd));
    sim.run(secs(30));
    let asked: Vec<_> = sim.subscribed.iter().map(|(_, _, start, flags)| (*start, *flags)).collect();
    assert!(asked.contains(&(11, 1)), "a target that can not be reached is reason to ask: {asked:?}");
    assert_eq!(epoch(&sim), 11);
    sim.client.abandon_call(sim.now, call);
}

/// A client that follows no maps, at epoch 10, which is like this.
fn not_following(change: impl FnOnce(&mut OsdMap)) -> Sim {
    let mut config = config(1);
    config.follow_map = false;
    let mut sim = Sim::new(config);
    change(&mut sim.map);
    sim.fulls.insert(10, sim.map.encode_for(FEATURES));
    sim.settle();
    sim.subscribed.clear();
    sim
}

/// What was asked for since, all of it once.
fn asked(sim: &mut Sim) -> Vec<u64> {
    let asked: Vec<_> = sim.subscribed.drain(..).collect();
    assert!(asked.iter().all(|(_, name, _, flags)| name == "osdmap" && *flags == 1), "{asked:?}");
    asked.into_iter().map(|(_, _, start, _)| start).collect()
}

fn write(sim: &mut Sim, pool: &str) -> CallId {
    let (object, write) = (ObjectRef::new(pool, "obj"), Call::WriteFull(Bytes::from_static(b"x")));
    sim.client.call(sim.now, object, write, None).unwrap()
}

/// A write that waits for a newer map than one that changes nothing.
fn waits(sim: &mut Sim) -> CallId {
    sim.run(secs(60));
    assert_eq!(asked(sim), [0; 0], "nothing waits");
    let call = write(sim, "rbd");
    sim.run(secs(60));
    assert_eq!(asked(sim), [11]);
    sim.update(|_| {});
    assert_eq!(asked(sim), [12], "it waits still");
    call
}

fn is_done(sim: &Sim, call: CallId) -> bool {
    sim.events.iter().any(|event| matches!(event, Event::CallDone { id, result: Ok(_) } if *id == call))
}

#[test]
fn without_a_subscription_what_a_full_pool_holds_goes_on_when_there_is_room() {
    let full = linger_wire::osdmap::pool_flags::FULL;
    let mut sim = not_following(|map| map.pools.get_mut(&1).unwrap().flags |= full);
    let call = waits(&mut sim);
    let mut pool = sim.map.pools[&1].clone();
    pool.flags &= !full;
    sim.update(|inc| _ = inc.new_pools.insert(1, pool));
    assert!(is_done(&sim, call));
    assert_eq!(asked(&mut sim), [0; 0]);
}

#[test]
fn without_a_subscription_what_is_unanswered_may_be_another_osd_s_to_answer() {
    let mut sim = not_following(|_| {});
    sim.hold = vec!["write"];
    let call = write(&mut sim, "rbd");
    sim.run(secs(9));
    assert_eq!(asked(&mut sim), [0; 0]);
    sim.run(secs(120));
    assert_eq!(asked(&mut sim), [11], "once, for the monitor remembers");
    sim.update(|_| {});
    sim.run(secs(20));
    assert_eq!(asked(&mut sim), [12], "it is unanswered still");
    // Its group moves on.
    let pg = sim.held.front().expect("a request").op.pgid.pg;
    let primary = sim.held.front().map(|held| held.osd).expect("a request");
    sim.hold.clear();
    sim.update(|inc| _ = inc.new_pg_temp.insert(pg, vec![(primary + 1) % 3]));
    sim.run(secs(1));
    assert!(is_done(&sim, call));
    let next = write(&mut sim, "rbd");
    sim.run(secs(60));
    assert!(is_done(&sim, next));
    assert_eq!(asked(&mut sim), [0; 0], "what was answered is no reason");
}

#[test]
fn without_a_subscription_what_has_no_primary_goes_on_when_there_is_one() {
    use linger_wire::osdmap::osd_state;
    let mut sim = not_following(|map| map.osd_state.fill(osd_state::EXISTS));
    let call = waits(&mut sim);
    sim.update(|inc| (0..3).for_each(|osd| _ = inc.new_state.insert(osd, osd_state::UP)));
    assert!(is_done(&sim, call));
    assert_eq!(asked(&mut sim), [0; 0]);
}

#[test]
fn without_a_subscription_more_epochs_than_a_message_holds_are_asked_for_in_turn() {
    let mut sim = not_following(|_| {});
    (0..99).for_each(|_| sim.stage(|_| {}));
    sim.stage(|inc| {
        inc.new_pools.insert(3, linger_wire::osdmap::Pool::replicated(3, 8, 0));
        inc.new_pool_names.insert(3, "three".into());
        inc.new_pool_max = Some(3);
    });
    let (call, none) = (write(&mut sim, "three"), write(&mut sim, "four"));
    sim.settle();
    assert_eq!(asked(&mut sim), [11, 51, 91]);
    assert_eq!(epoch(&sim), 110);
    assert!(is_done(&sim, call));
    let gone =
        |event: &Event| matches!(event, Event::CallDone { id, result: Err(OpError::NoPool) } if *id == none);
    assert!(sim.events.iter().any(gone), "{:?}", sim.events);
}
