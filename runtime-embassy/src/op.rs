//! What is under way: notifies and calls, as futures of their outcomes.

use crate::cluster::Lifeline;
use crate::shared::{Slot, State};
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use linger_core::{CallId, CallOutput, NotifyId, NotifyOutcome, OpError};

/// A notify under way: a future of its outcome.
///
/// Dropping it gives up the report, not the notify.
#[must_use = "its outcome says who answered; dropping it gives that up"]
pub struct Notify {
    id: NotifyId,
    lifeline: Rc<Lifeline>,
}

/// A call under way: a future of what it gives.
///
/// Dropping it gives up the result; a write that was sent may still happen.
#[must_use = "its result says whether it was done"]
pub struct Pending {
    id: CallId,
    lifeline: Rc<Lifeline>,
}

impl Notify {
    pub(crate) fn new(id: NotifyId, lifeline: Rc<Lifeline>) -> Self {
        lifeline.0.look(|state| _ = state.notifies.insert(id, Slot::default()));
        Self { id, lifeline }
    }
}

impl Pending {
    pub(crate) fn new(id: CallId, lifeline: Rc<Lifeline>) -> Self {
        lifeline.0.look(|state| _ = state.calls.insert(id, Slot::default()));
        Self { id, lifeline }
    }
}

impl Future for Notify {
    type Output = NotifyOutcome;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<NotifyOutcome> {
        let closed = NotifyOutcome::Failed(OpError::Closed);
        self.lifeline.0.look(|state| poll(state, |state| &mut state.notifies, self.id, closed, cx))
    }
}

impl Future for Pending {
    type Output = Result<CallOutput, OpError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let closed = Err(OpError::Closed);
        self.lifeline.0.look(|state| poll(state, |state| &mut state.calls, self.id, closed, cx))
    }
}

fn poll<K: Ord, T>(
    state: &mut State,
    slots: impl Fn(&mut State) -> &mut BTreeMap<K, Slot<T>>,
    id: K,
    closed: T,
    cx: &mut Context<'_>,
) -> Poll<T> {
    let is_over = state.ended.is_some();
    let slot = slots(state).entry(id).or_default();
    match slot.outcome.take() {
        Some(outcome) => Poll::Ready(outcome),
        None if is_over => Poll::Ready(closed),
        None => {
            slot.wakers.register(cx);
            Poll::Pending
        }
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        // The client goes on with it, and nobody waits for its outcome.
        self.lifeline.0.look(|state| _ = state.notifies.remove(&self.id));
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.lifeline.0.act(|state, now| {
            if state.calls.remove(&self.id).is_some_and(|slot| slot.outcome.is_none()) {
                state.client.abandon_call(now, self.id);
            }
        });
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("id", &self.id).finish_non_exhaustive()
    }
}
