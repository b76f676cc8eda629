//! CRUSH: from an input number to a list of devices, by a rule over a hierarchy of buckets.
//!
//! All arithmetic is equal to Ceph's, or a client would talk to the wrong OSDs. Maps come from the
//! network: whatever they hold, evaluation ends and does not panic.
//!
//! [`set_weights`] changes a map, again as Ceph does.
//!
//! Facts: `crush/mapper.c` of Ceph.

mod adjust;
mod choose;
mod firstn;
pub(super) mod hash;
mod indep;
mod ln;
mod msr;
mod rule;
mod straw;
#[cfg(test)]
mod tests;

pub use adjust::set_weights;
pub use hash::{hash2, hash3, hash4};
pub use straw::straw_lengths;

use alloc::vec::Vec;
use choose::Walk;
use linger_wire::crush::{ChooseArgs, CrushMap};

/// Maps the input `x` by the rule with number `rule`.
///
/// Returns at most `result_max` items, mostly devices; an empty place is
/// [`ITEM_NONE`](linger_wire::crush::ITEM_NONE). The list is empty if there is no such rule, and
/// shorter than asked for if the rule can not find enough. `weights` are those of the OSDs by id
/// (0x10000: in, 0 or absent: out). `choose_args` replaces bucket weights, see
/// [`CrushMap::choose_args_of`].
///
/// ```
/// use linger_core::placement::crush::map_rule;
/// use linger_wire::crush::*;
/// let items = (0..3).map(|item| Straw2Item { item, weight: 0x10000 }).collect();
/// let root = Bucket { bucket_type: 10, hash: 0, weight: 0x30000, alg: BucketAlg::Straw2(items) };
/// let step = |op, arg1| Step { op, arg1, arg2: 0 };
/// let steps = vec![step(StepOp::TAKE, -1), step(StepOp::CHOOSE_FIRSTN, 0), step(StepOp::EMIT, 0)];
/// let rule = Rule { ruleset: 0, rule_type: RuleType::REPLICATED, min_size: 1, max_size: 10, steps };
/// let map = CrushMap {
///     buckets: vec![Some(root)],
///     rules: vec![Some(rule)],
///     max_devices: 3,
///     ..CrushMap::default()
/// };
/// let mut osds = map_rule(&map, 0, 1234, 3, &[0x10000; 3], None);
/// osds.sort();
/// assert_eq!(osds, [0, 1, 2]);
/// ```
#[must_use]
pub fn map_rule(
    map: &CrushMap,
    rule: u32,
    x: u32,
    result_max: usize,
    weights: &[u32],
    choose_args: Option<&ChooseArgs>,
) -> Vec<i32> {
    let mut mapper = Mapper::new(map, weights);
    mapper.map_rule(rule, x, result_max, choose_args);
    mapper.buffers.result
}

/// Maps many inputs by one map without allocating for each.
pub struct Mapper<'a> {
    walk: Walk<'a>,
    buffers: Buffers,
}

impl<'a> Mapper<'a> {
    /// Prepares for mappings by `map` with the `weights` of the OSDs.
    #[must_use]
    pub fn new(map: &'a CrushMap, weights: &'a [u32]) -> Self {
        Self { walk: Walk::new(map, weights), buffers: Buffers::default() }
    }

    /// As [`map_rule`]. The result stands until the next call.
    pub fn map_rule(
        &mut self,
        rule: u32,
        x: u32,
        result_max: usize,
        choose_args: Option<&'a ChooseArgs>,
    ) -> &[i32] {
        self.buffers.result.clear();
        if let Some(rule) = self.walk.map.rule(rule) {
            self.walk.start(x, result_max, choose_args);
            // A mapping that asks for too much work has what was emitted until then.
            let _ = if rule.rule_type.is_msr() {
                self.walk.run_msr(rule, result_max, &mut self.buffers)
            } else {
                self.walk.run(rule, result_max, &mut self.buffers)
            };
        }
        &self.buffers.result
    }
}

/// Lists that evaluation works on.
#[derive(Default)]
struct Buffers {
    /// What was emitted.
    result: Vec<i32>,
    /// What the next step starts from.
    working: Vec<i32>,
    /// What the step has chosen.
    chosen: Vec<i32>,
    /// The devices below the chosen items; for an MSR rule, the items used by each step and place.
    leaves: Vec<i32>,
}
