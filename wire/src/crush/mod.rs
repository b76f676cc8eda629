//! The CRUSH map: the cluster's hierarchy of buckets and the rules that pick devices from it.
//!
//! Facts: `crush/crush.h`, `crush/CrushWrapper.{h,cc}` of Ceph. The map has no version of its own:
//! parts were appended over the years and a reader takes what is there, which [`Extent`] records.
//!
//! Decoding checks structure only. Items may name buckets that do not exist or that contain one
//! another in a circle, weights may be anything: whoever evaluates a map has to bound its descent.

mod bucket;
mod codec;
mod rule;
#[cfg(test)]
mod tests;
mod tunables;

pub use bucket::{Bucket, BucketAlg, ListItem, Straw2Item, StrawItem};
pub use rule::{Rule, RuleType, Step, StepOp};
pub use tunables::Tunables;

use crate::Name;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What an empty place in a mapping holds (`CRUSH_ITEM_NONE`).
pub const ITEM_NONE: i32 = 0x7fff_ffff;

/// The most slots for buckets that a map may have here. With a shadow of each host for each class of devices
/// the largest clusters have some 10,000.
pub const MAX_BUCKETS: u32 = 1 << 18;

/// The most slots for rules that a map may have here. Ceph makes no more than 256 (`CRUSH_MAX_RULES`).
pub const MAX_RULES: u32 = 1 << 10;

/// A CRUSH map.
///
/// Decode it from a buffer of its own, as it stands in an OSDMap: how far it reaches is known only
/// from where the buffer ends.
///
/// ```
/// use linger_wire::crush::{Bucket, BucketAlg, CrushMap, Straw2Item};
/// use linger_wire::{Decode, Encode};
/// let items = (0..3).map(|item| Straw2Item { item, weight: 0x10000 }).collect();
/// let root = Bucket { bucket_type: 10, hash: 0, weight: 0x30000, alg: BucketAlg::Straw2(items) };
/// let map = CrushMap { buckets: vec![Some(root)], max_devices: 3, ..CrushMap::default() };
/// assert_eq!(map.bucket(-1).map(Bucket::len), Some(3));
/// assert_eq!(CrushMap::decode(&map.to_bytes()), Ok(map));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CrushMap {
    /// Buckets by slot: the bucket with id `-1 - n` is in slot `n`.
    pub buckets: Vec<Option<Bucket>>,
    /// Rules by number.
    pub rules: Vec<Option<Rule>>,
    /// All device ids are below this; items at or above it are never chosen.
    pub max_devices: i32,
    /// Names of bucket types; type 0 is the device.
    pub types: BTreeMap<i32, Name>,
    /// Names of buckets and devices.
    pub names: BTreeMap<i32, Name>,
    /// Names of rules.
    pub rule_names: BTreeMap<i32, Name>,
    /// How hard evaluation tries, and by which generation of the algorithm.
    pub tunables: Tunables,
    /// Device classes. Evaluation does not need them: rules take the shadow buckets.
    pub classes: Classes,
    /// Weights and ids that replace those of the buckets, by pool id, or under
    /// [`CrushMap::CHOOSE_ARGS_DEFAULT`] for all other pools.
    pub choose_args: BTreeMap<i64, ChooseArgs>,
    /// The last part that is encoded.
    pub extent: Extent,
}

impl CrushMap {
    /// The key of the [`ChooseArgs`] for pools that have none of their own.
    pub const CHOOSE_ARGS_DEFAULT: i64 = -1;

    /// The bucket with this (negative) id.
    #[must_use]
    pub fn bucket(&self, id: i32) -> Option<&Bucket> {
        // For negative ids `!id` is `-1 - id`, without overflow.
        usize::try_from(!id).ok().and_then(|slot| self.buckets.get(slot)?.as_ref())
    }

    /// The rule with this number.
    #[must_use]
    pub fn rule(&self, number: u32) -> Option<&Rule> {
        self.rules.get(number as usize)?.as_ref()
    }

    /// The replacement weights for a pool: its own, else the default ones, else none.
    #[must_use]
    pub fn choose_args_of(&self, pool: i64) -> Option<&ChooseArgs> {
        self.choose_args.get(&pool).or_else(|| self.choose_args.get(&Self::CHOOSE_ARGS_DEFAULT))
    }
}

/// Device classes ("ssd", "hdd") and the shadow buckets made for them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Classes {
    /// Device id to class id.
    pub of_device: BTreeMap<i32, i32>,
    /// Class id to name.
    pub names: BTreeMap<i32, Name>,
    /// Bucket id to class id to the id of the shadow bucket.
    pub shadows: BTreeMap<i32, BTreeMap<i32, i32>>,
}

/// Replacement weights and ids, by slot of the bucket (bucket id `-1 - slot`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChooseArgs(pub BTreeMap<u32, ChooseArg>);

impl ChooseArgs {
    /// The entry for the bucket with this (negative) id.
    #[must_use]
    pub fn get(&self, bucket_id: i32) -> Option<&ChooseArg> {
        self.0.get(&u32::try_from(!bucket_id).ok()?)
    }
}

/// What replaces a straw2 bucket's weights and ids.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ChooseArg {
    /// Weights (16.16) of the items by position in the result; later positions use the last list.
    /// Empty: the bucket's own.
    pub weight_set: Vec<Vec<u32>>,
    /// Ids to hash instead of those of the items. Empty: the items' own.
    pub ids: Vec<i32>,
}

/// The last optional part of an encoded map, in the order in which Ceph appended them.
///
/// A decoded map re-encodes to the same extent; parts beyond it have their default values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Extent {
    /// Buckets, rules and names only: legacy tunables apply.
    Base,
    /// The three numbers of tries (argonaut).
    Tries,
    /// `chooseleaf_descend_once` (bobtail).
    DescendOnce,
    /// `chooseleaf_vary_r` (firefly).
    VaryR,
    /// `straw_calc_version` (hammer).
    StrawCalc,
    /// `allowed_bucket_algs` (hammer).
    AllowedAlgs,
    /// `chooseleaf_stable` (jewel).
    Stable,
    /// Device classes (luminous).
    Classes,
    /// Replacement weights (luminous); what a reader without MSR gets today.
    ChooseArgs,
    /// `msr_descents` and `msr_collision_tries` (squid).
    #[default]
    Msr,
}
