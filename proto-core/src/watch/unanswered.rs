//! The notifies of one watch that its OSD may still wait for, within a bound.
//!
//! | state | meaning | next |
//! |---|---|---|
//! | `Queued` | waits to be taken | `Held` when it is taken; `Acking` or `Silent` when it is shed |
//! | `Held` | in the user's hands | `Acking` or `Silent` by the user's word |
//! | `Acking` | answered, not confirmed | forgotten when it is |
//! | `Silent` | left for the notifier to wait | forgotten for others |

use alloc::collections::BTreeMap;
use bytes::Bytes;

/// Notifies that are remembered, at least.
const MIN: usize = 1024;

/// Where a notify is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// In the queue.
    Queued,
    /// In the user's hands.
    Held,
    /// Answered; the OSD has not confirmed it.
    Acking { tid: u64, reply: Bytes },
    /// Left to wait, by the user or when it was shed.
    Silent,
}

/// The notifies, by number.
#[derive(Debug, Default)]
pub(super) struct Unanswered(BTreeMap<u64, Delivery>);

impl Unanswered {
    pub(super) fn get(&self, notify_id: u64) -> Option<&Delivery> {
        self.0.get(&notify_id)
    }

    /// Adds one that goes into a queue of at most `queue`, and gives what is forgotten for it: neither a user
    /// who drops tokens unspent nor an OSD that answers no ack makes this grow.
    ///
    /// What waits in the queue is never forgotten. It is half of the bound at most.
    pub(super) fn add(&mut self, notify_id: u64, queue: usize) -> Option<Delivery> {
        let full = self.0.len() >= queue.saturating_mul(2).max(MIN);
        let rank = |delivery: &Delivery| match delivery {
            Delivery::Silent => Some(0),
            Delivery::Acking { .. } => Some(1),
            Delivery::Held => Some(2),
            Delivery::Queued => None,
        };
        let candidates = || self.0.iter().filter_map(|(id, delivery)| Some((rank(delivery)?, *id)));
        let oldest = if full { candidates().min() } else { None };
        let forgotten = oldest.and_then(|(_, id)| self.0.remove(&id));
        self.0.insert(notify_id, Delivery::Queued);
        forgotten
    }

    /// The user took it out of the queue.
    pub(super) fn take(&mut self, notify_id: u64) {
        self.replace(notify_id, Delivery::Held);
    }

    /// Changes where one is that is remembered, and gives where it was.
    pub(super) fn replace(&mut self, notify_id: u64, now: Delivery) -> Option<Delivery> {
        self.0.get_mut(&notify_id).map(|delivery| core::mem::replace(delivery, now))
    }

    /// An answer goes under another tid.
    pub(super) fn again(&mut self, notify_id: u64, new: u64) {
        if let Some(Delivery::Acking { tid, .. }) = self.0.get_mut(&notify_id) {
            *tid = new;
        }
    }

    /// The answer under this tid needs no more thought.
    pub(super) fn answered(&mut self, notify_id: u64, answered: u64) {
        if matches!(self.get(notify_id), Some(Delivery::Acking { tid, .. }) if *tid == answered) {
            self.0.remove(&notify_id);
        }
    }

    /// Forgets all of them, and gives the tids of the answers that are not confirmed.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = u64> + use<> {
        core::mem::take(&mut self.0).into_values().filter_map(|delivery| match delivery {
            Delivery::Acking { tid, .. } => Some(tid),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acking(tid: u64) -> Delivery {
        Delivery::Acking { tid, reply: Bytes::new() }
    }

    /// 0 is in the queue, 1 in the user's hands, 2 answered, 3 silent, and so on.
    fn full() -> Unanswered {
        let mut all = Unanswered::default();
        for id in 0..MIN as u64 {
            assert_eq!(all.add(id, 1), None, "within the bound");
            match id % 4 {
                0 => {}
                1 => all.take(id),
                2 => _ = all.replace(id, acking(id)),
                _ => _ = all.replace(id, Delivery::Silent),
            }
        }
        all
    }

    #[test]
    fn what_matters_least_is_forgotten_first() {
        let (mut all, quarter) = (full(), MIN / 4);
        let ids = (MIN as u64 * 2)..;
        let forgotten: Vec<_> = ids.take(3 * quarter).map(|id| all.add(id, 1).unwrap()).collect();
        assert!(forgotten[..quarter].iter().all(|delivery| *delivery == Delivery::Silent));
        assert_eq!(
            forgotten[quarter..2 * quarter],
            (0..quarter as u64).map(|n| acking(4 * n + 2)).collect::<Vec<_>>()
        );
        assert!(forgotten[2 * quarter..].iter().all(|delivery| *delivery == Delivery::Held));
        assert_eq!(all.0.len(), MIN);
    }

    /// Numbers that fall make nothing grow, either.
    #[test]
    fn shedding_does_not_bring_back_what_was_forgotten() {
        let mut all = Unanswered::default();
        for id in (0..10 * MIN as u64).rev() {
            all.add(id, 1);
            if id + 1 < 10 * MIN as u64 {
                all.replace(id + 1, Delivery::Silent);
            }
        }
        assert_eq!(all.0.len(), MIN);
        assert_eq!(all.replace(5 * MIN as u64, Delivery::Silent), None, "it was forgotten");
        assert_eq!(all.0.len(), MIN);
    }

    #[test]
    fn a_larger_queue_has_a_larger_bound() {
        let mut all = Unanswered::default();
        let queue = 3 * MIN;
        assert!((0..2 * queue as u64).all(|id| all.add(id, queue).is_none()));
        all.take(7);
        assert_eq!(all.add(u64::MAX, queue), Some(Delivery::Held));
    }

    #[test]
    fn answers_that_are_not_confirmed_are_named() {
        let mut all = full();
        all.again(2, 7000);
        all.answered(6, 7);
        all.answered(10, 10);
        let tids: Vec<u64> = all.clear().collect();
        assert_eq!(tids[..3], [7000, 6, 14]);
        assert_eq!((tids.len(), all.0.len()), (MIN / 4 - 1, 0));
    }
}
