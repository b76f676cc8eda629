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
    pg_num: u32,
    pg_num_pending: u32,
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
            pg_num: pool.pg_num,
            pg_num_pending: pool.pg_num_pending,
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
        let same = Self { pg_num: old.pg_num, pg_num_pending: old.pg_num_pending, ..self.clone() };
        same != *old
            || splits_or_merges(old.pg.seed, old.pg_num, self.pg_num)
            || splits_or_merges(old.pg.seed, old.pg_num_pending, self.pg_num_pending)
    }
}

/// Whether a group splits, is merged away or takes in another one when the number of groups changes.
fn splits_or_merges(seed: u32, old: u32, new: u32) -> bool {
    match new > old {
        true => seed < old && has_children(seed, old, new),
        false => (new..old).contains(&seed) || seed < new && has_children(seed, new, old),
    }
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

    /// Children by definition: numbers that a smaller modulus maps onto the group.
    fn children(seed: u32, few: u32, many: u32) -> bool {
        (few..many).any(|child| stable_mod(child, few) == seed)
    }

    #[test]
    fn splits_and_merges_are_those_of_stable_mod() {
        for old in 1..40 {
            for new in 1..40 {
                for seed in 0..old {
                    let expected = match new > old {
                        true => children(seed, old, new),
                        false => seed >= new || children(seed, new, old),
                    };
                    assert_eq!(splits_or_merges(seed, old, new), expected, "{seed} {old} {new}");
                }
            }
        }
    }

    #[test]
    fn extreme_numbers_end() {
        assert!(splits_or_merges(0, 1, u32::MAX));
        assert!(!splits_or_merges(0, 0, u32::MAX));
        assert!(splits_or_merges(5, u32::MAX, 0));
        assert!(splits_or_merges(1, 3, u32::MAX));
    }
}
