//! msgr2: frames, in crc or secure mode.
//!
//! [`handshake`] goes from the first byte to a session, [`stage`] says what is allowed when.
//!
//! Facts: `msg/async/ProtocolV2.cc`.

mod handshake;
mod stage;

use super::link::Link;
use super::{ConnEvent, Dial, LinkMode};
use crate::config::Config;
use crate::error::ConnFault;
use crate::{FEATURES, Rng, Timestamp};
use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};
use handshake::Handshake;
use linger_wire::crypto::CryptoProvider;
use linger_wire::frame::{
    Assembler, Control, Emitter, FrameError, FrameLimits, MessageHeader, Received, Tag,
};
use linger_wire::msg::{Kind, Msg};
use linger_wire::{Features, UTime};
use stage::Stage;

/// A connection over msgr2.
pub(super) struct Msgr2 {
    pub(super) link: Link,
    stage: Stage,
    handshake: Option<Box<Handshake>>,
    inbox: Assembler,
    emitter: Emitter,
    crypto: &'static dyn CryptoProvider,
    /// What ends the connection as soon as something asks.
    broken: Option<FrameError>,
    /// Those of the session.
    limits: FrameLimits,
}

impl Msgr2 {
    pub(super) fn new(dial: Dial, nonce: u32, global_seq: u64, config: &Config) -> Self {
        let to_u32 = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let limits = &config.limits;
        Self {
            link: Link::new(&dial, nonce, global_seq, limits.outbox_bytes, LinkMode::Crc),
            stage: Stage::Dialing,
            handshake: Some(Box::new(Handshake::new(dial, limits.handshake_bytes))),
            inbox: Assembler::new(FrameLimits {
                control: to_u32(limits.handshake_bytes),
                ..FrameLimits::HANDSHAKE
            }),
            emitter: Emitter::new(),
            crypto: config.crypto,
            broken: None,
            limits: FrameLimits {
                control: to_u32(limits.handshake_bytes),
                front: to_u32(limits.front_bytes),
                middle: 0,
                data: to_u32(limits.data_bytes),
            },
        }
    }

    /// The socket is open: the banner goes out.
    pub(super) fn begin(&mut self) {
        if self.stage == Stage::Dialing {
            self.stage = Stage::Banner;
            self.handshake_step(Handshake::begin);
        }
    }

    /// Takes in bytes; returns whether any may come.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let hears = self.stage.hears();
        if hears {
            self.inbox.push(bytes);
        }
        hears
    }

    /// The next thing that the received bytes hold.
    pub(super) fn pull(&mut self, now: Timestamp, rng: &mut Rng) -> Result<Option<ConnEvent>, ConnFault> {
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
        self.link.took(header.seq)?;
        let msg = Msg::decode(header.kind, header.version, header.compat_version, front, data)
            .map_err(ConnFault::Message)?;
        Ok(ConnEvent::Message { tid: header.tid, msg })
    }

    fn on_session_control(&mut self, control: Control) -> Result<(), ConnFault> {
        match control {
            Control::Keepalive2(stamp) => {
                self.link.owed_ack = Some(stamp);
                self.settle();
                Ok(())
            }
            Control::Keepalive2Ack(_) | Control::Ack { .. } => Ok(()),
            Control::SessionReset { .. } => Err(ConnFault::Reset),
            other => Err(ConnFault::Unexpected(other.tag().name())),
        }
    }

    /// Encodes what was owed while there was no room.
    pub(super) fn settle(&mut self) {
        if let Some(stamp) = self.link.take_owed_ack() {
            let done = self.emitter.control(&Control::Keepalive2Ack(stamp), &mut self.link.outbox);
            self.note(done);
        }
    }

    pub(super) fn keepalive(&mut self, stamp: UTime) -> Result<(), ConnFault> {
        self.emit(&Control::Keepalive2(stamp))
    }

    /// Appends a control frame to the outbox.
    fn emit(&mut self, control: &Control) -> Result<(), ConnFault> {
        self.emitter.control(control, &mut self.link.outbox).map_err(ConnFault::Frame)
    }

    /// Remembers a failure for the next one who can end the connection.
    fn note(&mut self, done: Result<(), FrameError>) {
        self.broken = self.broken.or(done.err());
    }

    pub(super) fn check(&self) -> Result<(), ConnFault> {
        self.broken.map_or(Ok(()), |error| Err(ConnFault::Frame(error)))
    }

    /// Appends a message to the outbox.
    pub(super) fn send(
        &mut self,
        kind: Kind,
        tid: u64,
        priority: u16,
        front: impl FnOnce(&mut BytesMut),
        data: Bytes,
    ) {
        let header = MessageHeader {
            seq: self.link.next_seq(),
            tid,
            priority,
            ack_seq: self.link.in_seq,
            ..MessageHeader::new(kind.code, kind.version, kind.compat)
        };
        let done = self.emitter.message(&header, front, data, &mut self.link.outbox);
        self.note(done);
    }

    fn enter_session(&mut self, peer_features: Features) {
        self.link.features = FEATURES & peer_features;
        self.link.ready = true;
        self.stage = Stage::Ready;
        self.handshake = None;
        self.inbox.set_limits(self.limits);
    }
}
