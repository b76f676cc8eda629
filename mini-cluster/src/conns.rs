//! All connections, and what is to be done with them.

use crate::conn::Conn;
use crate::who::Who;
use linger_core::auth::ConMode;
use linger_wire::EntityAddr;
use linger_wire::msg::Message;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A connection that a daemon accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub(crate) u64);

/// A client's open session with a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Session {
    /// The connection, to [reset](crate::Servers::reset) it.
    pub conn: ConnId,
    /// The daemon.
    pub who: Who,
    /// The client's number, as in `client.4101`.
    pub client: u64,
    /// The client's address, to [blocklist](crate::Servers::blocklist) it.
    pub addr: EntityAddr,
    /// How the connection is protected.
    pub mode: ConMode,
}

/// What the driver is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// The connection's outbox has bytes.
    Write(ConnId),
    /// Send what is in the outbox, then close the connection.
    Close(ConnId),
    /// The daemon's process runs again: accept its connections.
    Listen(Who),
    /// The daemon's process is gone: refuse connections to it. Those there are get a [`Output::Close`].
    Refuse(Who),
}

#[derive(Debug, Default)]
pub(crate) struct Conns {
    next: u64,
    all: BTreeMap<ConnId, Conn>,
    /// Closed, with what they still had to say.
    closed: BTreeMap<ConnId, Conn>,
    /// Connections with something to say that was not announced.
    written: BTreeSet<ConnId>,
    pub outputs: VecDeque<Output>,
    /// Connections that their daemon closed: it has to be told.
    pub lost: VecDeque<ConnId>,
}

impl Conns {
    pub fn add(&mut self, conn: Conn) -> ConnId {
        let id = ConnId(self.next);
        self.next += 1;
        self.all.insert(id, conn);
        self.written.insert(id);
        id
    }

    pub fn get(&self, id: ConnId) -> Option<&Conn> {
        self.all.get(&id)
    }

    /// A connection to change; it may have something to say afterwards.
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self.all.get_mut(&id)?;
        self.written.insert(id);
        Some(conn)
    }

    /// A connection to read from, also one that is closed.
    pub fn outbox(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.all.get_mut(&id).or_else(|| self.closed.get_mut(&id))
    }

    pub fn of(&self, who: Who) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.all.iter().filter(move |(_, conn)| conn.who == who).map(|(id, conn)| (*id, conn))
    }

    /// All that are open.
    pub fn sessions(&self) -> impl Iterator<Item = Session> {
        self.iter().filter_map(|(id, conn)| {
            let client = conn.client.as_ref()?;
            let (client, addr) = (client.id, client.addr);
            Some(Session { conn: id, who: conn.who, client, addr, mode: conn.mode })
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Conn)> {
        self.all.iter().map(|(id, conn)| (*id, conn))
    }

    /// Sends a message; nothing happens if the connection is gone.
    pub fn send<M: Message>(&mut self, id: ConnId, tid: u64, message: &M) {
        if let Some(conn) = self.get_mut(id) {
            conn.send(tid, message);
        }
    }

    /// The daemon closes a connection.
    pub fn close(&mut self, id: ConnId) {
        if let Some(conn) = self.all.remove(&id) {
            self.closed.insert(id, conn);
            self.lost.push_back(id);
            self.outputs.push_back(Output::Close(id));
        }
    }

    /// The client closed a connection, or the driver has closed it.
    pub fn forget(&mut self, id: ConnId) {
        self.closed.remove(&id);
        self.written.remove(&id);
        if self.all.remove(&id).is_some() {
            self.lost.push_back(id);
        }
    }

    /// Announces what waits to be written, but for daemons that are paused.
    pub fn announce(&mut self, is_paused: impl Fn(Who) -> bool) {
        let all = &self.all;
        let outputs = &mut self.outputs;
        self.written.retain(|id| {
            let Some(conn) = all.get(id) else { return false };
            if is_paused(conn.who) {
                return true;
            }
            if !conn.out.is_empty() {
                outputs.push_back(Output::Write(*id));
            }
            false
        });
    }
}
