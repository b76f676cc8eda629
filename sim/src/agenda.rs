//! What happens when.

use crate::net::LinkId;
use linger_core::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Something that is going to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Item {
    /// A connection request reaches a daemon.
    Knock(LinkId),
    /// A client learns what became of its connection request.
    Answered(LinkId),
    /// Something reaches a daemon.
    ToServer(LinkId),
    /// Something reaches a client.
    ToClient(LinkId),
    /// The cluster has something to do.
    Servers,
    /// A client's deadline.
    Deadline(usize),
    /// A user does something.
    Act(usize),
    /// A slow user looks at a watch.
    Look(usize, usize),
    /// A slow user answers its oldest notify.
    Answer(usize),
    /// A user registers a watch again.
    Register(usize, usize),
    /// A fault begins.
    Fault(usize),
    /// A fault ends.
    Heal(usize),
    /// No more faults.
    Calm,
    /// All must be well.
    Check,
    /// The last words.
    End,
}

#[derive(Debug, Default)]
pub(crate) struct Agenda {
    items: BinaryHeap<Reverse<(Timestamp, u64, Item)>>,
    count: u64,
}

impl Agenda {
    /// Adds something; what is added first comes first at the same time.
    pub fn at(&mut self, at: Timestamp, item: Item) {
        self.count += 1;
        self.items.push(Reverse((at, self.count, item)));
    }

    pub fn next(&mut self) -> Option<(Timestamp, Item)> {
        self.items.pop().map(|Reverse((at, _, item))| (at, item))
    }
}
