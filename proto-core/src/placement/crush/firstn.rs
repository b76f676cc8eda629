//! Choosing without gaps: failed places are closed up (replicated pools).
//!
//! Facts: `crush/mapper.c` of Ceph.

use super::choose::{Exhausted, Node, Walk};
use alloc::vec::Vec;

/// One `CHOOSE_FIRSTN` or `CHOOSELEAF_FIRSTN` step for one item of the working list.
#[derive(Clone, Copy)]
pub(super) struct Firstn {
    /// Places to fill.
    pub numrep: u32,
    /// The type of the items to choose.
    pub item_type: i32,
    /// Tries per place.
    pub tries: u32,
    /// Tries per place of the descent to a device; none if there is no such descent.
    pub leaf_tries: Option<u32>,
    pub local_tries: u32,
    pub local_fallback_tries: u32,
    pub vary_r: u32,
    pub stable: bool,
}

/// What a place got: the item, and the device below it if one was asked for.
type Picked = Option<(i32, Option<i32>)>;

/// What one try came to.
enum Try {
    Picked(i32, Option<i32>),
    /// The item is taken already.
    Collision,
    /// The item is out, empty, or has no device to offer.
    Rejected,
    /// There is no way to the type wanted: the place is given up.
    DeadEnd,
    /// The item is a bucket above the type wanted.
    Deeper(i32),
}

impl<'a> Walk<'a> {
    /// Appends up to `count` items to `out`, and the devices below them to `leaves`, from places
    /// of their own that start at the lengths given here.
    pub fn firstn(
        &mut self,
        root: Node<'a>,
        step: &Firstn,
        count: usize,
        out: &mut Vec<i32>,
        leaves: &mut Vec<i32>,
    ) -> Result<(), Exhausted> {
        let (base, leaf_base) = (out.len(), leaves.len());
        for rep in 0..step.numrep {
            if out.len() - base >= count {
                break;
            }
            let taken = (&out[base..], &leaves[leaf_base..]);
            if let Some((item, leaf)) = self.pick(root, step, rep, 0, taken)? {
                out.push(item);
                leaves.extend(leaf);
            }
        }
        Ok(())
    }

    /// Fills one place with an item that is not `taken` (items, leaves).
    fn pick(
        &mut self,
        root: Node<'a>,
        step: &Firstn,
        rep: u32,
        parent_r: u32,
        taken: (&[i32], &[i32]),
    ) -> Result<Picked, Exhausted> {
        let mut failures = 0u32;
        loop {
            let mut node = root;
            let mut local_failures = 0u32;
            // Until this descent is given up for a new one from the top.
            loop {
                let r = rep.wrapping_add(parent_r).wrapping_add(failures);
                let collided = match self.attempt(node, step, r, local_failures, taken)? {
                    Try::Picked(item, leaf) => return Ok(Some((item, leaf))),
                    Try::DeadEnd => return Ok(None),
                    Try::Deeper(id) => match self.node(id) {
                        None => return Ok(None),
                        Some(deeper) => {
                            node = deeper;
                            continue;
                        }
                    },
                    Try::Collision => true,
                    Try::Rejected => false,
                };
                failures = failures.wrapping_add(1);
                local_failures = local_failures.wrapping_add(1);
                let fallback = step.local_fallback_tries;
                let again_here = (collided && local_failures <= step.local_tries)
                    || (fallback > 0 && local_failures <= (node.bucket.len() as u32).wrapping_add(fallback));
                if again_here {
                    continue;
                }
                if failures < step.tries {
                    break;
                }
                return Ok(None);
            }
        }
    }

    /// Chooses once in one bucket.
    fn attempt(
        &mut self,
        node: Node<'a>,
        step: &Firstn,
        r: u32,
        local_failures: u32,
        taken: (&[i32], &[i32]),
    ) -> Result<Try, Exhausted> {
        let half = node.bucket.len() as u32 / 2;
        let fallback = step.local_fallback_tries;
        let item = if fallback > 0 && local_failures >= half && local_failures > fallback {
            self.choose_by_permutation(node, r)?
        } else {
            self.choose(node, r, taken.0.len())?
        };
        let Some(item) = item else {
            return Ok(Try::Rejected);
        };
        if item >= self.map.max_devices {
            return Ok(Try::DeadEnd);
        }
        match self.type_of(item) {
            Some(item_type) if item_type == step.item_type => {}
            Some(_) if item < 0 => return Ok(Try::Deeper(item)),
            _ => return Ok(Try::DeadEnd),
        }
        if taken.0.contains(&item) {
            return Ok(Try::Collision);
        }
        let leaf = match step.leaf_tries {
            None => None,
            Some(_) if item >= 0 => Some(item),
            Some(tries) => match self.leaf_below(item, step, tries, r, taken.1)? {
                None => return Ok(Try::Rejected),
                leaf => leaf,
            },
        };
        if step.item_type == 0 && self.is_out(item) {
            return Ok(Try::Rejected);
        }
        Ok(Try::Picked(item, leaf))
    }

    /// Chooses a device below `item` that is not among `leaves`.
    fn leaf_below(
        &mut self,
        item: i32,
        step: &Firstn,
        tries: u32,
        r: u32,
        leaves: &[i32],
    ) -> Result<Option<i32>, Exhausted> {
        let Some(node) = self.node(item) else {
            return Ok(None);
        };
        let parent_r = match step.vary_r {
            0 => 0,
            vary_r => (r as i32).wrapping_shr(vary_r - 1) as u32,
        };
        let rep = if step.stable { 0 } else { leaves.len() as u32 };
        let below = Firstn { item_type: 0, tries, leaf_tries: None, ..*step };
        Ok(self.pick(node, &below, rep, parent_r, (leaves, &[]))?.map(|(device, _)| device))
    }
}
