//! From the start to the first session: when connecting is done, and when it has failed.

use super::Engine;
use crate::error::{ConnectError, Error};
use crate::event::ClusterEvent;
use crate::ticket::Ticket;
use linger_core::{ConnFault, Query, Timestamp};
use linger_wire::Fsid;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Connecting, until it is done or has failed.
#[derive(Debug)]
pub(super) struct Connect {
    pub(super) ticket: Ticket<(), Result<(), Error>>,
    within: Option<Duration>,
    by: Option<Timestamp>,
    last: Option<ClusterEvent>,
    /// Monitors that can not be used for a reason that stays; others may do better.
    hopeless: BTreeSet<SocketAddr>,
    /// The last such reason.
    reason: Option<ClusterEvent>,
}

impl Connect {
    pub(super) fn new(
        now: Timestamp,
        within: Option<Duration>,
        ticket: Ticket<(), Result<(), Error>>,
    ) -> Self {
        let by = within.map(|within| now.saturating_add(within));
        Self { ticket, within, by, last: None, hopeless: BTreeSet::new(), reason: None }
    }

    pub(super) fn by(&self) -> Option<Timestamp> {
        self.by
    }

    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        self.by.is_some_and(|by| by <= now)
    }
}

impl Engine {
    pub(super) fn on_connected(&mut self, fsid: Fsid) {
        self.shared.connected(fsid);
        self.shared.set_global_id(self.client.global_id().unwrap_or_default());
        if let Some(connect) = self.connect.take() {
            connect.ticket.finish(Ok(()));
        }
    }

    pub(super) fn on_mon_fault(&mut self, addr: Option<SocketAddr>, fault: ConnFault, permanent: bool) {
        // All monitors share one answer to who may log in and how.
        let final_word = permanent && matches!(fault, ConnFault::Auth(_));
        let os_error = addr.and_then(|addr| self.os_errors.remove(&addr));
        let event = ClusterEvent::MonFault { addr, fault, os_error, permanent };
        if let Some(connect) = &mut self.connect
            && permanent
        {
            connect.hopeless.extend(addr);
            connect.reason = Some(event.clone());
        }
        self.tell(event);
        if final_word {
            self.fail_connect();
        }
    }

    /// Whether something failed for a reason that stays, and nothing else is being tried.
    pub(super) fn is_hopeless(&self) -> bool {
        let Some(connect) = self.connect.as_ref().filter(|connect| connect.reason.is_some()) else {
            return false;
        };
        self.resolving.is_empty() && self.conns.values().all(|addr| connect.hopeless.contains(addr))
    }

    /// Gives connecting up.
    pub(super) fn fail_connect(&mut self) {
        let Some(connect) = self.connect.take() else { return };
        let late = connect.is_late(self.now);
        let error =
            ConnectError { within: connect.within.filter(|_| late), last: connect.reason.or(connect.last) };
        connect.ticket.finish(Err(Error::Connect(Box::new(error))));
        self.client.close(self.now, Duration::ZERO);
    }

    /// Tells what a log may want to know.
    pub(super) fn tell(&mut self, event: ClusterEvent) {
        if let Some(connect) = self.connect.as_mut().filter(|_| event.is_fault()) {
            connect.last = Some(event.clone());
        }
        self.shared.tell(event);
    }
}

/// What is asked, in words.
pub(super) fn name(query: &Query) -> String {
    match query {
        Query::Host { host, .. } => host.clone(),
        Query::Service { name } => format!("DNS SRV record {name}"),
        _ => String::new(),
    }
}
