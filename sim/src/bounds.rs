//! Bounds on what a client keeps, which seeds draw tight at times.

use crate::dice::Dice;
use crate::world::World;
use bytes::Buf;
use linger_core::{CommandError, Limits};

/// What one more frame than the bound may hold: nothing here sends more at once.
const FRAME: usize = 1024;
/// States and marks that wait in a queue beside its notifies.
const STATES: usize = 2 * 256;

/// The default bounds, and in one seed of four tighter ones.
pub(crate) fn draw(dice: &mut Dice) -> Limits {
    let mut limits = Limits::default();
    if dice.one_in(4) {
        limits.watches = dice.pick(&[limits.watches, 5, 2]);
        limits.ops_in_flight = dice.pick(&[limits.ops_in_flight, 3, 1]);
        limits.outbox_bytes = dice.pick(&[limits.outbox_bytes, 2000, 1]);
        limits.notifies_per_watch = dice.pick(&[limits.notifies_per_watch, 2]);
        limits.notify_bytes = dice.pick(&[limits.notify_bytes, 12]);
    }
    limits
}

/// Whether notifies may be shed because others fill the room.
pub(crate) fn may_shed(limits: &Limits) -> bool {
    let default = Limits::default();
    limits.notifies_per_watch < default.notifies_per_watch || limits.notify_bytes < default.notify_bytes
}

impl World {
    /// A client keeps no more than it may.
    pub(crate) fn check_bounds(&mut self, n: usize) {
        let (node, limits) = (&self.nodes[n], &self.plan.limits);
        let totals = node.client.totals(self.now);
        let queued = |id| node.client.status(self.now, id).map_or(0, |status| status.queued);
        let longest = node.watches.keys().map(|id| queued(*id)).max().unwrap_or(0);
        let bounds = [
            ("watches", node.client.watches(), limits.watches),
            ("operations in flight", node.in_flight(), limits.ops_in_flight),
            ("bytes of notifies", totals.queued_bytes, limits.notify_bytes),
            ("events of a watch", longest, limits.notifies_per_watch + STATES),
        ];
        if let Some((what, has, most)) = bounds.into_iter().find(|(_, has, most)| has > most) {
            self.violate(format!("client {n} keeps {has} {what}, and may keep {most}"));
        }
    }

    /// What waits for one socket is bounded, too; and a client that waits leaves nothing that a socket would take.
    pub(crate) fn check_outboxes(&mut self, n: usize) {
        let most = self.plan.limits.outbox_bytes + FRAME;
        let (node, net) = (&mut self.nodes[n], &self.net);
        let wrong = node.links.iter().find_map(|(conn, id)| {
            let waiting = node.client.outbox(*conn).remaining();
            let idle = || net.links.get(id).is_some_and(|link| link.answered && !link.full);
            match waiting {
                0 => None,
                _ if waiting > most => {
                    Some(format!("keeps {waiting} bytes for {conn:?}, and may keep {most}"))
                }
                _ if idle() => Some(format!("waits with {waiting} bytes for {conn:?}, which takes them")),
                _ => None,
            }
        });
        if let Some(wrong) = wrong {
            self.violate(format!("client {n} {wrong}"));
        }
    }

    /// A client that had too much in flight says when it takes commands again.
    pub(crate) fn note_refusal(&mut self, n: usize, error: &CommandError) {
        let node = &mut self.nodes[n];
        let in_flight = node.in_flight();
        match error {
            CommandError::Busy if in_flight == 0 => self.violate(format!("client {n} is busy with nothing")),
            CommandError::Busy => node.refused = true,
            CommandError::Closing | CommandError::TooManyWatches => {}
            error => self.violate(format!("client {n} refuses a command: {error}")),
        }
    }

    /// It says that it takes commands again.
    pub(crate) fn on_commands_ready(&mut self, n: usize) {
        let node = &mut self.nodes[n];
        let in_flight = node.in_flight();
        if !std::mem::take(&mut node.refused) || in_flight >= self.plan.limits.ops_in_flight {
            self.violate(format!("client {n} says that it takes commands again, with {in_flight} in flight"));
        }
        self.ask_last(n);
    }
}
