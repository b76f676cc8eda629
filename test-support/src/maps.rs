//! Maps: OSDs in hosts in racks, a replicated pool and an erasure-coded one.

use linger_wire::crush::{Bucket, BucketAlg, CrushMap, Rule, RuleType, Step, StepOp, Straw2Item};
use linger_wire::osdmap::{Incremental, OsdMap, Pool, WEIGHT_IN, osd_state};
use linger_wire::{AddrType, AddrVec, EntityAddr, Fsid};
use std::net::SocketAddr;
use std::sync::Arc;

/// The cluster's id in every map made here.
pub const FSID: Fsid = Fsid([7; 16]);

/// The replicated pool, "rbd", of three copies.
pub const REPLICATED: i64 = 1;
/// The erasure-coded pool, "ec", of four shards and two more.
pub const ERASURE: i64 = 2;

/// The weight of one device.
const DEVICE: u32 = 0x10000;

/// How many of what.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Racks below the root.
    pub racks: u32,
    /// Hosts in each rack.
    pub hosts: u32,
    /// OSDs in each host.
    pub osds: u32,
    /// Placement groups of each pool.
    pub pg_num: u32,
}

impl Shape {
    /// One OSD, eight groups.
    pub const ONE: Self = Self { racks: 1, hosts: 1, osds: 1, pg_num: 8 };
    /// Three OSDs, eight groups.
    pub const SMALL: Self = Self { racks: 1, hosts: 3, osds: 1, pg_num: 8 };
    /// 1,000 OSDs, 1,024 groups.
    pub const LARGE: Self = Self { racks: 10, hosts: 10, osds: 10, pg_num: 1024 };

    fn total(self) -> u32 {
        self.racks * self.hosts * self.osds
    }
}

fn straw2(bucket_type: u16, items: impl Iterator<Item = i32>, each: u32) -> Bucket {
    let items: Vec<_> = items.map(|item| Straw2Item { item, weight: each }).collect();
    Bucket { bucket_type, hash: 0, weight: each * items.len() as u32, alg: BucketAlg::Straw2(items) }
}

fn rule(rule_type: RuleType, choose: StepOp) -> Rule {
    let step = |op, arg1, arg2| Step { op, arg1, arg2 };
    let steps = vec![
        step(StepOp::SET_CHOOSELEAF_TRIES, 5, 0),
        step(StepOp::TAKE, -1, 0),
        step(choose, 0, 1),
        step(StepOp::EMIT, 0, 0),
    ];
    Rule { ruleset: 0, rule_type, min_size: 1, max_size: 10, steps }
}

/// Three levels of straw2 buckets; rule 0 for copies, rule 1 for shards, each on another host.
#[must_use]
pub fn crush(shape: Shape) -> CrushMap {
    let Shape { racks, hosts, osds, .. } = shape;
    let id = |slot: u32| -1 - slot as i32;
    let mut buckets = vec![straw2(3, (0..racks).map(|rack| id(1 + rack)), hosts * osds * DEVICE)];
    buckets.extend((0..racks).map(|rack| {
        let first = 1 + racks + rack * hosts;
        straw2(2, (first..first + hosts).map(id), osds * DEVICE)
    }));
    buckets.extend((0..racks * hosts).map(|host| {
        let first = host * osds;
        straw2(1, (first..first + osds).map(|osd| osd as i32), DEVICE)
    }));
    CrushMap {
        buckets: buckets.into_iter().map(Some).collect(),
        rules: vec![
            Some(rule(RuleType::REPLICATED, StepOp::CHOOSELEAF_FIRSTN)),
            Some(rule(RuleType::ERASURE, StepOp::CHOOSELEAF_INDEP)),
        ],
        max_devices: shape.total() as i32,
        ..CrushMap::default()
    }
}

/// An OSD's address.
#[must_use]
pub fn osd_addrs(osd: u32) -> AddrVec {
    let [_, _, high, low] = osd.to_be_bytes();
    let sock = Some(SocketAddr::from(([127, 1, high, low], 6800)));
    AddrVec(vec![EntityAddr { kind: AddrType::MSGR2, nonce: 1000 + osd, sock }])
}

/// A healthy cluster's map, epoch 10.
#[must_use]
pub fn map(shape: Shape) -> OsdMap {
    let total = shape.total() as usize;
    let pools =
        [(REPLICATED, Pool::replicated(3, shape.pg_num, 0)), (ERASURE, Pool::erasure(6, 5, shape.pg_num, 1))];
    OsdMap {
        fsid: FSID,
        epoch: 10,
        pools: pools.into(),
        pool_names: [(REPLICATED, "rbd".into()), (ERASURE, "ec".into())].into(),
        pool_max: 2,
        max_osd: total as i32,
        osd_state: vec![osd_state::EXISTS | osd_state::UP; total],
        osd_weight: vec![WEIGHT_IN; total],
        osd_addrs: (0..shape.total()).map(osd_addrs).collect(),
        crush: Arc::new(crush(shape)),
        require_osd_release: 16,
        ..OsdMap::default()
    }
}

/// The step from a map to the next epoch, changing nothing yet.
#[must_use]
pub fn next(map: &OsdMap) -> Incremental {
    Incremental { fsid: map.fsid, epoch: map.epoch + 1, ..Incremental::default() }
}
