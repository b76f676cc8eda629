//! msgr1: tagged records, with messages that cephx signs.
//!
//! | stage | admits | then |
//! |---|---|---|
//! | Dialing | nothing | TCP is connected: the banner is sent → Greeting |
//! | Greeting | the server's greeting | address and request to connect are sent → Connecting |
//! | Connecting | CHALLENGE_AUTHORIZER, RETRY_GLOBAL | the request is sent again, stays |
//! | Connecting | SEQ | → Seq |
//! | Seq | the number 0 | answered by 0; then as after READY |
//! | Connecting | READY | an OSD → Ready; a mon: MAuth is sent → Login |
//! | Connecting | any other reply | fault |
//! | Login | MAuthReply | answered, or → Ready |
//! | Login | other messages | ignored: all is asked for again in the session |
//! | Login, Ready | ACK, KEEPALIVE, KEEPALIVE2, KEEPALIVE2_ACK | stays |
//! | Ready | MSG | stays |
//! | Login, Ready | CLOSE | fault |
//!
//! Everything else, everywhere, is a fault. There is no session to go on with: connect_seq is always 0, and so
//! RETRY_SESSION, RESETSESSION and WAIT have no place.
//!
//! Facts: `msg/async/ProtocolV1.cc`, `mon/MonClient.cc`.

mod handshake;

use super::link::Link;
use super::{ConnEvent, Dial, LinkMode};
use crate::auth::AuthError;
use crate::config::Config;
use crate::error::ConnFault;
use crate::{Rng, Timestamp};
use alloc::boxed::Box;
use bytes::{Bytes, BytesMut};
use handshake::Handshake;
use linger_wire::cephx::{CryptoKey, message_signature, verify_message};
use linger_wire::frame::Role;
use linger_wire::legacy::{
    Message, MessageFlags, MessageHeader, Received, Record, Stream, StreamLimits, emit_message,
};
use linger_wire::msg::{Kind, Msg};
use linger_wire::{Encode, EntityName, EntityType, UTime};

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Dialing,
    Greeting,
    Connecting,
    Seq,
    Login,
    Ready,
}

/// A connection over msgr1.
pub(super) struct Msgr1 {
    pub(super) link: Link,
    stage: Stage,
    handshake: Option<Box<Handshake>>,
    inbox: Stream,
    /// Those of the session.
    limits: StreamLimits,
    /// Who this client is to the peer.
    source: EntityName,
    /// Whether messages are signed where there is a key for it.
    signs: bool,
    /// Signs what is sent, and checks what comes.
    key: Option<CryptoKey>,
    /// The login was told of, and the session was not.
    entering: bool,
    /// The last message that the peer was told of.
    acked: u64,
    /// What ends the connection as soon as something asks.
    broken: Option<ConnFault>,
}

impl Msgr1 {
    pub(super) fn new(dial: Dial, nonce: u32, global_seq: u64, config: &Config) -> Self {
        let to_u32 = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let limits = &config.limits;
        let handshake_bytes = to_u32(limits.handshake_bytes);
        let before = StreamLimits { authorizer: handshake_bytes, front: handshake_bytes, middle: 0, data: 0 };
        let global_id = dial.global_id;
        Self {
            link: Link::new(&dial, nonce, global_seq, limits.outbox_bytes, LinkMode::V1),
            stage: Stage::Dialing,
            handshake: Some(Box::new(Handshake::new(dial.login))),
            inbox: Stream::new(Role::Client, before),
            limits: StreamLimits {
                front: to_u32(limits.front_bytes),
                data: to_u32(limits.data_bytes),
                ..before
            },
            source: global_id.map_or(EntityName { kind: EntityType::CLIENT, num: -1 }, EntityName::client),
            signs: config.sign_messages,
            key: None,
            entering: false,
            acked: 0,
            broken: None,
        }
    }

    /// The socket is open: the banner goes out.
    pub(super) fn begin(&mut self) {
        if self.stage == Stage::Dialing {
            self.stage = Stage::Greeting;
            Handshake::begin(self);
        }
    }

    /// Takes in bytes; returns whether any may come.
    pub(super) fn push(&mut self, bytes: &[u8]) -> bool {
        let hears = self.stage != Stage::Dialing;
        if hears {
            self.inbox.push(bytes);
        }
        hears
    }

    /// The next thing that the received bytes hold.
    pub(super) fn pull(&mut self, now: Timestamp, rng: &mut Rng) -> Result<Option<ConnEvent>, ConnFault> {
        self.check()?;
        if core::mem::take(&mut self.entering) {
            self.enter_session();
            return Ok(Some(ConnEvent::Ready));
        }
        loop {
            // After each thing that came, so that the pieces that it came in make no difference.
            self.settle();
            let Some(received) = self.inbox.pull().map_err(ConnFault::Legacy)? else { return Ok(None) };
            let event = match (self.stage, received) {
                (Stage::Ready, Received::Message(message)) => Some(self.on_message(&message)?),
                (Stage::Login | Stage::Ready, Received::Record(record)) => {
                    self.on_record(record)?;
                    None
                }
                (_, received) => self.on_handshake(now, received, rng)?,
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn on_message(&mut self, message: &Message) -> Result<ConnEvent, ConnFault> {
        if let Some(key) = &self.key
            && !(message.flags.has(MessageFlags::SIGNED)
                && verify_message(key, &message.signed, message.signature))
        {
            return Err(ConnFault::BadSignature);
        }
        let header = &message.header;
        self.link.took(header.seq)?;
        let (version, compat) = (header.version, header.compat_version);
        let msg = Msg::decode(header.kind, version, compat, &message.front, &message.data)
            .map_err(ConnFault::Message)?;
        Ok(ConnEvent::Message { tid: header.tid, msg })
    }

    fn on_record(&mut self, record: Record) -> Result<(), ConnFault> {
        match record {
            Record::Keepalive2(stamp) => {
                self.link.owed_ack = Some(stamp);
                Ok(())
            }
            Record::Keepalive | Record::Keepalive2Ack(_) | Record::Ack(_) => Ok(()),
            Record::Close => Err(ConnFault::Closed),
        }
    }

    /// Encodes what is owed, if there is room: the answer to a keepalive, and which messages came.
    pub(super) fn settle(&mut self) {
        if let Some(stamp) = self.link.take_owed_ack() {
            self.emit(Record::Keepalive2Ack(stamp));
        }
        // A lossy server forgets what it sent, so for most this is a courtesy.
        if self.acked < self.link.in_seq && self.link.has_room() {
            self.acked = self.link.in_seq;
            self.emit(Record::Ack(self.acked));
        }
    }

    #[allow(clippy::unnecessary_wraps, reason = "as it is with msgr2, where a record has to be sealed")]
    pub(super) fn keepalive(&mut self, stamp: UTime) -> Result<(), ConnFault> {
        self.emit(Record::Keepalive2(stamp));
        Ok(())
    }

    fn emit(&mut self, record: Record) {
        record.encode(self.link.outbox.tail());
    }

    pub(super) fn check(&self) -> Result<(), ConnFault> {
        self.broken.clone().map_or(Ok(()), Err)
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
            kind: kind.code,
            priority,
            version: kind.version,
            data_off: 0,
            source: self.source,
            compat_version: kind.compat,
        };
        let (key, broken) = (self.key.as_ref(), &mut self.broken);
        let sign = |signed: &_| match message_signature(key?, signed) {
            Ok(signature) => Some(signature),
            Err(error) => {
                *broken = Some(ConnFault::Auth(AuthError::within("signature", error)));
                None
            }
        };
        emit_message(&header, front, data, sign, &mut self.link.outbox);
    }

    fn enter_session(&mut self) {
        self.link.ready = true;
        self.stage = Stage::Ready;
        self.handshake = None;
        self.inbox.set_limits(self.limits);
    }
}
