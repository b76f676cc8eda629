//! The backoffs that one OSD has in force on one connection.
//!
//! Facts: `messages/MOSDBackoff.h`, `osdc/Objecter.cc` (`handle_osd_backoff`).

use alloc::collections::BTreeMap;
use linger_wire::msg::Backoff;
use linger_wire::{HObject, SpgId};

/// Ranges of objects on which operations are held. They end with their connection.
#[derive(Debug, Default)]
pub(super) struct Backoffs(BTreeMap<u64, Backoff>);

impl Backoffs {
    /// Notes a backoff; false if there are already `max`.
    pub(super) fn block(&mut self, backoff: Backoff, max: usize) -> bool {
        if self.0.len() >= max && !self.0.contains_key(&backoff.id) {
            return false;
        }
        self.0.insert(backoff.id, backoff);
        true
    }

    /// Ends a backoff; `None` if it was not in force.
    pub(super) fn unblock(&mut self, id: u64) -> Option<Backoff> {
        self.0.remove(&id)
    }

    /// Whether operations on the object are held.
    pub(super) fn hold(&self, pgid: SpgId, object: impl FnOnce() -> HObject) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let object = object();
        self.0.values().any(|backoff| backoff.pgid == pgid && backoff.covers(&object))
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use linger_wire::msg::BackoffOp;
    use linger_wire::{Name, PgId, SNAP_HEAD};

    fn object(hash: u32, name: &str) -> HObject {
        HObject {
            key: Name::default(),
            oid: name.into(),
            snap: SNAP_HEAD,
            hash,
            max: false,
            nspace: Name::default(),
            pool: 1,
        }
    }

    fn backoff(id: u64, begin: HObject, end: HObject) -> Backoff {
        let pgid = SpgId { pg: PgId { pool: 1, seed: 7 }, shard: -1 };
        Backoff { pgid, epoch: 1, op: BackoffOp::Block, id, begin, end }
    }

    #[test]
    fn holds_from_begin_up_to_end_in_its_pg_only() {
        let mut backoffs = Backoffs::default();
        let (begin, end) = (object(7, "b"), object(7, "d"));
        assert!(backoffs.block(backoff(1, begin, end), 8));
        let pgid = SpgId { pg: PgId { pool: 1, seed: 7 }, shard: -1 };
        let held = |backoffs: &Backoffs, name: &str| backoffs.hold(pgid, || object(7, name));
        for (name, expected) in [("a", false), ("b", true), ("c", true), ("d", false)] {
            assert_eq!(held(&backoffs, name), expected, "{name}");
        }
        let other = SpgId { pg: PgId { pool: 1, seed: 3 }, shard: -1 };
        assert!(!backoffs.hold(other, || object(7, "b")));
        assert!(backoffs.unblock(1).is_some());
        assert!(backoffs.unblock(1).is_none());
        assert!(!held(&backoffs, "b"));
    }

    #[test]
    fn an_empty_range_is_exactly_its_object() {
        let mut backoffs = Backoffs::default();
        assert!(backoffs.block(backoff(1, object(7, "b"), object(7, "b")), 8));
        let pgid = SpgId { pg: PgId { pool: 1, seed: 7 }, shard: -1 };
        assert!(backoffs.hold(pgid, || object(7, "b")));
        assert!(!backoffs.hold(pgid, || object(7, "c")));
    }

    #[test]
    fn takes_no_more_than_its_limit() {
        let mut backoffs = Backoffs::default();
        for id in 1..=2 {
            assert!(backoffs.block(backoff(id, object(1, "a"), object(1, "b")), 2));
        }
        assert!(!backoffs.block(backoff(3, object(1, "a"), object(1, "b")), 2));
        assert!(backoffs.block(backoff(2, object(1, "a"), object(1, "c")), 2), "renewed, not added");
    }
}
