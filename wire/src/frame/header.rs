//! The header of a message: segment 0 of a message frame.

use crate::Encode;
use crate::primitives::{Input, Parse, Parsed};
use bytes::{BufMut, BytesMut};

/// What is said about a message beside its content (`ceph_msg_header2`).
///
/// Facts: `include/msgr.h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageHeader {
    /// The message's number on this connection, from 1.
    pub seq: u64,
    /// The transaction that request and reply share, 0 for most messages.
    pub tid: u64,
    /// Which message it is (`CEPH_MSG_*`, `MSG_*`).
    pub kind: u16,
    /// The sender's urgency: [`MessageHeader::PRIO_DEFAULT`] for most.
    pub priority: u16,
    /// The version of the content's layout.
    pub version: u16,
    /// The oldest version that a reader must know to understand the content.
    pub compat_version: u16,
    /// The low bits of the object offset that the data belongs to.
    pub data_off: u16,
    /// The number of the last message received from the peer, or 0.
    pub ack_seq: u64,
    /// Kept for what once was in a footer: [`MessageHeader::FLAGS`].
    pub flags: u8,
}

impl MessageHeader {
    /// Bytes of the encoding.
    pub const LEN: usize = 41;

    /// The priority of most messages.
    pub const PRIO_DEFAULT: u16 = 127;

    /// The priority of object operations and backoff acknowledgements (`osd_client_op_priority`).
    pub const PRIO_CLIENT_OP: u16 = 63;

    /// The flags that every peer sends: complete, no checksum in a footer.
    pub const FLAGS: u8 = 3;

    /// A header with the usual priority and flags and nothing known about the connection.
    #[must_use]
    pub const fn new(kind: u16, version: u16, compat_version: u16) -> Self {
        Self {
            seq: 0,
            tid: 0,
            kind,
            priority: Self::PRIO_DEFAULT,
            version,
            compat_version,
            data_off: 0,
            ack_seq: 0,
            flags: Self::FLAGS,
        }
    }
}

impl Parse for MessageHeader {
    const WHAT: &'static str = "message header";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, seq) = u64::parse(i)?;
        let (i, tid) = u64::parse(i)?;
        let (i, kind) = u16::parse(i)?;
        let (i, priority) = u16::parse(i)?;
        let (i, version) = u16::parse(i)?;
        let (i, _pre_padding) = u32::parse(i)?;
        let (i, data_off) = u16::parse(i)?;
        let (i, ack_seq) = u64::parse(i)?;
        let (i, flags) = u8::parse(i)?;
        let (i, compat_version) = u16::parse(i)?;
        let (i, _reserved) = u16::parse(i)?;
        Ok((i, Self { seq, tid, kind, priority, version, compat_version, data_off, ack_seq, flags }))
    }
}

impl Encode for MessageHeader {
    fn encode(&self, out: &mut BytesMut) {
        let mut raw = [0; Self::LEN];
        let mut fields = &mut raw[..];
        fields.put_u64_le(self.seq);
        fields.put_u64_le(self.tid);
        fields.put_u16_le(self.kind);
        fields.put_u16_le(self.priority);
        fields.put_u16_le(self.version);
        fields.put_u32_le(0);
        fields.put_u16_le(self.data_off);
        fields.put_u64_le(self.ack_seq);
        fields.put_u8(self.flags);
        fields.put_u16_le(self.compat_version);
        out.put_slice(&raw);
    }
}
