//! One msgr2 connection to a monitor or an OSD.
//!
//! [`Connection`] turns bytes into messages and messages into bytes; [`handshake`] takes it from
//! the first byte to a session, [`stage`] says what is allowed when, and [`Pool`] keeps all of them.
//!
//! Facts: `msg/async/ProtocolV2.cc`; the lossy policy of clients: any fault ends the connection, and
//! the layer above opens another one.

mod handshake;
mod pool;
mod stage;

pub(crate) use handshake::Login;
pub use pool::Outbox;
pub(crate) use pool::Pool;

use crate::auth::{ConMode, MonLogin};
use crate::config::{Limits, Timing};
use crate::error::ConnFault;
use crate::timers::Slot;
use crate::{FEATURES, Timestamp};
use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};
use handshake::Handshake;
use linger_wire::crypto::CryptoProvider;
use linger_wire::frame::{
    Assembler, Chunks, Control, Emitter, FrameError, FrameLimits, MessageHeader, Received, Tag,
};
use linger_wire::msg::{Kind, Message, Msg};
use linger_wire::{EntityAddr, EntityType, Features, UTime};
use stage::Stage;

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
    peer: Peer,
    stage: Stage,
    handshake: Option<Box<Handshake>>,
    inbox: Assembler,
    emitter: Emitter,
    outbox: Chunks,
    mode: ConMode,
    crypto: &'static dyn CryptoProvider,
    /// What ends the connection as soon as something asks.
    broken: Option<FrameError>,
    out_seq: u64,
    in_seq: u64,
    features: Features,
    global_seq: u64,
    own_addr: Option<EntityAddr>,
    limits: FrameLimits,
    outbox_bytes: usize,
    /// A keepalive to answer once there is room.
    owed_ack: Option<UTime>,
    alive: Liveness,
    timer: Slot,
    write_announced: bool,
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
    fn new(
        now: Timestamp,
        dial: Dial,
        nonce: u32,
        global_seq: u64,
        timing: &Timing,
        limits: &Limits,
        crypto: &'static dyn CryptoProvider,
    ) -> Self {
        let to_u32 = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        Self {
            peer: dial.peer,
            stage: Stage::Dialing,
            handshake: Some(Box::new(Handshake::new(dial, nonce, limits.handshake_bytes))),
            inbox: Assembler::new(FrameLimits {
                control: to_u32(limits.handshake_bytes),
                ..FrameLimits::HANDSHAKE
            }),
            emitter: Emitter::new(),
            outbox: Chunks::new(),
            mode: ConMode::Crc,
            crypto,
            broken: None,
            out_seq: 0,
            in_seq: 0,
            features: Features::NONE,
            global_seq,
            own_addr: None,
            limits: FrameLimits {
                control: to_u32(limits.handshake_bytes),
                front: to_u32(limits.front_bytes),
                middle: 0,
                data: to_u32(limits.data_bytes),
            },
            outbox_bytes: limits.outbox_bytes,
            owed_ack: None,
            alive: Liveness {
                handshake_ends: now.saturating_add(timing.handshake),
                last_heard: now,
                asked: None,
                keepalive: timing.keepalive,
                timeout: timing.keepalive_timeout,
            },
            timer: Slot::default(),
            write_announced: false,
        }
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// What both ends can; nothing before the handshake is over.
    pub(crate) fn features(&self) -> Features {
        self.features
    }

    /// How frames are protected; known once the login is over.
    pub(crate) fn mode(&self) -> ConMode {
        self.mode
    }

    /// This client's address as the peer knows it.
    pub(crate) fn own_addr(&self) -> Option<EntityAddr> {
        self.own_addr
    }

    /// Whether more messages may be encoded.
    pub(crate) fn has_room(&self) -> bool {
        self.outbox.len() < self.outbox_bytes
    }

    fn on_connected(&mut self) {
        if self.stage == Stage::Dialing {
            self.stage = Stage::Banner;
            self.handshake_step(Handshake::begin);
        }
    }

    fn push(&mut self, now: Timestamp, bytes: &[u8]) {
        if self.stage.hears() {
            self.alive.last_heard = now;
            self.alive.asked = None;
            self.inbox.push(bytes);
        }
    }

    /// The next thing that the received bytes hold.
    fn pull(&mut self, now: Timestamp, rng: &mut crate::Rng) -> Result<Option<ConnEvent>, ConnFault> {
        self.check()?;
        while let Some(received) = self.inbox.pull().map_err(ConnFault::Frame)? {
            let event = match received {
                Received::Banner(banner) => self.on_banner(&banner)?,
                Received::Aborted(_) => None,
                Received::Frame(frame) => {
                    if !self.stage.admits(frame.tag) {
                        return Err(ConnFault::Unexpected(frame.tag.name()));
                    }
                    match (self.stage, frame.tag) {
                        (Stage::Ready, Tag::Message) => {
                            let header = frame.header().map_err(ConnFault::Frame)?;
                            Some(self.on_message(&header, frame.front(), frame.data())?)
                        }
                        (Stage::Ready, _) => {
                            self.on_session_control(frame.control().map_err(ConnFault::Frame)?)?;
                            None
                        }
                        _ => self.on_handshake(now, frame.control().map_err(ConnFault::Frame)?, rng)?,
                    }
                }
                _ => return Err(ConnFault::Unexpected("input")),
            };
            if event.is_some() {
                return Ok(event);
            }
        }
        Ok(None)
    }

    fn on_message(
        &mut self,
        header: &MessageHeader,
        front: &Bytes,
        data: &Bytes,
    ) -> Result<ConnEvent, ConnFault> {
        // Numbers grow by one on a connection that loses nothing; a step back would be a replay.
        if header.seq <= self.in_seq {
            return Err(ConnFault::Unexpected("message number"));
        }
        self.in_seq = header.seq;
        let msg = Msg::decode(header.kind, header.version, header.compat_version, front, data)
            .map_err(ConnFault::Message)?;
        Ok(ConnEvent::Message { tid: header.tid, msg })
    }

    fn on_session_control(&mut self, control: Control) -> Result<(), ConnFault> {
        match control {
            Control::Keepalive2(stamp) => {
                self.owed_ack = Some(stamp);
                self.settle();
                Ok(())
            }
            Control::Keepalive2Ack(_) | Control::Ack { .. } => Ok(()),
            Control::SessionReset { .. } => Err(ConnFault::Reset),
            other => Err(ConnFault::Unexpected(other.tag().name())),
        }
    }

    /// Encodes what was owed while there was no room.
    fn settle(&mut self) {
        if self.has_room()
            && let Some(stamp) = self.owed_ack.take()
        {
            let done = self.emitter.control(&Control::Keepalive2Ack(stamp), &mut self.outbox);
            self.note(done);
        }
    }

    /// Appends a control frame to the outbox.
    fn emit(&mut self, control: &Control) -> Result<(), ConnFault> {
        self.emitter.control(control, &mut self.outbox).map_err(ConnFault::Frame)
    }

    /// Remembers a failure for the next one who can end the connection.
    fn note(&mut self, done: Result<(), FrameError>) {
        self.broken = self.broken.or(done.err());
    }

    fn check(&self) -> Result<(), ConnFault> {
        self.broken.map_or(Ok(()), |error| Err(ConnFault::Frame(error)))
    }

    /// Appends a message to the outbox.
    fn send(&mut self, kind: Kind, tid: u64, priority: u16, front: impl FnOnce(&mut BytesMut), data: Bytes) {
        debug_assert!(self.is_ready(), "messages are sent only in a session");
        self.out_seq += 1;
        let header = MessageHeader {
            seq: self.out_seq,
            tid,
            priority,
            ack_seq: self.in_seq,
            ..MessageHeader::new(kind.code, kind.version, kind.compat)
        };
        let done = self.emitter.message(&header, front, data, &mut self.outbox);
        self.note(done);
    }

    fn send_message<M: Message>(&mut self, tid: u64, priority: u16, message: &M) {
        self.send(M::KIND, tid, priority, |out| message.encode_front(out), message.data());
    }

    /// When [`Connection::on_timer`] wants to be called.
    fn deadline(&self) -> Timestamp {
        match (self.stage, self.alive.asked) {
            (Stage::Ready, Some(asked)) => asked.saturating_add(self.alive.timeout),
            (Stage::Ready, None) => self.alive.last_heard.saturating_add(self.alive.keepalive),
            _ => self.alive.handshake_ends,
        }
    }

    /// Sends a keepalive after a silence, and gives up on a peer that does not answer.
    fn on_timer(&mut self, now: Timestamp) -> Result<(), ConnFault> {
        self.check()?;
        if now < self.deadline() {
            return Ok(());
        }
        match (self.stage, self.alive.asked) {
            (Stage::Ready, Some(_)) => Err(ConnFault::KeepaliveTimeout),
            (Stage::Ready, None) => {
                self.alive.asked = Some(now);
                let micros = now.as_micros();
                let sec = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
                let stamp = UTime { sec, nsec: (micros % 1_000_000) as u32 * 1000 };
                self.emit(&Control::Keepalive2(stamp))
            }
            _ => Err(ConnFault::HandshakeTimeout),
        }
    }

    fn enter_session(&mut self, peer_features: Features) {
        self.features = FEATURES & peer_features;
        self.stage = Stage::Ready;
        self.handshake = None;
        self.inbox.set_limits(self.limits);
    }
}
