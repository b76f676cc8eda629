//! The OSD map at hand, and its way from epoch to epoch.
//!
//! Facts: `osdc/Objecter.cc` (`handle_osd_map`), `messages/MOSDMap.h`.

use crate::config::Limits;
use crate::features::FEATURES;
use core::fmt;
use linger_wire::msg::MapMessage;
use linger_wire::osdmap::{ApplyError, Incremental, MapChange, OsdMap};
use linger_wire::{Decode, DecodeError, Fsid};

/// A map that can not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MapError {
    /// It does not decode, or is of a version that is not known here.
    Decode(DecodeError),
    /// An incremental does not fit the map it is for.
    Apply(ApplyError),
    /// The map with all its incrementals outgrew what is kept of one: the newest full one takes its place.
    TooLarge {
        /// Its encoded size in bytes.
        len: usize,
        /// The largest that goes on: twice `Limits::front_bytes`.
        max: usize,
    },
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "map does not decode: {error}"),
            Self::Apply(error) => fmt::Display::fmt(error, f),
            Self::TooLarge { len, max } => write!(f, "the map before it grew to {len} bytes, beyond {max}"),
        }
    }
}

impl core::error::Error for MapError {}

/// One step on the way to the newest map of a message.
#[derive(Debug)]
pub(crate) enum Step {
    /// The map is one epoch, or the first one, further.
    Applied(MapChange),
    /// Epochs are missing that nobody has any more: what happened in them is unknown.
    Skipped(MapChange),
    /// Epochs are missing that can still be had, or the first map.
    Missing,
    /// The map of this epoch can not be used; the newest full one may.
    Bad(u32, MapError),
}

/// How much a map may have grown since its size was known.
///
/// Incrementals mostly replace, so that their sum says little of what is kept: whenever it reaches the largest
/// front the map itself is measured, which bounds it to three of them. No full map is that large, so an honest
/// cluster's map is not given up; and measuring costs no more than taking in a full map that often.
#[derive(Debug)]
struct Growth {
    front_bytes: usize,
    unmeasured: usize,
    too_large: Option<MapError>,
}

impl Growth {
    /// Makes room for an incremental of `len` bytes.
    fn add(&mut self, map: &OsdMap, len: usize) -> Result<(), MapError> {
        if let Some(error) = self.too_large {
            return Err(error);
        }
        self.unmeasured = self.unmeasured.saturating_add(len);
        if self.unmeasured > self.front_bytes {
            self.unmeasured = len;
            let (size, max) = (map.encode_for(FEATURES).len(), self.front_bytes.saturating_mul(2));
            if size > max {
                let error = MapError::TooLarge { len: size, max };
                self.too_large = Some(error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// A full map came.
    fn reset(&mut self) {
        (self.unmeasured, self.too_large) = (0, None);
    }
}

/// The newest map known.
#[derive(Debug)]
pub(crate) struct MapHolder {
    map: Option<OsdMap>,
    /// What came can not be used: only a full map is certain to help. As long as that is so, one is asked for.
    broken: bool,
    growth: Growth,
}

impl MapHolder {
    pub(crate) fn new(limits: &Limits) -> Self {
        let growth = Growth { front_bytes: limits.front_bytes, unmeasured: 0, too_large: None };
        Self { map: None, broken: false, growth }
    }

    pub(crate) fn get(&self) -> Option<&OsdMap> {
        self.map.as_ref()
    }

    /// Whether the next maps are of no use without a full one.
    pub(crate) fn needs_full(&self) -> bool {
        self.broken || self.map.is_none()
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.map.as_ref().map_or(0, |map| map.epoch)
    }

    /// The next step towards the message's newest epoch; `None` when there is none left to take.
    pub(crate) fn step(&mut self, message: &MapMessage) -> Option<Step> {
        let last = message.last();
        if self.broken && !message.fulls.is_empty() {
            return self.first(message, last);
        }
        let Some(map) = &mut self.map else { return self.first(message, last) };
        if last <= map.epoch {
            return None;
        }
        let next = map.epoch.saturating_add(1);
        if let Some(bytes) = message.incrementals.get(&next) {
            let room = self.growth.add(map, bytes.len());
            let decoded = room.and_then(|()| Incremental::decode(bytes).map_err(MapError::Decode));
            let applied = decoded.and_then(|incremental| map.apply(&incremental).map_err(MapError::Apply));
            self.broken = applied.is_err();
            return Some(applied.map_or_else(|error| Step::Bad(next, error), Step::Applied));
        }
        if message.fulls.contains_key(&next) {
            return Some(self.replace(message, next, false));
        }
        // The cluster trimmed the epochs between: go on with the oldest full map of the message.
        let oldest = message.fulls.keys().copied().find(|epoch| *epoch > next);
        match oldest {
            Some(epoch) if message.oldest > next => Some(self.replace(message, epoch, true)),
            _ => Some(Step::Missing),
        }
    }

    fn first(&mut self, message: &MapMessage, last: u32) -> Option<Step> {
        let epoch = message.fulls.keys().next_back().copied();
        match epoch {
            // A map never goes back: what came of the newer one would be undone.
            Some(epoch) if epoch < self.epoch() => None,
            Some(epoch) => {
                let skipped = self.map.is_some() && epoch > self.epoch().saturating_add(1);
                Some(self.replace(message, epoch, skipped))
            }
            None if last > 0 => Some(Step::Missing),
            None => None,
        }
    }

    fn replace(&mut self, message: &MapMessage, epoch: u32, skipped: bool) -> Step {
        let Some(bytes) = message.fulls.get(&epoch) else { return Step::Missing };
        match full_map(bytes, message.fsid, epoch) {
            Err(error) => {
                self.broken = true;
                Step::Bad(epoch, error)
            }
            Ok(new) => {
                let change = match &self.map {
                    Some(old) => MapChange::unknown(old, &new),
                    None => MapChange { everything: true, ..MapChange::default() },
                };
                self.map = Some(new);
                self.broken = false;
                self.growth.reset();
                if skipped { Step::Skipped(change) } else { Step::Applied(change) }
            }
        }
    }
}

/// A full map that is what its message says: else the way to the newest epoch might never end.
fn full_map(bytes: &[u8], fsid: Fsid, epoch: u32) -> Result<OsdMap, MapError> {
    let map = OsdMap::decode(bytes).map_err(MapError::Decode)?;
    if map.fsid != fsid {
        return Err(MapError::Apply(ApplyError::WrongCluster { have: fsid, got: map.fsid }));
    }
    if map.epoch != epoch {
        return Err(MapError::Apply(ApplyError::WrongEpoch { have: epoch, got: map.epoch }));
    }
    Ok(map)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use linger_wire::Name;

    fn name(len: usize) -> Name {
        "n".repeat(len).as_str().into()
    }

    /// Takes the next epoch, which names a pool.
    fn rename(holder: &mut MapHolder, pool: i64, len: usize) -> Option<Step> {
        let mut incremental = Incremental { epoch: holder.epoch() + 1, ..Incremental::default() };
        incremental.new_pool_names.insert(pool, name(len));
        let epoch = incremental.epoch;
        let incrementals = BTreeMap::from([(epoch, incremental.encode_for(FEATURES))]);
        holder.step(&MapMessage { incrementals, newest: epoch, ..MapMessage::default() })
    }

    fn full(holder: &mut MapHolder, map: &OsdMap) -> Option<Step> {
        let fulls = BTreeMap::from([(map.epoch, map.encode_for(FEATURES))]);
        holder.step(&MapMessage { fulls, newest: map.epoch, ..MapMessage::default() })
    }

    fn holder(front_bytes: usize) -> MapHolder {
        let mut holder = MapHolder::new(&Limits { front_bytes, ..Limits::default() });
        let map = OsdMap { epoch: 1, ..OsdMap::default() };
        assert!(matches!(full(&mut holder, &map), Some(Step::Applied(_))));
        holder
    }

    #[test]
    fn a_map_that_changes_without_growing_goes_on_for_ever() {
        let mut holder = holder(2000);
        for n in 0..1000 {
            assert!(matches!(rename(&mut holder, n % 2, 500), Some(Step::Applied(_))), "{n}");
        }
        assert_eq!(holder.epoch(), 1001);
    }

    #[test]
    fn a_map_that_only_grows_is_given_up_for_a_full_one() {
        let mut holder = holder(2000);
        let grown = (0..100).find_map(|pool| match rename(&mut holder, pool, 500) {
            Some(Step::Bad(epoch, MapError::TooLarge { len, max })) => Some((epoch, len, max)),
            _ => None,
        });
        let Some((epoch, len, max)) = grown else { panic!("it grew without bound") };
        assert!(max == 4000 && (4001..=6000).contains(&len), "{len} of {max}");
        assert!(holder.needs_full());
        assert!(matches!(rename(&mut holder, 1, 1), Some(Step::Bad(..))), "not even a small one");
        let map = OsdMap { epoch, ..OsdMap::default() };
        assert!(matches!(full(&mut holder, &map), Some(Step::Applied(_))), "the next epoch: none is skipped");
        assert!(matches!(rename(&mut holder, 1, 500), Some(Step::Applied(_))));
    }

    #[test]
    fn a_map_of_exactly_the_bound_goes_on() {
        let size = |holder: &MapHolder| holder.get().unwrap().encode_for(FEATURES).len();
        for beyond in [0, 1] {
            let mut holder = holder(2000);
            holder.growth.front_bytes = usize::MAX;
            // Beside the name's bytes come the pool's number and the length.
            let rest = 4000 - size(&holder) - 12;
            rename(&mut holder, 7, rest + beyond);
            assert_eq!(size(&holder), 4000 + beyond);
            holder.growth = Growth { front_bytes: 2000, unmeasured: 2000, too_large: None };
            let step = rename(&mut holder, 7, 1);
            assert_eq!(matches!(step, Some(Step::Applied(_))), beyond == 0, "{step:?}");
        }
    }
}
