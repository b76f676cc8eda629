//! Authentication inside an established mon session: ticket renewal.
//!
//! Facts: `messages/MAuth.h`, `messages/MAuthReply.h`.

use super::paxos::{parse_paxos, put_paxos};
use super::{Kind, Message};
use crate::primitives::{Input, Parse, Parsed};
use crate::{Encode, Name};
use bytes::{Bytes, BytesMut};

/// `MAuth`: a request to the auth service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthRequest {
    /// The auth method, 2 for cephx.
    pub protocol: u32,
    /// The method's own request.
    pub payload: Bytes,
    /// The sender's monmap epoch; 0 is accepted.
    pub monmap_epoch: u32,
}

impl Parse for AuthRequest {
    const WHAT: &'static str = "MAuth";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = parse_paxos(i)?;
        let (i, protocol) = u32::parse(i)?;
        let (i, payload) = Bytes::parse(i)?;
        let (i, monmap_epoch) = if i.is_empty() { (i, 0) } else { u32::parse(i)? };
        Ok((i, Self { protocol, payload, monmap_epoch }))
    }
}

impl Message for AuthRequest {
    const KIND: Kind = Kind::AUTH;
    fn encode_front(&self, out: &mut BytesMut) {
        put_paxos(out, 0);
        self.protocol.encode(out);
        self.payload.encode(out);
        self.monmap_epoch.encode(out);
    }
}

/// `MAuthReply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthReply {
    /// The auth method answered.
    pub protocol: u32,
    /// 0, or a negative errno.
    pub result: i32,
    /// The client's global id.
    pub global_id: u64,
    /// The method's own answer.
    pub payload: Bytes,
    /// A reason in words, mostly empty.
    pub message: Name,
}

crate::primitives::codec!(AuthReply { protocol, result, global_id, payload, message });

impl Message for AuthReply {
    const KIND: Kind = Kind::AUTH_REPLY;
    fn encode_front(&self, out: &mut BytesMut) {
        self.encode(out);
    }
}
