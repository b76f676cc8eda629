//! The events of one watch that wait to be taken, in order and within bounds.
//!
//! Only notifies count against the bound and can be shed. What the client must know to not be deaf
//! (errors, live again, the end) comes seldom: a loss is followed by a wait before the next can
//! happen. If a user lets very many of these pile up, the oldest losses that are over are forgotten;
//! the newest state of the watch never is.

use crate::Timestamp;
use crate::output::{Notify, WatchEvent};
use alloc::collections::VecDeque;

/// Errors, returns and the like that wait at most.
const STATES_MAX: usize = 256;
/// Marks of flushes that wait at most.
const MARKS_MAX: usize = 256;

/// What happens to notifies when a watch's queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// Keep what is queued, shed what comes, and say how many.
    #[default]
    KeepOldest,
    /// Shed the oldest for what comes, and say how many.
    KeepNewest,
    /// Keep only the newest, and say how many it stands for.
    Coalesce,
    /// Close the watch.
    Close,
}

/// A notify that was shed: it may have to be acked on the user's behalf.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shed {
    pub(super) notify_id: u64,
    pub(super) bytes: usize,
}

/// What became of a notify that was offered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Offered {
    Queued,
    /// Queued or not, these are gone.
    Shed(VecDeque<Shed>),
    /// The policy says to close the watch.
    Close(Shed),
}

/// The queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// With the time each came.
    events: VecDeque<(Timestamp, WatchEvent)>,
    notifies: usize,
    marks: usize,
    /// Whether the user was told that there is something.
    announced: bool,
}

impl Queue {
    /// Adds an event that must not be lost.
    pub(super) fn push(&mut self, now: Timestamp, event: WatchEvent) {
        // Retries of one registration tell nothing new.
        if let (Some((_, WatchEvent::Error(last))), WatchEvent::Error(error)) = (self.events.back(), &event)
            && last == error
        {
            return;
        }
        self.events.push_back((now, event));
        if self.events.len() - self.notifies - self.marks > STATES_MAX {
            self.forget_oldest_loss();
        }
    }

    /// Adds a mark that comes out after everything before it; false if too many wait.
    pub(super) fn mark(&mut self, now: Timestamp, token: u64) -> bool {
        if self.marks >= MARKS_MAX {
            return false;
        }
        self.marks += 1;
        self.events.push_back((now, WatchEvent::Flushed { token }));
        true
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// When the oldest event came.
    pub(super) fn oldest(&self) -> Option<Timestamp> {
        self.events.front().map(|(at, _)| *at)
    }

    /// Drops the oldest error and the return after it: a later return says that something was missed.
    fn forget_oldest_loss(&mut self) {
        let is_error = |event: &WatchEvent| matches!(event, WatchEvent::Error(_));
        for _ in ["error", "live"] {
            let old = |event: &WatchEvent| is_error(event) || matches!(event, WatchEvent::Live(_));
            if let Some(at) = self.events.iter().position(|(_, event)| old(event)) {
                self.events.remove(at);
            }
        }
    }

    /// Adds a notify within a bound, or sheds by policy. `room` is how many bytes of payload the client's
    /// budget for all watches has left.
    pub(super) fn offer(
        &mut self,
        now: Timestamp,
        notify: Notify,
        max: usize,
        room: usize,
        when_full: WhenFull,
    ) -> Offered {
        let len = notify.payload.len();
        if self.notifies < max && room >= len {
            self.add(now, notify);
            return Offered::Queued;
        }
        let in_the_way = match when_full {
            WhenFull::Close => return Offered::Close(shed_of(&notify)),
            WhenFull::KeepOldest => None,
            WhenFull::KeepNewest => self.in_the_way(len, max - 1, room),
            WhenFull::Coalesce => self.in_the_way(len, 0, room),
        };
        let Some(count) = in_the_way else {
            self.overflow(now, 1);
            return Offered::Shed([shed_of(&notify)].into());
        };
        let shed: VecDeque<Shed> = (0..count).filter_map(|_| self.drop_oldest()).collect();
        self.overflow(now, shed.len());
        self.add(now, notify);
        Offered::Shed(shed)
    }

    /// How many of the oldest notifies have to go for so many bytes, and for no more than `most` of them to
    /// stay; `None` if all of them are too few.
    fn in_the_way(&self, len: usize, most: usize, mut room: usize) -> Option<usize> {
        let mut count = 0;
        for (_, event) in &self.events {
            if self.notifies - count <= most && room >= len {
                break;
            }
            if let WatchEvent::Notify(notify) = event {
                count += 1;
                room = room.saturating_add(notify.payload.len());
            }
        }
        (room >= len).then_some(count)
    }

    fn add(&mut self, now: Timestamp, notify: Notify) {
        self.notifies += 1;
        self.events.push_back((now, WatchEvent::Notify(notify)));
    }

    fn drop_oldest(&mut self) -> Option<Shed> {
        let at = self.events.iter().position(|(_, event)| matches!(event, WatchEvent::Notify(_)))?;
        let Some((_, WatchEvent::Notify(notify))) = self.events.remove(at) else { return None };
        self.notifies -= 1;
        Some(shed_of(&notify))
    }

    /// Says that notifies were shed, where they would have been: once until the user looks.
    fn overflow(&mut self, now: Timestamp, count: usize) {
        let count = count as u64;
        for (_, event) in &mut self.events {
            if let WatchEvent::Overflow { lost } = event {
                *lost = lost.saturating_add(count);
                return;
            }
        }
        self.events.push_back((now, WatchEvent::Overflow { lost: count }));
    }

    /// Takes the oldest event.
    pub(super) fn pop(&mut self) -> Option<WatchEvent> {
        let event = self.events.pop_front().map(|(_, event)| event);
        match &event {
            Some(WatchEvent::Notify(_)) => self.notifies -= 1,
            Some(WatchEvent::Flushed { .. }) => self.marks -= 1,
            None => self.announced = false,
            _ => {}
        }
        event
    }

    /// Whether the user is to be told now that there is something.
    pub(super) fn announce(&mut self) -> bool {
        !self.events.is_empty() && !core::mem::replace(&mut self.announced, true)
    }
}

fn shed_of(notify: &Notify) -> Shed {
    Shed { notify_id: notify.notify_id, bytes: notify.payload.len() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{WatchId, WatchKey};
    use crate::output::AckToken;
    use linger_wire::EntityName;
    use slotmap::Key;

    fn notify(notify_id: u64) -> Notify {
        sized(notify_id, 1)
    }

    fn sized(notify_id: u64, len: usize) -> Notify {
        let watch = WatchId::from(WatchKey::null());
        Notify {
            notify_id,
            from: EntityName::client(1),
            version: 0,
            payload: vec![b'x'; len].into(),
            token: AckToken { watch, cookie: 1, notify_id },
        }
    }

    fn offer(queue: &mut Queue, ids: core::ops::RangeInclusive<u64>, when_full: WhenFull) -> Vec<u64> {
        let mut shed = Vec::new();
        for id in ids {
            match queue.offer(Timestamp::default(), notify(id), 2, 1, when_full) {
                Offered::Queued => {}
                Offered::Shed(list) => shed.extend(list.iter().map(|s| s.notify_id)),
                Offered::Close(s) => shed.push(s.notify_id + 1000),
            }
        }
        shed
    }

    fn taken(queue: &mut Queue) -> Vec<String> {
        core::iter::from_fn(|| queue.pop())
            .map(|event| match event {
                WatchEvent::Notify(n) => format!("{}", n.notify_id),
                WatchEvent::Overflow { lost } => format!("lost {lost}"),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn policies_at_the_bound() {
        let cases: [(WhenFull, &[u64], &[&str]); 4] = [
            (WhenFull::KeepOldest, &[3, 4], &["1", "2", "lost 2"]),
            (WhenFull::KeepNewest, &[1, 2], &["lost 2", "3", "4"]),
            (WhenFull::Coalesce, &[1, 2], &["lost 2", "3", "4"]),
            (WhenFull::Close, &[1003, 1004], &["1", "2"]),
        ];
        for (when_full, shed, events) in cases {
            let mut queue = Queue::default();
            assert_eq!(offer(&mut queue, 1..=2, when_full), [0u64; 0], "at the bound nothing is shed");
            assert_eq!(offer(&mut queue, 3..=4, when_full), shed, "{when_full:?}");
            let mut seen = taken(&mut queue);
            seen.sort_by_key(|event| !event.starts_with("lost") && when_full != WhenFull::KeepOldest);
            assert_eq!(seen, events, "{when_full:?}");
        }
    }

    /// Ten bytes for 4, 3 and 3, and then for one more.
    #[test]
    fn policies_at_the_budget() {
        use WhenFull::{Close, Coalesce, KeepNewest, KeepOldest};
        let cases: [(WhenFull, usize, &[u64]); 9] = [
            (KeepOldest, 1, &[4]),
            (KeepNewest, 4, &[1]),
            (KeepNewest, 5, &[1, 2]),
            (KeepNewest, 10, &[1, 2, 3]),
            (KeepNewest, 11, &[4]),
            (Coalesce, 1, &[1, 2, 3]),
            (Coalesce, 10, &[1, 2, 3]),
            (Coalesce, 11, &[4]),
            (Close, 1, &[4]),
        ];
        for (when_full, len, expected) in cases {
            let (mut queue, mut room) = (Queue::default(), 10);
            for (id, len) in [(1, 4), (2, 3), (3, 3)] {
                let offered = queue.offer(Timestamp::default(), sized(id, len), 9, room, when_full);
                assert_eq!(offered, Offered::Queued, "{when_full:?}");
                room -= len;
            }
            let offered = queue.offer(Timestamp::default(), sized(4, len), 9, room, when_full);
            let shed: Vec<u64> = match offered {
                Offered::Queued => Vec::new(),
                Offered::Shed(list) => list.iter().map(|shed| shed.notify_id).collect(),
                Offered::Close(shed) => vec![shed.notify_id],
            };
            assert_eq!(shed, expected, "{when_full:?} {len}");
            let kept: usize = core::iter::from_fn(|| queue.pop())
                .map(|event| if let WatchEvent::Notify(notify) = event { notify.payload.len() } else { 0 })
                .sum();
            assert!(kept <= 10, "{when_full:?} {len}: {kept}");
        }
    }

    #[test]
    fn marks_come_in_their_turn_and_are_bounded() {
        let mut queue = Queue::default();
        let now = Timestamp::default();
        offer(&mut queue, 1..=1, WhenFull::KeepOldest);
        assert!(queue.mark(now, 7));
        offer(&mut queue, 2..=2, WhenFull::KeepOldest);
        assert_eq!(taken(&mut queue), ["1", "Flushed { token: 7 }", "2"]);
        assert!((0..MARKS_MAX as u64).all(|token| queue.mark(now, token)), "at the bound");
        assert!(!queue.mark(now, 0), "beyond it");
        queue.pop();
        assert!(queue.mark(now, 0), "there is room again");
        assert_eq!(offer(&mut queue, 1..=2, WhenFull::KeepOldest), [0u64; 0], "marks take no notify's place");
    }

    #[test]
    fn says_once_that_it_is_readable() {
        let mut queue = Queue::default();
        assert!(!queue.announce(), "empty");
        offer(&mut queue, 1..=2, WhenFull::KeepOldest);
        assert!(queue.announce());
        assert!(!queue.announce());
        queue.pop();
        assert!(!queue.announce(), "not yet drained");
        taken(&mut queue);
        offer(&mut queue, 3..=3, WhenFull::KeepOldest);
        assert!(queue.announce(), "drained and filled again");
    }
}
