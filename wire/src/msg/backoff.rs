//! `MOSDBackoff`: an OSD asks a client to hold operations on a range of objects.
//!
//! Facts: `messages/MOSDBackoff.h`.

use super::{Kind, Message};
use crate::primitives::{Input, Parse, Parsed, codec, fail};
use crate::{DecodeErrorKind, Encode, HObject, SpgId};
use bytes::BytesMut;

/// What a backoff message asks or says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackoffOp {
    /// OSD to client: hold operations in the range.
    Block,
    /// Client to OSD: held from here on.
    AckBlock,
    /// OSD to client: go on, and resend.
    Unblock,
}

impl Parse for BackoffOp {
    const WHAT: &'static str = "backoff op";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, op) = u8::parse(i)?;
        match op {
            1 => Ok((rest, Self::Block)),
            2 => Ok((rest, Self::AckBlock)),
            3 => Ok((rest, Self::Unblock)),
            _ => fail(i, Self::WHAT, DecodeErrorKind::Invalid),
        }
    }
}

impl Encode for BackoffOp {
    fn encode(&self, out: &mut BytesMut) {
        let code: u8 = match self {
            Self::Block => 1,
            Self::AckBlock => 2,
            Self::Unblock => 3,
        };
        code.encode(out);
    }
}

/// A backoff on the objects from `begin` up to, not including, `end`; or on exactly `begin` when
/// both are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// The placement group.
    pub pgid: SpgId,
    /// The sender's map epoch.
    pub epoch: u32,
    /// What is asked.
    pub op: BackoffOp,
    /// Names the backoff within its connection.
    pub id: u64,
    /// First object.
    pub begin: HObject,
    /// End of the range.
    pub end: HObject,
}

codec!(Backoff { pgid, epoch, op, id, begin, end });

impl Backoff {
    /// Whether operations on `object` are held.
    #[must_use]
    pub fn covers(&self, object: &HObject) -> bool {
        *object == self.begin || (self.begin < *object && *object < self.end)
    }
}

impl Message for Backoff {
    const KIND: Kind = Kind::OSD_BACKOFF;
    fn encode_front(&self, out: &mut BytesMut) {
        self.encode(out);
    }
}
