//! Losses of a watch: each told once, then registered afresh or ended by name.

use crate::support::{Sim, Who, config, lost, millis, object, secs, watching};
use linger_core::{
    CommandError, Event, LossCause, Reregister, Timestamp, WatchError, WatchEvent, WatchId, WatchOptions,
};
use linger_wire::errno::{EACCES, EBLOCKLISTED, EIO, ENOENT, ENOTCONN, ETIMEDOUT};
use linger_wire::frame::Control;
use linger_wire::{AddrType, EntityAddr, UTime};
use std::net::SocketAddr;

/// After a loss: one error, the old cookie removed, a fresh registration.
fn registers_afresh(sim: &mut Sim, watch: WatchId, old: u64, error: WatchError) {
    sim.hold.clear();
    sim.run(millis(10));
    assert_eq!(sim.error(watch), error);
    let live = sim.live(watch);
    assert!(live.may_have_missed);
    assert_eq!(live.generation, 1);
    assert_ne!(live.cookie, old);
    sim.quiet();
    let (unwatch, fresh) = (sim.last("unwatch"), sim.last("watch"));
    assert_eq!((unwatch.cookie(), fresh.watch()), (old, (live.cookie, 0)));
    assert!(unwatch.tid < fresh.tid);
    assert_eq!((sim.count("unwatch"), sim.count("watch")), (1, 1));
    sim.seen.clear();
    sim.run(secs(5));
    assert_eq!(sim.last("ping").watch(), (live.cookie, 0));
}

impl Sim {
    /// The address that the client last told an OSD.
    fn own_addr(&self) -> EntityAddr {
        let mut idents = self.client_controls.iter().rev().filter_map(|(who, control)| match control {
            Control::ClientIdent(ident) if matches!(who, Who::Osd(_)) => Some(ident.addrs.0[0]),
            _ => None,
        });
        idents.next().unwrap()
    }
}

#[test]
fn a_refused_ping_is_one_loss() {
    for (errno, cause) in [(ENOTCONN, LossCause::Disconnected), (ETIMEDOUT, LossCause::TimedOut)] {
        let (mut sim, watch) = watching();
        sim.hold = vec!["ping"];
        sim.run(secs(11));
        let pings: Vec<_> = sim.held.drain(..).collect();
        assert!(pings.len() >= 2);
        for ping in &pings {
            sim.reply(ping, -errno);
        }
        sim.settle();
        registers_afresh(&mut sim, watch, 1, lost(cause, Some(errno)));
    }
}

/// An OSD that ends every registration and answers nothing: what is to be done is a few requests.
#[test]
fn removals_do_not_pile_up() {
    let (mut sim, _) = watching();
    let osd = sim.primary(&object("obj"));
    sim.hold = vec!["watch", "unwatch"];
    sim.disconnect(osd, 1);
    sim.run(secs(2));
    for _ in 0..50 {
        let cookie = sim.last("watch").cookie();
        sim.disconnect(osd, cookie);
        sim.settle();
        assert_ne!(sim.last("watch").cookie(), cookie);
    }
    sim.seen.clear();
    sim.reset(Who::Osd(osd));
    sim.run(millis(100));
    assert_eq!(
        (sim.count("unwatch"), sim.count("watch")),
        (4, 1),
        "after a reset all that is left is sent again"
    );
}

#[test]
fn a_disconnect_is_one_loss() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.disconnect(osd, 1);
    sim.disconnect(osd, 1);
    registers_afresh(&mut sim, watch, 1, lost(LossCause::Disconnected, None));
    sim.disconnect(osd, 1);
    sim.disconnect(osd, 999);
    sim.run(millis(10));
    sim.quiet();
}

#[test]
fn only_the_primary_can_disconnect() {
    let (mut sim, watch) = watching();
    let (a, b) = (sim.primary(&object("obj")), sim.other(&object("obj")));
    sim.move_to(&object("obj"), &[b]);
    sim.live(watch);
    assert!(sim.has_session(Who::Osd(a)));
    sim.disconnect(a, 1);
    sim.run(millis(10));
    sim.quiet();
}

#[test]
fn a_refused_reconnect_is_one_loss() {
    for (errno, cause) in [(ENOTCONN, LossCause::Disconnected), (EIO, LossCause::Refused)] {
        let (mut sim, watch) = watching();
        sim.hold = vec!["reconnect"];
        let to = sim.other(&object("obj"));
        sim.move_to(&object("obj"), &[to]);
        sim.answer("reconnect", -errno);
        registers_afresh(&mut sim, watch, 1, lost(cause, Some(errno)));
    }
}

#[test]
fn a_disconnect_while_reconnecting_is_one_loss() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["reconnect"];
    let to = sim.other(&object("obj"));
    sim.move_to(&object("obj"), &[to]);
    let request = sim.take("reconnect");
    sim.disconnect(to, 1);
    sim.reply(&request, 0);
    sim.settle();
    registers_afresh(&mut sim, watch, 1, lost(LossCause::Disconnected, None));
}

#[test]
fn a_disconnect_while_registering_again_starts_over() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.hold = vec!["watch"];
    sim.disconnect(osd, 1);
    sim.run(millis(10));
    assert_eq!(sim.error(watch), lost(LossCause::Disconnected, None));
    let second = sim.take("watch");
    sim.disconnect(osd, second.cookie());
    sim.reply(&second, 0);
    sim.settle();
    sim.quiet();
    let third = sim.answer("watch", 0);
    assert!(third.cookie() > second.cookie());
    let live = sim.live(watch);
    assert_eq!((live.generation, live.cookie), (1, third.cookie()));
    sim.quiet();
}

#[test]
fn without_answers_the_lease_ends_once() {
    let (mut sim, watch) = watching();
    let start = sim.now;
    sim.hold = vec!["all"];
    sim.run(secs(29));
    sim.quiet();
    assert!(sim.count("ping") <= 4, "pings are not piled up");
    sim.run(secs(2));
    assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
    sim.run(secs(120));
    sim.quiet();
    sim.hold.clear();
    let request = sim.last("watch");
    sim.reply(&request, 0);
    sim.settle();
    let live = sim.live(watch);
    assert!(live.may_have_missed);
    assert_eq!(live.deaf_for, sim.now.saturating_since(start));
}

#[test]
fn a_refused_registration_never_reconnects() {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch"];
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.settle();
    let first = sim.answer("watch", -EIO);
    assert_eq!(sim.error(watch), lost(LossCause::Refused, Some(EIO)));
    sim.run(millis(10));
    let second = sim.take("watch");
    assert_ne!(second.cookie(), first.cookie());
    sim.reset(Who::Osd(second.osd));
    sim.run(secs(1));
    let third = sim.answer("watch", 0);
    assert_eq!(third.watch().1, 0);
    let live = sim.live(watch);
    assert_eq!((live.generation, live.cookie), (0, third.cookie()));
    assert_eq!(sim.count("reconnect"), 0);
    sim.quiet();
}

#[test]
fn registering_again_backs_off_up_to_ten_seconds() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["watch"];
    sim.disconnect(sim.primary(&object("obj")), 1);
    let mut times = Vec::new();
    for _ in 0..14 {
        while sim.held.is_empty() {
            sim.run(millis(10));
        }
        times.push(sim.answer("watch", -EIO).at);
    }
    assert_eq!(sim.error(watch).cause, LossCause::Disconnected);
    sim.quiet();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1].saturating_since(pair[0])).collect();
    assert!(gaps[0] <= millis(110), "{gaps:?}");
    assert!(gaps.iter().all(|gap| *gap <= millis(10_010)), "{gaps:?}");
    assert!(gaps.iter().rev().take(3).all(|gap| *gap >= millis(7_500)), "{gaps:?}");
}

/// A first registration that never succeeds.
fn held(mut sim: Sim, refuse: bool) {
    sim.settle();
    sim.hold = vec!["watch"];
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    for _ in 0..590 {
        sim.run(millis(100));
        while refuse && !sim.held.is_empty() {
            sim.answer("watch", -EIO);
        }
    }
    if refuse {
        assert_eq!(sim.error(watch), lost(LossCause::Refused, Some(EIO)));
    }
    sim.quiet();
    sim.run(secs(2));
    assert_eq!(sim.error(watch), lost(LossCause::Held, None));
    sim.closed(watch);
    assert_eq!(sim.client.watches(), 0);
    if sim.count("watch") > 0 {
        assert_eq!(sim.last("unwatch").cookie(), sim.last("watch").cookie());
    }
}

#[test]
fn the_first_registration_has_a_deadline() {
    held(Sim::new(config(1)), false);
    held(Sim::new(config(1)), true);
    let mut sim = Sim::new(config(1));
    sim.down.insert(Who::Mon(0));
    sim.misdeeds.insert((Who::Mon(0), crate::support::Stage::Banner), crate::support::Misdeed::Silence);
    held(sim, false);
}

#[test]
fn a_week_of_sleep_is_a_loss() {
    let (mut sim, watch) = watching();
    let week = sim.now.saturating_add(secs(7 * 86400));
    sim.jump(week);
    sim.run(secs(20));
    assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
    let live = sim.live(watch);
    assert!(live.may_have_missed && live.deaf_for >= secs(7 * 86400 - 30));
    sim.quiet();
}

#[test]
fn an_answer_read_after_a_sleep_proves_nothing() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["ping", "reconnect"];
    sim.run(secs(6));
    let ping = sim.take("ping");
    sim.now = sim.now.saturating_add(secs(3600));
    // As adapters do: what the socket has is read before the client is told of the time.
    sim.reply(&ping, 0);
    sim.settle();
    sim.hold.clear();
    sim.run(secs(20));
    assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
    assert!(sim.live(watch).may_have_missed);
}

#[test]
fn the_end_of_time_is_survived() {
    let (mut sim, watch) = watching();
    sim.jump(Timestamp::MAX);
    assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
    assert_eq!(sim.deadline, None, "no deadline lies beyond it");
    sim.client.handle_timeout(Timestamp::from_micros(5));
    assert_eq!(sim.client.time_steps_back(), 1);
}

#[test]
fn terminal_refusals_end_the_watch() {
    for (errno, cause) in [(ENOENT, LossCause::ObjectGone), (EACCES, LossCause::Denied)] {
        let mut sim = Sim::connected();
        sim.hold = vec!["watch"];
        let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
        sim.settle();
        sim.answer("watch", -errno);
        assert_eq!(sim.error(watch), lost(cause, Some(errno)));
        sim.closed(watch);
        sim.run(secs(60));
        assert_eq!(sim.count("watch"), 1);
        assert_eq!(sim.client.unwatch(sim.now, watch), Err(CommandError::Unknown));
    }
}

#[test]
fn an_object_gone_is_learnt_when_registering_again() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["watch"];
    sim.disconnect(sim.primary(&object("obj")), 1);
    sim.run(millis(10));
    sim.answer("watch", -ENOENT);
    assert_eq!(sim.error(watch), lost(LossCause::Disconnected, None));
    assert_eq!(sim.error(watch), lost(LossCause::ObjectGone, Some(ENOENT)));
    sim.closed(watch);
}

#[test]
fn a_removed_pool_ends_its_watches_when_the_newest_map_says_so() {
    let (mut sim, watch) = watching();
    sim.answer_versions = false;
    sim.update(|inc| _ = inc.old_pools.insert(1));
    sim.run(secs(1));
    sim.quiet();
    let (conn, handle) = sim.version_queries[0];
    sim.answer_version(conn, handle);
    sim.settle();
    assert_eq!(sim.error(watch), lost(LossCause::PoolGone, None));
    sim.closed(watch);
    sim.run(secs(120));
    assert!(!sim.peers.values().any(|peer| matches!(peer.who, Who::Osd(_))), "nothing needs an OSD");
}

#[test]
fn blocklisted_by_an_answer() {
    let (mut sim, watch) = watching();
    let second = sim.client.watch(sim.now, object("two"), WatchOptions::default()).unwrap();
    sim.settle();
    sim.live(second);
    sim.hold = vec!["ping"];
    sim.run(secs(6));
    sim.answer("ping", -EBLOCKLISTED);
    for watch in [watch, second] {
        assert_eq!(sim.error(watch).cause, LossCause::Blocklisted);
    }
    sim.quiet();
    sim.seen.clear();
    sim.run(secs(60));
    assert_eq!(sim.kinds(), [""; 0], "it does not try again");
}

#[test]
fn blocklisted_by_the_map() {
    let (mut sim, watch) = watching();
    let addr = sim.own_addr();
    assert_eq!((addr.kind, addr.sock), (AddrType::ANY, Some(SocketAddr::from(([192, 0, 2, 1], 0)))));
    let stranger = EntityAddr { nonce: addr.nonce.wrapping_add(1), ..addr };
    sim.update(|inc| _ = inc.new_blocklist.insert(stranger, UTime::default()));
    sim.run(millis(10));
    sim.quiet();
    sim.update(|inc| _ = inc.new_blocklist.insert(addr, UTime::default()));
    assert_eq!(sim.error(watch), lost(LossCause::Blocklisted, None));
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.settle();
    sim.closed(watch);
    assert_eq!(sim.count("unwatch"), 0, "nobody would hear it");
}

#[test]
fn another_identity_brings_blocklisted_watches_back() {
    let (mut sim, watch) = watching();
    let before = sim.own_addr();
    sim.update(|inc| _ = inc.new_blocklist.insert(before, UTime::default()));
    assert_eq!(sim.error(watch), lost(LossCause::Blocklisted, None));
    let also = sim.client.watch(sim.now, object("two"), WatchOptions::default()).unwrap();
    sim.hold = vec!["watch"];
    sim.settle();
    sim.answer("watch", -EBLOCKLISTED);
    assert_eq!(sim.error(also), lost(LossCause::Blocklisted, Some(EBLOCKLISTED)));
    sim.hold.clear();
    sim.run(secs(40));
    sim.global_id = 4200;
    sim.client_controls.clear();
    sim.client.renew_identity(sim.now).unwrap();
    sim.run(millis(10));
    let live = sim.live(watch);
    assert_eq!((live.global_id, live.generation, live.may_have_missed), (4200, 1, true));
    assert!(live.deaf_for >= secs(40), "{live:?}");
    assert_eq!(sim.live(also).global_id, 4200);
    let after = sim.own_addr();
    assert_ne!(after.nonce, before.nonce);
    assert!(sim.events.iter().any(|event| matches!(event, Event::IdentityChanged { global_id: 4200 })));
    sim.run(secs(60));
    sim.quiet();
}

#[test]
fn another_identity_without_need_is_one_loss() {
    let (mut sim, watch) = watching();
    sim.global_id = 4200;
    sim.client.renew_identity(sim.now).unwrap();
    assert_eq!(sim.client.global_id(), None);
    sim.run(millis(10));
    assert_eq!(sim.error(watch), lost(LossCause::Identity, None));
    assert_eq!(sim.live(watch).global_id, 4200);
    sim.run(secs(60));
    sim.quiet();
}

#[test]
fn by_hand_a_lost_watch_waits_for_its_user() {
    let opts = WatchOptions { reregister: Reregister::Manual, ..WatchOptions::default() };
    let (mut sim, watch) = Sim::watching(opts);
    let osd = sim.primary(&object("obj"));
    sim.disconnect(osd, 1);
    assert_eq!(sim.error(watch), lost(LossCause::Disconnected, None));
    let needed = sim.next(watch);
    assert!(matches!(needed, Some(WatchEvent::ReregisterNeeded { cause: LossCause::Disconnected })));
    sim.run(secs(100));
    sim.quiet();
    sim.client.reregister(sim.now, watch).unwrap();
    sim.run(millis(10));
    assert!(sim.live(watch).may_have_missed);
    sim.quiet();
}
