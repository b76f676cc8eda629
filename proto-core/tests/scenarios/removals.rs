//! Registrations that are given up: the OSD is asked to forget them, for so long and for so many; what it may
//! keep is told.

use crate::support::{Request, Sim, Who, lost, millis, object, osd_addrs, secs, watching};
use linger_core::{Event, LeftBehind, LossCause, WatchEvent, WatchId, WatchOptions};
use linger_wire::osdmap::osd_state;

/// A watch whose first registration waits no longer than a second.
fn impatient(sim: &mut Sim) -> WatchId {
    let opts = WatchOptions { register_within: Some(secs(1)), ..WatchOptions::default() };
    sim.client.watch(sim.now, object("obj"), opts).unwrap()
}

/// The watch could not be registered in time.
fn held(sim: &mut Sim, watch: WatchId) {
    assert_eq!(sim.error(watch), lost(LossCause::Held, None));
    assert!(matches!(sim.next(watch), Some(WatchEvent::Closed)));
}

/// A client whose only watch was given up, while its OSD has it and says nothing.
fn given_up() -> Sim {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch", "unwatch"];
    let watch = impatient(&mut sim);
    sim.run(secs(2));
    held(&mut sim, watch);
    sim
}

/// The watches that were left behind, if the client is closed.
fn told_closed(sim: &Sim) -> Option<&[LeftBehind]> {
    sim.events.iter().find_map(|event| match event {
        Event::Closed { left_behind } => Some(&left_behind[..]),
        _ => None,
    })
}

fn unwatches(sim: &Sim) -> Vec<&Request> {
    sim.seen.iter().filter(|request| request.kind == "unwatch").collect()
}

#[test]
fn what_was_never_sent_is_not_removed() {
    let mut sim = Sim::connected();
    (0..3).for_each(|osd| sim.stage(|inc| _ = inc.new_state.insert(osd, osd_state::UP)));
    sim.publish();
    for _ in 0..20 {
        let watch = impatient(&mut sim);
        sim.run(secs(2));
        held(&mut sim, watch);
    }
    (0..3).for_each(|osd| sim.stage(|inc| _ = inc.new_up_client.insert(osd, osd_addrs(osd, 1))));
    sim.publish();
    sim.run(secs(30));
    assert_eq!(sim.kinds(), [""; 0]);
    sim.client.close(sim.now, secs(5));
    sim.settle();
    assert_eq!(told_closed(&sim), Some(&[][..]));
}

/// Nothing was sent, but a reset dropped what was.
#[test]
fn what_a_reset_dropped_is_removed() {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch"];
    let watch = impatient(&mut sim);
    sim.settle();
    let osd = Who::Osd(sim.primary(&object("obj")));
    sim.down.insert(osd);
    sim.reset(osd);
    sim.run(secs(2));
    held(&mut sim, watch);
    sim.down.clear();
    sim.seen.clear();
    sim.run(secs(20));
    assert_eq!(sim.kinds(), ["unwatch"]);
}

/// An OSD that takes registrations and answers nothing is asked to forget no more than 1024 of them.
#[test]
fn removals_of_many_watches_do_not_pile_up() {
    for (watches, kept) in [(1024, 1024), (1030, 1024)] {
        let mut sim = Sim::connected();
        sim.hold = vec!["watch", "unwatch"];
        let osd = Who::Osd(sim.primary(&object("obj")));
        for _ in 0..watches {
            impatient(&mut sim);
        }
        sim.run(secs(2));
        assert_eq!((sim.client.watches(), sim.count("unwatch")), (0, kept));
        sim.seen.clear();
        sim.reset(osd);
        sim.run(secs(1));
        let again = unwatches(&sim);
        assert_eq!(again.len(), kept);
        let oldest = again.iter().map(|request| request.cookie()).min();
        assert_eq!(oldest, Some(1 + (watches - kept) as u64), "the oldest are forgotten");
    }
}

#[test]
fn a_pool_that_is_gone_ends_its_removals() {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch", "unwatch"];
    sim.answer_versions = false;
    let watch = impatient(&mut sim);
    sim.settle();
    sim.update(|inc| _ = inc.old_pools.insert(1));
    sim.run(secs(2));
    held(&mut sim, watch);
    assert_eq!(sim.count("unwatch"), 0);
    sim.run(secs(130));
    assert!(!sim.has_session(Who::Osd(0)) && !sim.has_session(Who::Osd(1)) && !sim.has_session(Who::Osd(2)));
}

#[test]
fn closing_waits_until_what_was_given_up_is_removed() {
    let mut sim = given_up();
    sim.client.close(sim.now, secs(5));
    sim.run(secs(3));
    assert_eq!(told_closed(&sim), None);
    sim.answer("unwatch", 0);
    assert_eq!(told_closed(&sim), Some(&[][..]));
}

#[test]
fn closing_says_what_was_given_up_and_not_removed() {
    let mut sim = given_up();
    sim.client.close(sim.now, secs(5));
    sim.run(secs(6));
    let Some([left]) = told_closed(&sim) else { panic!("{:?}", sim.events) };
    assert_eq!((left.cookie, left.gone_within, &left.object.name), (1, secs(30), &object("obj").name));
}

#[test]
fn closing_says_what_a_watch_replaced() {
    let (mut sim, _) = watching();
    sim.hold = vec!["watch", "unwatch"];
    sim.disconnect(sim.primary(&object("obj")), 1);
    sim.run(secs(1));
    sim.client.close(sim.now, secs(5));
    sim.run(secs(6));
    let cookies = told_closed(&sim).map(|left| left.iter().map(|left| left.cookie).collect::<Vec<_>>());
    assert_eq!(cookies, Some(vec![2, 1]));
}

/// What comes after the loss was never sent: what may be left is what was there before.
#[test]
fn a_lost_watch_leaves_behind_what_it_had() {
    let (mut sim, watch) = watching();
    let osd = Who::Osd(sim.primary(&object("obj")));
    sim.down.insert(osd);
    sim.reset(osd);
    sim.run(secs(60));
    assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
    sim.client.unwatch_within(sim.now, watch, secs(1)).unwrap();
    sim.run(secs(2));
    let Some(WatchEvent::LeftBehind(left)) = sim.next(watch) else { panic!("{:?}", sim.news) };
    assert_eq!((left.cookie, left.gone_within), (1, secs(30)));
    sim.closed(watch);
    sim.client.close(sim.now, secs(1));
    sim.run(secs(2));
    assert_eq!(told_closed(&sim), Some(&[left][..]), "once, though it was told before");
}

#[test]
fn another_identity_leaves_behind_what_the_old_one_did_not_remove() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["unwatch"];
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.run(secs(1));
    sim.quiet();
    sim.global_id = 5000;
    sim.client.renew_identity(sim.now).unwrap();
    sim.settle();
    let Some(WatchEvent::LeftBehind(left)) = sim.next(watch) else { panic!("{:?}", sim.news) };
    assert_eq!((left.cookie, left.gone_within, left.object.name), (1, secs(30), "obj".into()));
    sim.closed(watch);
}

#[test]
fn nothing_is_left_behind_of_what_was_never_sent() {
    let mut sim = Sim::connected();
    let osd = Who::Osd(sim.primary(&object("obj")));
    sim.down.insert(osd);
    let opts = || WatchOptions { register_within: None, ..WatchOptions::default() };
    for renew in [true, false] {
        let watch = sim.client.watch(sim.now, object("obj"), opts()).unwrap();
        sim.run(secs(1));
        sim.client.unwatch_within(sim.now, watch, millis(500)).unwrap();
        if renew {
            sim.client.renew_identity(sim.now).unwrap();
        }
        sim.run(secs(1));
        sim.closed(watch);
    }
}

#[test]
fn a_client_that_closes_as_another_one_leaves_all_behind() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["unwatch"];
    sim.client.close(sim.now, secs(60));
    sim.run(secs(1));
    assert_eq!(told_closed(&sim), None);
    sim.global_id = 5000;
    sim.reset(Who::Mon(0));
    sim.run(secs(10));
    let cookies = told_closed(&sim).map(|left| left.iter().map(|left| left.cookie).collect::<Vec<_>>());
    assert_eq!(cookies, Some(vec![1]));
    assert!(matches!(sim.events.back(), Some(Event::Closed { .. })), "{:?}", sim.events);
    assert!(matches!(sim.next(watch), Some(WatchEvent::LeftBehind(_))));
    sim.closed(watch);
}
