//! A watch, as its user has it.

use crate::engine::{Asked, Command};
use crate::error::Error;
use crate::mailbox::{Mailbox, Status};
use crate::shared::{Lifeline, Shared};
use bytes::Bytes;
use futures_core::Stream;
use linger_core::{
    AckToken, CommandError, LeftBehind, Live, LossCause, Notify, ObjectRef, OnDrop, WatchError, WatchId,
    WatchStatus,
};
use linger_wire::EntityName;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A watch on an object: a stream of what happens to it.
///
/// After a loss the client registers it again by itself, unless told otherwise, and the stream says
/// both. The stream ends after [`WatchEvent::Closed`] or [`WatchEvent::Failed`]. Dropping the watch
/// ends it in the background; [`Watch::unwatch`] waits for the cluster's word.
///
/// Events are kept in order and within bounds (`WatchOptions::queue`, and up to 16 more on their
/// way; all of a client's within `Limits::notify_bytes`): a watch that is not read sheds notifies by
/// its policy and holds up no other.
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
    ///
    /// After a terminal loss comes `Closed`, but for one: a blocklisted client's watch stays, until
    /// [`Cluster::renew_identity`](crate::Cluster::renew_identity) brings it back or it is ended.
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
    /// The watch ends, and the cluster did not confirm that: not in time, or not before the client got another
    /// number.
    LeftBehind(LeftBehind),
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
    /// stream too, behind all that waits already. Cancel-safe.
    ///
    /// # Errors
    /// The watch is lost for good, or the driver failed.
    pub async fn live(&mut self) -> Result<Live, Error> {
        let live = poll_fn(|cx| {
            let (status, ask) = self.mailbox.poll_live(cx);
            if ask {
                self.shared().send(Command::more(self.id));
            }
            status
        });
        let error = match live.await {
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

    /// How the watch stands: since when it is proved live, until when that holds, what is not taken yet.
    /// `None` once it has ended.
    ///
    /// # Errors
    /// The cluster is closed, or its driver failed.
    pub async fn status(&self) -> Result<Option<WatchStatus>, Error> {
        let (id, mailbox) = (self.id, Arc::clone(&self.mailbox));
        let question = move |asked: Asked<'_>| {
            let mut status = asked.client.status(asked.now, id)?;
            if let Some(oldest) = mailbox.oldest() {
                status.age = status.age.max(asked.now.saturating_since(oldest));
            }
            status.queued += mailbox.len();
            Some(status)
        };
        self.shared().ask(question).await
    }

    /// Waits until all events that the watch has so far are taken from its stream. The future does not
    /// borrow the watch, so that one can take them meanwhile.
    pub fn flush(&self) -> impl Future<Output = Result<(), Error>> + Send + use<> {
        let (id, shared) = (self.id, Arc::clone(self.shared()));
        async move { shared.flush(Some(id)).await }
    }

    /// Begins to end the watch: the stream goes on to [`WatchEvent::Closed`].
    pub fn end(&self) {
        self.shared().send(Command::unwatch(self.id, None));
    }

    /// As [`Watch::unwatch`], waiting for the cluster's word no longer than `within`: what may be left
    /// there then, and for how long.
    ///
    /// # Errors
    /// The driver failed.
    pub async fn unwatch_within(mut self, within: Duration) -> Result<Option<LeftBehind>, Error> {
        self.shared().send(Command::unwatch(self.id, Some(within)));
        let mut left = None;
        while let Some(event) = self.next().await {
            match event {
                WatchEvent::Failed(error) => return Err(error),
                WatchEvent::LeftBehind(behind) => left = Some(behind),
                _ => {}
            }
        }
        Ok(left)
    }

    /// Ends the watch and waits for the cluster's word on it. Notifications that were not taken are
    /// dropped. If the future is dropped the watch ends in the background.
    ///
    /// # Errors
    /// The driver failed.
    pub async fn unwatch(mut self) -> Result<(), Error> {
        // Without an engine the mailbox has an end already.
        self.shared().send(Command::unwatch(self.id, None));
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
        self.shared().send(Command::unwatch(self.id, None));
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

#[cfg(test)]
impl Notification {
    /// One of this size, that nobody waits for.
    pub(crate) fn of_bytes(len: usize) -> Self {
        let settings =
            crate::config::Settings::builder().id("x").key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==");
        let options = settings.mon_host("v2:10.0.0.1:3300").build().unwrap().try_into().unwrap();
        Self {
            notify_id: 0,
            from: EntityName::client(1),
            version: 0,
            payload: vec![0; len].into(),
            token: None,
            on_drop: OnDrop::Silent,
            shared: Shared::new(async_channel::unbounded().0, &options),
        }
    }
}
