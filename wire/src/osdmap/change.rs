//! What came of applying an incremental.

use super::{MAX_OSDS, OsdMap};
use crate::{Fsid, PgId};
use alloc::collections::BTreeSet;
use core::fmt;

/// What an applied incremental changed, as far as clients care: where objects lie and who may act.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapChange {
    /// Any group may lie elsewhere: an OSD's state, weight or affinity, or the CRUSH map changed.
    pub everything: bool,
    /// Pools that are new, changed, renamed or gone.
    pub pools: BTreeSet<i64>,
    /// Groups whose overrides changed.
    pub pgs: BTreeSet<PgId>,
    /// OSDs whose state or addresses changed: connections to them may have to end.
    pub osds: BTreeSet<i32>,
    /// The map's flags changed.
    pub flags: bool,
    /// The blocklist changed.
    pub blocklist: bool,
}

impl MapChange {
    /// A change of which nothing is known but that there is one, as after a full map.
    #[must_use]
    pub fn unknown(old: &OsdMap, new: &OsdMap) -> Self {
        Self {
            everything: true,
            pools: old.pools.keys().chain(new.pools.keys()).copied().collect(),
            pgs: BTreeSet::new(),
            osds: (0..old.max_osd.max(new.max_osd)).filter(|osd| osd_differs(old, new, *osd)).collect(),
            flags: old.flags != new.flags,
            blocklist: old.blocklist != new.blocklist,
        }
    }

    /// Whether where this group lies may have changed.
    #[must_use]
    pub fn affects(&self, pg: PgId) -> bool {
        self.everything || self.pools.contains(&pg.pool) || self.pgs.contains(&pg)
    }
}

fn osd_differs(old: &OsdMap, new: &OsdMap, osd: i32) -> bool {
    old.state(osd) != new.state(osd) || old.addrs(osd) != new.addrs(osd)
}

/// Why an incremental does not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ApplyError {
    /// It is of another cluster.
    WrongCluster {
        /// The map's cluster.
        have: Fsid,
        /// The incremental's cluster.
        got: Fsid,
    },
    /// It does not make the next epoch.
    WrongEpoch {
        /// The map's epoch.
        have: u32,
        /// The epoch the incremental makes.
        got: u32,
    },
    /// It changes an OSD that is beyond [`OsdMap::max_osd`].
    NoSuchOsd(i32),
    /// It asks for more OSDs than [`MAX_OSDS`].
    TooManyOsds(i32),
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongCluster { have, got } => {
                write!(f, "incremental of cluster {got}, the map is of cluster {have}")
            }
            Self::WrongEpoch { have, got } => {
                write!(f, "incremental makes epoch {got}, the map has epoch {have}")
            }
            Self::NoSuchOsd(osd) => write!(f, "incremental changes osd.{osd}, which is not in the map"),
            Self::TooManyOsds(max) => write!(f, "incremental asks for {max} OSDs, the bound is {MAX_OSDS}"),
        }
    }
}

impl core::error::Error for ApplyError {}
