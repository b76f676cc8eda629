//! Backoffs: clients are told to hold what a placement group can not serve now.
//!
//! Facts: `osd/PG.cc` (`add_backoff`, `release_backoffs`), `osd/osd_types.cc` (`pg_t::get_split_bits`).

use super::{Cx, Osd};
use crate::conns::ConnId;
use linger_wire::msg::{Backoff, BackoffOp, OpRequest};
use linger_wire::osdmap::OsdMap;
use linger_wire::{HObject, PgId, SpgId};

/// A backoff in force.
#[derive(Debug)]
pub(super) struct Blocked {
    pub conn: ConnId,
    backoff: Backoff,
    /// The client has said that it knows.
    acked: bool,
}

impl Osd {
    /// Whether a client was told to hold a request's object; true inside if it knows that it was.
    ///
    /// The range counts, not the group: after a split a group has objects that no range was about.
    pub(super) fn blocked(&self, conn: ConnId, request: &OpRequest) -> Option<bool> {
        let pg = request.pgid.pg;
        let mut of_pg = self
            .backoffs
            .iter()
            .filter(|blocked| blocked.conn == conn && blocked.backoff.pgid.pg == pg)
            .peekable();
        of_pg.peek()?;
        let object = super::key_of(request).object();
        of_pg.find(|blocked| blocked.backoff.covers(&object)).map(|blocked| blocked.acked)
    }

    /// A client says that it knows of a backoff: nothing that it sends from now on is in its range.
    pub fn on_backoff(&mut self, conn: ConnId, backoff: &Backoff) {
        let same = |blocked: &&mut Blocked| blocked.conn == conn && blocked.backoff.id == backoff.id;
        if let Some(blocked) = self.backoffs.iter_mut().find(same) {
            blocked.acked |= backoff.op == BackoffOp::AckBlock;
        }
    }

    /// Tells a client to hold a placement group's requests, and forgets what it sent.
    pub(super) fn block(&mut self, conn: ConnId, pgid: SpgId, cx: &mut Cx<'_>) {
        let Some((begin, end)) = range(&self.map(cx), pgid.pg) else { return };
        let Some(state) = cx.conns.get_mut(conn) else { return };
        state.backoffs += 1;
        let backoff =
            Backoff { pgid, epoch: self.epoch, op: BackoffOp::Block, id: state.backoffs, begin, end };
        state.send(0, &backoff);
        self.backoffs.push(Blocked { conn, backoff, acked: false });
    }

    /// Ends the backoffs of groups that serve again, or are not this OSD's any more.
    pub(super) fn unblock(&mut self, cx: &mut Cx<'_>) {
        for blocked in std::mem::take(&mut self.backoffs) {
            let pg = blocked.backoff.pgid.pg;
            let group = cx.maps.group_at(pg, self.epoch).filter(|group| group.primary() == self.id);
            if group.is_some_and(|group| !group.enough) || group.is_some() && self.peering.contains_key(&pg) {
                self.backoffs.push(blocked);
                continue;
            }
            let backoff = Backoff { op: BackoffOp::Unblock, epoch: self.epoch, ..blocked.backoff };
            cx.conns.send(blocked.conn, 0, &backoff);
        }
    }
}

/// All objects of a placement group, in the order that objects have: by their reversed hash.
pub(super) fn range(map: &OsdMap, pg: PgId) -> Option<(HObject, HObject)> {
    let pg_num = map.pool(pg.pool)?.pg_num;
    let bits = pg_num.next_power_of_two().trailing_zeros();
    // Where the number of groups is no power of two, some have twice as many objects.
    let half = bits > 0 && (pg.seed ^ 1 << (bits - 1)) >= pg_num;
    let bits = if half { bits - 1 } else { bits };
    let begin = HObject { pool: pg.pool, hash: pg.seed, snap: 0, ..HObject::min() };
    let next = u64::from(pg.seed.reverse_bits()) + (1 << (32 - bits));
    let end = match u32::try_from(next) {
        Ok(next) => HObject { hash: next.reverse_bits(), ..begin.clone() },
        Err(_) => HObject { max: true, ..HObject::min() },
    };
    Some((begin, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use linger_core::placement::actual_pg;
    use linger_wire::SNAP_HEAD;
    use linger_wire::osdmap::Pool;

    /// An object lies in the range of its own placement group and of no other.
    #[test]
    fn ranges_part_the_objects_as_placement_does() {
        for pg_num in 1..20 {
            let pool = Pool::replicated(3, pg_num, 0);
            let map = OsdMap { pools: [(1, pool.clone())].into(), ..OsdMap::default() };
            for hash in (0..5000u32).map(|n| n.wrapping_mul(0x9e37_79b9)) {
                let home = actual_pg(&pool, PgId { pool: 1, seed: hash });
                let object = HObject { pool: 1, hash, snap: SNAP_HEAD, oid: "o".into(), ..HObject::min() };
                for seed in 0..pg_num {
                    let pg = PgId { pool: 1, seed };
                    let (begin, end) = range(&map, pg).unwrap();
                    let inside = begin <= object && object < end;
                    assert_eq!(inside, pg == home, "{hash:#x} of {pg_num} groups, {pg}");
                }
            }
        }
    }
}
