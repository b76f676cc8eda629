//! Asking to be let in, and the answer.

use crate::primitives::{Input, Parse, Parsed};
use crate::{Encode, EntityType, Features};
use bytes::{BufMut, BytesMut};

/// The client's messages, or the server's, may be lost with the connection (`CEPH_MSG_CONNECT_LOSSY`).
pub const CONNECT_LOSSY: u8 = 1;

/// A client's wish to be let in (`ceph_msg_connect`); an authorizer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connect {
    /// What the client can.
    pub features: Features,
    /// What the client is.
    pub host_type: EntityType,
    /// How many connections the client has opened, this one included.
    pub global_seq: u32,
    /// How many connections this session had before; 0 for a new one.
    pub connect_seq: u32,
    /// The version of the protocol between such peers.
    pub protocol_version: u32,
    /// The auth method of the authorizer; 0 without one.
    pub authorizer_protocol: u32,
    /// Bytes of the authorizer.
    pub authorizer_len: u32,
    /// [`CONNECT_LOSSY`] or 0.
    pub flags: u8,
}

impl Connect {
    /// Bytes of the encoding.
    pub const LEN: usize = 33;

    /// The protocol between clients and mons (`CEPH_MONC_PROTOCOL`).
    pub const MON_PROTOCOL: u32 = 15;

    /// The protocol between clients and OSDs (`CEPH_OSDC_PROTOCOL`).
    pub const OSD_PROTOCOL: u32 = 24;
}

impl Parse for Connect {
    const WHAT: &'static str = "ceph_msg_connect";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, features) = Features::parse(i)?;
        let (i, host_type) = u32::parse(i)?;
        let (i, global_seq) = u32::parse(i)?;
        let (i, connect_seq) = u32::parse(i)?;
        let (i, protocol_version) = u32::parse(i)?;
        let (i, authorizer_protocol) = u32::parse(i)?;
        let (i, authorizer_len) = u32::parse(i)?;
        let (i, flags) = u8::parse(i)?;
        let host_type = EntityType(u8::try_from(host_type).unwrap_or(0));
        let connect = Self {
            features,
            host_type,
            global_seq,
            connect_seq,
            protocol_version,
            authorizer_protocol,
            authorizer_len,
            flags,
        };
        Ok((i, connect))
    }
}

impl Encode for Connect {
    fn encode(&self, out: &mut BytesMut) {
        self.features.encode(out);
        out.put_u32_le(self.host_type.0.into());
        out.put_u32_le(self.global_seq);
        out.put_u32_le(self.connect_seq);
        out.put_u32_le(self.protocol_version);
        out.put_u32_le(self.authorizer_protocol);
        out.put_u32_le(self.authorizer_len);
        out.put_u8(self.flags);
    }
}

/// What a server makes of a [`Connect`] (`CEPH_MSGR_TAG_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplyTag(pub u8);

impl ReplyTag {
    /// Let in: messages flow.
    pub const READY: Self = Self(1);
    /// The server knows of no such session: come again with connect_seq 0.
    pub const RESET_SESSION: Self = Self(2);
    /// The server is connecting to the client at the same time.
    pub const WAIT: Self = Self(3);
    /// Come again with the connect_seq of the reply.
    pub const RETRY_SESSION: Self = Self(4);
    /// Come again with a global_seq above that of the reply.
    pub const RETRY_GLOBAL: Self = Self(5);
    /// Another protocol version is spoken here.
    pub const BAD_PROTOCOL: Self = Self(10);
    /// The authorizer was refused.
    pub const BAD_AUTHORIZER: Self = Self(11);
    /// The client lacks features.
    pub const FEATURES: Self = Self(12);
    /// Let in, and so are all that have the feature RECONNECT_SEQ: behind the authorizer's answer comes the last
    /// message that the server has seen in this session, a u64, and the client answers in kind.
    pub const SEQ: Self = Self(13);
    /// Come again with the answer to the challenge that follows.
    pub const CHALLENGE_AUTHORIZER: Self = Self(16);

    /// The name Ceph has for the tag.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::READY => "READY",
            Self::RESET_SESSION => "RESETSESSION",
            Self::WAIT => "WAIT",
            Self::RETRY_SESSION => "RETRY_SESSION",
            Self::RETRY_GLOBAL => "RETRY_GLOBAL",
            Self::BAD_PROTOCOL => "BADPROTOVER",
            Self::BAD_AUTHORIZER => "BADAUTHORIZER",
            Self::FEATURES => "FEATURES",
            Self::SEQ => "SEQ",
            Self::CHALLENGE_AUTHORIZER => "CHALLENGE_AUTHORIZER",
            _ => "unknown reply to connect",
        }
    }
}

/// A server's answer (`ceph_msg_connect_reply`); the authorizer's answer follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectReply {
    /// What is to happen.
    pub tag: ReplyTag,
    /// What both can, and what the server requires.
    pub features: Features,
    /// See [`ReplyTag::RETRY_GLOBAL`].
    pub global_seq: u32,
    /// How many connections this session had, this one included.
    pub connect_seq: u32,
    /// The version that the server speaks.
    pub protocol_version: u32,
    /// Bytes of the authorizer's answer.
    pub authorizer_len: u32,
    /// [`CONNECT_LOSSY`] or 0: whether the server forgets the session with the connection.
    pub flags: u8,
}

impl ConnectReply {
    /// Bytes of the encoding.
    pub const LEN: usize = 26;
}

impl Parse for ConnectReply {
    const WHAT: &'static str = "ceph_msg_connect_reply";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, tag) = u8::parse(i)?;
        let (i, features) = Features::parse(i)?;
        let (i, global_seq) = u32::parse(i)?;
        let (i, connect_seq) = u32::parse(i)?;
        let (i, protocol_version) = u32::parse(i)?;
        let (i, authorizer_len) = u32::parse(i)?;
        let (i, flags) = u8::parse(i)?;
        let tag = ReplyTag(tag);
        Ok((i, Self { tag, features, global_seq, connect_seq, protocol_version, authorizer_len, flags }))
    }
}

impl Encode for ConnectReply {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.tag.0);
        self.features.encode(out);
        out.put_u32_le(self.global_seq);
        out.put_u32_le(self.connect_seq);
        out.put_u32_le(self.protocol_version);
        out.put_u32_le(self.authorizer_len);
        out.put_u8(self.flags);
    }
}
