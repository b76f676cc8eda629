//! Changing the weight of an item, with all that follows from it.
//!
//! A bucket's weight is that of an item in the buckets that hold it, and so on up to the roots; shadow trees of device
//! classes hold the same devices and follow by themselves. Replacement weights ([`ChooseArgs`]) are to add up likewise:
//! once a map has some for one bucket, a change gives some to all buckets.
//!
//! Facts: `crush/CrushWrapper.cc` (`adjust_item_weight`, `choose_args_adjust_item_weight`) and `crush/builder.c` of Ceph.
//! Where lists of replacement weights differ in number, sums are not passed on and results depend on the order of
//! changes, so the order is Ceph's.

use super::straw::straw_lengths;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec;
use alloc::vec::Vec;
use linger_wire::crush::{Bucket, BucketAlg, ChooseArgs, CrushMap};

/// Levels of a hierarchy that a change is passed up; Ceph has names for twelve.
const LEVELS_MAX: u32 = 64;
/// Changes of replacement weights under way at once.
const CHANGES_MAX: usize = 1 << 20;
/// Items looked at for one map: seconds. 10,000 devices in one bucket take 100 million.
const ITEMS_MAX: u64 = 1 << 32;

/// Sets the `weight` (16.16 fixed point) of devices that now have a weight which `which` selects: of those from device 0
/// to before `end`, in order.
///
/// A device has the weight that the first bucket with it gives it; all buckets with it change. Devices in no bucket are
/// passed over. A map in which buckets hold one another in a circle, or that asks for absurd amounts of work, is left
/// half changed.
pub fn set_weights(map: &mut CrushMap, end: i32, weight: u32, which: impl Fn(u32) -> bool) {
    let mut adjuster = Adjuster::new(map);
    let devices: Vec<_> = adjuster.places.range(0..end.max(0)).map(|(device, _)| *device).collect();
    for device in devices {
        if adjuster.weight(device).is_some_and(&which) && adjuster.device(device, weight).is_err() {
            return;
        }
    }
}

/// The map has a circle, or is too much work.
struct Exhausted;

struct Adjuster<'a> {
    map: &'a mut CrushMap,
    /// By item: the slots of the buckets that hold it, with how many times they do.
    places: BTreeMap<i32, BTreeMap<usize, u32>>,
    /// By pool: slots of buckets that have no replacement weights.
    missing: BTreeMap<i64, BTreeSet<usize>>,
    /// Whether all replacement weights are known to add up, as far as they can.
    settled: bool,
    items_left: u64,
}

impl<'a> Adjuster<'a> {
    fn new(map: &'a mut CrushMap) -> Self {
        let mut places = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (slot, bucket) in buckets(map) {
            for item in bucket.items() {
                *places.entry(item).or_default().entry(slot).or_default() += 1;
            }
        }
        let without = |args: &ChooseArgs| {
            buckets(map).map(|(slot, _)| slot).filter(|slot| lists_of(args, *slot).is_none()).collect()
        };
        let missing: BTreeMap<_, _> =
            map.choose_args.iter().map(|(pool, args)| (*pool, without(args))).collect();
        let settled = missing.is_empty();
        Self { map, places, missing, settled, items_left: ITEMS_MAX }
    }

    /// The weight of an item in the first bucket that holds it.
    fn weight(&self, item: i32) -> Option<u32> {
        let (slot, _) = self.places.get(&item)?.first_key_value()?;
        let bucket = self.map.buckets.get(*slot)?.as_ref()?;
        bucket.item_weight(bucket.items().position(|i| i == item)?)
    }

    fn device(&mut self, device: i32, weight: u32) -> Result<(), Exhausted> {
        let missing = |adjuster: &Self| adjuster.missing.values().map(BTreeSet::len).sum::<usize>();
        let before = missing(self);
        self.adjust(device, weight, true, LEVELS_MAX)?;
        // New lists of replacement weights can be passed on too late for some sums.
        self.settled |= missing(self) == before;
        Ok(())
    }

    /// Sets the weight of an item wherever it is; its replacement weights too if `replace`.
    fn adjust(&mut self, item: i32, weight: u32, replace: bool, levels: u32) -> Result<(), Exhausted> {
        let levels = levels.checked_sub(1).ok_or(Exhausted)?;
        let places = self.places.get(&item).cloned().unwrap_or_default();
        // Ceph lets the sums of all buckets add up at each change.
        let slots: Vec<_> = if self.settled {
            places.keys().copied().collect()
        } else {
            buckets(self.map).map(|(slot, _)| slot).collect()
        };
        for slot in slots {
            for _ in 0..places.get(&slot).copied().unwrap_or_default() {
                let total = self.set_in_bucket(slot, item, weight, replace)?;
                self.adjust(id_of(slot), total, false, levels)?;
            }
            self.pass_sums_on(slot)?;
        }
        Ok(())
    }

    /// Returns the weight of the bucket.
    fn set_in_bucket(
        &mut self,
        slot: usize,
        item: i32,
        weight: u32,
        replace: bool,
    ) -> Result<u32, Exhausted> {
        let Some(bucket) = self.map.buckets.get_mut(slot).and_then(Option::as_mut) else { return Ok(0) };
        pay(&mut self.items_left, bucket.len())?;
        let Some(index) = bucket.items().position(|i| i == item) else { return Ok(bucket.weight) };
        set_weight(bucket, index, weight, self.map.tunables.straw_calc_version);
        let args = self.map.choose_args.values_mut().filter(|_| replace);
        for list in args.filter_map(|args| lists_of_mut(args, slot)).flatten() {
            if let Some(replaced) = list.get_mut(index) {
                *replaced = weight;
            }
        }
        Ok(bucket.weight)
    }

    /// Makes the sums of a bucket's replacement weights those of its items in other buckets.
    fn pass_sums_on(&mut self, slot: usize) -> Result<(), Exhausted> {
        let pools: Vec<_> = self.missing.keys().copied().collect();
        for pool in pools {
            if let Some(sums) = self.sums(pool, slot)? {
                self.replace(pool, id_of(slot), sums)?;
            }
        }
        Ok(())
    }

    /// The sum of each list of a bucket's replacement weights, if it has any.
    fn sums(&mut self, pool: i64, slot: usize) -> Result<Option<Vec<u32>>, Exhausted> {
        let Some(lists) = self.map.choose_args.get(&pool).and_then(|args| lists_of(args, slot)) else {
            pay(&mut self.items_left, 0)?;
            return Ok(None);
        };
        pay(&mut self.items_left, lists.iter().map(Vec::len).sum())?;
        let sum = |list: &Vec<u32>| list.iter().fold(0, |sum: u32, weight| sum.wrapping_add(*weight));
        Ok(Some(lists.iter().map(sum).collect()))
    }

    /// Replaces the weights of an item wherever it is, by position, then those of the buckets that changed by that.
    /// Buckets without replacement weights get some.
    fn replace(&mut self, pool: i64, item: i32, weights: Vec<u32>) -> Result<(), Exhausted> {
        // Not recursive: there is a change under way for each bucket that gets its first replacement weights.
        let mut changes = vec![Change { item, weights, next_slot: 0 }];
        while let Some(change) = changes.last_mut() {
            let places = self.places.get(&change.item);
            let place =
                places.and_then(|places| places.range(change.next_slot..).next()).map(|place| *place.0);
            let missing = self.missing.get(&pool);
            let missing = missing.and_then(|slots| slots.range(change.next_slot..).next()).copied();
            let Some(slot) = place.into_iter().chain(missing).min() else {
                changes.pop();
                continue;
            };
            change.next_slot = slot + 1;
            let Change { item, weights, .. } = change;
            if !self.replace_in_bucket(pool, slot, *item, weights)? {
                continue;
            }
            if changes.len() >= CHANGES_MAX {
                return Err(Exhausted);
            }
            if let Some(weights) = self.sums(pool, slot)? {
                changes.push(Change { item: id_of(slot), weights, next_slot: 0 });
            }
        }
        Ok(())
    }

    /// Returns whether the bucket's replacement weights changed or are new.
    fn replace_in_bucket(
        &mut self,
        pool: i64,
        slot: usize,
        item: i32,
        weights: &[u32],
    ) -> Result<bool, Exhausted> {
        let Some(bucket) = self.map.buckets.get(slot).and_then(Option::as_ref) else { return Ok(false) };
        let Some(args) = self.map.choose_args.get_mut(&pool) else { return Ok(false) };
        pay(&mut self.items_left, bucket.len())?;
        let new = self.missing.get_mut(&pool).is_some_and(|missing| missing.remove(&slot));
        if new {
            let positions = args.0.values().map(|arg| arg.weight_set.len()).find(|len| *len > 0).unwrap_or(1);
            pay(&mut self.items_left, bucket.len().saturating_mul(positions))?;
            let own: Vec<_> = (0..bucket.len()).map(|n| bucket.item_weight(n).unwrap_or_default()).collect();
            let arg = args.0.entry(slot as u32).or_default();
            arg.weight_set = vec![own; positions];
        }
        // Where their numbers differ, even a new list is not passed on.
        let Some(lists) = lists_of_mut(args, slot).filter(|lists| lists.len() == weights.len()) else {
            return Ok(false);
        };
        let indices: Vec<_> =
            bucket.items().enumerate().filter(|(_, i)| *i == item).map(|(index, _)| index).collect();
        for (list, weight) in lists.iter_mut().zip(weights) {
            for index in &indices {
                if let Some(replaced) = list.get_mut(*index) {
                    *replaced = *weight;
                }
            }
        }
        Ok(new || !indices.is_empty())
    }
}

/// A change of an item's replacement weights, done in the buckets before a slot.
struct Change {
    item: i32,
    weights: Vec<u32>,
    next_slot: usize,
}

fn buckets(map: &CrushMap) -> impl Iterator<Item = (usize, &Bucket)> {
    map.buckets.iter().enumerate().filter_map(|(slot, bucket)| Some((slot, bucket.as_ref()?)))
}

/// The id of the bucket in a slot.
fn id_of(slot: usize) -> i32 {
    !(slot as i32)
}

fn lists_of(args: &ChooseArgs, slot: usize) -> Option<&Vec<Vec<u32>>> {
    let arg = args.0.get(&(slot as u32))?;
    Some(&arg.weight_set).filter(|lists| !lists.is_empty())
}

fn lists_of_mut(args: &mut ChooseArgs, slot: usize) -> Option<&mut Vec<Vec<u32>>> {
    let arg = args.0.get_mut(&(slot as u32))?;
    Some(&mut arg.weight_set).filter(|lists| !lists.is_empty())
}

/// Accounts for looking at `items` items.
fn pay(items_left: &mut u64, items: usize) -> Result<(), Exhausted> {
    *items_left = items_left.checked_sub(items as u64 + 1).ok_or(Exhausted)?;
    Ok(())
}

/// Sets the weight of the item at a place, with what the bucket computes from it. Sums wrap, as in Ceph.
fn set_weight(bucket: &mut Bucket, index: usize, weight: u32, straw_calc_version: u8) {
    let len = bucket.len();
    let more = weight.wrapping_sub(bucket.item_weight(index).unwrap_or_default());
    bucket.weight = bucket.weight.wrapping_add(more);
    match &mut bucket.alg {
        // All items have the same.
        BucketAlg::Uniform { item_weight, .. } => {
            *item_weight = weight;
            bucket.weight = weight.wrapping_mul(len as u32);
        }
        BucketAlg::List(items) => {
            let mut items = items.iter_mut().skip(index).peekable();
            if let Some(item) = items.peek_mut() {
                item.weight = weight;
            }
            items.for_each(|item| item.sum = item.sum.wrapping_add(more));
        }
        BucketAlg::Tree { node_weights, .. } => add_to_nodes(node_weights, index, len, more),
        BucketAlg::Straw(items) => {
            if let Some(item) = items.get_mut(index) {
                item.weight = weight;
            }
            let weights: Vec<_> = items.iter().map(|item| item.weight).collect();
            let straws = straw_lengths(&weights, straw_calc_version);
            items.iter_mut().zip(straws).for_each(|(item, straw)| item.straw = straw);
        }
        BucketAlg::Straw2(items) => {
            if let Some(item) = items.get_mut(index) {
                item.weight = weight;
            }
        }
    }
}

/// Adds to the weights of an item's leaf and of all nodes above it.
fn add_to_nodes(nodes: &mut [u32], index: usize, len: usize, more: u32) {
    let mut node = 2 * index + 1;
    let mut half = 1;
    // The root is in the middle of the smallest tree that holds all items.
    let root = len.next_power_of_two();
    loop {
        if let Some(weight) = nodes.get_mut(node) {
            *weight = weight.wrapping_add(more);
        }
        if half >= root {
            return;
        }
        // Nodes of a level are odd multiples of `half`; a parent is the even one in between.
        node = if node & (2 * half) == 0 { node + half } else { node - half };
        half *= 2;
    }
}
