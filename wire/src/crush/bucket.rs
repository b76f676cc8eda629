//! Buckets: the inner nodes of the hierarchy.

use alloc::vec::Vec;

/// An inner node: a list of items and the method of picking one.
///
/// Its id is not stored: it follows from its slot in [`CrushMap::buckets`](super::CrushMap::buckets).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// What level of the hierarchy it is ("host", "rack"): a key of
    /// [`CrushMap::types`](super::CrushMap::types), never 0.
    pub bucket_type: u16,
    /// The hash function; 0, rjenkins1, is the only one.
    pub hash: u8,
    /// The sum of its items' weights, 16.16 fixed point.
    pub weight: u32,
    /// The items with their weights, by the way one of them is chosen.
    pub alg: BucketAlg,
}

impl Bucket {
    /// The number of items.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.alg {
            BucketAlg::Uniform { items, .. } | BucketAlg::Tree { items, .. } => items.len(),
            BucketAlg::List(items) => items.len(),
            BucketAlg::Straw(items) => items.len(),
            BucketAlg::Straw2(items) => items.len(),
        }
    }

    /// Whether it has no items.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The item at a place: a device (not negative) or the id of a bucket.
    #[must_use]
    pub fn item(&self, index: usize) -> Option<i32> {
        match &self.alg {
            BucketAlg::Uniform { items, .. } | BucketAlg::Tree { items, .. } => items.get(index).copied(),
            BucketAlg::List(items) => items.get(index).map(|i| i.item),
            BucketAlg::Straw(items) => items.get(index).map(|i| i.item),
            BucketAlg::Straw2(items) => items.get(index).map(|i| i.item),
        }
    }

    /// The weight of the item at a place, 16.16 fixed point.
    #[must_use]
    pub fn item_weight(&self, index: usize) -> Option<u32> {
        match &self.alg {
            BucketAlg::Uniform { items, item_weight } => items.get(index).map(|_| *item_weight),
            BucketAlg::List(items) => items.get(index).map(|i| i.weight),
            BucketAlg::Tree { node_weights, .. } => node_weights.get(2 * index + 1).copied(),
            BucketAlg::Straw(items) => items.get(index).map(|i| i.weight),
            BucketAlg::Straw2(items) => items.get(index).map(|i| i.weight),
        }
    }

    /// All items in order.
    pub fn items(&self) -> impl Iterator<Item = i32> + '_ {
        (0..self.len()).filter_map(|index| self.item(index))
    }
}

/// The five ways of choosing an item, each with its data. Weights are 16.16 fixed point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketAlg {
    /// 1: a permutation; all items weigh the same.
    Uniform {
        /// The items.
        items: Vec<i32>,
        /// The weight of each.
        item_weight: u32,
    },
    /// 2: a linked list, newest item first.
    List(Vec<ListItem>),
    /// 3: a binary tree of weights.
    Tree {
        /// The items: the tree's leaves.
        items: Vec<i32>,
        /// Weights of the tree's nodes in order from left to right; item `n` is node `2n + 1`.
        /// At most 255: more have no encoding and are left out.
        node_weights: Vec<u32>,
    },
    /// 4: the longest straw, with lengths computed beforehand.
    Straw(Vec<StrawItem>),
    /// 5: the longest straw, with lengths drawn by weight.
    Straw2(Vec<Straw2Item>),
}

impl BucketAlg {
    /// The number on the wire.
    #[must_use]
    pub fn number(&self) -> u8 {
        match self {
            Self::Uniform { .. } => 1,
            Self::List(_) => 2,
            Self::Tree { .. } => 3,
            Self::Straw(_) => 4,
            Self::Straw2(_) => 5,
        }
    }
}

/// An item of a list bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListItem {
    /// Device or bucket id.
    pub item: i32,
    /// Its weight.
    pub weight: u32,
    /// The weight of this and all earlier items.
    pub sum: u32,
}

/// An item of a straw bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StrawItem {
    /// Device or bucket id.
    pub item: i32,
    /// Its weight.
    pub weight: u32,
    /// The length of its straw.
    pub straw: u32,
}

/// An item of a straw2 bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Straw2Item {
    /// Device or bucket id.
    pub item: i32,
    /// Its weight.
    pub weight: u32,
}
