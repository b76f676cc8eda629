//! The place where a command's outcome meets the future that waits for it.

use crate::lock;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// One command under way: the handle's future has one end, the engine the other.
pub(crate) struct Ticket<Id, T>(Arc<Mutex<State<Id, T>>>);

struct State<Id, T> {
    phase: Phase<Id, T>,
    /// Of a notify: its number at the OSD, once accepted.
    accepted: Option<u64>,
    waker: Option<Waker>,
}

enum Phase<Id, T> {
    /// The engine has not seen it yet.
    Queued,
    Running(Id),
    Done(T),
    /// The outcome was taken, or nobody wants it.
    Over,
}

impl<Id: Copy, T> Ticket<Id, T> {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { phase: Phase::Queued, accepted: None, waker: None })))
    }

    /// Whether the outcome is still wanted.
    pub(crate) fn is_wanted(&self) -> bool {
        !matches!(lock(&self.0).phase, Phase::Over)
    }

    /// The engine started the command; false if nobody wants the outcome any more.
    pub(crate) fn start(&self, id: Id) -> bool {
        let mut state = lock(&self.0);
        if matches!(state.phase, Phase::Queued) {
            state.phase = Phase::Running(id);
        }
        !matches!(state.phase, Phase::Over)
    }

    /// The OSD took the notify.
    pub(crate) fn accept(&self, notify_id: u64) {
        self.change(|state| state.accepted = Some(notify_id));
    }

    /// The outcome is there.
    pub(crate) fn finish(&self, outcome: T) {
        self.change(|state| {
            if matches!(state.phase, Phase::Queued | Phase::Running(_)) {
                state.phase = Phase::Done(outcome);
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State<Id, T>)) {
        let waker = {
            let mut state = lock(&self.0);
            change(&mut state);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes the outcome. Once taken it is pending for ever.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> Poll<T> {
        let mut state = lock(&self.0);
        match std::mem::replace(&mut state.phase, Phase::Over) {
            Phase::Done(outcome) => Poll::Ready(outcome),
            phase => {
                state.phase = phase;
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Ready once the notify is accepted, with its number, or over without that.
    pub(crate) fn poll_accepted(&self, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        let mut state = lock(&self.0);
        if state.accepted.is_some() || matches!(state.phase, Phase::Done(_) | Phase::Over) {
            return Poll::Ready(state.accepted);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Nobody wants the outcome any more; what the engine still has to give up.
    pub(crate) fn abandon(&self) -> Option<Id> {
        match std::mem::replace(&mut lock(&self.0).phase, Phase::Over) {
            Phase::Running(id) => Some(id),
            _ => None,
        }
    }
}

impl<Id, T> Clone for Ticket<Id, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Id, T> fmt::Debug for Ticket<Id, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_given_once_and_an_abandoned_one_never() {
        let mut cx = Context::from_waker(Waker::noop());
        let ticket = Ticket::<u8, u8>::new();
        assert!(ticket.start(1));
        assert!(ticket.poll(&mut cx).is_pending());
        ticket.finish(7);
        ticket.finish(8);
        assert_eq!(ticket.poll(&mut cx), Poll::Ready(7));
        assert!(ticket.poll(&mut cx).is_pending());
        assert_eq!(ticket.abandon(), None, "nothing runs any more");

        let ticket = Ticket::<u8, u8>::new();
        assert!(ticket.start(3));
        assert_eq!(ticket.abandon(), Some(3));
        ticket.finish(7);
        assert!(ticket.poll(&mut cx).is_pending());
        assert!(!ticket.is_wanted() && !ticket.start(4));
    }

    #[test]
    fn a_notify_is_accepted_before_it_is_done_or_never() {
        let mut cx = Context::from_waker(Waker::noop());
        let ticket = Ticket::<u8, u8>::new();
        assert!(ticket.poll_accepted(&mut cx).is_pending());
        ticket.accept(5);
        assert_eq!(ticket.poll_accepted(&mut cx), Poll::Ready(Some(5)));
        let ticket = Ticket::<u8, u8>::new();
        ticket.finish(0);
        assert_eq!(ticket.poll_accepted(&mut cx), Poll::Ready(None));
    }
}
