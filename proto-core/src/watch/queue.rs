//! The events of one watch that wait to be taken, in order and within bounds.
//!
//! Only notifies count against the bound and can be shed. What the client must know to not be deaf
//! (errors, live again, the end) comes seldom: a loss is followed by a wait before the next can
//! happen. If a user lets very many of these pile up, the oldest that are over are forgotten, and the next
//! return says in their place that something may have been missed; the newest state of the watch never is.

use crate::Timestamp;
use crate::output::{Notify, WatchEvent};
use alloc::collections::VecDeque;
use core::time::Duration;

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

    /// Drops the oldest return with all that was told before it: the next return speaks for them. Without two
    /// returns the oldest of what is told in between goes.
    fn forget_oldest_loss(&mut self) {
        let lives = |(at, (_, event)): (usize, &(Timestamp, WatchEvent))| {
            matches!(event, WatchEvent::Live(_)).then_some(at)
        };
        let mut found = self.events.iter().enumerate().filter_map(lives);
        let (first, second) = (found.next(), found.next());
        let (Some(first), Some(second)) = (first, second) else {
            if let Some(at) = self.events.iter().position(|(_, event)| is_loss(event)) {
                self.events.remove(at);
            }
            return;
        };
        let mut told = Told::default();
        let mut at = 0;
        self.events.retain_mut(|(_, event)| {
            let keep = at > first || !told.takes(event);
            if at == second {
                told.pass_on(event);
            }
            at += 1;
            keep
        });
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

/// What was told and is forgotten.
#[derive(Debug, Default)]
struct Told {
    may_have_missed: bool,
    deaf_for: Duration,
}

impl Told {
    /// Whether an event is a state of the watch, which is noted then.
    fn takes(&mut self, event: &WatchEvent) -> bool {
        match event {
            WatchEvent::Live(live) => {
                self.may_have_missed |= live.may_have_missed;
                self.deaf_for = self.deaf_for.saturating_add(live.deaf_for);
                true
            }
            event => is_loss(event),
        }
    }

    fn pass_on(&self, event: &mut WatchEvent) {
        if let WatchEvent::Live(live) = event {
            live.may_have_missed |= self.may_have_missed;
            live.deaf_for = live.deaf_for.saturating_add(self.deaf_for);
        }
    }
}

fn is_loss(event: &WatchEvent) -> bool {
    matches!(event, WatchEvent::Error(_) | WatchEvent::ReregisterNeeded { .. })
}

fn shed_of(notify: &Notify) -> Shed {
    Shed { notify_id: notify.notify_id, bytes: notify.payload.len() }
}

#[cfg(test)]
mod tests;
