//! The maps of the cluster: how the first one looks, and all epochs since.
//!
//! Facts: `mon/OSDMonitor.cc` (what a subscriber gets), `osd/osd_types.cc` (when an interval begins).

use crate::settings::Settings;
use bytes::Bytes;
use linger_core::placement::{Interval, Placer};
use linger_wire::crush::{Bucket, BucketAlg, CrushMap, Rule, RuleType, Step, StepOp, Straw2Item, Tunables};
use linger_wire::msg::MapMessage;
use linger_wire::osdmap::{
    Incremental, OsdInfo, OsdMap, OsdXInfo, Pool, ServerState, WEIGHT_IN, map_flags, osd_state,
};
use linger_wire::{AddrType, AddrVec, EntityAddr, Features, Fsid, PgId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// Epochs in one message (`osd_map_message_max`).
const EPOCHS_MAX: u32 = 40;
/// Intervals that are remembered of one placement group.
const INTERVALS_MAX: usize = 64;
/// The release that the maps say all daemons have: Pacific.
const RELEASE: u8 = 16;

/// An interval of a placement group.
#[derive(Debug, Clone)]
pub(crate) struct Since {
    /// The epoch in which it began.
    pub epoch: u32,
    /// The epoch since which the primary is the same.
    pub primary_epoch: u32,
    /// What it is like.
    pub interval: Interval,
    /// Whether enough OSDs are there to serve.
    pub enough: bool,
}

impl Since {
    pub fn primary(&self) -> i32 {
        self.interval.mapping.acting_primary
    }
}

/// All epochs.
#[derive(Debug)]
pub(crate) struct Maps {
    fulls: BTreeMap<u32, Arc<OsdMap>>,
    incrementals: BTreeMap<u32, Incremental>,
    /// Encoded maps by epoch, whether full, and the reader's features.
    encoded: BTreeMap<(u32, bool, u64), Bytes>,
    /// Intervals by placement group, oldest first; `None` where there is no such group.
    groups: BTreeMap<PgId, Vec<(u32, Option<Since>)>>,
    keep: u32,
}

impl Maps {
    pub fn new(first: OsdMap, keep: u32) -> Self {
        let epoch = first.epoch;
        let mut maps = Self {
            fulls: [(epoch, Arc::new(first))].into(),
            incrementals: BTreeMap::new(),
            encoded: BTreeMap::new(),
            groups: BTreeMap::new(),
            keep: keep.max(1),
        };
        maps.follow_groups();
        maps
    }

    pub fn newest(&self) -> &Arc<OsdMap> {
        // There is one from the start, and the newest is never trimmed.
        self.fulls.last_key_value().map(|(_, map)| map).expect("a map")
    }

    pub fn epoch(&self) -> u32 {
        self.newest().epoch
    }

    pub fn oldest(&self) -> u32 {
        self.fulls.first_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    pub fn at(&self, epoch: u32) -> Option<&Arc<OsdMap>> {
        self.fulls.get(&epoch)
    }

    /// Makes the next epoch.
    pub fn commit(&mut self, change: impl FnOnce(&mut Incremental)) {
        let newest = self.newest();
        let mut inc = Incremental { fsid: newest.fsid, epoch: newest.epoch + 1, ..Incremental::default() };
        inc.server.encode_features = Features(u64::MAX >> 2);
        change(&mut inc);
        let mut map = OsdMap::clone(newest);
        if map.apply(&inc).is_err() {
            debug_assert!(false, "a change that does not fit the map: {inc:?}");
            return;
        }
        self.fulls.insert(map.epoch, Arc::new(map));
        self.incrementals.insert(inc.epoch, inc);
        self.follow_groups();
        self.trim(self.epoch().saturating_sub(self.keep - 1));
    }

    /// Forgets what is older than an epoch, but for the newest map.
    pub fn trim(&mut self, oldest: u32) {
        let oldest = oldest.min(self.epoch());
        pop_while(&mut self.fulls, |epoch| *epoch < oldest);
        pop_while(&mut self.incrementals, |epoch| *epoch <= oldest);
        pop_while(&mut self.encoded, |(epoch, ..)| *epoch < oldest);
    }

    /// The interval that a group was in at an epoch.
    pub fn group_at(&self, pg: PgId, epoch: u32) -> Option<&Since> {
        let group = self.groups.get(&pg)?;
        let (_, since) = group.iter().rev().find(|(since, _)| *since <= epoch)?;
        since.as_ref()
    }

    /// The groups that an OSD is primary of at an epoch.
    pub fn groups_of(&self, osd: i32, epoch: u32) -> impl Iterator<Item = (PgId, &Since)> {
        let groups = self.groups.keys().filter_map(move |pg| Some((*pg, self.group_at(*pg, epoch)?)));
        groups.filter(move |(_, since)| since.primary() == osd)
    }

    /// Notes which groups are in another interval in the newest map.
    fn follow_groups(&mut self) {
        let map = self.newest().clone();
        let mut placer = Placer::new(&map);
        let known: BTreeSet<PgId> = self.groups.keys().copied().collect();
        let current =
            map.pools.iter().flat_map(|(id, pool)| (0..pool.pg_num).map(|seed| PgId { pool: *id, seed }));
        let before = map.epoch.checked_sub(1).and_then(|epoch| self.fulls.get(&epoch)).cloned();
        let all: BTreeSet<PgId> = known.into_iter().chain(current).collect();
        let everything = before.as_ref().is_none_or(|before| may_move_all(before, &map));
        let may_move = |pg: PgId| before.as_ref().is_none_or(|before| may_move(before, &map, pg));
        for pg in all.into_iter().filter(|pg| everything || may_move(*pg)) {
            let exists = map.pool(pg.pool).filter(|pool| pg.seed < pool.pg_num);
            let interval = exists.and_then(|_| Interval::with(&mut placer, &map, pg));
            let min_size = exists.map_or(0, |pool| usize::from(pool.min_size));
            let group = self.groups.entry(pg).or_default();
            let last = group.last().and_then(|(_, since)| since.as_ref());
            let next = match (interval, last) {
                (None, None) => continue,
                (None, Some(_)) => None,
                (Some(now), Some(last)) if !now.is_new_since(&last.interval) => continue,
                (Some(now), last) => {
                    let same = last.filter(|last| last.primary() == now.mapping.acting_primary);
                    // A split or a merge makes clients send everything again, too.
                    let pg_num = |map: &OsdMap| map.pool(pg.pool).map(|pool| pool.pg_num);
                    let resized = before.as_ref().is_some_and(|before| pg_num(before) != pg_num(&map));
                    let primary_epoch =
                        same.filter(|_| !resized).map_or(map.epoch, |last| last.primary_epoch);
                    let enough = now.mapping.acting.as_slice().len() >= min_size.max(1);
                    Some(Since { epoch: map.epoch, primary_epoch, interval: now, enough })
                }
            };
            group.push((map.epoch, next));
            if group.len() > INTERVALS_MAX {
                group.remove(0);
            }
        }
    }

    /// What a reader gets who wants all epochs from `start` on, in messages of bounded size; 0 wants the
    /// newest map only. `newest` is the newest that the sender has. Nothing if that is older than `start`.
    pub fn messages(&mut self, start: u32, newest: u32, features: Features) -> Vec<MapMessage> {
        let oldest = self.oldest();
        let newest = newest.max(oldest);
        let fsid = self.newest().fsid;
        let message = MapMessage { fsid, oldest, newest, ..MapMessage::default() };
        if start > newest {
            return Vec::new();
        }
        let mut messages = Vec::new();
        let mut from = start;
        // An incremental leads from the epoch before it, so the oldest epoch is a full map.
        if start <= oldest {
            let epoch = if start == 0 { newest } else { oldest };
            let fulls = [(epoch, self.full(epoch, features))].into();
            messages.push(MapMessage { fulls, ..message.clone() });
            from = epoch + 1;
        }
        while from <= newest {
            let last = newest.min(from + EPOCHS_MAX - 1);
            let incrementals =
                (from..=last).map(|epoch| (epoch, self.incremental(epoch, features))).collect();
            messages.push(MapMessage { incrementals, ..message.clone() });
            from = last + 1;
        }
        messages
    }

    fn full(&mut self, epoch: u32, features: Features) -> Bytes {
        let map = &self.fulls[&epoch];
        self.encoded.entry((epoch, true, features.0)).or_insert_with(|| map.encode_for(features)).clone()
    }

    fn incremental(&mut self, epoch: u32, features: Features) -> Bytes {
        let inc = &self.incrementals[&epoch];
        self.encoded.entry((epoch, false, features.0)).or_insert_with(|| inc.encode_for(features)).clone()
    }
}

/// Whether something differs between two maps that may place any group elsewhere.
fn may_move_all(old: &OsdMap, new: &OsdMap) -> bool {
    let flags = map_flags::SORTBITWISE | map_flags::RECOVERY_DELETES;
    !Arc::ptr_eq(&old.crush, &new.crush)
        || (old.max_osd, old.flags & flags) != (new.max_osd, new.flags & flags)
        || old.osd_state != new.osd_state
        || old.osd_weight != new.osd_weight
        || old.primary_affinity != new.primary_affinity
}

/// The same for one group.
fn may_move(old: &OsdMap, new: &OsdMap, pg: PgId) -> bool {
    old.pool(pg.pool) != new.pool(pg.pool)
        || old.pg_temp.get(&pg) != new.pg_temp.get(&pg)
        || old.primary_temp.get(&pg) != new.primary_temp.get(&pg)
        || old.pg_upmap.get(&pg) != new.pg_upmap.get(&pg)
        || old.pg_upmap_items.get(&pg) != new.pg_upmap_items.get(&pg)
        || old.pg_upmap_primaries.get(&pg) != new.pg_upmap_primaries.get(&pg)
}

/// Removes the first entries of a map.
fn pop_while<K: Ord, V>(map: &mut BTreeMap<K, V>, old: impl Fn(&K) -> bool) {
    while map.first_key_value().is_some_and(|(key, _)| old(key)) {
        map.pop_first();
    }
}

/// The address of one life of an OSD.
pub(crate) fn daemon_addr(sock: SocketAddr, nonce: u32) -> EntityAddr {
    EntityAddr { kind: AddrType::MSGR2, nonce, sock: Some(sock) }
}

/// The first map: all OSDs up and in, each a host of its own; all pools of up to three copies.
pub(crate) fn first(settings: &Settings, fsid: Fsid, nonces: &[u32]) -> OsdMap {
    let count = settings.osds.len();
    let addrs: Vec<_> = settings
        .osds
        .iter()
        .zip(nonces)
        .map(|(sock, nonce)| AddrVec(vec![daemon_addr(*sock, *nonce)]))
        .collect();
    let size = count.clamp(1, 3) as u8;
    let pools = (1..).zip(settings.pools.iter().map(|spec| {
        let mut pool = Pool::replicated(size, spec.pg_num.clamp(1, 1024), 0);
        pool.last_change = 1;
        pool
    }));
    let server = ServerState {
        hb_back: addrs.clone(),
        hb_front: addrs.clone(),
        cluster_addrs: addrs.clone(),
        info: vec![OsdInfo { up_from: 1, up_thru: 1, ..OsdInfo::default() }; count],
        xinfo: vec![OsdXInfo::default(); count],
        uuids: (0..count).map(|osd| Fsid([osd as u8 + 1; 16])).collect(),
        nearfull_ratio: 0.85,
        full_ratio: 0.95,
        backfillfull_ratio: 0.9,
        ..ServerState::default()
    };
    OsdMap {
        fsid,
        epoch: 1,
        pools: pools.collect(),
        pool_names: (1..).zip(settings.pools.iter().map(|spec| spec.name.as_str().into())).collect(),
        pool_max: settings.pools.len() as i32,
        flags: map_flags::SORTBITWISE
            | map_flags::RECOVERY_DELETES
            | map_flags::PURGED_SNAPDIRS
            | map_flags::PGLOG_HARDLIMIT,
        max_osd: count as i32,
        osd_state: vec![osd_state::EXISTS | osd_state::UP; count],
        osd_weight: vec![WEIGHT_IN; count],
        osd_addrs: addrs,
        crush: Arc::new(crush(count)),
        crush_version: 1,
        require_osd_release: RELEASE,
        server,
        ..OsdMap::default()
    }
}

/// A root with a host for each OSD; rule 0 puts each copy on another host.
fn crush(osds: usize) -> CrushMap {
    let straw2 = |bucket_type, items: Vec<i32>| {
        let weight = 0x10000 * items.len() as u32;
        let items = items.into_iter().map(|item| Straw2Item { item, weight: 0x10000 }).collect();
        Some(Bucket { bucket_type, hash: 0, weight, alg: BucketAlg::Straw2(items) })
    };
    let osds = osds as i32;
    let mut buckets = vec![straw2(10, (0..osds).map(|osd| -2 - osd).collect())];
    buckets.extend((0..osds).map(|osd| straw2(1, vec![osd])));
    let step = |op, arg1, arg2| Step { op, arg1, arg2 };
    let steps =
        vec![step(StepOp::TAKE, -1, 0), step(StepOp::CHOOSELEAF_FIRSTN, 0, 1), step(StepOp::EMIT, 0, 0)];
    let hosts = (0..osds).map(|osd| (-2 - osd, format!("host{osd}").as_str().into()));
    let devices = (0..osds).map(|osd| (osd, format!("osd.{osd}").as_str().into()));
    CrushMap {
        buckets,
        rules: vec![Some(Rule {
            ruleset: 0,
            rule_type: RuleType::REPLICATED,
            min_size: 1,
            max_size: 10,
            steps,
        })],
        max_devices: osds,
        types: [(0, "osd".into()), (1, "host".into()), (10, "root".into())].into(),
        names: std::iter::once((-1, "default".into())).chain(hosts).chain(devices).collect(),
        rule_names: [(0, "replicated_rule".into())].into(),
        tunables: Tunables::default(),
        ..CrushMap::default()
    }
}
