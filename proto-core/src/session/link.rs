//! The session with one OSD: its connection, what waits to be sent there, when to dial again.
//!
//! ```text
//!   needed                connected          idents
//!  ───────▶ Down ──dial──▶ Dialing ─────────────────▶ Up
//!             ▲               │ fault                 │ fault
//!             │  its time     ▼                       │
//!             └───────────  Waiting ◀─────────────────┘
//! ```

use super::backoffs::Backoffs;
use crate::Timestamp;
use crate::config::Timing;
use crate::ids::ConnKey;
use crate::retry::redial_wait;
use crate::timers::Slot;
use alloc::collections::BTreeSet;
use core::net::SocketAddr;
use linger_wire::AddrVec;

/// How a session is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// No connection and none asked for; or asked for and without a ticket.
    Down,
    /// After a fault, until it may be dialled again.
    Waiting,
    Dialing(ConnKey),
    Up(ConnKey),
}

/// Place in the line of what is to be encoded: class, then age.
pub(super) type Turn = (u8, u64);

/// One OSD's session.
#[derive(Debug)]
pub(super) struct Session {
    /// The OSD's addresses; another set is another process.
    pub(super) addrs: AddrVec,
    pub(super) link: Link,
    /// All requests that belong here.
    pub(super) tids: BTreeSet<u64>,
    /// Those to be encoded, in order.
    pub(super) queue: BTreeSet<Turn>,
    /// Those held by a pause, a full pool or a backoff.
    pub(super) held: BTreeSet<Turn>,
    pub(super) backoffs: Backoffs,
    failures: u32,
    pub(super) dialled: Timestamp,
    /// Where it was dialled last.
    pub(super) addr: Option<SocketAddr>,
    pub(super) timer: Slot,
}

impl Session {
    pub(super) fn new(addrs: AddrVec) -> Self {
        Self {
            addrs,
            link: Link::Down,
            tids: BTreeSet::new(),
            queue: BTreeSet::new(),
            held: BTreeSet::new(),
            backoffs: Backoffs::default(),
            failures: 0,
            dialled: Timestamp::default(),
            addr: None,
            timer: Slot::default(),
        }
    }

    pub(super) fn conn(&self) -> Option<ConnKey> {
        match self.link {
            Link::Dialing(conn) | Link::Up(conn) => Some(conn),
            Link::Down | Link::Waiting => None,
        }
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self.link, Link::Up(_))
    }

    /// The session works: the next fault is the first again.
    pub(super) fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// When to dial again after one more fault. The waits grow, and count from the last dial on: a
    /// session that lasted is dialled again at once, for most faults are restarts of daemons.
    pub(super) fn failed(&mut self, now: Timestamp, timing: &Timing, rng: &mut crate::Rng) -> Timestamp {
        self.failures = self.failures.saturating_add(1);
        self.dialled.saturating_add(redial_wait(timing, self.failures, rng)).max(now)
    }

    /// Lets everything that was held have another try.
    pub(super) fn release_held(&mut self) {
        self.queue.append(&mut self.held);
    }
}

/// The time until a session that nothing needs is closed.
pub(super) fn idle_check(now: Timestamp, timing: &Timing) -> Timestamp {
    now.saturating_add(timing.idle)
}
