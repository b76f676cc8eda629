//! Maps as a test server would make them, and what peers may do wrong.

use super::*;
use crate::crush::CrushMap;
use crate::{AddrType, Decode, DecodeErrorKind, EntityAddr, Fsid, Name, PgId, UTime};
use alloc::sync::Arc;
use alloc::vec;

const PG: PgId = PgId { pool: 1, seed: 3 };

fn addrs(port: u16) -> AddrVec {
    let sock = Some((core::net::Ipv4Addr::LOCALHOST, port).into());
    AddrVec(vec![EntityAddr { kind: AddrType::MSGR2, nonce: 7, sock }])
}

/// Three OSDs, all up and in, and a pool.
fn small() -> OsdMap {
    let mut map =
        OsdMap { fsid: Fsid([5; 16]), epoch: 10, max_osd: 3, require_osd_release: 16, ..OsdMap::default() };
    map.osd_state = vec![osd_state::EXISTS | osd_state::UP; 3];
    map.osd_weight = vec![WEIGHT_IN; 3];
    map.osd_addrs = (0..3).map(|osd| addrs(6800 + osd)).collect();
    map.pools.insert(1, Pool::replicated(3, 8, 0));
    map.pool_names.insert(1, Name::from("rbd"));
    map.complete_lists();
    map.settle();
    map
}

fn next(map: &OsdMap) -> Incremental {
    Incremental {
        fsid: map.fsid,
        epoch: map.epoch + 1,
        modified: UTime { sec: 9, nsec: 0 },
        ..Incremental::default()
    }
}

#[test]
fn maps_for_peers_of_all_releases_decode() {
    let mut map = small();
    map.pg_temp.insert(PG, vec![2, 1, 0]);
    map.pg_upmap_items.insert(PG, vec![(0, 1)]);
    map.blocklist.entries.insert(addrs(0).0[0], UTime { sec: 1, nsec: 2 });
    let reef = Features(!(1 << 50 | 1 << 38));
    let pacific = Features(reef.0 & !(1 << 31));
    for features in [Features(u64::MAX), reef, pacific] {
        let bytes = map.encode_for(features);
        let decoded = OsdMap::decode(&bytes).unwrap();
        // How far the CRUSH map reaches depends on the peer.
        let crush = Arc::new(CrushMap { extent: decoded.crush.extent, ..CrushMap::default() });
        assert_eq!(decoded, OsdMap { crush, ..map.clone() });
        assert_eq!(bytes[bytes.len() - 4..], map.crc(features).to_le_bytes());
    }
    // Pacific has no place for primaries in upmaps.
    map.pg_upmap_primaries.insert(PG, 2);
    assert!(OsdMap::decode(&map.encode_for(pacific)).unwrap().pg_upmap_primaries.is_empty());
}

#[test]
fn rare_parts_raise_the_version() {
    let mut map = small();
    let version = |map: &OsdMap| {
        let bytes = map.to_bytes();
        let client = u32::from_le_bytes(*bytes[8..].first_chunk().unwrap()) as usize;
        bytes[12 + client]
    };
    assert_eq!(version(&map), 9);
    map.server.stretch = StretchMode { enabled: true, bucket_count: 2, ..StretchMode::default() };
    assert_eq!(version(&map), 10);
    map.blocklist
        .ranges
        .insert(EntityAddr { kind: AddrType::CIDR, nonce: 24, ..addrs(0).0[0] }, UTime::default());
    assert_eq!(version(&map), 11);
    map.server.allow_crimson = true;
    assert_eq!(version(&map), 12);
    assert_eq!(OsdMap::decode(&map.to_bytes()), Ok(map));
}

#[test]
fn pools_keep_all_fields() {
    let mut pool = Pool::erasure(6, 4, 12, 3);
    pool.flags |= pool_flags::EC_OPTIMIZATIONS;
    pool.nonprimary_shards = 0b1110 | 1 << 64 | 1 << 127;
    pool.peering_crush = Some(PeeringCrush {
        bucket_count: 2,
        bucket_target: 3,
        bucket_barrier: 8,
        mandatory_member: ITEM_NONE,
    });
    pool.removed_snaps.insert(4, 9);
    pool.snaps.insert(2, PoolSnap { id: 2, stamp: UTime { sec: 1, nsec: 0 }, name: Name::from("s") });
    pool.last_pg_merge.source = PG;
    assert_eq!(Pool::decode(&pool.to_bytes()).as_ref(), Ok(&pool));
    assert!(pool.is_nonprimary_shard(3) && !pool.is_nonprimary_shard(4) && pool.is_nonprimary_shard(127));
    assert!(!pool.is_nonprimary_shard(128));

    let mut squid = BytesMut::new();
    pool.encode_for(Features(!(1 << 50)), &mut squid);
    assert_eq!(Pool::decode(&squid), Ok(Pool { nonprimary_shards: 0, ..pool }));
}

#[test]
fn broken_maps_are_refused() {
    let kind = |bytes: &[u8]| OsdMap::decode(bytes).unwrap_err().kind;
    let good = small().to_bytes();
    for len in 0..good.len() {
        assert_eq!(kind(&good[..len]), DecodeErrorKind::Truncated, "{len}");
    }
    // In the fsid, in a time, in the checksum itself.
    for at in [12, 35, good.len() - 1] {
        let mut bytes = good.to_vec();
        bytes[at] ^= 0x40;
        assert!(matches!(kind(&bytes), DecodeErrorKind::Checksum { .. }), "{at}");
    }
    let old = [6, 0, 1, 2];
    assert_eq!(kind(&old), DecodeErrorKind::TooOld { version: 6, oldest: 7 });
    assert_eq!(
        Incremental::decode(&old).unwrap_err().kind,
        DecodeErrorKind::TooOld { version: 6, oldest: 7 }
    );
    let mut new = good.to_vec();
    new[1] = 9;
    assert_eq!(kind(&new), DecodeErrorKind::TooNew { compat: 9, known: 8 });
    let many = OsdMap { max_osd: MAX_OSDS + 1, ..OsdMap::default() };
    assert!(matches!(kind(&many.to_bytes()), DecodeErrorKind::TooLong { .. }));
}

#[test]
fn incrementals_keep_all_fields() {
    let map = small();
    let mut inc = next(&map);
    inc.new_flags = Some(map_flags::PAUSERD);
    inc.new_max_osd = Some(4);
    inc.new_pool_max = Some(2);
    inc.new_pools.insert(2, Pool::replicated(2, 4, 0));
    inc.old_pools.insert(1);
    inc.new_state.insert(1, osd_state::UP);
    inc.new_up_client.insert(3, addrs(6900));
    inc.new_pg_upmap_primary.insert(PG, 1);
    inc.new_require_osd_release = Some(18);
    inc.new_range_blocklist.insert(addrs(0).0[0], UTime::default());
    inc.old_blocklist.insert(addrs(1).0[0]);
    inc.server.new_stretch = Some(StretchMode { enabled: true, bucket: 3, ..StretchMode::default() });
    inc.server.new_allow_crimson = Some(false);
    inc.full_crc = 0x0102_0304;
    assert_eq!(Incremental::decode(&inc.to_bytes()).as_ref(), Ok(&inc));
    inc.full_map = Some(map.into());
    inc.crush = Some(Arc::default());
    assert_eq!(Incremental::decode(&inc.to_bytes()).as_ref(), Ok(&inc));
    let mut bytes = inc.to_bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    assert!(matches!(Incremental::decode(&bytes).unwrap_err().kind, DecodeErrorKind::Checksum { .. }));
}

#[test]
fn only_the_next_epoch_of_this_cluster_applies() {
    let mut map = small();
    let before = map.clone();
    let foreign = Incremental { fsid: Fsid([6; 16]), ..next(&map) };
    assert!(matches!(map.apply(&foreign), Err(ApplyError::WrongCluster { .. })));
    for epoch in [0, 1, 10, 12] {
        let inc = Incremental { epoch, ..next(&map) };
        assert_eq!(map.apply(&inc), Err(ApplyError::WrongEpoch { have: 10, got: epoch }));
    }
    for osd in [-1, 3, i32::MAX] {
        let mut inc = next(&map);
        inc.new_weight.insert(osd, 0);
        assert_eq!(map.apply(&inc), Err(ApplyError::NoSuchOsd(osd)));
    }
    let inc = Incremental { new_max_osd: Some(i32::MAX), ..next(&map) };
    assert_eq!(map.apply(&inc), Err(ApplyError::TooManyOsds(i32::MAX)));
    assert_eq!(map, before);
    let mut last = OsdMap { epoch: u32::MAX, ..small() };
    let inc = Incremental { epoch: 0, ..next(&map) };
    assert!(last.apply(&inc).is_err());
}

#[test]
fn an_osd_goes_down_comes_back_and_is_destroyed() {
    let mut map = small();
    let mut inc = next(&map);
    inc.new_state.insert(1, 0);
    let change = map.apply(&inc).unwrap();
    assert!(change.everything && change.osds.contains(&1) && change.affects(PG));
    assert!(map.exists(1) && !map.is_up(1) && map.is_up(0));

    let mut inc = next(&map);
    inc.new_state.insert(1, osd_state::STOP);
    inc.new_up_client.insert(1, addrs(7000));
    inc.server.new_hb_back_up.insert(1, addrs(7001));
    map.apply(&inc).unwrap();
    assert_eq!(map.state(1), osd_state::EXISTS | osd_state::UP);
    assert_eq!((map.addrs(1), map.server.info[1].up_from), (Some(&addrs(7000)), 12));

    let mut inc = next(&map);
    inc.new_state.insert(1, osd_state::EXISTS);
    map.apply(&inc).unwrap();
    assert_eq!((map.state(1), map.addrs(1), map.affinity(1)), (0, None, AFFINITY_DEFAULT));

    let mut inc = next(&map);
    inc.new_weight.insert(1, WEIGHT_IN);
    map.apply(&inc).unwrap();
    assert!(map.exists(1) && !map.is_up(1));
}

#[test]
fn changes_name_what_they_touch() {
    let mut map = small();
    let change = map.apply(&next(&map)).unwrap();
    assert_eq!(change, MapChange::default());

    let mut inc = next(&map);
    inc.new_pg_temp.insert(PG, vec![1, 0, 2]);
    inc.new_primary_temp.insert(PgId { seed: 4, ..PG }, 2);
    inc.new_pg_upmap.insert(PG, vec![1, 2, 0]);
    inc.old_pg_upmap_items.insert(PgId { seed: 5, ..PG });
    let change = map.apply(&inc).unwrap();
    assert_eq!(change.pgs, [3, 4, 5].map(|seed| PgId { seed, ..PG }).into());
    assert!(!change.everything && change.pools.is_empty() && !change.affects(PgId { seed: 0, ..PG }));

    // What is new and old at once is gone; an empty list and -1 end an override.
    let mut inc = next(&map);
    inc.new_pg_temp.insert(PG, vec![]);
    inc.new_primary_temp.insert(PgId { seed: 4, ..PG }, -1);
    inc.new_pg_upmap.insert(PG, vec![0, 1, 2]);
    inc.old_pg_upmap.insert(PG);
    map.apply(&inc).unwrap();
    assert!(map.pg_temp.is_empty() && map.primary_temp.is_empty() && map.pg_upmap.is_empty());

    let mut inc = next(&map);
    inc.new_flags = Some(map.flags | map_flags::PAUSEWR);
    inc.new_blocklist.insert(addrs(0).0[0], UTime::default());
    let change = map.apply(&inc).unwrap();
    assert!(change.flags && change.blocklist && !change.everything);
}

#[test]
fn pools_come_and_go_with_their_names() {
    let mut map = small();
    let mut inc = next(&map);
    inc.new_pools.insert(2, Pool::replicated(2, 4, 0));
    inc.new_pool_names.insert(2, Name::from("new"));
    inc.old_pools.insert(1);
    let change = map.apply(&inc).unwrap();
    assert_eq!(change.pools, [1, 2].into());
    assert_eq!((map.pool_id(&Name::from("new")), map.pool_id(&Name::from("rbd"))), (Some(2), None));
    assert_eq!((map.pool(2).map(|pool| pool.last_change), map.pool(1)), (Some(11), None));
}

#[test]
fn a_whole_map_replaces_all() {
    let mut map = small();
    let mut new = OsdMap { epoch: 11, ..small() };
    new.osd_state[2] = osd_state::EXISTS;
    let inc = Incremental { full_map: Some(new.clone().into()), ..next(&map) };
    let change = map.apply(&inc).unwrap();
    assert_eq!((change.everything, change.osds), (true, [2].into()));
    assert_eq!(map, new);
    let inc = Incremental { full_map: Some(new.into()), ..next(&map) };
    assert!(matches!(map.apply(&inc), Err(ApplyError::WrongEpoch { .. })));
}
