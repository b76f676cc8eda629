//! Monitors: finding one, losing it, and what is asked of the next one.

use crate::support::{Misdeed, Sim, Stage, Who, config, lost, millis, mon_addr, object, secs, watching};
use bytes::Bytes;
use linger_core::{Call, ConnFault, Event, LossCause, ObjectRef, OpError, Query, WatchOptions};
use linger_wire::cephx::LoginRequest;
use linger_wire::frame::{AuthBadMethod, AuthMethod, ConMode, Control};
use linger_wire::{Decode, Fsid};

const MON: Who = Who::Mon(0);

/// Where OSD maps were subscribed from, and how.
fn map_subscriptions(sim: &mut Sim) -> Vec<(u64, u8)> {
    let all = sim.subscribed.drain(..).filter(|(_, name, ..)| name == "osdmap");
    all.map(|(_, _, start, flags)| (start, flags)).collect()
}

#[test]
fn one_of_several_monitors_is_enough() {
    for up in 0..3 {
        let mut sim = Sim::new(config(3));
        sim.down.extend((0..3).filter(|mon| *mon != up).map(Who::Mon));
        sim.settle();
        assert!(sim.has_session(Who::Mon(up)), "m{up}");
        assert_eq!(sim.peers.len(), 1);
    }
}

#[test]
fn the_first_login_wins_and_the_others_are_dropped() {
    let mut sim = Sim::new(config(3));
    sim.settle();
    assert_eq!(sim.dials.len(), 3);
    assert_eq!(sim.peers.len(), 1);
    assert!(sim.drops.iter().all(|(_, why)| *why == ConnFault::Dropped));
    assert_eq!(sim.drops.len(), 2);
}

#[test]
fn without_any_monitor_it_goes_on_trying_at_growing_intervals() {
    let mut sim = Sim::new(config(3));
    sim.down.extend((0..3).map(Who::Mon));
    sim.run(secs(3600));
    let rounds = sim.dials.len() / 3;
    assert!((120..=140).contains(&rounds), "{rounds} rounds in an hour, the last ones 30 s apart");
    sim.down.clear();
    sim.run(secs(31));
    assert!(sim.client.osd_map().is_some());
}

#[test]
fn a_lost_session_goes_on_at_another_monitor_from_the_next_epoch() {
    let mut sim = Sim::new(config(3));
    sim.settle();
    assert_eq!(map_subscriptions(&mut sim), [(0, 0)]);
    sim.update(|_| {});
    sim.run(secs(20));
    let mon = (0..3).find(|mon| sim.has_session(Who::Mon(*mon))).unwrap();
    sim.down.insert(Who::Mon(mon));
    sim.reset(Who::Mon(mon));
    assert_eq!(map_subscriptions(&mut sim), [(12, 0)]);
    sim.update(|_| {});
    assert_eq!(sim.client.osd_map().unwrap().epoch, 12);
    assert_eq!(map_subscriptions(&mut sim), []);
}

#[test]
fn epochs_of_the_time_between_sessions_are_caught_up() {
    let (mut sim, watch) = watching();
    sim.run(secs(20));
    let to = sim.other(&object("obj"));
    sim.stage_move(&object("obj"), &[to]);
    sim.stage_move(&object("obj"), &[]);
    sim.reset(MON);
    sim.run(secs(1));
    assert_eq!(sim.client.osd_map().unwrap().epoch, 12);
    assert_eq!(sim.live(watch).generation, 1, "the move in between is seen");
}

#[test]
fn a_monitor_that_falls_silent_is_left() {
    let mut sim = Sim::connected();
    sim.peer(MON).silent = true;
    sim.run(secs(26));
    assert_eq!(sim.faults(MON), [ConnFault::KeepaliveTimeout]);
    assert!(sim.has_session(MON));
}

#[test]
fn keepalives_are_as_far_apart_as_they_shall_be() {
    for (keepalive, timeout) in [(10, 15), (4, 15), (10, 10), (10, 3)] {
        let mut config = config(1);
        config.timing.keepalive = secs(keepalive);
        config.timing.keepalive_timeout = secs(timeout);
        let mut sim = Sim::new(config);
        let mut asked = Vec::new();
        for second in 0..=60 {
            sim.run(if second == 0 { millis(1) } else { secs(1) });
            let controls = sim.client_controls.drain(..);
            let keepalives = controls.filter(|(_, control)| matches!(control, Control::Keepalive2(_)));
            asked.extend(keepalives.map(|_| second));
        }
        let expected: Vec<_> = (1..=60).filter(|second| second % keepalive == 0).collect();
        assert_eq!(asked, expected, "every {keepalive} s, with {timeout} s for an answer");
        assert!(sim.has_session(MON) && sim.faults(MON).is_empty());
        // An answer takes nothing from the time that the next one has.
        sim.peer(MON).silent = true;
        sim.run(secs(keepalive + timeout) - millis(2));
        assert!(sim.faults(MON).is_empty());
        sim.run(millis(2));
        assert_eq!(sim.faults(MON), [ConnFault::KeepaliveTimeout]);
    }
}

#[test]
fn version_queries_are_asked_again() {
    let mut sim = Sim::connected();
    sim.answer_versions = false;
    let watch = sim.client.watch(sim.now, ObjectRef::new("never", "x"), WatchOptions::default()).unwrap();
    sim.run(secs(20));
    sim.reset(MON);
    sim.run(secs(5));
    let [(_, first), (conn, second)] = sim.version_queries[..] else { panic!("{:?}", sim.version_queries) };
    assert_eq!(first, second);
    sim.quiet();
    sim.answer_version(conn, second);
    sim.answer_version(conn, second);
    sim.settle();
    assert_eq!(sim.error(watch), lost(LossCause::PoolGone, None));
    sim.closed(watch);
}

#[test]
fn version_queries_do_not_pile_up_without_a_monitor() {
    let mut sim = Sim::connected();
    sim.down.insert(MON);
    sim.reset(MON);
    for _ in 0..50 {
        let missing = ObjectRef::new("never", "x");
        sim.client.call(sim.now, missing, Call::Stat, Some(secs(1))).unwrap();
        sim.run(secs(2));
    }
    sim.down.clear();
    let last = sim.client.call(sim.now, ObjectRef::new("never", "x"), Call::Stat, Some(secs(60))).unwrap();
    sim.run(secs(31));
    assert_eq!(sim.version_queries.len(), 1, "{:?}", sim.version_queries);
    assert_eq!(sim.result(last), Some(Err(OpError::NoPool)));
}

#[test]
fn a_version_query_counts_for_those_who_came_before_it() {
    let mut sim = Sim::connected();
    sim.answer_versions = false;
    let stat = |sim: &mut Sim| sim.call(ObjectRef::new("new", "x"), Call::Stat);
    let before = stat(&mut sim);
    // Their pool may be younger than the answer that is on its way: theirs is one more question.
    let after = [(); 20].map(|()| stat(&mut sim));
    let [(conn, first)] = sim.version_queries[..] else { panic!("{:?}", sim.version_queries) };
    sim.answer_version(conn, first);
    sim.settle();
    assert_eq!(sim.result(before), Some(Err(OpError::NoPool)));
    let [_, (_, second)] = sim.version_queries[..] else { panic!("{:?}", sim.version_queries) };
    sim.answer_version(conn, first);
    sim.settle();
    assert!(after.iter().all(|call| sim.result(*call).is_none()), "an answer to nothing asked");
    sim.answer_version(conn, second);
    sim.settle();
    assert!(after.iter().all(|call| sim.result(*call) == Some(Err(OpError::NoPool))));
}

#[test]
fn a_lost_version_query_is_asked_for_all_who_wait() {
    let mut sim = Sim::connected();
    sim.answer_versions = false;
    let calls = [(); 3].map(|()| sim.call(ObjectRef::new("never", "x"), Call::Stat));
    sim.answer_versions = true;
    sim.version_queries.clear();
    sim.run(secs(20));
    sim.reset(MON);
    sim.run(secs(5));
    assert_eq!(sim.version_queries.len(), 1, "{:?}", sim.version_queries);
    assert!(calls.iter().all(|call| sim.result(*call) == Some(Err(OpError::NoPool))));
}

#[test]
fn another_global_id_loses_every_watch_once() {
    let (mut sim, one) = watching();
    let two = sim.client.watch(sim.now, object("two"), WatchOptions::default()).unwrap();
    sim.settle();
    sim.live(two);
    sim.hold = vec!["notify"];
    let notify = sim.client.notify(sim.now, object("obj"), Bytes::new(), secs(60)).unwrap();
    sim.run(secs(20));
    let before = sim.take("notify");
    sim.drops.clear();
    sim.seen.clear();
    sim.global_id = 5000;
    sim.reset(MON);
    sim.run(secs(5));
    for watch in [one, two] {
        assert_eq!(sim.error(watch), lost(LossCause::Identity, None));
        let live = sim.live(watch);
        assert_eq!((live.global_id, live.generation, live.may_have_missed), (5000, 1, true));
        assert!(live.cookie > 3);
    }
    sim.quiet();
    assert_eq!(sim.count("reconnect"), 0);
    let osds = sim.drops.iter().filter(|(who, why)| matches!(who, Who::Osd(_)) && *why == ConnFault::Dropped);
    assert!(osds.count() >= 1, "sessions of the old identity are closed");
    let again = sim.take("notify");
    assert_ne!((again.conn, again.tid), (before.conn, before.tid));
    assert_eq!(sim.outcome(notify), None);
    assert_eq!(sim.client.global_id(), Some(5000));
}

#[test]
fn the_same_global_id_loses_nothing() {
    let (mut sim, _) = watching();
    sim.run(secs(20));
    sim.seen.clear();
    sim.reset(MON);
    sim.run(secs(1));
    sim.quiet();
    assert!(sim.kinds().iter().all(|kind| *kind == "ping"));
}

/// A monitor that lets nobody in.
fn refusal() -> Misdeed {
    let (allowed_methods, allowed_modes) = (vec![AuthMethod::NONE], vec![ConMode::CRC]);
    let method = AuthMethod::NONE;
    Misdeed::Instead(Control::AuthBadMethod(AuthBadMethod {
        method,
        result: -13,
        allowed_methods,
        allowed_modes,
    }))
}

/// Which numbers were asked for again, from whom; 0 for any.
fn numbers(sim: &mut Sim) -> Vec<(Who, u64)> {
    let number = |(who, control)| match control {
        Control::AuthRequest(request) if matches!(who, Who::Mon(_)) => {
            Some((who, LoginRequest::decode(&request.payload).unwrap().global_id))
        }
        _ => None,
    };
    sim.client_controls.drain(..).filter_map(number).collect()
}

/// A client whose session of three monitors' is over; of those these refuse and the others are down.
fn refused_by(refusing: &[usize]) -> Sim {
    let mut sim = Sim::new(config(3));
    sim.run(secs(20));
    for mon in 0..3 {
        if refusing.contains(&mon) {
            sim.misdeeds.insert((Who::Mon(mon), Stage::AuthDone), refusal());
        } else {
            sim.down.insert(Who::Mon(mon));
        }
    }
    let mon = (0..3).find(|mon| sim.has_session(Who::Mon(*mon))).unwrap();
    numbers(&mut sim);
    sim.reset(Who::Mon(mon));
    sim
}

#[test]
fn a_number_that_one_monitor_refuses_is_kept_for_the_others() {
    let mut sim = refused_by(&[0]);
    sim.run(secs(30));
    assert!(numbers(&mut sim).len() > 2, "it was refused in some rounds");
    sim.down.clear();
    sim.run(secs(31));
    assert!(sim.has_session(Who::Mon(1)) || sim.has_session(Who::Mon(2)));
    let asked = numbers(&mut sim);
    assert!(asked.iter().all(|(_, number)| *number == 4100), "{asked:?}");
}

#[test]
fn a_number_that_most_monitors_refuse_is_given_up_after_the_round() {
    for refusing in [&[0, 1][..], &[0, 1, 2]] {
        let mut sim = refused_by(refusing);
        sim.run(secs(2));
        let asked = numbers(&mut sim);
        assert_eq!(asked.len(), refusing.len());
        assert!(asked.iter().all(|(_, number)| *number == 4100), "{asked:?}");
        sim.run(secs(2));
        let asked = numbers(&mut sim);
        assert!(!asked.is_empty() && asked.iter().all(|(_, number)| *number == 0), "{asked:?}");
    }
}

#[test]
fn a_number_that_nobody_but_one_monitor_can_refuse_is_given_up_after_eight_rounds() {
    let mut sim = refused_by(&[2]);
    sim.run(secs(180));
    let asked: Vec<_> = numbers(&mut sim).into_iter().map(|(_, number)| number).collect();
    assert_eq!(asked[..8], [4100; 8]);
    assert!(asked.len() > 8 && asked[8..].iter().all(|number| *number == 0), "{asked:?}");
}

#[test]
fn another_cluster_is_refused() {
    let mut config = config(1);
    config.fsid = Some(Fsid([9; 16]));
    let mut sim = Sim::new(config);
    sim.run(secs(60));
    let fault = ConnFault::WrongCluster { found: crate::support::FSID };
    let is_it =
        |event: &Event| matches!(event, Event::MonFault { fault: f, permanent: true, .. } if *f == fault);
    let (faults, others): (Vec<_>, Vec<_>) = sim.events.iter().partition(|event| is_it(event));
    assert!(others.iter().all(|event| matches!(event, Event::MonUp { .. })), "{others:?}");
    assert!((3..30).contains(&faults.len()), "{} faults in a minute", faults.len());
    assert!(sim.client.osd_map().is_none());
}

#[test]
fn it_is_shut_out_once_all_monitors_refused() {
    let mut sim = Sim::new(config(5));
    sim.misdeeds.extend((0..4).map(|mon| ((Who::Mon(mon), Stage::AuthDone), refusal())));
    sim.down.insert(Who::Mon(4));
    sim.run(secs(60));
    assert!(!sim.client.is_shut_out(), "the last one may do better");
    sim.misdeeds.insert((Who::Mon(4), Stage::AuthDone), refusal());
    sim.down.clear();
    sim.run(secs(31));
    assert!(sim.client.is_shut_out());
    sim.misdeeds.clear();
    sim.run(secs(31));
    assert!(!sim.client.is_shut_out() && sim.client.osd_map().is_some(), "it went on trying");
}

#[test]
fn maps_of_another_cluster_are_refused() {
    let mut sim = Sim::connected();
    sim.map.fsid = Fsid([9; 16]);
    sim.stage(|_| {});
    sim.publish();
    sim.run(secs(1));
    assert_eq!(sim.faults(MON)[0], ConnFault::WrongCluster { found: Fsid([9; 16]) });
    assert_eq!(sim.client.osd_map().unwrap().epoch, 10);
}

#[test]
fn names_are_resolved_anew_in_each_round() {
    let mut config = config(1);
    config.mons = Some("v2:mon.example:3300".parse().unwrap());
    let mut sim = Sim::new(config);
    sim.run(secs(10));
    let asked = sim.resolves.len();
    assert!((2..6).contains(&asked), "{asked} questions in 10 s");
    let (stale, _) = sim.resolves.pop_front().unwrap();
    sim.client.handle_resolved(sim.now, stale, &[mon_addr(0)]);
    sim.settle();
    assert!(sim.dials.is_empty(), "an answer to an older round");
    let (id, query) = sim.resolves.pop_back().unwrap();
    assert_eq!(query, Query::Host { host: "mon.example".into(), port: 3300 });
    sim.client.handle_resolved(sim.now, id, &[mon_addr(0)]);
    sim.settle();
    assert!(sim.has_session(MON));
}

#[test]
fn a_name_for_an_address_at_hand_is_not_asked_without_end() {
    let mut config = config(1);
    config.mons = Some(format!("v2:{},v2:mon.example:3300", mon_addr(0)).parse().unwrap());
    let mut sim = Sim::new(config);
    sim.misdeeds.insert((MON, Stage::Banner), Misdeed::Silence);
    for _ in 0..100 {
        while let Some((id, _)) = sim.resolves.pop_front() {
            sim.client.handle_resolved(sim.now, id, &[mon_addr(0)]);
            sim.drain();
            assert!(sim.dials.len() < 60);
        }
        sim.run(millis(100));
    }
    let asked = sim.log.iter().filter(|line| line.contains("Resolve")).count();
    assert!(asked < 8, "{asked} questions in 10 s");
}
