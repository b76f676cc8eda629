//! From the start to the first session: when connecting is done, and when it has failed.

use super::Engine;
use crate::error::{ConnectError, Error};
use crate::event::ClusterEvent;
use crate::ticket::Ticket;
use linger_core::{ConnFault, Query, Timestamp};
use linger_wire::Fsid;
use std::net::SocketAddr;
use std::time::Duration;

/// Connecting, until it is done or has failed.
#[derive(Debug)]
pub(super) struct Connect {
    pub(super) ticket: Ticket<(), Result<(), Error>>,
    within: Option<Duration>,
    by: Option<Timestamp>,
    last: Option<ClusterEvent>,
    /// The last reason that stays for which a monitor can not be used; others may do better.
    reason: Option<ClusterEvent>,
}

impl Connect {
    pub(super) fn new(
        now: Timestamp,
        within: Option<Duration>,
        ticket: Ticket<(), Result<(), Error>>,
    ) -> Self {
        let by = within.map(|within| now.saturating_add(within));
        Self { ticket, within, by, last: None, reason: None }
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
        let os_error = addr.and_then(|addr| self.os_errors.remove(&addr));
        let event = ClusterEvent::MonFault { addr, fault, os_error, permanent };
        if let Some(connect) = &mut self.connect
            && permanent
        {
            connect.reason = Some(event.clone());
        }
        self.tell(event);
    }

    /// Whether waiting for a first session would not help.
    pub(super) fn is_hopeless(&self) -> bool {
        self.connect.is_some() && self.client.is_shut_out()
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
