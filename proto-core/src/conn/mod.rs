//! One connection to a monitor or an OSD.
//!
//! [`Connection`] turns bytes into messages and messages into bytes. What it speaks follows from the address
//! dialled: [`v2`] for msgr2, [`v1`] for daemons that have only the port of msgr1. Both go from the first byte
//! to a session, and nothing above knows which it is. [`Link`] is what both keep, [`Pool`] all connections.
//!
//! The lossy policy of clients: any fault ends the connection, and the layer above opens another one.

mod link;
mod mode;
mod pool;
mod v1;
mod v2;

pub use mode::LinkMode;
pub(crate) use mode::pick;
pub use pool::Outbox;
pub(crate) use pool::Pool;

use crate::Timestamp;
use crate::auth::{MonHandshake, MonLogin, ServiceHandshake};
use crate::config::{Config, Timing};
use crate::error::ConnFault;
use crate::timers::Slot;
use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};
use linger_wire::frame::Chunks;
use linger_wire::msg::{Kind, Message, Msg};
use linger_wire::{AddrType, EntityAddr, EntityType, Features};
use link::Link;
use v1::Msgr1;
use v2::Msgr2;

/// Who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Mon,
    Osd(i32),
}

impl Peer {
    fn entity_type(self) -> EntityType {
        match self {
            Self::Mon => EntityType::MON,
            Self::Osd(_) => EntityType::OSD,
        }
    }
}

/// How this end logs in.
pub(crate) enum Login {
    Mon(MonHandshake),
    Service(ServiceHandshake),
}

/// What a connection is opened with.
pub(crate) struct Dial {
    pub(crate) peer: Peer,
    /// The address dialled, exactly as the map has it.
    pub(crate) target: EntityAddr,
    pub(crate) login: Login,
    /// The client's number; unknown to the first monitors.
    pub(crate) global_id: Option<u64>,
}

/// What a connection has for the layer above.
pub(crate) enum ConnEvent {
    /// A monitor let us in: tickets and the global id.
    LoggedIn(Box<MonLogin>),
    /// The handshake is over; messages flow.
    Ready,
    /// A message, with its transaction id.
    Message { tid: u64, msg: Msg },
}

/// A connection, from dialling to its end.
pub(crate) struct Connection {
    protocol: Protocol,
    alive: Liveness,
    timer: Slot,
    write_announced: bool,
}

enum Protocol {
    V1(Box<Msgr1>),
    V2(Box<Msgr2>),
}

/// Does the same with either protocol.
macro_rules! with {
    ($connection:expr, $protocol:ident => $what:expr) => {
        match &mut $connection.protocol {
            Protocol::V1($protocol) => $what,
            Protocol::V2($protocol) => $what,
        }
    };
}

/// Whether the peer is still there.
struct Liveness {
    handshake_ends: Timestamp,
    last_heard: Timestamp,
    asked: Option<Timestamp>,
    keepalive: core::time::Duration,
    timeout: core::time::Duration,
}

impl Connection {
    fn new(now: Timestamp, dial: Dial, nonce: u32, global_seq: u64, config: &Config) -> Self {
        let Timing { handshake, keepalive, keepalive_timeout, .. } = config.timing;
        let protocol = if dial.target.kind == AddrType::LEGACY {
            Protocol::V1(Box::new(Msgr1::new(dial, nonce, global_seq, config)))
        } else {
            Protocol::V2(Box::new(Msgr2::new(dial, nonce, global_seq, config)))
        };
        Self {
            protocol,
            alive: Liveness {
                handshake_ends: now.saturating_add(handshake),
                last_heard: now,
                asked: None,
                keepalive,
                timeout: keepalive_timeout,
            },
            timer: Slot::default(),
            write_announced: false,
        }
    }

    fn link(&self) -> &Link {
        match &self.protocol {
            Protocol::V1(protocol) => &protocol.link,
            Protocol::V2(protocol) => &protocol.link,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.link().ready
    }

    /// What both ends can; nothing before the handshake is over.
    pub(crate) fn features(&self) -> Features {
        self.link().features
    }

    /// What is spoken, and how it is protected; known once the login is over.
    pub(crate) fn mode(&self) -> LinkMode {
        self.link().mode
    }

    /// This client's address as the peer knows it.
    pub(crate) fn own_addr(&self) -> Option<EntityAddr> {
        self.link().own_addr
    }

    /// Whether more messages may be encoded.
    pub(crate) fn has_room(&self) -> bool {
        self.link().has_room()
    }

    /// The bytes to be written, how few of them count as low, and whether the adapter was told of them.
    fn outbox(&mut self) -> (&mut Chunks, usize, &mut bool) {
        let link = match &mut self.protocol {
            Protocol::V1(protocol) => &mut protocol.link,
            Protocol::V2(protocol) => &mut protocol.link,
        };
        let low = link.low();
        (&mut link.outbox, low, &mut self.write_announced)
    }

    fn has_output(&self) -> bool {
        !self.link().outbox.is_empty()
    }

    fn on_connected(&mut self) {
        with!(self, protocol => protocol.begin());
    }

    /// Takes bytes; returns whether they end the wait for a sign of life, and with it move the deadline.
    fn push(&mut self, now: Timestamp, bytes: &[u8]) -> bool {
        let is_heard = with!(self, protocol => protocol.push(bytes));
        if is_heard {
            self.alive.last_heard = now;
        }
        is_heard && self.alive.asked.take().is_some()
    }

    /// The next thing that the received bytes hold.
    fn pull(&mut self, now: Timestamp, rng: &mut crate::Rng) -> Result<Option<ConnEvent>, ConnFault> {
        with!(self, protocol => protocol.pull(now, rng))
    }

    /// Encodes what was owed while there was no room.
    fn settle(&mut self) {
        with!(self, protocol => protocol.settle());
    }

    /// Appends a message to the outbox.
    fn send(&mut self, kind: Kind, tid: u64, priority: u16, front: impl FnOnce(&mut BytesMut), data: Bytes) {
        debug_assert!(self.is_ready(), "messages are sent only in a session");
        with!(self, protocol => protocol.send(kind, tid, priority, front, data));
    }

    fn send_message<M: Message>(&mut self, tid: u64, priority: u16, message: &M) {
        self.send(M::KIND, tid, priority, |out| message.encode_front(out), message.data());
    }

    /// When [`Connection::on_timer`] wants to be called.
    fn deadline(&self) -> Timestamp {
        match (self.is_ready(), self.alive.asked) {
            (true, Some(asked)) => asked.saturating_add(self.alive.timeout),
            (true, None) => self.alive.last_heard.saturating_add(self.alive.keepalive),
            (false, _) => self.alive.handshake_ends,
        }
    }

    /// Sends a keepalive after a silence, and gives up on a peer that does not answer.
    fn on_timer(&mut self, now: Timestamp) -> Result<(), ConnFault> {
        with!(self, protocol => protocol.check())?;
        if now < self.deadline() {
            return Ok(());
        }
        match (self.is_ready(), self.alive.asked) {
            (true, Some(_)) => Err(ConnFault::KeepaliveTimeout),
            (true, None) => {
                self.alive.asked = Some(now);
                with!(self, protocol => protocol.keepalive(link::stamp(now)))
            }
            (false, _) => Err(ConnFault::HandshakeTimeout),
        }
    }
}
