//! All deadlines of a client in one ordered queue, so that an idle poll looks at one entry only.

use crate::Timestamp;
use crate::ids::{CallKey, ConnKey, NotifyKey, WatchKey};
use alloc::collections::BTreeSet;

/// What a deadline is for: adapters log it, which is how busy loops get found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TimerKind {
    /// Progress of a connection: its handshake, its liveness.
    Connection,
    /// The monitors: the next hunting round, a keepalive, a ticket's renewal.
    Monitors,
    /// An OSD is to be dialled again.
    Redial,
    /// A watch: its next ping, the end of its lease, its next registration.
    Watch,
    /// Whether OSDs left something unanswered that another one is to answer by now.
    Overdue,
    /// A notify's deadline.
    Notify,
    /// A call's deadline.
    Call,
    /// The deadline of closing.
    Close,
}

/// Whose deadline it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TimerKey {
    Conn(ConnKey),
    Mon,
    Redial(i32),
    Overdue,
    Watch(WatchKey),
    Notify(NotifyKey),
    Call(CallKey),
    Close,
}

impl TimerKey {
    pub(crate) fn kind(self) -> TimerKind {
        match self {
            Self::Conn(_) => TimerKind::Connection,
            Self::Mon => TimerKind::Monitors,
            Self::Redial(_) => TimerKind::Redial,
            Self::Overdue => TimerKind::Overdue,
            Self::Watch(_) => TimerKind::Watch,
            Self::Notify(_) => TimerKind::Notify,
            Self::Call(_) => TimerKind::Call,
            Self::Close => TimerKind::Close,
        }
    }
}

/// A deadline that its owner keeps, in step with the queue.
#[derive(Debug, Default)]
pub(crate) struct Slot(Option<Timestamp>);

impl Slot {
    /// Whether there is one.
    pub(crate) fn is_set(&self) -> bool {
        self.0.is_some()
    }
}

/// The queue. Each owner has at most one entry.
#[derive(Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Timestamp, TimerKey)>);

impl Timers {
    /// Moves an owner's entry to `at`, or removes it. At the end of time nothing is ever due.
    pub(crate) fn set(&mut self, key: TimerKey, slot: &mut Slot, at: Option<Timestamp>) {
        let at = at.filter(|at| *at < Timestamp::MAX);
        if slot.0 == at {
            return;
        }
        if let Some(old) = slot.0 {
            self.0.remove(&(old, key));
        }
        if let Some(at) = at {
            self.0.insert((at, key));
        }
        slot.0 = at;
    }

    /// The earliest entry.
    pub(crate) fn first(&self) -> Option<(Timestamp, TimerKey)> {
        self.0.first().copied()
    }

    /// The earliest entry that is due, if any. Its owner must move it on.
    pub(crate) fn due(&self, now: Timestamp) -> Option<TimerKey> {
        self.first().filter(|(at, _)| *at <= now).map(|(_, key)| key)
    }
}
