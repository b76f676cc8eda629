//! Targets and intervals on a small map; placement itself is compared with Ceph's tools elsewhere.

use super::pg::UPMAP_MAX;
use super::*;
use linger_wire::crush::{Bucket, BucketAlg, CrushMap, Rule, RuleType, Step, StepOp, Straw2Item};
use linger_wire::osdmap::{ITEM_NONE, OsdMap, Pool, WEIGHT_IN, map_flags, osd_state, pool_flags};
use linger_wire::{Name, ObjectLocator, PgId, SpgId};

const REPLICATED: i64 = 1;
const ERASURE: i64 = 2;

/// Six OSDs below one root, a replicated pool of 3 and an erasure-coded one of 4.
fn small() -> OsdMap {
    let items = (0..6).map(|item| Straw2Item { item, weight: WEIGHT_IN }).collect();
    let root = Bucket { bucket_type: 10, hash: 0, weight: 6 * WEIGHT_IN, alg: BucketAlg::Straw2(items) };
    let rule = |rule_type, choose| {
        let step = |op, arg1| Step { op, arg1, arg2: 0 };
        let steps = vec![step(StepOp::TAKE, -1), step(choose, 0), step(StepOp::EMIT, 0)];
        Some(Rule { ruleset: 0, rule_type, min_size: 1, max_size: 10, steps })
    };
    let rules = vec![
        rule(RuleType::REPLICATED, StepOp::CHOOSE_FIRSTN),
        rule(RuleType::ERASURE, StepOp::CHOOSE_INDEP),
    ];
    let crush = CrushMap { buckets: vec![Some(root)], rules, max_devices: 6, ..CrushMap::default() };
    OsdMap {
        epoch: 7,
        max_osd: 6,
        osd_state: vec![osd_state::EXISTS | osd_state::UP; 6],
        osd_weight: vec![WEIGHT_IN; 6],
        crush: crush.into(),
        pools: [(REPLICATED, Pool::replicated(3, 12, 0)), (ERASURE, Pool::erasure(4, 3, 12, 1))].into(),
        ..OsdMap::default()
    }
}

fn locator(pool: i64) -> ObjectLocator {
    ObjectLocator { pool, key: Name::default(), nspace: Name::default(), hash: -1 }
}

fn find(map: &OsdMap, locator: &ObjectLocator, name: &str) -> Target {
    locate(map, locator, &Name::from(name), Overlay::Ignore).unwrap()
}

#[test]
fn a_key_replaces_the_name_and_a_hash_replaces_both() {
    let map = small();
    let plain = find(&map, &locator(REPLICATED), "a");
    let keyed = ObjectLocator { key: Name::from("a"), ..locator(REPLICATED) };
    assert_eq!(find(&map, &keyed, "b"), plain);
    let spaced = ObjectLocator { nspace: Name::from("n"), ..locator(REPLICATED) };
    assert_ne!(find(&map, &spaced, "a").raw, plain.raw);
    let hashed = ObjectLocator { hash: 0xffff_ffff, ..keyed };
    assert_eq!(find(&map, &hashed, "a").raw.seed, 0xffff_ffff);
    assert_eq!(find(&map, &hashed, "a").pg.pg.seed, 7);
    assert_eq!(plain.epoch, 7);
}

#[test]
fn replicated_targets_have_no_shard_and_coded_ones_that_of_the_primary() {
    let mut map = small();
    for n in 0..50 {
        let name = format!("o{n}");
        let target = find(&map, &locator(REPLICATED), &name);
        assert_eq!((target.pg.shard, target.osd), (SpgId::NO_SHARD, pg_to_osds(&map, target.raw).up.first()));
        let target = find(&map, &locator(ERASURE), &name);
        let acting = pg_to_osds(&map, target.raw).acting;
        assert_eq!((target.pg.shard, target.osd), (0, acting.as_slice()[0]));
        // Without the first shard the second leads.
        map.osd_state[target.osd as usize] = osd_state::EXISTS;
        let second = find(&map, &locator(ERASURE), &name);
        assert_eq!((second.pg.shard, second.osd), (1, acting.as_slice()[1]));
        map.osd_state[target.osd as usize] |= osd_state::UP;
    }
}

#[test]
fn a_temporary_list_of_an_optimized_pool_has_its_own_order() {
    let mut map = small();
    let pool = map.pools.get_mut(&ERASURE).unwrap();
    pool.flags |= pool_flags::EC_OPTIMIZATIONS;
    pool.nonprimary_shards = 0b0110;
    let pg = PgId { pool: ERASURE, seed: 5 };
    // Shards 0 and 3 can be primary and stand in front.
    map.pg_temp.insert(pg, vec![ITEM_NONE, 4, 1, 2]);
    let mapping = pg_to_osds(&map, pg);
    assert_eq!(mapping.acting.as_slice(), [ITEM_NONE, 1, 2, 4]);
    let target = Target::of(&map, &map.pools[&ERASURE], pg, &mapping);
    assert_eq!((target.osd, target.pg.shard), (4, 3));
    // An OSD that has two shards leads by the one that can.
    map.pg_temp.insert(pg, vec![ITEM_NONE, 4, 4, 2]);
    let target = Target::of(&map, &map.pools[&ERASURE], pg, &pg_to_osds(&map, pg));
    assert_eq!((target.osd, target.pg.shard), (4, 3));
    // Too short and too long lists have no meaning, and do no harm.
    for osds in [vec![3], vec![0, 1, 2, 3, 4, 5]] {
        map.pg_temp.insert(pg, osds);
        assert_eq!(pg_to_osds(&map, pg).acting.as_slice().len(), 4);
    }
}

#[test]
fn overrides_longer_than_any_pool_are_left_alone() {
    let mut map = small();
    let pg = PgId { pool: REPLICATED, seed: 5 };
    let raw = pg_to_osds(&map, pg).up;
    let raw = raw.as_slice();
    let others: Vec<_> = (0..6).filter(|osd| !raw.contains(osd)).collect();
    let explicit = |len: usize| core::iter::repeat_n(others[0], len).collect::<Vec<_>>();
    map.pg_upmap.insert(pg, explicit(UPMAP_MAX));
    assert_eq!(pg_to_osds(&map, pg).up.as_slice(), explicit(UPMAP_MAX));
    map.pg_upmap.insert(pg, explicit(UPMAP_MAX + 1));
    assert_eq!(pg_to_osds(&map, pg).up.as_slice(), raw);

    // The last pair is the only one that finds its OSD.
    let pairs = |len: usize| {
        let idle = core::iter::repeat_n((others[1], others[2]), len - 1);
        idle.chain([(raw[0], others[0])]).collect::<Vec<_>>()
    };
    map.pg_upmap_items.insert(pg, pairs(UPMAP_MAX));
    assert_eq!(pg_to_osds(&map, pg).up.as_slice(), [others[0], raw[1], raw[2]]);
    map.pg_upmap_items.insert(pg, pairs(UPMAP_MAX + 1));
    assert_eq!(pg_to_osds(&map, pg).up.as_slice(), raw);
}

#[test]
fn nobody_serves_a_group_whose_osds_are_down() {
    let mut map = small();
    map.osd_state.fill(osd_state::EXISTS);
    assert_eq!(find(&map, &locator(REPLICATED), "a").osd, -1);
    let target = find(&map, &locator(ERASURE), "a");
    assert_eq!((target.osd, target.pg.shard), (-1, SpgId::NO_SHARD));
    map.pools.clear();
    assert_eq!(locate(&map, &locator(3), &Name::from("a"), Overlay::Read), Err(NoSuchPool(3)));
    assert_eq!(pg_to_osds(&map, PgId { pool: 3, seed: 0 }), PgMapping::default());
}

#[test]
fn operations_go_to_the_cache_pool() {
    let mut map = small();
    let base = map.pools.get_mut(&REPLICATED).unwrap();
    (base.read_tier, base.write_tier) = (ERASURE, 9);
    let pool =
        |overlay| locate(&map, &locator(REPLICATED), &Name::from("a"), overlay).map(|target| target.raw.pool);
    assert_eq!(pool(Overlay::Ignore), Ok(REPLICATED));
    assert_eq!(pool(Overlay::Read), Ok(ERASURE));
    assert_eq!(pool(Overlay::Write), Err(NoSuchPool(9)));
}

#[test]
fn intervals_begin_with_what_ends_watches() {
    let pg = PgId { pool: REPLICATED, seed: 3 };
    let before = Interval::of(&small(), pg).unwrap();
    let renewed = |change: &dyn Fn(&mut OsdMap)| {
        let mut map = small();
        change(&mut map);
        Interval::of(&map, pg).unwrap().is_new_since(&before)
    };
    let on_pool = |change: fn(&mut Pool)| renewed(&|map| change(map.pools.get_mut(&REPLICATED).unwrap()));
    assert!(!renewed(&|map| map.epoch = 8));
    assert!(!renewed(&|map| map.flags |= map_flags::PAUSERD));
    assert!(!on_pool(|pool| pool.quota_max_bytes = 5));
    assert!(on_pool(|pool| pool.size = 2));
    assert!(on_pool(|pool| pool.min_size = 1));
    assert!(on_pool(|pool| pool.last_force_op_resend = 8));
    assert!(on_pool(|pool| pool.flags |= pool_flags::EC_OPTIMIZATIONS));
    assert!(renewed(&|map| map.flags |= map_flags::SORTBITWISE));
    assert!(renewed(&|map| map.flags |= map_flags::RECOVERY_DELETES));
    let replica = before.mapping.acting.as_slice()[2];
    assert!(renewed(&|map| map.osd_state[replica as usize] = osd_state::EXISTS));
    assert!(renewed(&|map| {
        map.primary_temp.insert(pg, replica);
    }));
    // Group 3 of 12 has no child in 13, 14 or 15, but 12 to 15 fold onto 4 to 7.
    assert!(!on_pool(|pool| pool.pg_num = 14));
    assert!(on_pool(|pool| pool.pg_num = 20));
    assert!(on_pool(|pool| pool.pg_num_pending = 3));
    assert!(!on_pool(|pool| pool.pg_num_pending = 12));
}
