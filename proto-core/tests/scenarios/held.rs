//! Held, not lost: pauses, full pools, back-offs and absent monitors hold operations, not leases.

use crate::support::{Sim, Who, lost, millis, object, osd_addrs, secs, watching};
use linger_core::{LossCause, NotifyOutcome, WatchId, WatchOptions};
use linger_wire::msg::{Backoff, BackoffOp};
use linger_wire::osdmap::{PeeringCrush, Pool, map_flags, osd_state, pool_flags};

/// Sets flags beside the one that every map of these releases has.
fn flags(sim: &mut Sim, flags: u32) {
    sim.update(|inc| inc.new_flags = Some(map_flags::RECOVERY_DELETES | flags));
    sim.run(millis(10));
}

fn pool(sim: &mut Sim, change: impl FnOnce(&mut Pool)) {
    let mut pool = sim.map.pools[&1].clone();
    change(&mut pool);
    sim.update(|inc| _ = inc.new_pools.insert(1, pool));
    sim.run(millis(10));
}

/// Puts a hold on or takes it off.
type Hold = fn(&mut Sim, bool);

/// What holds a watch's writes.
const HOLDS: [(&str, Hold); 5] = [
    ("paused", |sim, on| flags(sim, if on { map_flags::PAUSEWR | map_flags::PAUSERD } else { 0 })),
    ("full", |sim, on| flags(sim, if on { map_flags::FULL } else { 0 })),
    ("pool full", |sim, on| {
        let full = pool_flags::FULL | pool_flags::FULL_QUOTA;
        pool(sim, |pool| pool.flags = if on { pool.flags | full } else { pool.flags & !full });
    }),
    ("no primary", |sim, on| {
        for osd in 0..3 {
            sim.stage(|inc| match on {
                true => _ = inc.new_state.insert(osd, osd_state::UP),
                false => _ = inc.new_up_client.insert(osd, osd_addrs(osd, 1)),
            });
        }
        sim.publish();
        sim.run(millis(10));
    }),
    ("no daemon", |sim, on| {
        let daemons = (0..3).map(Who::Osd).chain([Who::Mon(0)]);
        for who in daemons {
            match on {
                true => _ = sim.down.insert(who),
                false => _ = sim.down.remove(&who),
            }
            let conn = sim.peers.iter().find(|(_, peer)| peer.who == who).map(|(conn, _)| *conn);
            if conn.is_some() && on {
                sim.reset(who);
            }
        }
        sim.run(millis(10));
    }),
];

#[test]
fn a_wanted_watch_waits_and_goes_on() {
    for (name, hold) in HOLDS {
        let mut sim = Sim::connected();
        hold(&mut sim, true);
        let opts = WatchOptions { register_within: None, ..WatchOptions::default() };
        let watch = sim.client.watch(sim.now, object("obj"), opts).unwrap();
        sim.run(secs(300));
        sim.quiet();
        assert_eq!(sim.count("watch"), 0, "{name}");
        hold(&mut sim, false);
        sim.run(secs(30));
        assert_eq!(sim.live(watch).generation, 0, "{name}");
        sim.quiet();
    }
}

/// Cut off its OSD, so that a RECONNECT is due, while writes are held.
fn cut_off(sim: &mut Sim, watch: WatchId, hold: Hold) {
    let osd = Who::Osd(sim.primary(&object("obj")));
    hold(sim, true);
    if sim.has_session(osd) {
        sim.reset(osd);
    }
    sim.run(secs(5));
    assert!(!sim.client.status(sim.now, watch).unwrap().is_live);
}

#[test]
fn a_hold_that_ends_within_the_lease_is_no_loss() {
    for (name, hold) in HOLDS {
        let (mut sim, watch) = watching();
        cut_off(&mut sim, watch, hold);
        sim.run(secs(5));
        sim.quiet();
        hold(&mut sim, false);
        sim.run(secs(12));
        let live = sim.live(watch);
        assert_eq!((live.generation, live.may_have_missed, live.cookie), (1, false, 1), "{name}");
        assert!(live.deaf_for >= secs(10), "{name}: {live:?}");
    }
}

#[test]
fn a_lease_that_runs_out_in_a_hold_is_announced_once() {
    for (name, hold) in HOLDS {
        let (mut sim, watch) = watching();
        cut_off(&mut sim, watch, hold);
        sim.run(secs(300));
        assert_eq!(sim.error(watch), lost(LossCause::Lease, None), "{name}");
        sim.quiet();
        hold(&mut sim, false);
        sim.run(secs(30));
        let live = sim.live(watch);
        assert_eq!((live.generation, live.may_have_missed), (1, true), "{name}");
        assert_ne!(live.cookie, 1, "{name}");
        sim.quiet();
    }
}

#[test]
fn pings_go_on_under_every_flag() {
    let (mut sim, watch) = watching();
    for (name, hold) in &HOLDS[..3] {
        hold(&mut sim, true);
        sim.seen.clear();
        sim.run(secs(100));
        assert!(sim.count("ping") >= 19, "{name}: {:?}", sim.kinds());
        hold(&mut sim, false);
    }
    sim.quiet();
    assert!(sim.client.status(sim.now, watch).unwrap().is_live);
}

#[test]
fn a_backoff_holds_pings_too_and_its_end_is_soon_enough_or_not() {
    for (held_for, announced) in [(15, false), (60, true)] {
        let (mut sim, watch) = watching();
        sim.run(secs(5));
        let ping = sim.last("ping");
        let osd = Who::Osd(ping.osd);
        let hobject = |max| linger_wire::HObject {
            key: Default::default(),
            oid: Default::default(),
            snap: 0,
            hash: if max { 0 } else { ping.op.pgid.pg.seed },
            max,
            nspace: Default::default(),
            pool: if max { i64::MIN } else { 1 },
        };
        let epoch = sim.map.epoch;
        let (begin, end) = (hobject(false), hobject(true));
        let block = Backoff { pgid: ping.op.pgid, epoch, op: BackoffOp::Block, id: 1, begin, end };
        sim.peer(osd).message(0, &block);
        sim.settle();
        sim.seen.clear();
        sim.run(secs(held_for));
        assert_eq!(sim.kinds(), [""; 0], "held");
        if announced {
            assert_eq!(sim.error(watch), lost(LossCause::Lease, None));
        }
        sim.peer(osd).message(0, &Backoff { op: BackoffOp::Unblock, ..block });
        sim.run(secs(6));
        if announced {
            assert!(sim.live(watch).may_have_missed);
        }
        sim.quiet();
        assert!(sim.client.status(sim.now, watch).unwrap().age < secs(7));
    }
}

#[test]
fn notifies_keep_their_deadlines() {
    for (name, hold) in HOLDS {
        let mut sim = Sim::connected();
        hold(&mut sim, true);
        if name == "full" || name == "pool full" {
            continue; // A notify writes nothing.
        }
        let notify = sim.client.notify(sim.now, object("obj"), "x".into(), secs(3)).unwrap();
        sim.run(secs(9));
        assert_eq!(sim.outcome(notify), Some(NotifyOutcome::NeverAccepted), "{name}");
    }
}

/// Each member of what makes an interval, one at a time.
#[test]
fn every_change_of_the_interval_reconnects() {
    type Change = fn(&mut Sim);
    let changes: [(&str, Change); 8] = [
        ("size", |sim| pool(sim, |pool| pool.size = 2)),
        ("min_size", |sim| pool(sim, |pool| pool.min_size += 1)),
        ("pg_num_pending", |sim| pool(sim, |pool| pool.pg_num_pending = 7)),
        ("split", |sim| pool(sim, |pool| (pool.pg_num, pool.pg_num_pending) = (16, 16))),
        ("sort", |sim| flags(sim, map_flags::SORTBITWISE)),
        ("recovery deletes", |sim| sim.update(|inc| inc.new_flags = Some(0))),
        ("forced", |sim| pool(sim, |pool| pool.last_force_op_resend = 11)),
        ("stretch", |sim| {
            pool(sim, |pool| {
                let mandatory_member = linger_wire::osdmap::ITEM_NONE;
                pool.peering_crush = Some(PeeringCrush {
                    bucket_count: 2,
                    bucket_target: 2,
                    bucket_barrier: 8,
                    mandatory_member,
                });
            });
        }),
    ];
    for (name, change) in changes {
        // A merge touches only some groups: take an object of one that it does.
        let mut sim = Sim::connected();
        let watches: Vec<_> = (0..32)
            .map(|i| {
                let object = object(&format!("obj{i}"));
                sim.client.watch(sim.now, object, WatchOptions::default()).unwrap()
            })
            .collect();
        sim.settle();
        sim.news.clear();
        sim.seen.clear();
        change(&mut sim);
        let reconnects = sim.count("reconnect");
        match name {
            "pg_num_pending" => assert!((1..32).contains(&reconnects), "{name}: {reconnects}"),
            _ => assert_eq!(reconnects, 32, "{name}"),
        }
        let live = sim.news.drain(..).filter(|(_, event)| {
            matches!(event, linger_core::WatchEvent::Live(live) if live.generation == 1 && !live.may_have_missed)
        });
        assert_eq!(live.count(), reconnects, "{name}");
        assert!(watches.iter().all(|watch| sim.client.status(sim.now, *watch).unwrap().is_live), "{name}");
    }
}
