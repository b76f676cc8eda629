//! The OSD map at hand, and its way from epoch to epoch.
//!
//! Facts: `osdc/Objecter.cc` (`handle_osd_map`), `messages/MOSDMap.h`.

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
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode(error) => write!(f, "map does not decode: {error}"),
            Self::Apply(error) => fmt::Display::fmt(error, f),
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
    /// Epochs are missing that can still be had, from this one on.
    Missing(u32),
    /// The map of this epoch can not be used; the newest full one may.
    Bad(u32, MapError),
}

/// The newest map known.
#[derive(Debug, Default)]
pub(crate) struct MapHolder {
    map: Option<OsdMap>,
    /// An incremental did not fit: only a full map helps.
    broken: bool,
}

impl MapHolder {
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
            let applied = Incremental::decode(bytes).map_err(MapError::Decode);
            let applied = applied.and_then(|incremental| map.apply(&incremental).map_err(MapError::Apply));
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
            _ => Some(Step::Missing(next)),
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
            None if last > 0 => Some(Step::Missing(0)),
            None => None,
        }
    }

    fn replace(&mut self, message: &MapMessage, epoch: u32, skipped: bool) -> Step {
        let Some(bytes) = message.fulls.get(&epoch) else { return Step::Missing(epoch) };
        match full_map(bytes, message.fsid, epoch) {
            Err(error) => Step::Bad(epoch, error),
            Ok(new) => {
                let change = match &self.map {
                    Some(old) => MapChange::unknown(old, &new),
                    None => MapChange { everything: true, ..MapChange::default() },
                };
                self.map = Some(new);
                self.broken = false;
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
