//! All connections of a client, and the bytes that each still has to write.

use super::{ConnEvent, Connection, Dial};
use crate::config::Config;
use crate::error::ConnFault;
use crate::ids::{ConnId, ConnKey};
use crate::output::Output;
use crate::timers::{TimerKey, Timers};
use crate::{Rng, Timestamp};
use alloc::collections::{BTreeSet, VecDeque};
use bytes::{Buf, Bytes, BytesMut};
use core::net::SocketAddr;
use linger_wire::EntityAddr;
use linger_wire::frame::Chunks;
use linger_wire::msg::{Kind, Message};
use slotmap::SlotMap;

/// The connections.
pub(crate) struct Pool {
    conns: SlotMap<ConnKey, Connection>,
    /// Connections that got something to write since the last poll.
    dirty: BTreeSet<ConnKey>,
    /// Connections whose outbox got room since the last poll.
    drained: BTreeSet<ConnKey>,
    /// Tells this client from others at its address.
    nonce: u32,
    /// Counts attempts to connect: servers refuse an older attempt once they saw a newer one.
    global_seq: u64,
    /// The outbox of connections that are gone.
    nothing: Chunks,
}

impl Pool {
    pub(crate) fn new(nonce: u32) -> Self {
        Self {
            conns: SlotMap::with_key(),
            dirty: BTreeSet::new(),
            drained: BTreeSet::new(),
            nonce,
            global_seq: 0,
            nothing: Chunks::new(),
        }
    }

    /// Connections from now on are another client's.
    pub(crate) fn renew_nonce(&mut self, nonce: u32) {
        self.nonce = nonce;
    }

    /// Opens a connection; the adapter is told to dial.
    pub(crate) fn open(
        &mut self,
        now: Timestamp,
        addr: SocketAddr,
        dial: Dial,
        config: &Config,
        timers: &mut Timers,
        out: &mut VecDeque<Output>,
    ) -> ConnKey {
        self.global_seq = self.global_seq.saturating_add(1);
        let conn = Connection::new(now, dial, self.nonce, self.global_seq, config);
        let key = self.conns.insert(conn);
        self.arm(key, timers);
        out.push_back(Output::Connect { conn: key.into(), addr });
        key
    }

    /// Closes a connection; the adapter is told to drop its socket.
    pub(crate) fn close(
        &mut self,
        key: ConnKey,
        why: ConnFault,
        timers: &mut Timers,
        out: &mut VecDeque<Output>,
    ) {
        if self.forget(key, timers) {
            out.push_back(Output::Disconnect { conn: key.into(), why });
        }
    }

    /// Forgets a connection that the adapter says is closed.
    pub(crate) fn forget(&mut self, key: ConnKey, timers: &mut Timers) -> bool {
        let Some(mut conn) = self.conns.remove(key) else { return false };
        self.global_seq = self.global_seq.max(conn.link().global_seq);
        timers.set(TimerKey::Conn(key), &mut conn.timer, None);
        self.dirty.remove(&key);
        self.drained.remove(&key);
        true
    }

    pub(crate) fn get(&self, key: ConnKey) -> Option<&Connection> {
        self.conns.get(key)
    }

    /// Whether a connection is there and takes more messages.
    pub(crate) fn has_room(&self, key: ConnKey) -> bool {
        self.get(key).is_some_and(Connection::has_room)
    }

    pub(crate) fn on_connected(&mut self, key: ConnKey) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.on_connected();
            self.dirty.insert(key);
        }
    }

    pub(crate) fn push(&mut self, now: Timestamp, key: ConnKey, bytes: &[u8], timers: &mut Timers) {
        if let Some(conn) = self.conns.get_mut(key)
            && conn.push(now, bytes)
        {
            self.arm(key, timers);
        }
    }

    /// The next event that the bytes of a connection hold.
    pub(crate) fn pull(
        &mut self,
        now: Timestamp,
        key: ConnKey,
        rng: &mut Rng,
        timers: &mut Timers,
    ) -> Result<Option<ConnEvent>, ConnFault> {
        let Some(conn) = self.conns.get_mut(key) else { return Ok(None) };
        let event = conn.pull(now, rng)?;
        if conn.has_output() {
            self.dirty.insert(key);
        }
        if matches!(event, Some(ConnEvent::Ready)) {
            self.arm(key, timers);
        }
        Ok(event)
    }

    /// Lets a connection whose deadline came check on its peer.
    pub(crate) fn on_timer(
        &mut self,
        now: Timestamp,
        key: ConnKey,
        timers: &mut Timers,
    ) -> Result<(), ConnFault> {
        let Some(conn) = self.conns.get_mut(key) else { return Ok(()) };
        conn.on_timer(now)?;
        self.dirty.insert(key);
        self.arm(key, timers);
        Ok(())
    }

    fn arm(&mut self, key: ConnKey, timers: &mut Timers) {
        if let Some(conn) = self.conns.get_mut(key) {
            let at = conn.deadline();
            timers.set(TimerKey::Conn(key), &mut conn.timer, Some(at));
        }
    }

    /// Sends a message on a connection that is in session.
    pub(crate) fn send<M: Message>(&mut self, key: ConnKey, tid: u64, priority: u16, message: &M) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.send_message(tid, priority, message);
            self.dirty.insert(key);
        }
    }

    /// Sends a message that has no fields.
    pub(crate) fn send_empty(&mut self, key: ConnKey, kind: Kind, priority: u16) {
        if let Some(conn) = self.conns.get_mut(key) {
            conn.send(kind, 0, priority, |_: &mut BytesMut| {}, Bytes::new());
            self.dirty.insert(key);
        }
    }

    /// The next connection whose outbox got room.
    pub(crate) fn next_drained(&mut self) -> Option<ConnKey> {
        let key = self.drained.pop_first()?;
        if let Some(conn) = self.conns.get_mut(key) {
            conn.settle();
            self.dirty.insert(key);
        }
        Some(key)
    }

    /// The next connection whose outbox turned non-empty.
    pub(crate) fn next_writable(&mut self) -> Option<ConnKey> {
        while let Some(key) = self.dirty.pop_first() {
            if let Some(conn) = self.conns.get_mut(key)
                && conn.has_output()
                && !conn.write_announced
            {
                conn.write_announced = true;
                return Some(key);
            }
        }
        None
    }

    /// The bytes that a connection has to write.
    pub(crate) fn outbox(&mut self, key: ConnKey) -> Outbox<'_> {
        let Self { conns, drained, nothing, .. } = self;
        match conns.get_mut(key) {
            Some(conn) => {
                let (chunks, low, announced) = conn.outbox();
                Outbox { chunks, announced: Some(announced), drained, low, key }
            }
            None => Outbox { low: 0, chunks: nothing, announced: None, drained, key },
        }
    }

    /// This client's own addresses, as its peers know them.
    pub(crate) fn own_addrs(&self) -> impl Iterator<Item = EntityAddr> + '_ {
        self.conns.values().filter_map(Connection::own_addr)
    }

    /// All connections, for closing.
    pub(crate) fn keys(&self) -> impl Iterator<Item = ConnKey> + '_ {
        self.conns.keys()
    }
}

/// The bytes that a connection has to write, oldest first.
///
/// Read it as a [`Buf`]: write `chunk` or `chunks_vectored`, then `advance` by what the socket
/// took. After that poll the client again: room in the outbox may bring more.
pub struct Outbox<'a> {
    chunks: &'a mut Chunks,
    announced: Option<&'a mut bool>,
    drained: &'a mut BTreeSet<ConnKey>,
    low: usize,
    key: ConnKey,
}

impl Buf for Outbox<'_> {
    fn remaining(&self) -> usize {
        self.chunks.len()
    }

    fn chunk(&self) -> &[u8] {
        self.chunks.chunk()
    }

    #[cfg(feature = "std")]
    fn chunks_vectored<'b>(&'b self, dst: &mut [std::io::IoSlice<'b>]) -> usize {
        self.chunks.chunks_vectored(dst)
    }

    fn advance(&mut self, count: usize) {
        self.chunks.advance(count);
        if self.chunks.len() <= self.low {
            self.drained.insert(self.key);
        }
        if self.chunks.is_empty()
            && let Some(announced) = &mut self.announced
        {
            **announced = false;
        }
    }
}

impl core::fmt::Debug for Outbox<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Outbox of {:?}, {} bytes", ConnId::from(self.key), self.chunks.len())
    }
}
