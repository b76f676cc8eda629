//! A cluster, as its user has it.

use crate::op::{Notify, Pending};
use crate::shared::{Shared, State};
use crate::watch::Watch;
use alloc::rc::Rc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::future::{Future, poll_fn};
use core::task::Poll;
use core::time::Duration;
use linger_core::{Call, CommandError, ConnFault, LeftBehind, ObjectRef, Timestamp, WatchOptions};

/// How long the last handle's drop lets watches end in order.
const DROP_WITHIN: Duration = Duration::from_secs(5);

/// A client of a cluster. Clones are the same client.
///
/// Dropping the last handle (this, its watches, notifies and calls) ends what is left in the
/// background, for at most 5 s, and then the runner.
#[derive(Clone)]
pub struct Cluster(Rc<Lifeline>);

/// What keeps the cluster open.
pub(crate) struct Lifeline(pub(crate) Rc<Shared>);

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.act(|state, now| state.client.close(now, DROP_WITHIN));
    }
}

impl Cluster {
    pub(crate) fn new(shared: &Rc<Shared>) -> Self {
        Self(Rc::new(Lifeline(Rc::clone(shared))))
    }

    /// Waits for a session with a monitor and a map. Nothing needs that: what is asked for earlier
    /// waits by itself. Cancel-safe.
    ///
    /// # Errors
    /// What all monitors refuse, such as a wrong key: what the last one said. The client goes on trying.
    pub async fn connected(&self) -> Result<(), ConnFault> {
        self.news(|state| match &state.refused {
            _ if state.client.osd_map().is_some() => Some(Ok(())),
            Some(fault) if state.client.is_shut_out() => Some(Err(fault.clone())),
            _ if state.ended.is_some() => Some(Err(ConnFault::Dropped)),
            _ => None,
        })
        .await
    }

    /// Watches an object until the handle is dropped, or a terminal loss.
    ///
    /// # Errors
    /// The object's name, the timeout or the number of watches is out of bounds, or the client is
    /// closing.
    pub fn watch(&self, object: ObjectRef, options: WatchOptions) -> Result<Watch, CommandError> {
        let id = self.0.0.act(|state, now| state.client.watch(now, object, options))?;
        Ok(Watch::new(id, Rc::clone(&self.0)))
    }

    /// Notifies all watchers of an object and gives them `timeout` to answer: 1 s to 24 h. Waits while
    /// `Limits::ops_in_flight` are under way; after that the notify is a future of its outcome.
    ///
    /// # Errors
    /// The object's name, the payload or the timeout is out of bounds, or the client is closing.
    pub async fn notify(
        &self,
        object: ObjectRef,
        payload: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<Notify, CommandError> {
        let payload = payload.into();
        let start =
            |state: &mut State, now| state.client.notify(now, object.clone(), payload.clone(), timeout);
        Ok(Notify::new(self.unless_busy(start).await?, Rc::clone(&self.0)))
    }

    /// Reads, writes, or asks an object something; `within` that time if it is given. Waits while
    /// `Limits::ops_in_flight` are under way; after that the call is a future of its result.
    ///
    /// # Errors
    /// The object's name or what is written is out of bounds, or the client is closing.
    pub async fn call(
        &self,
        object: ObjectRef,
        call: Call,
        within: Option<Duration>,
    ) -> Result<Pending, CommandError> {
        let start = |state: &mut State, now| state.client.call(now, object.clone(), call.clone(), within);
        Ok(Pending::new(self.unless_busy(start).await?, Rc::clone(&self.0)))
    }

    /// Ends everything; the watches whose end no OSD confirmed within that time, or before the runner was dropped.
    pub async fn close(&self, within: Duration) -> Vec<LeftBehind> {
        self.0.0.act(|state, now| state.client.close(now, within));
        self.news(|state| state.ended.clone()).await
    }

    /// The client's number: others know it as `client.N`; `None` before the first session.
    #[must_use]
    pub fn global_id(&self) -> Option<u64> {
        self.0.0.look(|state| state.client.global_id())
    }

    /// Starts something as soon as the client takes it.
    async fn unless_busy<T>(
        &self,
        mut start: impl FnMut(&mut State, Timestamp) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        poll_fn(|cx| {
            self.0.0.act(|state, now| match start(state, now) {
                // Nobody drives the client any more: there will never be room.
                Err(CommandError::Busy) if state.ended.is_some() => Poll::Ready(Err(CommandError::Closing)),
                Err(CommandError::Busy) => {
                    state.news.register(cx);
                    Poll::Pending
                }
                started => Poll::Ready(started),
            })
        })
        .await
    }

    /// Looks at the state each time that something happened, until there is an answer.
    fn news<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> impl Future<Output = T> {
        poll_fn(move |cx| {
            self.0.0.look(|state| match look(state) {
                Some(answer) => Poll::Ready(answer),
                None => {
                    state.news.register(cx);
                    Poll::Pending
                }
            })
        })
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("global_id", &self.global_id()).finish_non_exhaustive()
    }
}
