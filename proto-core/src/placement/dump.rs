//! Placement groups as `osdmaptool --test-map-pgs-dump-all` prints them.
//!
//! Facts: `tools/osdmaptool.cc`.

use super::crush::set_weights;
use super::pg::{OsdList, PgMapping, Placer};
use alloc::sync::Arc;
use core::fmt;
use linger_wire::PgId;
use linger_wire::osdmap::{OsdMap, WEIGHT_IN, osd_state};

/// A line about one placement group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PgLine {
    /// The group.
    pub pg: PgId,
    /// What CRUSH says.
    pub raw: OsdList,
    /// What it has in the end.
    pub mapping: PgMapping,
}

impl PgLine {
    /// The line of `pg`.
    #[must_use]
    pub fn of(placer: &mut Placer<'_>, pg: PgId) -> Self {
        Self { pg, raw: placer.raw(pg), mapping: placer.place(pg) }
    }
}

impl fmt::Display for PgLine {
    /// `PGID raw ([a,b,c], pP) up ([..], pP) acting ([..], pP)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PgMapping { up, up_primary, acting, acting_primary } = &self.mapping;
        let (pg, raw, raw_primary) = (self.pg, List(&self.raw), self.raw.first());
        write!(f, "{pg} raw ({raw}, p{raw_primary}) up ({}, p{up_primary})", List(up))?;
        write!(f, " acting ({}, p{acting_primary})", List(acting))
    }
}

/// A list as Ceph prints it: `[1,2,2147483647]`.
struct List<'a>(&'a OsdList);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (n, osd) in self.0.as_slice().iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(f, "{comma}{osd}")?;
        }
        f.write_str("]")
    }
}

/// All placement groups of a map, by pool.
pub fn pgs(map: &OsdMap) -> impl Iterator<Item = PgId> {
    map.pools.iter().flat_map(|(id, pool)| (0..pool.pg_num).map(|seed| PgId { pool: *id, seed }))
}

/// Sets all OSDs up and in, as `osdmaptool --mark-up-in` of Pacific and later does.
///
/// All ids below [`OsdMap::max_osd`] exist then, and devices that weigh nothing in the CRUSH map get the weight 1
/// (that of Nautilus gives it to all devices).
///
/// Facts: `OSDMap::set_weight` in `osd/OSDMap.h` has what is in exist.
pub fn mark_up_in(map: &mut OsdMap) {
    map.osd_state.iter_mut().for_each(|state| *state |= osd_state::EXISTS | osd_state::UP);
    map.osd_weight.iter_mut().for_each(|weight| *weight = WEIGHT_IN);
    set_weights(Arc::make_mut(&mut map.crush), map.max_osd, WEIGHT_IN, |weight| weight == 0);
}
