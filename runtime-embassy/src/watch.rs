//! A watch, as its user has it.

use crate::cluster::Lifeline;
use alloc::rc::Rc;
use bytes::Bytes;
use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll};
use futures_core::Stream;
use linger_core::{AckToken, CommandError, WatchEvent, WatchId};

/// A watch on an object: a stream of what happens to it, which ends after [`WatchEvent::Closed`].
///
/// Events wait in the client, within the bounds of `WatchOptions::queue` and `Limits`: a watch that is
/// not read sheds notifies by its policy and holds up no other. Dropping it ends the watch.
pub struct Watch {
    id: WatchId,
    /// Its last event was taken.
    is_over: bool,
    lifeline: Rc<Lifeline>,
}

impl Watch {
    pub(crate) fn new(id: WatchId, lifeline: Rc<Lifeline>) -> Self {
        lifeline.0.look(|state| _ = state.watches.entry(id).or_default());
        Self { id, is_over: false, lifeline }
    }

    /// The next event; `None` after the last, or when the runner is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Answers a notify of this watch. It returns at once: the answer is sent, again where needed,
    /// until the OSD has it.
    ///
    /// # Errors
    /// The reply is too long (the notifier gets an empty one then), or the watch has ended.
    pub fn ack(&self, token: AckToken, reply: impl Into<Bytes>) -> Result<(), CommandError> {
        self.lifeline.0.act(|state, now| state.client.ack(now, token, reply.into()))
    }

    /// Leaves a notify unanswered: its notifier waits until the timeout and sees it missed here.
    ///
    /// # Errors
    /// The watch has ended.
    pub fn decline(&self, token: AckToken) -> Result<(), CommandError> {
        self.lifeline.0.act(|state, now| state.client.decline(now, token))
    }

    /// Registers a lost watch again, before its wait is over or because it asked for that.
    ///
    /// # Errors
    /// The watch has ended.
    pub fn reregister(&self) -> Result<(), CommandError> {
        self.lifeline.0.act(|state, now| state.client.reregister(now, self.id))
    }

    /// Ends the watch and waits for the cluster's word on it. Events that were not taken are dropped.
    pub async fn unwatch(mut self) {
        // One that has ended already has an end in its stream.
        let _ = self.lifeline.0.act(|state, now| state.client.unwatch(now, self.id));
        while self.next().await.is_some() {}
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let event = self.lifeline.0.look(|state| match state.client.next(self.id) {
            None if state.ended.is_none() => {
                state.watches.entry(self.id).or_default().register(cx);
                Poll::Pending
            }
            event => Poll::Ready(event),
        });
        self.is_over = matches!(event, Poll::Ready(None | Some(WatchEvent::Closed)));
        event
    }
}

impl Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        self.poll(cx)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.lifeline.0.act(|state, now| {
            let _ = state.client.unwatch(now, self.id);
            state.forget_watch(self.id);
        });
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("id", &self.id).finish_non_exhaustive()
    }
}
