//! A notify of one's own, as its user has it.

use crate::engine::{Command, Outcome};
use crate::error::Error;
use crate::shared::Lifeline;
use crate::ticket::Ticket;
use linger_core::{NotifyId, NotifyOutcome, ObjectRef};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A notify on its way: a future of who answered and who did not.
///
/// Its outcome comes within the timeout and a grace of 5 s in any case. Dropping it gives up the
/// outcome, not the notify: watchers that were asked may still answer.
#[derive(Debug)]
#[must_use = "a notify whose handle is dropped tells nobody how it ended"]
pub struct Notify {
    object: ObjectRef,
    ticket: Ticket<NotifyId, Outcome<NotifyOutcome>>,
    lifeline: Arc<Lifeline>,
}

impl Notify {
    pub(crate) fn new(
        object: ObjectRef,
        ticket: Ticket<NotifyId, Outcome<NotifyOutcome>>,
        lifeline: Arc<Lifeline>,
    ) -> Self {
        Self { object, ticket, lifeline }
    }

    /// What is notified.
    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    /// Waits until the OSD has taken the notify, for its number there; `None` if the notify is over
    /// without the OSD having said so before. Cancel-safe.
    pub async fn accepted(&mut self) -> Option<u64> {
        poll_fn(|cx| self.ticket.poll_accepted(cx)).await
    }
}

impl Future for Notify {
    /// An error means that the cluster refused the notify or that nobody knows what became of it;
    /// watchers that missed it are part of the outcome.
    type Output = Result<NotifyOutcome, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.ticket.poll(cx).map(|outcome| match outcome {
            Ok(NotifyOutcome::Failed(error)) => Err(Error::op("notify", &self.object, error)),
            Ok(outcome) => Ok(outcome),
            Err(failure) => Err(failure.of("notify", &self.object)),
        })
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        if let Some(id) = self.ticket.abandon() {
            self.lifeline.0.send(Command::abandon_notify(id));
        }
    }
}
