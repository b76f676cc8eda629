//! Sets of snapshot ids as intervals (`interval_set<snapid_t>`).
//!
//! Facts: `include/interval_set.h`.

use crate::primitives::{Encode, Input, Parse, Parsed};
use alloc::collections::BTreeMap;
use bytes::BytesMut;

/// A set of snapshot ids, kept as disjoint intervals that do not touch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapIntervals(BTreeMap<u64, u64>);

impl SnapIntervals {
    /// Whether there is nothing in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The intervals in order: first id and count.
    pub fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(start, len)| (*start, *len))
    }

    /// Adds `len` ids from `start` on.
    pub fn insert(&mut self, start: u64, len: u64) {
        let (mut start, mut end) = (start, start.saturating_add(len));
        if start == end {
            return;
        }
        while let Some((s, l)) = self.touching(start, end) {
            self.0.remove(&s);
            start = start.min(s);
            end = end.max(s.saturating_add(l));
        }
        self.0.insert(start, end - start);
    }

    /// Takes out `len` ids from `start` on, those that are there.
    pub fn remove(&mut self, start: u64, len: u64) {
        let end = start.saturating_add(len);
        if start == end {
            return;
        }
        while let Some((s, l)) = self.overlapping(start, end) {
            self.0.remove(&s);
            let e = s.saturating_add(l);
            if s < start {
                self.0.insert(s, start - s);
            }
            if e > end {
                self.0.insert(end, e - end);
            }
        }
    }

    /// The last interval that starts at `end` or before, if it reaches `start`.
    fn touching(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let (s, l) = self.0.range(..=end).next_back()?;
        (s.saturating_add(*l) >= start).then_some((*s, *l))
    }

    /// The last interval that shares an id with `start..end`.
    fn overlapping(&self, start: u64, end: u64) -> Option<(u64, u64)> {
        let (s, l) = self.0.range(..end).next_back()?;
        (s.saturating_add(*l) > start).then_some((*s, *l))
    }
}

impl Parse for SnapIntervals {
    const WHAT: &'static str = "interval_set";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, intervals) = BTreeMap::parse(i)?;
        Ok((i, Self(intervals)))
    }
}

impl Encode for SnapIntervals {
    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_as_a_set(ops in prop::collection::vec((any::<bool>(), 0u64..60, 0u64..12), 0..40)) {
            let mut intervals = SnapIntervals::default();
            let mut model = BTreeSet::new();
            for (add, start, len) in ops {
                let ids = start..start + len;
                if add {
                    intervals.insert(start, len);
                    model.extend(ids);
                } else {
                    intervals.remove(start, len);
                    model.retain(|id| !ids.contains(id));
                }
                let flat: BTreeSet<_> = intervals.iter().flat_map(|(s, l)| s..s + l).collect();
                prop_assert_eq!(&flat, &model);
                let ends: BTreeSet<_> = intervals.iter().map(|(s, l)| s + l).collect();
                prop_assert!(intervals.iter().all(|(s, l)| l > 0 && !ends.contains(&s)));
            }
        }
    }
}
