//! The intervals in which a placement group's state is one and the same.
//!
//! What a client did in one interval is not known to hold in the next: operations are sent again, watches are
//! registered again.
//!
//! Facts: `PastIntervals::is_new_interval` and `pg_t::is_split` in `osd/osd_types.cc`, `Objecter::_calc_target`.

use super::object::{actual_pg, stable_mod};
use super::pg::{PgMapping, Placer};
use linger_wire::PgId;
use linger_wire::osdmap::{OsdMap, PeeringCrush, map_flags, pool_flags};

/// All that begins a new interval of a placement group when it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// The group.
    pub pg: PgId,
    /// Its OSDs.
    pub mapping: PgMapping,
    size: u8,
    min_size: u8,
    groups: Groups,
    sort_bitwise: bool,
    recovery_deletes: bool,
    ec_optimizations: bool,
    stretch: Option<PeeringCrush>,
    force_op_resend: u32,
}

impl Interval {
    /// The interval that the group is in at the map's epoch; `None` if there is no such pool.
    #[must_use]
    pub fn of(map: &OsdMap, pg: PgId) -> Option<Self> {
        Self::with(&mut Placer::new(map), map, pg)
    }

    /// As [`Interval::of`], with a placer of the same map.
    #[must_use]
    pub fn with(placer: &mut Placer<'_>, map: &OsdMap, pg: PgId) -> Option<Self> {
        let pool = map.pool(pg.pool)?;
        Some(Self {
            pg: actual_pg(pool, pg),
            mapping: placer.place(pg),
            size: pool.size,
            min_size: pool.min_size,
            groups: Groups { now: pool.pg_num, pending: pool.pg_num_pending },
            sort_bitwise: map.has_flag(map_flags::SORTBITWISE),
            recovery_deletes: map.has_flag(map_flags::RECOVERY_DELETES),
            ec_optimizations: pool.has_flag(pool_flags::EC_OPTIMIZATIONS),
            stretch: pool.peering_crush,
            force_op_resend: pool.last_force_op_resend,
        })
    }

    /// Whether an object that was in the group of `old` and is in this one needs its operations sent again.
    #[must_use]
    pub fn is_new_since(&self, old: &Self) -> bool {
        let same = Self { groups: old.groups, ..self.clone() };
        same != *old || self.groups.touch(&old.groups, old.pg.seed)
    }
}

/// How many groups the pool has, and how many it will have once the merge that was given notice of is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Groups {
    now: u32,
    pending: u32,
}

impl Groups {
    /// Whether a group that was there before splits, is merged away or takes in another one, or gets notice
    /// of a merge; a notice that is taken back is as good as one that is given.
    fn touch(&self, before: &Self, seed: u32) -> bool {
        splits_or_merges(seed, before.now, self.now) || splits_or_merges(seed, before.pending, self.pending)
    }
}

/// Whether a group is split or merged, into another or with one, on the way between two numbers of groups.
fn splits_or_merges(seed: u32, one: u32, other: u32) -> bool {
    let (few, many) = (one.min(other), one.max(other));
    (few..many).contains(&seed) || seed < few && has_children(seed, few, many)
}

/// Whether groups fall to `seed` again when the number of groups shrinks from `many` to `few`.
fn has_children(seed: u32, few: u32, many: u32) -> bool {
    if few == 0 {
        return false;
    }
    // All children have the lower bits of their parent, so they are this far apart or farther.
    let step = few.checked_ilog2().map_or(1, |bits| 1u32 << bits);
    let first = seed % step;
    (first..many).step_by(step as usize).any(|child| child >= few && stable_mod(child, few) == seed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// Children by definition: numbers that a smaller modulus maps onto the group.
    fn children(seed: u32, few: u32, many: u32) -> bool {
        (few..many).any(|child| stable_mod(child, few) == seed)
    }

    /// As Ceph has it, which knows splits and merges by their direction.
    fn expected(seed: u32, old: &Groups, new: &Groups) -> bool {
        let splits = |old, new| seed < old && children(seed, old, new);
        let merges = |old, new| (new..old).contains(&seed) || seed < new && children(seed, new, old);
        splits(old.now, new.now)
            || merges(old.now, new.now)
            || merges(old.pending, new.pending)
            || merges(new.pending, old.pending)
    }

    #[test]
    fn splits_and_merges_are_those_of_stable_mod() {
        for old in 1..40 {
            for new in 1..40 {
                let (old, new) = (Groups { now: old, pending: old }, Groups { now: new, pending: new });
                for seed in 0..old.now {
                    assert_eq!(new.touch(&old, seed), expected(seed, &old, &new), "{seed} {old:?} {new:?}");
                }
            }
        }
    }

    #[test]
    fn notices_of_merges_count_when_given_and_when_taken_back() {
        for now in [1, 7, 8, 24, 39] {
            for (old, new) in (1..40).flat_map(|old| (1..40).map(move |new| (old, new))) {
                let (old, new) = (Groups { now, pending: old }, Groups { now, pending: new });
                for seed in 0..now {
                    assert_eq!(new.touch(&old, seed), expected(seed, &old, &new), "{seed} {old:?} {new:?}");
                }
            }
        }
    }

    #[test]
    fn a_merge_that_is_backed_off_begins_an_interval_of_source_and_target() {
        let (all, fewer) = (Groups { now: 8, pending: 8 }, Groups { now: 8, pending: 7 });
        for (old, new) in [(all, fewer), (fewer, all)] {
            let moved: Vec<_> = (0..8).filter(|seed| new.touch(&old, *seed)).collect();
            assert_eq!(moved, [3, 7], "from {old:?} to {new:?}");
        }
    }

    #[test]
    fn extreme_numbers_end() {
        assert!(splits_or_merges(0, 1, u32::MAX));
        assert!(!splits_or_merges(0, 0, 0));
        assert!(splits_or_merges(0, 0, u32::MAX));
        assert!(splits_or_merges(5, u32::MAX, 0));
        assert!(splits_or_merges(1, 3, u32::MAX));
    }
}
