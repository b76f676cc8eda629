//! A cluster, as its user has it.

use crate::engine::{Asked, Command};
use crate::error::Error;
use crate::event::Events;
use crate::pool::Pool;
use crate::shared::Lifeline;
use crate::ticket::Ticket;
use linger_core::{LeftBehind, PoolRef, Totals};
use linger_wire::Fsid;
use linger_wire::osdmap::OsdMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A client of a cluster. Clones are the same client.
///
/// Dropping the last handle (this, its pools, watches and notifies) ends what is left in the
/// background, for at most 5 s; [`Cluster::close`] does it in sight.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Lifeline>);

impl Cluster {
    /// A pool, by name or number.
    #[must_use]
    pub fn pool(&self, pool: impl Into<PoolRef>) -> Pool {
        Pool::new(pool.into(), Arc::clone(&self.0))
    }

    /// The client's number: others know it as `client.N`. It changes if the monitors no longer know
    /// the client, as after a long loss of all of them; each watch is then lost and registered anew.
    #[must_use]
    pub fn global_id(&self) -> u64 {
        self.0.0.global_id()
    }

    /// The cluster's id.
    #[must_use]
    pub fn fsid(&self) -> Fsid {
        self.0.0.fsid()
    }

    /// What goes wrong and is dealt with, for a log.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(&self.0.0)
    }

    /// Has a look at the newest OSD map. The closure runs in the driver: it must be short.
    ///
    /// # Errors
    /// The cluster is closed, or its driver failed.
    pub async fn with_map<T, F>(&self, look: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&OsdMap) -> T + Send + 'static,
    {
        let asked = self.0.0.ask(move |asked| asked.client.osd_map().map(look)).await?;
        asked.ok_or(Error::Closed)
    }

    /// What the client counted since it was made, over all watches.
    ///
    /// # Errors
    /// The cluster is closed, or its driver failed.
    pub async fn totals(&self) -> Result<Totals, Error> {
        let waiting = Arc::clone(&self.0.0.waiting);
        let question = move |asked: Asked<'_>| {
            let mut totals = asked.client.totals(asked.now);
            totals.queued += waiting.items();
            totals.queued_bytes += waiting.bytes();
            totals
        };
        self.0.0.ask(question).await
    }

    /// Waits until all events that all watches have so far are taken from their streams.
    ///
    /// # Errors
    /// Too many flushes wait, the cluster is closed, or its driver failed.
    pub async fn flush(&self) -> Result<(), Error> {
        self.0.0.flush(None).await
    }

    /// Makes this another client to the cluster: the way out of a blocklist.
    ///
    /// It gets another number and address, and every watch is registered afresh: one that was lost to the
    /// blocklist comes back with [`WatchEvent::Live`](crate::WatchEvent::Live), a live one is lost by
    /// [`Identity`](crate::LossCause::Identity) first.
    pub fn renew_identity(&self) {
        self.0.0.send(Command::renew_identity());
    }

    /// Ends everything: watches are unwatched, notifies and calls fail as closed. Gives the watches
    /// whose end the cluster did not confirm within `within`, and until when it may have them. If it was
    /// closed before, that is none.
    ///
    /// # Errors
    /// The driver failed.
    pub async fn close(&self, within: Duration) -> Result<Vec<LeftBehind>, Error> {
        let ticket = Ticket::new();
        let sent = self.0.0.send(Command::close(within, Some(ticket.clone())));
        match (sent, self.0.0.ended()) {
            (true, _) => poll_fn(|cx| ticket.poll(cx)).await,
            (false, Error::Closed) => Ok(Vec::new()),
            (false, error) => Err(error),
        }
    }
}

/// A cluster that is being connected to: a future of it.
///
/// It resolves once there is a session with a monitor and an OSD map. It fails as soon as all monitors
/// can not be used for a reason that stays, such as a refused login, or when its time is over.
/// Dropping it closes the client.
#[derive(Debug)]
#[must_use = "dropping it closes the client"]
pub struct Connecting {
    ticket: Ticket<(), Result<(), Error>>,
    lifeline: Arc<Lifeline>,
}

impl Connecting {
    pub(crate) fn new(ticket: Ticket<(), Result<(), Error>>, lifeline: Arc<Lifeline>) -> Self {
        Self { ticket, lifeline }
    }

    /// What goes wrong and is dealt with, for a log.
    #[must_use]
    pub fn events(&self) -> Events {
        Events::new(&self.lifeline.0)
    }
}

impl Future for Connecting {
    type Output = Result<Cluster, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.ticket.poll(cx).map_ok(|()| Cluster(Arc::clone(&self.lifeline)))
    }
}
