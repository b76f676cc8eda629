//! The map as a value, and what can be asked of it.

use super::osd::{AFFINITY_DEFAULT, OsdInfo, OsdXInfo, osd_state};
use super::pool::Pool;
use super::snaps::SnapIntervals;
use super::{Blocklist, addrs_of};
use crate::crush::CrushMap;
use crate::{AddrVec, Fsid, Name, PgId, UTime};
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Bits of [`OsdMap::flags`] (`CEPH_OSDMAP_*`).
pub mod map_flags {
    /// Close to full; per pool since Luminous.
    pub const NEARFULL: u32 = 1;
    /// Full; per pool since Luminous.
    pub const FULL: u32 = 1 << 1;
    /// Reads wait.
    pub const PAUSERD: u32 = 1 << 2;
    /// Writes wait.
    pub const PAUSEWR: u32 = 1 << 3;
    /// Recovery waits.
    pub const PAUSEREC: u32 = 1 << 4;
    /// OSDs order objects by their reversed hash.
    pub const SORTBITWISE: u32 = 1 << 15;
    /// Long-gone marks of a release: jewel, kraken, luminous.
    pub(in super::super) const LEGACY_REQUIRE: u32 = 1 << 16 | 1 << 17 | 1 << 18;
    /// OSDs delete during recovery.
    pub const RECOVERY_DELETES: u32 = 1 << 19;
    /// Snapshots were converted.
    pub const PURGED_SNAPDIRS: u32 = 1 << 20;
    /// The log of a group has a hard bound.
    pub const PGLOG_HARDLIMIT: u32 = 1 << 22;
}

/// How a stretched cluster stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StretchMode {
    /// Whether the cluster is stretched at all.
    pub enabled: bool,
    /// Over how many buckets.
    pub bucket_count: u32,
    /// How many of them are left when some are lost, else 0.
    pub degraded: u32,
    /// Not 0 while lost ones come back.
    pub recovering: u32,
    /// The type of the buckets.
    pub bucket: i32,
}

/// What only OSDs and monitors use. Kept so that a map can be passed on whole.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ServerState {
    /// By OSD: where other OSDs check on it, in the cluster's own network.
    pub hb_back: Vec<AddrVec>,
    /// By OSD: where other OSDs check on it, in the clients' network.
    pub hb_front: Vec<AddrVec>,
    /// By OSD: where other OSDs talk with it.
    pub cluster_addrs: Vec<AddrVec>,
    /// By OSD: when it was up.
    pub info: Vec<OsdInfo>,
    /// By OSD: more about it.
    pub xinfo: Vec<OsdXInfo>,
    /// By OSD: its own id.
    pub uuids: Vec<Fsid>,
    /// The epoch of the cluster snapshot, long unused.
    pub cluster_snapshot_epoch: u32,
    /// The name of the cluster snapshot, long unused.
    pub cluster_snapshot: Name,
    /// From which share on an OSD counts as close to full.
    pub nearfull_ratio: f32,
    /// From which share on an OSD counts as full.
    pub full_ratio: f32,
    /// From which share on an OSD takes no backfill.
    pub backfillfull_ratio: f32,
    /// The oldest release whose clients are let in, as a number: 14 = Nautilus.
    pub require_min_compat_client: u8,
    /// By pool: removed snapshots that are not purged yet.
    pub removed_snaps_queue: BTreeMap<i64, SnapIntervals>,
    /// By CRUSH node: state bits set on all of its OSDs.
    pub crush_node_flags: BTreeMap<i32, u32>,
    /// By device class: state bits set on all of its OSDs.
    pub device_class_flags: BTreeMap<i32, u32>,
    /// How a stretched cluster stands.
    pub stretch: StretchMode,
    /// Whether OSDs of the Crimson kind may join.
    pub allow_crimson: bool,
}

/// The map of a cluster at one epoch.
///
/// Lists by OSD may be shorter than [`OsdMap::max_osd`] when a peer sent them so; the accessors
/// take what is missing for the default.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OsdMap {
    /// The cluster.
    pub fsid: Fsid,
    /// The map's number; the first is 1.
    pub epoch: u32,
    /// When the cluster was made.
    pub created: UTime,
    /// When this epoch was made.
    pub modified: UTime,
    /// All pools.
    pub pools: BTreeMap<i64, Pool>,
    /// Their names.
    pub pool_names: BTreeMap<i64, Name>,
    /// The largest pool number given so far.
    pub pool_max: i32,
    /// A set of [`map_flags`].
    pub flags: u32,
    /// OSD ids are below this.
    pub max_osd: i32,
    /// By OSD: a set of [`osd_state`] bits.
    pub osd_state: Vec<u32>,
    /// By OSD: how much of its CRUSH weight counts, [`super::WEIGHT_IN`] = all, 0 = out.
    pub osd_weight: Vec<u32>,
    /// By OSD: where clients reach it.
    pub osd_addrs: Vec<AddrVec>,
    /// Groups whose OSDs are others for a while. For pools with
    /// [`super::pool_flags::EC_OPTIMIZATIONS`] the shards that can be primary come first.
    pub pg_temp: BTreeMap<PgId, Vec<i32>>,
    /// Groups whose primary is another one for a while.
    pub primary_temp: BTreeMap<PgId, i32>,
    /// By OSD: how readily it becomes primary, of [`AFFINITY_DEFAULT`]. Empty: all have the default.
    pub primary_affinity: Vec<u32>,
    /// The CRUSH map; shared between epochs that have the same.
    pub crush: Arc<CrushMap>,
    /// By name: parameters of erasure codes.
    pub erasure_code_profiles: BTreeMap<Name, BTreeMap<Name, Name>>,
    /// Groups that are placed by hand.
    pub pg_upmap: BTreeMap<PgId, Vec<i32>>,
    /// Groups of which some OSDs (first) are replaced by others (second).
    pub pg_upmap_items: BTreeMap<PgId, Vec<(i32, i32)>>,
    /// Groups of which another OSD comes first.
    pub pg_upmap_primaries: BTreeMap<PgId, i32>,
    /// Counts changes of the CRUSH map.
    pub crush_version: i32,
    /// By pool: snapshots removed in this epoch.
    pub new_removed_snaps: BTreeMap<i64, SnapIntervals>,
    /// By pool: snapshots purged in this epoch.
    pub new_purged_snaps: BTreeMap<i64, SnapIntervals>,
    /// When an OSD last came up or went down.
    pub last_up_change: UTime,
    /// When an OSD last was taken in or out.
    pub last_in_change: UTime,
    /// Who is locked out.
    pub blocklist: Blocklist,
    /// The oldest release of OSDs that may be in the cluster, as a number: 14 = Nautilus.
    pub require_osd_release: u8,
    /// What clients do not use.
    pub server: ServerState,
}

impl OsdMap {
    /// The pool with this number.
    #[must_use]
    pub fn pool(&self, id: i64) -> Option<&Pool> {
        self.pools.get(&id)
    }

    /// The number of the pool with this name. Looks at all names.
    #[must_use]
    pub fn pool_id(&self, name: &Name) -> Option<i64> {
        self.pool_names.iter().find_map(|(id, n)| (n == name).then_some(*id))
    }

    /// Whether all of `mask`'s [`map_flags`] are set.
    #[must_use]
    pub const fn has_flag(&self, mask: u32) -> bool {
        self.flags & mask == mask
    }

    /// Whether the id is below [`OsdMap::max_osd`] and in use.
    #[must_use]
    pub fn exists(&self, osd: i32) -> bool {
        self.state(osd) & osd_state::EXISTS != 0
    }

    /// Whether the OSD exists and runs.
    #[must_use]
    pub fn is_up(&self, osd: i32) -> bool {
        let up = osd_state::EXISTS | osd_state::UP;
        self.state(osd) & up == up
    }

    /// The OSD's [`osd_state`] bits, none for ids that are not in the map.
    #[must_use]
    pub fn state(&self, osd: i32) -> u32 {
        if osd >= self.max_osd { 0 } else { by_osd(&self.osd_state, osd).unwrap_or(0) }
    }

    /// How much of the OSD's CRUSH weight counts; `None` for ids that are not in the map.
    #[must_use]
    pub fn weight(&self, osd: i32) -> Option<u32> {
        if osd >= self.max_osd { None } else { by_osd(&self.osd_weight, osd) }
    }

    /// Where clients reach the OSD, if it was ever up.
    #[must_use]
    pub fn addrs(&self, osd: i32) -> Option<&AddrVec> {
        addrs_of(&self.osd_addrs, osd).filter(|addrs| !addrs.0.is_empty())
    }

    /// How readily the OSD becomes primary, of [`AFFINITY_DEFAULT`].
    #[must_use]
    pub fn affinity(&self, osd: i32) -> u32 {
        by_osd(&self.primary_affinity, osd).unwrap_or(AFFINITY_DEFAULT)
    }
}

fn by_osd(list: &[u32], osd: i32) -> Option<u32> {
    list.get(usize::try_from(osd).ok()?).copied()
}
