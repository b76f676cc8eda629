//! Pools: `pg_pool_t`.
//!
//! Facts: `osd/osd_types.h`, `osd/osd_types.cc`.

use super::snaps::SnapIntervals;
use crate::primitives::codec;
use crate::{EVersion, Name, PgId, UTime};
use alloc::collections::{BTreeMap, BTreeSet};
use bytes::Bytes;

/// How a pool keeps its objects safe (`pg_pool_t::TYPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolType(pub u8);

impl PoolType {
    /// Whole copies. The OSDs of a placement group have no fixed positions.
    pub const REPLICATED: Self = Self(1);
    /// Erasure-coded shards. A placement group's OSDs are known by position, which may be empty.
    pub const ERASURE: Self = Self(3);
}

/// Properties of a pool as bits of [`Pool::flags`] (`pg_pool_t::FLAG_*`).
pub mod pool_flags {
    /// Pools of one placement rule are placed independently of each other.
    pub const HASHPSPOOL: u64 = 1;
    /// No write is accepted.
    pub const FULL: u64 = 1 << 1;
    /// Full because of a quota.
    pub const FULL_QUOTA: u64 = 1 << 10;
    /// Close to full.
    pub const NEARFULL: u64 = 1 << 11;
    /// Too full for backfill.
    pub const BACKFILLFULL: u64 = 1 << 12;
    /// Snapshots are made by clients.
    pub const SELFMANAGED_SNAPS: u64 = 1 << 13;
    /// Snapshots are made of the whole pool.
    pub const POOL_SNAPS: u64 = 1 << 14;
    /// Placement groups are still being made.
    pub const CREATING: u64 = 1 << 15;
    /// Every operation gets EIO.
    pub const EIO: u64 = 1 << 16;
    /// The pool is expected to grow large.
    pub const BULK: u64 = 1 << 17;
    /// For OSDs of the Crimson kind only.
    pub const CRIMSON: u64 = 1 << 18;
    /// Erasure coding with partial writes: some shards can not be primary.
    pub const EC_OPTIMIZATIONS: u64 = 1 << 19;
}

/// A snapshot of a whole pool (`pool_snap_info_t`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PoolSnap {
    /// The snapshot's number.
    pub id: u64,
    /// When it was made.
    pub stamp: UTime,
    /// Its name.
    pub name: Name,
}

/// How the last merge of placement groups went (`pg_merge_meta_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PgMergeMeta {
    /// The group that ended.
    pub source: PgId,
    /// When both were ready.
    pub ready_epoch: u32,
    /// When both had last started.
    pub last_epoch_started: u32,
    /// When both were last clean.
    pub last_epoch_clean: u32,
    /// The last version of the ended group.
    pub source_version: EVersion,
    /// The last version of the group it went into.
    pub target_version: EVersion,
}

codec!(PgMergeMeta {
    source,
    ready_epoch,
    last_epoch_started,
    last_epoch_clean,
    source_version,
    target_version
});

/// What a pool of a stretched cluster asks of its OSDs' places in the CRUSH hierarchy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeeringCrush {
    /// How many buckets must take part.
    pub bucket_count: u32,
    /// How many are aimed at.
    pub bucket_target: u32,
    /// The type of those buckets.
    pub bucket_barrier: u32,
    /// A bucket that must be among them, [`crate::osdmap::ITEM_NONE`] for none.
    pub mandatory_member: i32,
}

codec!(PeeringCrush { bucket_count, bucket_target, bucket_barrier, mandatory_member });

/// Settings of a cache pool. Clients only follow [`Pool::read_tier`] and [`Pool::write_tier`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "names and meanings are those of pg_pool_t; no code here uses them")]
pub struct CacheSettings {
    pub mode: u8,
    pub hit_set_period: u32,
    pub hit_set_count: u32,
    pub hit_set_grade_decay_rate: u32,
    pub hit_set_search_last_n: u32,
    pub use_gmt_hitset: bool,
    pub target_max_bytes: u64,
    pub target_max_objects: u64,
    pub target_dirty_ratio_micro: u32,
    pub target_dirty_high_ratio_micro: u32,
    pub target_full_ratio_micro: u32,
    pub min_flush_age: u32,
    pub min_evict_age: u32,
    pub min_read_recency_for_promote: u32,
    pub min_write_recency_for_promote: u32,
    /// The whole section, not looked into.
    pub(super) hit_set_params: Bytes,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            mode: 0,
            hit_set_period: 0,
            hit_set_count: 0,
            hit_set_grade_decay_rate: 0,
            hit_set_search_last_n: 0,
            use_gmt_hitset: true,
            target_max_bytes: 0,
            target_max_objects: 0,
            target_dirty_ratio_micro: 400_000,
            target_dirty_high_ratio_micro: 600_000,
            target_full_ratio_micro: 800_000,
            min_flush_age: 0,
            min_evict_age: 0,
            min_read_recency_for_promote: 0,
            min_write_recency_for_promote: 0,
            // Version 1 of no kind of hit set.
            hit_set_params: Bytes::from_static(&[1, 1, 1, 0, 0, 0, 0]),
        }
    }
}

/// A pool (`pg_pool_t`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Copies or shards.
    pub kind: PoolType,
    /// How many of them.
    pub size: u8,
    /// The CRUSH rule that places the pool's groups.
    pub crush_rule: u8,
    /// How object names are hashed: 2 = rjenkins, 1 = as Linux hashes directory entries.
    pub object_hash: u8,
    /// How many placement groups there are.
    pub pg_num: u32,
    /// How many placement groups are placed apart; the others lie where their parents do.
    pub pgp_num: u32,
    /// When this pool last changed.
    pub last_change: u32,
    /// The newest snapshot's number.
    pub snap_seq: u64,
    /// When [`Pool::snap_seq`] last changed.
    pub snap_epoch: u32,
    /// Snapshots of the whole pool.
    pub snaps: BTreeMap<u64, PoolSnap>,
    /// Snapshots that are gone; not used any more since Octopus.
    pub removed_snaps: SnapIntervals,
    /// An owner, long unused.
    pub auid: u64,
    /// A set of [`pool_flags`].
    pub flags: u64,
    /// Fewest copies or shards with which operations are served.
    pub min_size: u8,
    /// Bytes after which the pool is full, 0 for no bound.
    pub quota_max_bytes: u64,
    /// Objects after which the pool is full, 0 for no bound.
    pub quota_max_objects: u64,
    /// The cache pools in front of this one.
    pub tiers: BTreeSet<u64>,
    /// The pool this one is a cache of, -1 for none.
    pub tier_of: i64,
    /// Where reads go instead, -1 for nowhere else.
    pub read_tier: i64,
    /// Where writes go instead, -1 for nowhere else.
    pub write_tier: i64,
    /// Settings of a cache pool.
    pub cache: CacheSettings,
    /// Long unused.
    pub properties: BTreeMap<Name, Name>,
    /// Bytes of an erasure-coded stripe, 0 in a replicated pool.
    pub stripe_width: u32,
    /// The name of the erasure code profile.
    pub erasure_code_profile: Name,
    /// As [`Pool::last_force_op_resend`], for clients before Luminous.
    pub last_force_op_resend_preluminous: u32,
    /// As [`Pool::last_force_op_resend`], for clients before Nautilus.
    pub last_force_op_resend_prenautilus: u32,
    /// Clients send operations again that were sent before this epoch.
    pub last_force_op_resend: u32,
    /// What the user said.
    pub expected_num_objects: u64,
    /// Whether reads of erasure-coded objects ask all shards.
    pub fast_read: bool,
    /// Which applications use the pool, and their notes.
    pub application_metadata: BTreeMap<Name, BTreeMap<Name, Name>>,
    /// When the pool was made.
    pub create_time: UTime,
    /// Where [`Pool::pg_num`] is heading.
    pub pg_num_target: u32,
    /// Where [`Pool::pgp_num`] is heading.
    pub pgp_num_target: u32,
    /// What [`Pool::pg_num`] is about to be: less when groups are about to merge.
    pub pg_num_pending: u32,
    /// Who sets [`Pool::pg_num`]: 0 the user, 1 the user, warned, 2 the cluster.
    pub autoscale_mode: u8,
    /// The last merge.
    pub last_pg_merge: PgMergeMeta,
    /// In a stretched cluster.
    pub peering_crush: Option<PeeringCrush>,
    /// Bit n: shard n can not be primary (`nonprimary_shards`).
    pub nonprimary_shards: u128,
    /// More settings, a whole section, not looked into.
    pub(super) opts: Bytes,
}

impl Pool {
    /// A replicated pool as a new cluster makes it.
    #[must_use]
    pub fn replicated(size: u8, pg_num: u32, crush_rule: u8) -> Self {
        Self {
            kind: PoolType::REPLICATED,
            size,
            crush_rule,
            object_hash: 2,
            pg_num,
            pgp_num: pg_num,
            last_change: 0,
            snap_seq: 0,
            snap_epoch: 0,
            snaps: BTreeMap::new(),
            removed_snaps: SnapIntervals::default(),
            auid: 0,
            flags: pool_flags::HASHPSPOOL,
            min_size: size - size / 2,
            quota_max_bytes: 0,
            quota_max_objects: 0,
            tiers: BTreeSet::new(),
            tier_of: -1,
            read_tier: -1,
            write_tier: -1,
            cache: CacheSettings::default(),
            properties: BTreeMap::new(),
            stripe_width: 0,
            erasure_code_profile: Name::default(),
            last_force_op_resend_preluminous: 0,
            last_force_op_resend_prenautilus: 0,
            last_force_op_resend: 0,
            expected_num_objects: 0,
            fast_read: false,
            application_metadata: BTreeMap::new(),
            create_time: UTime::default(),
            pg_num_target: pg_num,
            pgp_num_target: pg_num,
            pg_num_pending: pg_num,
            autoscale_mode: 0,
            last_pg_merge: PgMergeMeta::default(),
            peering_crush: None,
            nonprimary_shards: 0,
            // Version 2 of no options.
            opts: Bytes::from_static(&[2, 1, 4, 0, 0, 0, 0, 0, 0, 0]),
        }
    }

    /// An erasure-coded pool of `size` shards, `min_size` of which must be there.
    #[must_use]
    pub fn erasure(size: u8, min_size: u8, pg_num: u32, crush_rule: u8) -> Self {
        Self { kind: PoolType::ERASURE, min_size, ..Self::replicated(size, pg_num, crush_rule) }
    }

    /// Whether all of `mask`'s [`pool_flags`] are set.
    #[must_use]
    pub const fn has_flag(&self, mask: u64) -> bool {
        self.flags & mask == mask
    }

    /// Whether OSDs may move up in the order when one before them is missing (`can_shift_osds`).
    #[must_use]
    pub fn can_shift_osds(&self) -> bool {
        self.kind == PoolType::REPLICATED
    }

    /// Whether the shard can not be primary.
    #[must_use]
    pub const fn is_nonprimary_shard(&self, shard: usize) -> bool {
        shard < 128 && self.nonprimary_shards >> shard & 1 == 1
    }
}
