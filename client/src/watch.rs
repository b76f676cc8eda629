//! A watch, as its user has it.

use crate::engine::Command;
use crate::error::Error;
use crate::mailbox::{Mailbox, Status};
use crate::shared::{Lifeline, Shared};
use bytes::Bytes;
use futures_core::Stream;
use linger_core::{AckToken, CommandError, Live, LossCause, Notify, ObjectRef, OnDrop, WatchError, WatchId};
use linger_wire::EntityName;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// A watch on an object: a stream of what happens to it.
///
/// After a loss the client registers it again by itself, unless told otherwise, and the stream says
/// both. The stream ends after [`WatchEvent::Closed`] or [`WatchEvent::Failed`]. Dropping the watch
/// ends it in the background; [`Watch::unwatch`] waits for the cluster's word.
///
/// Events are kept in order and within bounds (`WatchOptions::queue`, and up to 16 more on their
/// way): a watch that is not read sheds notifies by its policy and holds up no other.
#[derive(Debug)]
pub struct Watch {
    id: WatchId,
    object: ObjectRef,
    mailbox: Arc<Mailbox>,
    lifeline: Arc<Lifeline>,
}

/// What happens to a watch, in order.
#[derive(Debug)]
#[non_exhaustive]
pub enum WatchEvent {
    /// Somebody notified.
    Notification(Notification),
    /// The watch is registered: for the first time, or again after a time of being deaf. This is the
    /// moment to read again what may have changed.
    Live(Live),
    /// The watch is lost. Unless terminal, the client registers it again.
    Error(WatchError),
    /// The watch is lost and waits for [`Watch::reregister`].
    ReregisterNeeded {
        /// Why it was lost.
        cause: LossCause,
    },
    /// Notifies were shed because they were not taken in time.
    Overflow {
        /// How many.
        lost: u64,
    },
    /// The last event: the watch is unwatched, or terminally lost.
    Closed,
    /// The last event: the cluster's driver failed.
    Failed(Error),
}

impl Watch {
    pub(crate) fn new(
        id: WatchId,
        object: ObjectRef,
        mailbox: Arc<Mailbox>,
        lifeline: Arc<Lifeline>,
    ) -> Self {
        Self { id, object, mailbox, lifeline }
    }

    /// The watch's id within this client; it stays the same when the watch is registered again.
    #[must_use]
    pub fn id(&self) -> WatchId {
        self.id
    }

    /// What is watched.
    #[must_use]
    pub fn object(&self) -> &ObjectRef {
        &self.object
    }

    /// The watch's cookie at the OSD while it is live; each registration has a new one.
    #[must_use]
    pub fn cookie(&self) -> Option<u64> {
        match self.mailbox.status() {
            Status::Live(live) => Some(live.cookie),
            _ => None,
        }
    }

    /// Whether the watch is live, as far as its events have got.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.mailbox.status(), Status::Live(_))
    }

    /// Waits until the watch is live, without taking events: the [`WatchEvent::Live`] comes in the
    /// stream too. Cancel-safe.
    ///
    /// # Errors
    /// The watch is lost for good, or the driver failed.
    pub async fn live(&mut self) -> Result<Live, Error> {
        let error = match poll_fn(|cx| self.mailbox.poll_live(cx)).await {
            Status::Live(live) => return Ok(live),
            Status::Failed(error) => return Err(error),
            Status::Lost(error) => error,
            Status::Deaf | Status::Closed => WatchError { cause: LossCause::Closed, errno: None },
        };
        Err(Error::Watch { object: Box::new(self.object.clone()), error })
    }

    /// The next event; `None` after the last. Cancel-safe.
    pub async fn next(&mut self) -> Option<WatchEvent> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Registers a lost watch again: one that asked for it, or any before its wait is over. A watch
    /// that is not lost is left alone.
    pub fn reregister(&self) {
        self.shared().send(Command::reregister(self.id));
    }

    /// Ends the watch and waits for the cluster's word on it. Notifications that were not taken are
    /// dropped. If the future is dropped the watch ends in the background.
    ///
    /// # Errors
    /// The driver failed.
    pub async fn unwatch(mut self) -> Result<(), Error> {
        // Without an engine the mailbox has an end already.
        self.shared().send(Command::unwatch(self.id));
        while let Some(event) = self.next().await {
            if let WatchEvent::Failed(error) = event {
                return Err(error);
            }
        }
        Ok(())
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.lifeline.0
    }
}

impl Stream for Watch {
    type Item = WatchEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<WatchEvent>> {
        let (event, ask) = self.mailbox.poll(cx);
        if ask {
            self.shared().send(Command::more(self.id));
        }
        event
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.mailbox.orphan();
        self.shared().send(Command::unwatch(self.id));
    }
}

/// A notify that was received.
///
/// Its notifier waits for an answer: [`Notification::ack`] gives one. One that is dropped is acked
/// with nothing, or not at all with `OnDrop::Silent`; dropping can neither block nor fail.
pub struct Notification {
    /// Its number at the OSD. The same notify may come again under another number when its notifier
    /// had to send it again: delivery is at least once.
    pub notify_id: u64,
    /// Who sent it.
    pub from: EntityName,
    /// The object's version when it was sent.
    pub version: u64,
    /// What was sent.
    pub payload: Bytes,
    token: Option<AckToken>,
    on_drop: OnDrop,
    shared: Arc<Shared>,
}

impl Notification {
    pub(crate) fn new(notify: Notify, on_drop: OnDrop, shared: &Arc<Shared>) -> Self {
        let Notify { notify_id, from, version, payload, token } = notify;
        Self { notify_id, from, version, payload, token: Some(token), on_drop, shared: Arc::clone(shared) }
    }

    /// Answers. It returns at once: the answer is sent, again where needed, until the OSD has it. If
    /// the watch is lost before, the answer is of no use to anybody and is dropped.
    ///
    /// # Errors
    /// The reply exceeds `Limits::payload_bytes`: the notifier then gets an empty one.
    pub fn ack(mut self, reply: impl Into<Bytes>) -> Result<(), CommandError> {
        let (reply, max) = (reply.into(), self.shared.payload_bytes);
        if reply.len() > max {
            self.answer(Some(Bytes::new()));
            return Err(CommandError::TooLong { what: "reply", len: reply.len(), max });
        }
        self.answer(Some(reply));
        Ok(())
    }

    /// Leaves it unanswered: the notifier waits until its timeout and sees it missed here.
    pub fn decline(mut self) {
        self.answer(None);
    }

    /// The token is this answer's slot, taken when the notify was delivered.
    fn answer(&mut self, reply: Option<Bytes>) {
        if let Some(token) = self.token.take() {
            self.shared.send(Command::answer(token, reply));
        }
    }
}

impl Drop for Notification {
    fn drop(&mut self) {
        let reply = match self.on_drop {
            OnDrop::Silent => None,
            _ => Some(Bytes::new()),
        };
        self.answer(reply);
    }
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notification")
            .field("notify_id", &self.notify_id)
            .field("from", &self.from)
            .field("version", &self.version)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}
