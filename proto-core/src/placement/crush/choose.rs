//! One choice: an item of a bucket, and whether a device takes part.
//!
//! Facts: `crush/mapper.c` of Ceph. Where it would run into undefined behaviour (an id without a
//! bucket, a tree without nodes, a leaf beyond the items of a tree without weight), nothing is chosen.

use super::hash::{hash2, hash3, hash4};
use super::ln::ln;
use alloc::vec::Vec;
use linger_wire::crush::{
    Bucket, BucketAlg, ChooseArg, ChooseArgs, CrushMap, ListItem, Straw2Item, StrawItem,
};

/// The most items that one mapping looks at. Ceph has no such bound and a map may ask for years of
/// work; real mappings stay far below.
const DRAWS_MAX: usize = 1 << 24;

/// The mapping needs more than [`DRAWS_MAX`].
pub(super) struct Exhausted;

/// A bucket with its id.
#[derive(Clone, Copy)]
pub(super) struct Node<'a> {
    pub id: i32,
    pub bucket: &'a Bucket,
}

/// What all choices of one mapping share.
pub(super) struct Walk<'a> {
    pub map: &'a CrushMap,
    weights: &'a [u32],
    args: Option<&'a ChooseArgs>,
    x: u32,
    draws_left: usize,
    /// What a choice costs beside its draws, in draws: comparing with the places filled.
    overhead: usize,
    permutation: Permutation,
}

impl<'a> Walk<'a> {
    pub fn new(map: &'a CrushMap, weights: &'a [u32]) -> Self {
        let permutation = Permutation { of: None, done: 0, order: Vec::new() };
        Self { map, weights, args: None, x: 0, draws_left: 0, overhead: 1, permutation }
    }

    /// Starts a mapping.
    pub fn start(&mut self, x: u32, result_max: usize, args: Option<&'a ChooseArgs>) {
        self.x = x;
        self.args = args;
        self.draws_left = DRAWS_MAX;
        self.overhead = 1 + result_max / 4;
        self.permutation.of = None;
    }

    pub fn node(&self, id: i32) -> Option<Node<'a>> {
        let bucket = self.map.bucket(id)?;
        Some(Node { id, bucket })
    }

    /// The type of an item: 0 for a device, none for a bucket that does not exist.
    pub fn type_of(&self, item: i32) -> Option<i32> {
        if item >= 0 { Some(0) } else { self.map.bucket(item).map(|bucket| bucket.bucket_type.into()) }
    }

    /// Whether a device is out, wholly or for this input.
    pub fn is_out(&self, item: i32) -> bool {
        match usize::try_from(item).ok().and_then(|item| self.weights.get(item)) {
            None | Some(0) => true,
            Some(0x1_0000..) => false,
            Some(weight) => hash2(self.x, item as u32) & 0xffff >= *weight,
        }
    }

    /// Chooses an item by the bucket's algorithm; none if there is nothing to choose from.
    ///
    /// `position` selects the list of replacement weights.
    pub fn choose(&mut self, node: Node<'a>, r: u32, position: usize) -> Result<Option<i32>, Exhausted> {
        self.pay(node.bucket.len())?;
        let (x, id) = (self.x, node.id as u32);
        Ok(match &node.bucket.alg {
            BucketAlg::Uniform { items, .. } => self
                .permutation
                .element(x, node.id, items.len(), r)
                .and_then(|index| items.get(index).copied()),
            BucketAlg::List(items) => list(items, x, id, r),
            BucketAlg::Tree { items, node_weights } => tree(items, node_weights, x, id, r),
            BucketAlg::Straw(items) => straw(items, x, r),
            BucketAlg::Straw2(items) => match self.args.and_then(|args| args.get(node.id)) {
                None => straw2(items, x, r),
                Some(arg) => straw2_replaced(items, arg, x, r, position),
            },
        })
    }

    /// Chooses an item by permutation, whatever the bucket's algorithm.
    pub fn choose_by_permutation(&mut self, node: Node<'a>, r: u32) -> Result<Option<i32>, Exhausted> {
        self.pay(node.bucket.len())?;
        let index = self.permutation.element(self.x, node.id, node.bucket.len(), r);
        Ok(index.and_then(|index| node.bucket.item(index)))
    }

    /// Accounts for looking at `items` items.
    pub fn pay(&mut self, items: usize) -> Result<(), Exhausted> {
        self.draws_left = self.draws_left.checked_sub(items + self.overhead).ok_or(Exhausted)?;
        Ok(())
    }
}

/// The start of a pseudo-random permutation of a bucket's places, kept for the next choice.
struct Permutation {
    of: Option<i32>,
    done: usize,
    order: Vec<u32>,
}

impl Permutation {
    /// Element `r` modulo `len` of the permutation for a bucket.
    fn element(&mut self, x: u32, id: i32, len: usize, r: u32) -> Option<usize> {
        let len = u32::try_from(len).ok()?;
        let element = r.checked_rem(len)?;
        let swap = |p: u32| hash3(x, id as u32, p) % (len - p);
        // The first element needs no list, and mostly no other is asked for.
        if element == 0 {
            return Some(swap(0) as usize);
        }
        if self.of != Some(id) {
            self.of = Some(id);
            self.done = 0;
            self.order.clear();
            self.order.extend(0..len);
        }
        while self.done <= element as usize {
            let p = self.done;
            self.order.swap(p, p + swap(p as u32) as usize);
            self.done += 1;
        }
        self.order.get(element as usize).map(|&index| index as usize)
    }
}

fn list(items: &[ListItem], x: u32, id: u32, r: u32) -> Option<i32> {
    let takes = |i: &&ListItem| {
        let draw = u64::from(hash4(x, i.item as u32, r, id) & 0xffff);
        (draw * u64::from(i.sum)) >> 16 < u64::from(i.weight)
    };
    items.iter().rev().find(takes).or(items.first()).map(|i| i.item)
}

fn tree(items: &[i32], nodes: &[u32], x: u32, id: u32, r: u32) -> Option<i32> {
    // The root; leaves have odd numbers.
    let mut n = nodes.len() / 2;
    while n != 0 && n & 1 == 0 {
        let draw = (u64::from(hash4(x, n as u32, r, id)) * u64::from(*nodes.get(n)?)) >> 32;
        let half = 1 << (n.trailing_zeros() - 1);
        let left = n - half;
        n = if draw < u64::from(*nodes.get(left)?) { left } else { n + half };
    }
    items.get(n >> 1).copied()
}

/// The item with the greatest draw, the first of equal ones.
fn longest<T: Ord>(draws: impl Iterator<Item = (T, i32)>) -> Option<i32> {
    draws.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, item)| item)
}

fn straw(items: &[StrawItem], x: u32, r: u32) -> Option<i32> {
    longest(
        items.iter().map(|i| (u64::from(hash3(x, i.item as u32, r) & 0xffff) * u64::from(i.straw), i.item)),
    )
}

/// The length of a straw: an exponential distribution scaled by weight.
#[inline]
fn straw2_draw(x: u32, id: i32, r: u32, weight: u32) -> i64 {
    if weight == 0 {
        return i64::MIN;
    }
    let ln = ln(hash3(x, id as u32, r)) as i64 - (1 << 48);
    ln / i64::from(weight)
}

fn straw2(items: &[Straw2Item], x: u32, r: u32) -> Option<i32> {
    longest(items.iter().map(|i| (straw2_draw(x, i.item, r, i.weight), i.item)))
}

fn straw2_replaced(items: &[Straw2Item], arg: &ChooseArg, x: u32, r: u32, position: usize) -> Option<i32> {
    let weights = arg.weight_set.get(position).or(arg.weight_set.last());
    longest(items.iter().enumerate().map(|(n, i)| {
        let weight = weights.and_then(|weights| weights.get(n)).copied().unwrap_or(i.weight);
        let id = arg.ids.get(n).copied().unwrap_or(i.item);
        (straw2_draw(x, id, r, weight), i.item)
    }))
}
