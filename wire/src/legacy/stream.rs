//! Received bytes to greetings, replies and records, whatever pieces they come in.

use super::message::{HEADER_LEN, TAG_MSG, WireHeader};
use super::{ClientGreeting, Connect, ConnectReply, LegacyError, Message, ServerGreeting, greeting};
use crate::frame::Role;
use crate::{Decode, Encode, UTime};
use bytes::{BufMut, Bytes, BytesMut};

const TAG_CLOSE: u8 = 6;
const TAG_ACK: u8 = 8;
const TAG_KEEPALIVE: u8 = 9;
const TAG_KEEPALIVE2: u8 = 14;
const TAG_KEEPALIVE2_ACK: u8 = 15;

/// A buffer's block that is longer is given back.
const KEEP: usize = 64 << 10;
/// When so little is in it.
const SMALL: usize = 8 << 10;

/// The longest parts that are accepted, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// An authorizer, or the answer to one.
    pub authorizer: u32,
    /// A message's front.
    pub front: u32,
    /// A message's middle.
    pub middle: u32,
    /// A message's data.
    pub data: u32,
}

impl Default for StreamLimits {
    /// Those of Linux for the parts of a message; what Ceph's own client takes for an authorizer.
    fn default() -> Self {
        Self { authorizer: 4 << 10, front: 16 << 20, middle: 16 << 20, data: 64 << 20 }
    }
}

/// A record in an open stream, other than a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// The peer closes; nothing follows.
    Close,
    /// The peer has received all messages up to this number.
    Ack(u64),
    /// The peer is there.
    Keepalive,
    /// The peer wants to know whether this side is there.
    Keepalive2(UTime),
    /// The answer to [`Record::Keepalive2`], with its time.
    Keepalive2Ack(UTime),
}

impl Encode for Record {
    fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Close => out.put_u8(TAG_CLOSE),
            Self::Keepalive => out.put_u8(TAG_KEEPALIVE),
            Self::Ack(seq) => {
                out.put_u8(TAG_ACK);
                out.put_u64_le(*seq);
            }
            Self::Keepalive2(stamp) => {
                out.put_u8(TAG_KEEPALIVE2);
                stamp.encode(out);
            }
            Self::Keepalive2Ack(stamp) => {
                out.put_u8(TAG_KEEPALIVE2_ACK);
                stamp.encode(out);
            }
        }
    }
}

/// What comes out of received bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Received {
    /// At a client, first.
    ServerGreeting(ServerGreeting),
    /// At a server, first.
    ClientGreeting(ClientGreeting),
    /// At a server, before the stream is open: a request and its authorizer.
    Connect(Connect, Bytes),
    /// At a client, before the stream is open: a reply and the answer to the authorizer.
    Reply(ConnectReply, Bytes),
    /// At either end, after [`Stream::expect_seq`]: the last message that the peer has seen.
    Seq(u64),
    /// A message.
    Message(Message),
    /// Another record.
    Record(Record),
}

/// Turns received bytes into greetings, requests or replies and, once it is open, records.
///
/// [`push`](Self::push) what was read, then [`pull`](Self::pull) until there is nothing more. The way the
/// stream is cut into pieces makes no difference to what comes out. What is buffered is bounded by the limits
/// and the last piece pushed.
#[derive(Debug)]
pub struct Stream {
    role: Role,
    limits: StreamLimits,
    buf: BytesMut,
    /// Whether the buffer's block may be longer than [`KEEP`].
    big: bool,
    phase: Phase,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Greeting,
    Connecting,
    Seq,
    Open,
    Failed(LegacyError),
}

impl Stream {
    /// A stream at one end of a new connection: a greeting is expected first.
    #[must_use]
    pub fn new(role: Role, limits: StreamLimits) -> Self {
        Self { role, limits, buf: BytesMut::new(), big: false, phase: Phase::Greeting }
    }

    /// Expects records from now on: both sides agreed. After an error it stays one.
    pub fn open(&mut self) {
        if matches!(self.phase, Phase::Connecting) {
            self.phase = Phase::Open;
        }
    }

    /// Expects a [`Received::Seq`], and records after it: both sides agreed on [`ReplyTag::SEQ`].
    ///
    /// [`ReplyTag::SEQ`]: super::ReplyTag::SEQ
    pub fn expect_seq(&mut self) {
        if matches!(self.phase, Phase::Connecting) {
            self.phase = Phase::Seq;
        }
    }

    /// Changes the limits from the next record on.
    pub fn set_limits(&mut self, limits: StreamLimits) {
        self.limits = limits;
    }

    /// Takes in received bytes; the only copy they see. After an error they are dropped.
    pub fn push(&mut self, bytes: &[u8]) {
        if !matches!(self.phase, Phase::Failed(_)) {
            self.buf.extend_from_slice(bytes);
            self.big |= self.buf.capacity() > KEEP;
        }
    }

    /// Takes out the next thing received, or `None` until more bytes are pushed.
    ///
    /// # Errors
    /// [`LegacyError`] when the bytes are no valid stream; the same one for each later call.
    pub fn pull(&mut self) -> Result<Option<Received>, LegacyError> {
        let received = match (self.phase, self.role) {
            (Phase::Failed(error), _) => return Err(error),
            (Phase::Greeting, Role::Client) => self.greeting(ServerGreeting::LEN, Received::ServerGreeting),
            (Phase::Greeting, Role::Server) => self.greeting(ClientGreeting::LEN, Received::ClientGreeting),
            (Phase::Connecting, Role::Client) => self
                .with_authorizer(ConnectReply::LEN, |reply: &ConnectReply| reply.authorizer_len)
                .map(|found| found.map(|(reply, authorizer)| Received::Reply(reply, authorizer))),
            (Phase::Connecting, Role::Server) => self
                .with_authorizer(Connect::LEN, |connect: &Connect| connect.authorizer_len)
                .map(|found| found.map(|(connect, authorizer)| Received::Connect(connect, authorizer))),
            (Phase::Seq, _) => Ok(self.seq()),
            (Phase::Open, _) => self.record(),
        };
        if let Err(error) = received {
            self.phase = Phase::Failed(error);
            self.buf = BytesMut::new();
        } else if self.big && self.buf.len() <= SMALL {
            self.buf = BytesMut::from(&self.buf[..]);
            self.big = false;
        }
        received
    }

    fn greeting<T: Decode>(
        &mut self,
        len: usize,
        wrap: fn(T) -> Received,
    ) -> Result<Option<Received>, LegacyError> {
        let Some(greeting) = greeting::read(&self.buf, len)? else { return Ok(None) };
        _ = self.buf.split_to(len);
        self.phase = Phase::Connecting;
        Ok(Some(wrap(greeting)))
    }

    fn with_authorizer<T: Decode>(
        &mut self,
        len: usize,
        authorizer_len: fn(&T) -> u32,
    ) -> Result<Option<(T, Bytes)>, LegacyError> {
        let Some(fixed) = self.buf.get(..len) else { return Ok(None) };
        let fixed = T::decode(fixed)?;
        let (more, max) = (authorizer_len(&fixed), self.limits.authorizer);
        if more > max {
            return Err(LegacyError::TooLong { part: "authorizer", len: more, max });
        }
        if self.buf.len() < len + more as usize {
            return Ok(None);
        }
        _ = self.buf.split_to(len);
        Ok(Some((fixed, self.buf.split_to(more as usize).freeze())))
    }

    fn seq(&mut self) -> Option<Received> {
        let seq = u64::from_le_bytes(*self.buf.first_chunk()?);
        _ = self.buf.split_to(size_of::<u64>());
        self.phase = Phase::Open;
        Some(Received::Seq(seq))
    }

    fn record(&mut self) -> Result<Option<Received>, LegacyError> {
        let Some((&tag, rest)) = self.buf.split_first() else { return Ok(None) };
        let (len, record) = match tag {
            TAG_MSG => return self.message(),
            TAG_CLOSE => (1, Record::Close),
            TAG_KEEPALIVE => (1, Record::Keepalive),
            TAG_ACK | TAG_KEEPALIVE2 | TAG_KEEPALIVE2_ACK => {
                let Some(word) = rest.first_chunk::<8>() else { return Ok(None) };
                let record = match tag {
                    TAG_ACK => Record::Ack(u64::from_le_bytes(*word)),
                    TAG_KEEPALIVE2 => Record::Keepalive2(UTime::decode(word)?),
                    _ => Record::Keepalive2Ack(UTime::decode(word)?),
                };
                (9, record)
            }
            other => return Err(LegacyError::UnknownTag(other)),
        };
        _ = self.buf.split_to(len);
        Ok(Some(Received::Record(record)))
    }

    fn message(&mut self) -> Result<Option<Received>, LegacyError> {
        let Some(raw) = self.buf.get(1..).and_then(|rest| rest.first_chunk::<HEADER_LEN>()) else {
            return Ok(None);
        };
        let header = WireHeader::read(raw, &self.limits)?;
        let len = header.record_len();
        if self.buf.len() < len {
            return Ok(None);
        }
        let raw = self.buf.split_to(len).freeze();
        header.message(raw).map(|message| Some(Received::Message(message)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MessageHeader, emit_message};
    use super::*;
    use crate::EntityName;
    use crate::frame::Chunks;
    use bytes::{Buf, BufMut};

    /// A message whose data has this length.
    fn message(len: usize) -> Bytes {
        let header = MessageHeader {
            seq: 1,
            tid: 1,
            kind: 42,
            priority: 63,
            version: 8,
            data_off: 0,
            source: EntityName::client(1),
            compat_version: 3,
        };
        let mut out = Chunks::new();
        let front = |out: &mut BytesMut| out.put_slice(b"front");
        emit_message(&header, front, vec![7; len].into(), |_| None, &mut out);
        out.copy_to_bytes(out.remaining())
    }

    #[test]
    fn a_large_buffer_is_given_back() {
        let mut stream = Stream::new(Role::Client, StreamLimits::default());
        stream.phase = Phase::Open;
        for len in [100, KEEP, 4 << 20] {
            let raw = [&message(len)[..], &message(10)].concat();
            let (mut most, mut seen) = (0, 0);
            for piece in raw.chunks(10_000) {
                stream.push(piece);
                most = most.max(stream.buf.capacity());
                while let Some(Received::Message(_)) = stream.pull().unwrap() {
                    seen += 1;
                }
            }
            assert!(seen == 2 && most >= len, "{seen} messages, {most} bytes for {len}");
            stream.push(&raw[..77]);
            assert!(stream.pull().unwrap().is_none() && stream.buf.capacity() <= KEEP, "after {len}");
            stream.buf.clear();
        }
    }
}
