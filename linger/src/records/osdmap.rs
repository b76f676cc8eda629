//! The result of `osdmap`: what a map says about pools and OSDs.

use crate::failure::one_line;
use linger_wire::osdmap::{AFFINITY_DEFAULT, OsdMap, Pool, PoolType, WEIGHT_IN};
use serde::Serialize;
use std::fmt;

/// A map in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MapSummary {
    epoch: u32,
    fsid: String,
    /// Bits as in the map.
    flags: u32,
    max_osd: i32,
    blocklisted: usize,
    upmaps: usize,
    pg_temps: usize,
    pools: Vec<PoolLine>,
    osds: Vec<OsdLine>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct PoolLine {
    pool: i64,
    name: String,
    r#type: &'static str,
    size: u8,
    min_size: u8,
    crush_rule: u8,
    pg_num: u32,
    pgp_num: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
struct OsdLine {
    osd: i32,
    up: bool,
    /// 0 is out, 1 fully in.
    weight: f64,
    primary_affinity: f64,
    addrs: Vec<String>,
}

impl MapSummary {
    /// Sums up a map.
    pub fn new(map: &OsdMap) -> Self {
        let osds = (0..map.max_osd).filter(|osd| map.exists(*osd));
        Self {
            epoch: map.epoch,
            fsid: map.fsid.to_string(),
            flags: map.flags,
            max_osd: map.max_osd,
            blocklisted: map.blocklist.entries.len() + map.blocklist.ranges.len(),
            upmaps: map.pg_upmap.len() + map.pg_upmap_items.len() + map.pg_upmap_primaries.len(),
            pg_temps: map.pg_temp.len(),
            pools: map.pools.iter().map(|(id, pool)| PoolLine::new(map, *id, pool)).collect(),
            osds: osds.map(|osd| OsdLine::new(map, osd)).collect(),
        }
    }
}

impl PoolLine {
    fn new(map: &OsdMap, id: i64, pool: &Pool) -> Self {
        Self {
            pool: id,
            name: map.pool_names.get(&id).map(ToString::to_string).unwrap_or_default(),
            r#type: match pool.kind {
                PoolType::REPLICATED => "replicated",
                PoolType::ERASURE => "erasure",
                _ => "unknown",
            },
            size: pool.size,
            min_size: pool.min_size,
            crush_rule: pool.crush_rule,
            pg_num: pool.pg_num,
            pgp_num: pool.pgp_num,
        }
    }
}

impl OsdLine {
    fn new(map: &OsdMap, osd: i32) -> Self {
        let addrs = map.addrs(osd).into_iter().flat_map(|addrs| &addrs.0);
        Self {
            osd,
            up: map.is_up(osd),
            weight: f64::from(map.weight(osd).unwrap_or(0)) / f64::from(WEIGHT_IN),
            primary_affinity: f64::from(map.affinity(osd)) / f64::from(AFFINITY_DEFAULT),
            addrs: addrs.map(ToString::to_string).collect(),
        }
    }
}

impl fmt::Display for MapSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "epoch {} fsid {} flags {:#x} max_osd {}",
            self.epoch, self.fsid, self.flags, self.max_osd
        )?;
        write!(f, " blocklisted {} upmaps {}", self.blocklisted, self.upmaps)?;
        write!(f, " pg_temps {}", self.pg_temps)?;
        for pool in &self.pools {
            let PoolLine { pool, name, r#type, size, min_size, crush_rule, pg_num, pgp_num } = pool;
            write!(f, "\npool {pool} '{}' {type} size {size} min_size {min_size}", one_line(name))?;
            write!(f, " crush_rule {crush_rule} pg_num {pg_num} pgp_num {pgp_num}")?;
        }
        for OsdLine { osd, up, weight, primary_affinity, addrs } in &self.osds {
            let up = if *up { "up" } else { "down" };
            write!(f, "\nosd.{osd} {up} weight {weight} primary_affinity {primary_affinity}")?;
            write!(f, " [{}]", addrs.join(","))?;
        }
        Ok(())
    }
}
