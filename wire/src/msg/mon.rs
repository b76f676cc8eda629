//! Subscriptions and version queries at the monitors.
//!
//! Facts: `messages/MMonSubscribe.h`, `MMonSubscribeAck.h`, `MMonGetVersion.h`, `MMonGetVersionReply.h`, `MConfig.h`.

use super::{Kind, Message};
use crate::primitives::{Parse, codec, fail, parse::run};
use crate::{DecodeError, DecodeErrorKind, Encode, Fsid, Name};
use alloc::collections::BTreeMap;
use bytes::BytesMut;

/// What is wanted of one subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubscribeItem {
    /// The first version wanted, not the one at hand; 0 asks for the newest in full.
    pub start: u64,
    /// Bit 0: one batch only.
    pub flags: u8,
}

codec!(SubscribeItem { start, flags });

impl SubscribeItem {
    /// The flag of a subscription that ends with its first batch.
    pub const ONETIME: u8 = 1;
}

/// `MMonSubscribe`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subscribe {
    /// By name: "monmap", "osdmap", "config", "mgrmap".
    pub what: BTreeMap<Name, SubscribeItem>,
    /// The client's host name; may be empty.
    pub hostname: Name,
}

impl Subscribe {
    /// Decodes the front of a message of this version.
    ///
    /// # Errors
    /// When it ends too early, or the version is older than 2.
    pub fn decode_version(front: &[u8], version: u16) -> Result<Self, DecodeError> {
        run(front, "MMonSubscribe", |i| {
            if version < 2 {
                return fail(i, "MMonSubscribe", DecodeErrorKind::TooOld { version, oldest: 2 });
            }
            let (i, what) = BTreeMap::field(i, "MMonSubscribe what")?;
            let (i, hostname) = if version >= 3 { Name::parse(i)? } else { (i, Name::default()) };
            Ok((i, Self { what, hostname }))
        })
    }
}

impl Message for Subscribe {
    const KIND: Kind = Kind::SUBSCRIBE;
    fn encode_front(&self, out: &mut BytesMut) {
        self.what.encode(out);
        self.hostname.encode(out);
    }
}

/// `MMonSubscribeAck`, sent only to clients that must renew their subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscribeAck {
    /// Seconds until a renewal is due.
    pub interval: u32,
    /// The cluster.
    pub fsid: Fsid,
}

codec!(SubscribeAck { interval, fsid });

impl Message for SubscribeAck {
    const KIND: Kind = Kind::SUBSCRIBE_ACK;
    fn encode_front(&self, out: &mut BytesMut) {
        self.encode(out);
    }
}

/// `MMonGetVersion`: which versions of a map are there?
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetVersion {
    /// Comes back in the reply.
    pub handle: u64,
    /// The map's name, such as "osdmap".
    pub what: Name,
}

codec!(GetVersion { handle, what });

impl Message for GetVersion {
    const KIND: Kind = Kind::GET_VERSION;
    fn encode_front(&self, out: &mut BytesMut) {
        self.encode(out);
    }
}

/// `MMonGetVersionReply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetVersionReply {
    /// The request's handle.
    pub handle: u64,
    /// The newest version.
    pub newest: u64,
    /// The oldest version that the monitors still have.
    pub oldest: u64,
}

impl GetVersionReply {
    /// Decodes the front of a message of this version.
    ///
    /// # Errors
    /// When it ends too early.
    pub fn decode_version(front: &[u8], version: u16) -> Result<Self, DecodeError> {
        run(front, "MMonGetVersionReply", |i| {
            let (i, handle) = u64::parse(i)?;
            let (i, newest) = u64::parse(i)?;
            let (i, oldest) = if version >= 2 { u64::parse(i)? } else { (i, 0) };
            Ok((i, Self { handle, newest, oldest }))
        })
    }
}

impl Message for GetVersionReply {
    const KIND: Kind = Kind::GET_VERSION_REPLY;
    fn encode_front(&self, out: &mut BytesMut) {
        self.handle.encode(out);
        self.newest.encode(out);
        self.oldest.encode(out);
    }
}

/// `MConfig`: the configuration that the monitors have for a client.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ConfigValues {
    /// Values by option.
    pub values: BTreeMap<Name, Name>,
}

codec!(ConfigValues { values });

impl Message for ConfigValues {
    const KIND: Kind = Kind::CONFIG;
    fn encode_front(&self, out: &mut BytesMut) {
        self.encode(out);
    }
}
