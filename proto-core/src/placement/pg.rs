//! From a placement group to its OSDs.
//!
//! Facts: `OSDMap::_pg_to_up_acting_osds` and what it calls in `osd/OSDMap.cc`.

use super::crush::{Mapper, hash2};
use super::object::{actual_pg, placement_seed};
use linger_wire::PgId;
use linger_wire::osdmap::{AFFINITY_DEFAULT, ITEM_NONE, OsdMap, Pool, pool_flags};
use smallvec::SmallVec;

/// The longest list of overrides that counts: the largest size of a pool. Monitors set none that is longer than
/// its pool's size (`mon/OSDMonitor.cc`), and work on longer ones would grow with their square.
pub(super) const UPMAP_MAX: usize = u8::MAX as usize;

/// The OSDs of a placement group, by rank or by shard.
///
/// In an erasure-coded pool the place of a shard without OSD holds [`ITEM_NONE`].
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct OsdList(SmallVec<[i32; 4]>);

impl OsdList {
    /// The OSDs in order.
    #[must_use]
    pub fn as_slice(&self) -> &[i32] {
        &self.0
    }

    /// The first OSD, or -1.
    #[must_use]
    pub fn first(&self) -> i32 {
        self.0.iter().copied().find(|osd| *osd != ITEM_NONE).unwrap_or(-1)
    }

    /// Where `osd` first stands.
    #[must_use]
    pub fn position(&self, osd: i32) -> Option<usize> {
        self.0.iter().position(|o| *o == osd)
    }
}

impl FromIterator<i32> for OsdList {
    fn from_iter<I: IntoIterator<Item = i32>>(osds: I) -> Self {
        Self(osds.into_iter().collect())
    }
}

impl core::fmt::Debug for OsdList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// Which OSDs a placement group has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PgMapping {
    /// Those it should have, by the map's rules.
    pub up: OsdList,
    /// The first among them, -1 if there is none.
    pub up_primary: i32,
    /// Those it has.
    pub acting: OsdList,
    /// The one that serves its objects, -1 if there is none.
    pub acting_primary: i32,
}

impl Default for PgMapping {
    /// Of a group that does not exist.
    fn default() -> Self {
        Self { up: OsdList::default(), up_primary: -1, acting: OsdList::default(), acting_primary: -1 }
    }
}

/// The OSDs of a placement group; no OSDs if there is no such pool.
#[must_use]
pub fn pg_to_osds(map: &OsdMap, pg: PgId) -> PgMapping {
    Placer::new(map).place(pg)
}

/// Places many groups by one map without allocating for each.
pub struct Placer<'a> {
    map: &'a OsdMap,
    mapper: Mapper<'a>,
}

impl<'a> Placer<'a> {
    /// Prepares to place groups by `map`.
    #[must_use]
    pub fn new(map: &'a OsdMap) -> Self {
        Self { map, mapper: Mapper::new(&map.crush, &map.osd_weight) }
    }

    /// As [`pg_to_osds`].
    #[must_use]
    pub fn place(&mut self, pg: PgId) -> PgMapping {
        let Some(pool) = self.map.pool(pg.pool) else { return PgMapping::default() };
        let pg = actual_pg(pool, pg);
        let mut raw = self.crush(pool, pg);
        self.apply_upmap(pg, &mut raw);
        let mut up = self.only_up(pool, &raw);
        let up_primary = self.apply_affinity(pool, pg, &mut up);
        let (temp, primary) = self.temporary(pool, pg);
        match temp {
            Some(acting) => PgMapping { up, up_primary, acting, acting_primary: primary.unwrap_or(-1) },
            None => {
                let acting_primary = primary.unwrap_or(up_primary);
                PgMapping { acting: up.clone(), up, up_primary, acting_primary }
            }
        }
    }

    /// What CRUSH says, without those OSDs that do not exist, before any override.
    #[must_use]
    pub fn raw(&mut self, pg: PgId) -> OsdList {
        self.map.pool(pg.pool).map(|pool| self.crush(pool, actual_pg(pool, pg))).unwrap_or_default()
    }

    fn crush(&mut self, pool: &Pool, pg: PgId) -> OsdList {
        let map = self.map;
        let args = map.crush.choose_args_of(pg.pool);
        let seed = placement_seed(pool, pg);
        let osds = self.mapper.map_rule(pool.crush_rule.into(), seed, pool.size.into(), args);
        keep(pool, osds, |osd| map.exists(osd))
    }

    /// Replaces OSDs as users and the balancer want it.
    fn apply_upmap(&self, pg: PgId, OsdList(raw): &mut OsdList) {
        let is_out = |osd: i32| self.map.weight(osd) == Some(0);
        if let Some(osds) = self.map.pg_upmap.get(&pg).filter(|osds| osds.len() <= UPMAP_MAX) {
            if osds.iter().any(|osd| is_out(*osd)) {
                return;
            }
            *raw = SmallVec::from_slice(osds);
        }
        let items = self.map.pg_upmap_items.get(&pg).filter(|items| items.len() <= UPMAP_MAX);
        for (from, to) in items.into_iter().flatten() {
            if is_out(*to) || raw.contains(to) {
                continue;
            }
            if let Some(osd) = raw.iter_mut().find(|osd| *osd == from) {
                *osd = *to;
            }
        }
        if let Some(primary) = self.map.pg_upmap_primaries.get(&pg)
            && self.map.weight(*primary).is_some_and(|weight| weight != 0)
            && let Some(at) = raw.iter().skip(1).position(|osd| osd == primary)
        {
            raw.swap(0, at + 1);
        }
    }

    fn only_up(&self, pool: &Pool, raw: &OsdList) -> OsdList {
        keep(pool, &raw.0, |osd| self.map.is_up(osd))
    }

    /// Lets OSDs turn down the primary role, with the likelihood their affinity says.
    fn apply_affinity(&self, pool: &Pool, pg: PgId, up: &mut OsdList) -> i32 {
        let first = up.first();
        let osds = &mut up.0;
        let affinity = |osd: i32| self.map.affinity(osd);
        if !osds.iter().any(|osd| *osd != ITEM_NONE && affinity(*osd) != AFFINITY_DEFAULT) {
            return first;
        }
        let seed = placement_seed(pool, pg);
        let accepts = |osd: i32| {
            let affinity = affinity(osd);
            affinity >= AFFINITY_DEFAULT || hash2(seed, osd.cast_unsigned()) >> 16 < affinity
        };
        let accepting = osds.iter().position(|osd| *osd != ITEM_NONE && accepts(*osd));
        let Some(at) = accepting.or_else(|| osds.iter().position(|osd| *osd != ITEM_NONE)) else {
            return first;
        };
        let primary = osds[at];
        if pool.can_shift_osds() {
            osds[..=at].rotate_right(1);
        }
        primary
    }

    /// What the cluster set for a while, in recovery mostly.
    fn temporary(&self, pool: &Pool, pg: PgId) -> (Option<OsdList>, Option<i32>) {
        let temp = self.map.pg_temp.get(&pg).map(|osds| keep(pool, osds, |osd| self.map.is_up(osd)));
        let first = temp.as_ref().map(OsdList::first).filter(|osd| *osd != -1);
        let primary = self.map.primary_temp.get(&pg).copied().or(first);
        let acting = temp.map(|osds| by_shard(pool, osds)).filter(|osds| !osds.0.is_empty());
        (acting, primary.filter(|osd| *osd != -1))
    }
}

/// The OSDs that are wanted; in place of the others is none where position counts.
fn keep(pool: &Pool, osds: &[i32], wanted: impl Fn(i32) -> bool) -> OsdList {
    match pool.can_shift_osds() {
        true => osds.iter().copied().filter(|osd| wanted(*osd)).collect(),
        false => osds.iter().map(|osd| if wanted(*osd) { *osd } else { ITEM_NONE }).collect(),
    }
}

/// The shards of a pool in the order of a temporary list: those that can be primary first.
pub(super) fn primary_first(pool: &Pool) -> impl Iterator<Item = usize> {
    let shards = 0..usize::from(pool.size);
    let can_not = |shard: &usize| pool.is_nonprimary_shard(*shard);
    shards.clone().filter(move |shard| !can_not(shard)).chain(shards.filter(can_not))
}

/// Puts a temporary list into the order of shards.
fn by_shard(pool: &Pool, temp: OsdList) -> OsdList {
    if !pool.has_flag(pool_flags::EC_OPTIMIZATIONS) || temp.0.is_empty() {
        return temp;
    }
    // Shards that the list is too short for have no OSD.
    let mut osds = SmallVec::from_elem(ITEM_NONE, pool.size.into());
    for (shard, osd) in primary_first(pool).zip(temp.0) {
        osds[shard] = osd;
    }
    OsdList(osds)
}
