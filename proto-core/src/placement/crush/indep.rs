//! Choosing at fixed places: a failed place stays a gap (erasure-coded pools).
//!
//! Facts: `crush/mapper.c` of Ceph.

use super::choose::{Exhausted, Node, Walk};
use linger_wire::crush::{BucketAlg, ITEM_NONE};

/// A place that is still to be filled.
const UNDEFINED: i32 = ITEM_NONE - 1;

/// One `CHOOSE_INDEP` or `CHOOSELEAF_INDEP` step for one item of the working list.
#[derive(Clone, Copy)]
pub(super) struct Indep {
    /// Places of the whole step; not 0.
    pub numrep: u32,
    /// The type of the items to choose.
    pub item_type: i32,
    /// Rounds over the places.
    pub tries: u32,
    /// Rounds of the descent to a device; none if there is no such descent.
    pub leaf_tries: Option<u32>,
    /// What is added to the number of each place.
    pub parent_r: u32,
}

/// What one try to fill a place came to.
enum Try {
    Picked(i32),
    /// Another round may do better.
    Later,
    /// The place stays empty for good.
    DeadEnd,
}

impl<'a> Walk<'a> {
    /// Fills the places of `out`, of which the first has the number `first`, and with the devices
    /// below them those of `leaves`, which is as long or empty.
    pub fn indep(
        &mut self,
        root: Node<'a>,
        step: &Indep,
        first: usize,
        out: &mut [i32],
        leaves: &mut [i32],
    ) -> Result<(), Exhausted> {
        out.fill(UNDEFINED);
        leaves.fill(UNDEFINED);
        let mut left = out.len();
        for round in 0..step.tries {
            if left == 0 {
                break;
            }
            for place in 0..out.len() {
                if out[place] != UNDEFINED {
                    continue;
                }
                let leaf = leaves.get_mut(place..=place).unwrap_or_default();
                out[place] = match self.fill(root, step, round, (first, place), out, leaf)? {
                    Try::Later => continue,
                    Try::Picked(item) => item,
                    Try::DeadEnd => {
                        leaf.fill(ITEM_NONE);
                        ITEM_NONE
                    }
                };
                left -= 1;
            }
        }
        for item in out.iter_mut().chain(leaves) {
            if *item == UNDEFINED {
                *item = ITEM_NONE;
            }
        }
        Ok(())
    }

    /// Tries to fill the place number `at.0 + at.1`.
    fn fill(
        &mut self,
        root: Node<'a>,
        step: &Indep,
        round: u32,
        at: (usize, usize),
        taken: &[i32],
        leaf: &mut [i32],
    ) -> Result<Try, Exhausted> {
        let mut node = root;
        let rep = at.0 + at.1;
        let (item, r) = loop {
            let uniform = matches!(node.bucket.alg, BucketAlg::Uniform { .. });
            // A permutation as long as a multiple of the stride would give the same items again.
            let stride = match (node.bucket.len() as u32).checked_rem(step.numrep) {
                Some(0) if uniform => step.numrep.wrapping_add(1),
                _ => step.numrep,
            };
            let r = (rep as u32).wrapping_add(step.parent_r).wrapping_add(stride.wrapping_mul(round));
            let Some(item) = self.choose(node, r, at.0)? else {
                return Ok(Try::Later);
            };
            if item >= self.map.max_devices {
                return Ok(Try::DeadEnd);
            }
            if self.type_of(item) == Some(step.item_type) {
                break (item, r);
            }
            // Devices have no node.
            match self.node(item) {
                None => return Ok(Try::DeadEnd),
                Some(deeper) => node = deeper,
            }
        };
        if taken.contains(&item) {
            return Ok(Try::Later);
        }
        if let Some(tries) = step.leaf_tries {
            match self.node(item) {
                None => leaf.fill(item),
                Some(node) => {
                    let below = Indep { item_type: 0, tries, leaf_tries: None, parent_r: r, ..*step };
                    self.indep(node, &below, rep, leaf, &mut [])?;
                    if leaf.first() == Some(&ITEM_NONE) {
                        return Ok(Try::Later);
                    }
                }
            }
        }
        if step.item_type == 0 && self.is_out(item) {
            return Ok(Try::Later);
        }
        Ok(Try::Picked(item))
    }
}
