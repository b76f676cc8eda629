//! Flushes: waiting until all events so far are taken.
//!
//! Each watch gets a mark behind what waits. A mark ends when it comes to the front, or with its watch; the
//! last one of a flush ends the flush.

use crate::engine::Outcome;
use crate::ticket::Ticket;
use std::sync::Arc;

/// Where a flush's outcome comes.
pub(crate) type FlushTicket = Ticket<(), Outcome<()>>;

/// One watch's part of a flush.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    _end: Arc<End>,
}

#[derive(Debug)]
struct End(FlushTicket);

impl Mark {
    pub(crate) fn new(ticket: FlushTicket) -> Self {
        Self { _end: Arc::new(End(ticket)) }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        // An error that was told before stays.
        self.0.finish(Ok(()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Waker};

    #[test]
    fn the_last_mark_ends_the_flush() {
        let mut cx = Context::from_waker(Waker::noop());
        let ticket = FlushTicket::new();
        let first = Mark::new(ticket.clone());
        let second = first.clone();
        drop(first);
        assert!(ticket.poll(&mut cx).is_pending());
        drop(second);
        assert!(ticket.poll(&mut cx).is_ready());
    }
}
