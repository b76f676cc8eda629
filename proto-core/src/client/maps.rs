//! New maps: what they move, hold, release and end.

use super::Client;
use crate::cluster::Step;
use crate::ids::CallKey;
use crate::output::Event;
use crate::session::op::Owner;
use crate::session::{Member, Moves};
use crate::totals::Why;
use alloc::collections::BTreeSet;
use linger_wire::msg::MapMessage;

impl Client {
    /// Takes in all maps of a message, one epoch after the other.
    pub(super) fn on_map(&mut self, message: &MapMessage, from_mon: bool) {
        let mut moves = Moves::default();
        let mut news = false;
        let mut blocklist = self.holder.get().is_none();
        while let Some(step) = self.holder.step(message) {
            let (change, skipped) = match step {
                Step::Applied(change) => (change, false),
                Step::Skipped(change) => (change, true),
                Step::Missing => {
                    self.want_newer();
                    break;
                }
                Step::Bad(epoch, error) => {
                    self.cx.event(Event::MapFault { epoch, error });
                    break;
                }
            };
            news = true;
            blocklist |= change.blocklist;
            if let Some(map) = self.holder.get() {
                self.sessions.targets.refresh(map, &change, &mut moves);
            }
            if skipped {
                // In an epoch that nobody saw any group may have had another primary.
                moves.moved.extend(self.sessions.targets.all().into_iter().map(|one| (one, Why::Skipped)));
            }
        }
        let (full, needs_full) = (from_mon && !message.fulls.is_empty(), self.holder.needs_full());
        if from_mon {
            self.newest = self.newest.max(message.newest.into());
            self.mon.heard_of(message.last(), full && needs_full);
        }
        // A full map of the same epoch is news, too: it takes the place of one that could not go on.
        if news {
            if !needs_full {
                self.mon.got_map(self.holder.epoch(), full, &mut self.cx);
            }
            self.after_maps(moves, blocklist);
            self.tell_connected();
        }
    }

    /// Asks for the maps after the one at hand. Who needs a full one is not helped by others.
    pub(super) fn want_newer(&mut self) {
        if !self.holder.needs_full() {
            self.mon.want_map(self.holder.epoch().saturating_add(1), &mut self.cx);
        }
    }

    /// Asks for maps as long as something needs them, whatever made it so: a full one if only that helps. What
    /// is asked for already is not asked again.
    pub(super) fn want_maps(&mut self) {
        if self.holder.needs_full() {
            self.mon.want_map(0, &mut self.cx);
        } else if self.needs_newer() {
            self.want_newer();
        }
    }

    /// Whether there are newer maps, or something waits for one. A subscriber gets them all.
    fn needs_newer(&self) -> bool {
        self.cx.config.follow_map
            || self.newest > u64::from(self.holder.epoch())
            || self.sessions.wait_for_map()
    }

    fn after_maps(&mut self, mut moves: Moves, blocklist: bool) {
        let Some(map) = self.holder.get() else { return };
        if blocklist {
            let listed = self.cx.pool.own_addrs().any(|addr| map.blocklist.contains(&addr));
            if listed {
                self.on_blocklisted();
            } else {
                self.blocklisted = false;
            }
        }
        let Some(map) = self.holder.get() else { return };
        self.sessions.release_held();
        for osd in self.sessions.outdated(map) {
            for linger in self.lingers_of(osd) {
                moves.moved.entry(linger).or_insert(Why::Reset);
            }
            self.sessions.replace(osd, map, &mut self.cx);
        }
        let lost = self.move_members(moves);
        self.on_lost(lost);
        self.place_waiting();
    }

    /// Sends moved members anew, requests before lingers. Returns those whose pool is gone.
    fn move_members(&mut self, moves: Moves) -> BTreeSet<Member> {
        let Moves { moved, mut lost } = moves;
        self.with_cluster(|watches, notifies, _, cl, cx| {
            for (member, why) in moved {
                let placed = match member {
                    Member::Op(tid) => cl.sessions.move_op(tid, cl.map),
                    Member::Watch(key) => watches.moved(key, why, cl, cx),
                    Member::Notify(key) => notifies.moved(key, cl, cx),
                };
                if !placed {
                    lost.insert(member);
                }
            }
        });
        lost
    }

    /// What lost its pool waits until it is certain that the pool is gone, not just new.
    pub(super) fn on_lost(&mut self, lost: BTreeSet<Member>) {
        for member in lost {
            match member {
                Member::Watch(key) => self.unplace_watch(key),
                Member::Notify(key) => self.unplace_notify(key),
                Member::Op(tid) => {
                    let Some(op) = self.sessions.cancel(tid) else { continue };
                    match op.owner {
                        Owner::Call(key) => self.unplace_call(key, &op.object),
                        Owner::Watch(key, _) => {
                            self.with_cluster(|watches, _, _, cl, cx| watches.pool_gone(key, cl, cx));
                        }
                        Owner::Removal(key) => self.watches.on_removed(key, tid),
                        Owner::Notify(_) | Owner::Ack { .. } => {}
                    }
                }
            }
        }
    }

    /// A call waits for its pool.
    fn unplace_call(&mut self, key: CallKey, object: &crate::object::Object) {
        self.unplaced.add(super::unplaced::Waiting::Call(key), object.to_ref());
    }
}
