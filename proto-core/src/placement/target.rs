//! The OSD to send an object's operations to.
//!
//! Facts: `Objecter::_calc_target` in `osdc/Objecter.cc`, `OSDMap::object_locator_to_pg` in `osd/OSDMap.cc`.

use super::object::{actual_pg, object_hash};
use super::pg::{PgMapping, pg_to_osds, primary_first};
use core::fmt;
use linger_wire::osdmap::{OsdMap, Pool, PoolType, pool_flags};
use linger_wire::{Name, ObjectLocator, PgId, SpgId};

/// Whether operations go to the cache pool in front of a pool, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlay {
    /// As reads go.
    Read,
    /// As writes go.
    Write,
    /// Never: the pool itself was named, as by a redirect.
    Ignore,
}

/// Where operations on an object go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// The object's pool, or the cache pool in front of it, with the object's whole hash.
    pub raw: PgId,
    /// The object's placement group, and in an erasure-coded pool the shard its primary has.
    pub pg: SpgId,
    /// The OSD that serves it, -1 when none does at present.
    pub osd: i32,
    /// The map's epoch.
    pub epoch: u32,
}

/// The map has no pool with this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoSuchPool(pub i64);

impl fmt::Display for NoSuchPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no pool with number {}", self.0)
    }
}

impl core::error::Error for NoSuchPool {}

/// Finds the OSD that serves an object.
///
/// # Errors
/// [`NoSuchPool`] if the map does not have the object's pool, or the cache pool in front of it.
pub fn locate(
    map: &OsdMap,
    locator: &ObjectLocator,
    name: &Name,
    overlay: Overlay,
) -> Result<Target, NoSuchPool> {
    let raw = raw_pg(map, locator, name, overlay)?;
    let pool = map.pool(raw.pool).ok_or(NoSuchPool(raw.pool))?;
    Ok(Target::of(map, pool, raw, &pg_to_osds(map, raw)))
}

/// The object's pool, or the cache pool in front of it, with the object's whole hash.
///
/// # Errors
/// [`NoSuchPool`] if the map does not have that pool.
pub fn raw_pg(
    map: &OsdMap,
    locator: &ObjectLocator,
    name: &Name,
    overlay: Overlay,
) -> Result<PgId, NoSuchPool> {
    let base = map.pool(locator.pool).ok_or(NoSuchPool(locator.pool))?;
    let id = match overlay {
        Overlay::Read if base.read_tier >= 0 => base.read_tier,
        Overlay::Write if base.write_tier >= 0 => base.write_tier,
        _ => locator.pool,
    };
    let pool = map.pool(id).ok_or(NoSuchPool(id))?;
    let placed_by = if locator.key.is_empty() { name } else { &locator.key };
    let hash = match locator.hash {
        // Ceph cuts it off, too.
        hash @ 0.. => hash as u32,
        _ => object_hash(pool.object_hash, &locator.nspace, placed_by),
    };
    Ok(PgId { pool: id, seed: hash })
}

impl Target {
    /// The target of a raw group whose mapping is known.
    #[must_use]
    pub fn of(map: &OsdMap, pool: &Pool, raw: PgId, mapping: &PgMapping) -> Self {
        let pg = actual_pg(pool, raw);
        let shard = primary_shard(map, pool, pg, mapping);
        Self { raw, pg: SpgId { pg, shard }, osd: mapping.acting_primary, epoch: map.epoch }
    }
}

/// The shard by which the primary knows the group.
fn primary_shard(map: &OsdMap, pool: &Pool, pg: PgId, mapping: &PgMapping) -> i8 {
    if pool.kind != PoolType::ERASURE {
        return SpgId::NO_SHARD;
    }
    // An OSD may have several shards; with a temporary list the first that can be primary counts.
    let shard = match pool.has_flag(pool_flags::EC_OPTIMIZATIONS) && map.pg_temp.contains_key(&pg) {
        true => {
            let is_primary =
                |shard: &usize| mapping.acting.as_slice().get(*shard) == Some(&mapping.acting_primary);
            primary_first(pool).find(is_primary)
        }
        false => mapping.acting.position(mapping.acting_primary),
    };
    shard.and_then(|shard| i8::try_from(shard).ok()).unwrap_or(SpgId::NO_SHARD)
}
