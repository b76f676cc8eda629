//! A small cluster's maps: three OSDs, pool 1 "rbd" and pool 2 "two".

use linger_core::placement::{Overlay, Target, locate};
use linger_core::{ObjectRef, PoolRef};
use linger_wire::crush::{Bucket, BucketAlg, CrushMap, Rule, RuleType, Step, StepOp, Straw2Item};
use linger_wire::osdmap::{OsdMap, Pool, WEIGHT_IN, osd_state};
use linger_wire::{AddrType, AddrVec, EntityAddr, Fsid, ObjectLocator};
use std::net::SocketAddr;
use std::sync::Arc;

pub const FSID: Fsid = Fsid([7; 16]);
pub const OSDS: i32 = 3;

/// The address of an OSD's `life`th process.
pub fn osd_addrs(osd: i32, life: u16) -> AddrVec {
    let port = 6800 + osd as u16 + 100 * life;
    let sock = Some(SocketAddr::from(([127, 0, 0, 1], port)));
    AddrVec(vec![EntityAddr { kind: AddrType::MSGR2, nonce: 1000 + u32::from(port), sock }])
}

fn crush() -> CrushMap {
    let items = (0..OSDS).map(|item| Straw2Item { item, weight: 0x10000 }).collect();
    let root = Bucket { bucket_type: 10, hash: 0, weight: 0x30000, alg: BucketAlg::Straw2(items) };
    let step = |op, arg1, arg2| Step { op, arg1, arg2 };
    let steps = vec![step(StepOp::TAKE, -1, 0), step(StepOp::CHOOSE_FIRSTN, 0, 0), step(StepOp::EMIT, 0, 0)];
    let rule = Rule { ruleset: 0, rule_type: RuleType::REPLICATED, min_size: 1, max_size: 10, steps };
    CrushMap { buckets: vec![Some(root)], rules: vec![Some(rule)], max_devices: OSDS, ..CrushMap::default() }
}

pub fn first_map() -> OsdMap {
    let pool = Pool::replicated(3, 8, 0);
    OsdMap {
        fsid: FSID,
        epoch: 10,
        pools: [(1, pool.clone()), (2, pool)].into(),
        pool_names: [(1, "rbd".into()), (2, "two".into())].into(),
        pool_max: 2,
        max_osd: OSDS,
        osd_state: vec![osd_state::EXISTS | osd_state::UP; OSDS as usize],
        osd_weight: vec![WEIGHT_IN; OSDS as usize],
        osd_addrs: (0..OSDS).map(|osd| osd_addrs(osd, 0)).collect(),
        crush: Arc::new(crush()),
        require_osd_release: 16,
        ..OsdMap::default()
    }
}

/// Where the map has an object of pool 1 or 2.
pub fn target(map: &OsdMap, object: &ObjectRef) -> Target {
    let pool = match &object.pool {
        PoolRef::Id(id) => *id,
        PoolRef::Name(name) => map.pool_id(name).unwrap(),
    };
    let locator = ObjectLocator { pool, key: object.key.clone(), nspace: object.namespace.clone(), hash: -1 };
    locate(map, &locator, &object.name, Overlay::Write).unwrap()
}
