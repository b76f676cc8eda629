//! What changes from one epoch to the next.

use super::osd::OsdXInfo;
use super::{OsdMap, Pool, SnapIntervals, StretchMode};
use crate::crush::CrushMap;
use crate::{AddrVec, EntityAddr, Features, Fsid, Name, PgId, UTime};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What changes from the epoch before to [`Incremental::epoch`] (`OSDMap::Incremental`).
///
/// What does not change is absent or empty. See [`OsdMap::apply`].
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Incremental {
    /// The cluster.
    pub fsid: Fsid,
    /// The epoch this makes.
    pub epoch: u32,
    /// When it was made.
    pub modified: UTime,
    /// The largest pool number given so far.
    pub new_pool_max: Option<i64>,
    /// All flags.
    pub new_flags: Option<u32>,
    /// The whole map instead of changes.
    pub full_map: Option<Box<OsdMap>>,
    /// The whole CRUSH map.
    pub crush: Option<Arc<CrushMap>>,
    /// All OSD ids are below this from now on.
    pub new_max_osd: Option<i32>,
    /// Pools that are new or changed.
    pub new_pools: BTreeMap<i64, Pool>,
    /// Names of pools that are new or renamed.
    pub new_pool_names: BTreeMap<i64, Name>,
    /// Pools that are gone.
    pub old_pools: BTreeSet<i64>,
    /// OSDs that are up, and where.
    pub new_up_client: BTreeMap<i32, AddrVec>,
    /// OSDs' state bits that flip; 0 stands for [`super::osd_state::UP`].
    pub new_state: BTreeMap<i32, u32>,
    /// OSDs' weights.
    pub new_weight: BTreeMap<i32, u32>,
    /// Other OSDs for groups; an empty list ends that.
    pub new_pg_temp: BTreeMap<PgId, Vec<i32>>,
    /// Other primaries for groups; -1 ends that.
    pub new_primary_temp: BTreeMap<PgId, i32>,
    /// OSDs' primary affinities.
    pub new_primary_affinity: BTreeMap<i32, u32>,
    /// Erasure code profiles that are new or changed.
    pub new_erasure_code_profiles: BTreeMap<Name, BTreeMap<Name, Name>>,
    /// Erasure code profiles that are gone.
    pub old_erasure_code_profiles: Vec<Name>,
    /// Groups that are placed by hand now.
    pub new_pg_upmap: BTreeMap<PgId, Vec<i32>>,
    /// Groups that are not any more.
    pub old_pg_upmap: BTreeSet<PgId>,
    /// Groups in which OSDs are replaced now.
    pub new_pg_upmap_items: BTreeMap<PgId, Vec<(i32, i32)>>,
    /// Groups in which they are not any more.
    pub old_pg_upmap_items: BTreeSet<PgId>,
    /// Groups of which another OSD comes first now.
    pub new_pg_upmap_primary: BTreeMap<PgId, i32>,
    /// Groups of which none does any more.
    pub old_pg_upmap_primary: BTreeSet<PgId>,
    /// By pool: snapshots removed.
    pub new_removed_snaps: BTreeMap<i64, SnapIntervals>,
    /// By pool: snapshots purged.
    pub new_purged_snaps: BTreeMap<i64, SnapIntervals>,
    /// When an OSD last came up or went down; zero when that did not change.
    pub new_last_up_change: UTime,
    /// When an OSD last was taken in or out; zero when that did not change.
    pub new_last_in_change: UTime,
    /// Who is locked out now, and until when.
    pub new_blocklist: BTreeMap<EntityAddr, UTime>,
    /// Who is let in again.
    pub old_blocklist: BTreeSet<EntityAddr>,
    /// Networks that are locked out now.
    pub new_range_blocklist: BTreeMap<EntityAddr, UTime>,
    /// Networks that are let in again.
    pub old_range_blocklist: BTreeSet<EntityAddr>,
    /// The oldest release of OSDs that may be in the cluster.
    pub new_require_osd_release: Option<u8>,
    /// What clients do not use.
    pub server: ServerChange,
    /// The checksum of the full map after this change, as the monitors share it.
    pub full_crc: u32,
}

/// Changes of what only OSDs and monitors use.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerChange {
    /// OSDs that are up: where others check on them, in the cluster's own network.
    pub new_hb_back_up: BTreeMap<i32, AddrVec>,
    /// OSDs that are up: where others check on them, in the clients' network.
    pub new_hb_front_up: BTreeMap<i32, AddrVec>,
    /// OSDs that are up: where other OSDs talk with them.
    pub new_up_cluster: BTreeMap<i32, AddrVec>,
    /// Until when OSDs are known to have lived.
    pub new_up_thru: BTreeMap<i32, u32>,
    /// The last intervals that OSDs ended cleanly.
    pub new_last_clean_interval: BTreeMap<i32, (u32, u32)>,
    /// OSDs declared lost, and when.
    pub new_lost: BTreeMap<i32, u32>,
    /// A cluster snapshot, long unused.
    pub cluster_snapshot: Name,
    /// OSDs' own ids.
    pub new_uuid: BTreeMap<i32, Fsid>,
    /// More about OSDs.
    pub new_xinfo: BTreeMap<i32, OsdXInfo>,
    /// The features the monitors share: those of [`Incremental::full_crc`].
    pub encode_features: Features,
    /// Negative when it did not change.
    pub new_nearfull_ratio: f32,
    /// Negative when it did not change.
    pub new_full_ratio: f32,
    /// Negative when it did not change.
    pub new_backfillfull_ratio: f32,
    /// The oldest release whose clients are let in.
    pub new_require_min_compat_client: Option<u8>,
    /// By CRUSH node: state bits of all of its OSDs; 0 ends that.
    pub new_crush_node_flags: BTreeMap<i32, u32>,
    /// By device class: state bits of all of its OSDs; 0 ends that.
    pub new_device_class_flags: BTreeMap<i32, u32>,
    /// How a stretched cluster stands.
    pub new_stretch: Option<StretchMode>,
    /// Whether Crimson OSDs may join.
    pub new_allow_crimson: Option<bool>,
}

impl Default for ServerChange {
    fn default() -> Self {
        Self {
            new_hb_back_up: BTreeMap::new(),
            new_hb_front_up: BTreeMap::new(),
            new_up_cluster: BTreeMap::new(),
            new_up_thru: BTreeMap::new(),
            new_last_clean_interval: BTreeMap::new(),
            new_lost: BTreeMap::new(),
            cluster_snapshot: Name::default(),
            new_uuid: BTreeMap::new(),
            new_xinfo: BTreeMap::new(),
            encode_features: Features::NONE,
            new_nearfull_ratio: -1.0,
            new_full_ratio: -1.0,
            new_backfillfull_ratio: -1.0,
            new_require_min_compat_client: None,
            new_crush_node_flags: BTreeMap::new(),
            new_device_class_flags: BTreeMap::new(),
            new_stretch: None,
            new_allow_crimson: None,
        }
    }
}
