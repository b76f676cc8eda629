//! Messages: what travels in msgr2's MESSAGE frames, and msgr1's MSG records, between clients, monitors and OSDs.
//!
//! Each message is a struct in a file with its family. [`Msg`] is the sum of all that a client or
//! a test server handles, decoded from the message's type, version and segments.
//!
//! Facts: `messages/*.h` and `include/msgr.h` of Ceph.

mod auth;
mod backoff;
mod command;
mod mon;
mod mon_map;
mod object_list;
mod op;
mod osd_map;
mod osd_op;
mod osd_op_reply;
mod paxos;
mod pool_op;
mod watch_notify;
mod watchers;

pub use auth::{AuthReply, AuthRequest};
pub use backoff::{Backoff, BackoffOp};
pub use command::{MonCommand, MonCommandAck};
pub use mon::{ConfigValues, GetVersion, GetVersionReply, Subscribe, SubscribeAck, SubscribeItem};
pub use mon_map::{MonInfo, MonMap};
pub use object_list::{ListedObject, ObjectList};
pub use op::{Op, OpData, WatchOp};
pub use osd_map::MapMessage;
pub use osd_op::{OpFlags, OpRequest, OpRequestRef};
pub use osd_op_reply::{OpReply, OpResult, Redirect};
pub use pool_op::{PoolAction, PoolOp, PoolOpReply};
pub use watch_notify::{NotifyAck, NotifyAcks, NotifyOpcode, WatchNotify, WatcherId};
pub use watchers::{Watcher, WatcherList};

use crate::{Decode, DecodeError, DecodeErrorKind};
use bytes::{Bytes, BytesMut};

/// A message's numbers: its type, the version written here, the oldest version that can read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The message type (`CEPH_MSG_*`, `MSG_*`).
    pub code: u16,
    /// The layout's version.
    pub version: u16,
    /// Readers must know at least this version.
    pub compat: u16,
}

impl Kind {
    const fn new(code: u16, version: u16, compat: u16) -> Self {
        Self { code, version, compat }
    }

    /// `MPing`: no payload, no answer.
    pub const PING: Self = Self::new(2, 1, 1);
    /// `MMonMap`.
    pub const MON_MAP: Self = Self::new(4, 1, 1);
    /// `MMonGetMap`: no payload.
    pub const MON_GET_MAP: Self = Self::new(5, 1, 1);
    /// `MMonSubscribe`.
    pub const SUBSCRIBE: Self = Self::new(15, 3, 1);
    /// `MMonSubscribeAck`.
    pub const SUBSCRIBE_ACK: Self = Self::new(16, 1, 1);
    /// `MAuth`.
    pub const AUTH: Self = Self::new(17, 1, 1);
    /// `MAuthReply`.
    pub const AUTH_REPLY: Self = Self::new(18, 1, 1);
    /// `MMonGetVersion`.
    pub const GET_VERSION: Self = Self::new(19, 1, 1);
    /// `MMonGetVersionReply`.
    pub const GET_VERSION_REPLY: Self = Self::new(20, 2, 2);
    /// `MOSDMap`.
    pub const OSD_MAP: Self = Self::new(41, 4, 3);
    /// `MOSDOp`; version 8 is accepted by every OSD from Luminous to Tentacle.
    pub const OSD_OP: Self = Self::new(42, 8, 3);
    /// `MOSDOpReply`.
    pub const OSD_OP_REPLY: Self = Self::new(43, 8, 2);
    /// `MWatchNotify`.
    pub const WATCH_NOTIFY: Self = Self::new(44, 3, 1);
    /// `MPoolOpReply`.
    pub const POOL_OP_REPLY: Self = Self::new(48, 1, 1);
    /// `MPoolOp`.
    pub const POOL_OP: Self = Self::new(49, 4, 2);
    /// `MMonCommand`.
    pub const MON_COMMAND: Self = Self::new(50, 1, 1);
    /// `MMonCommandAck`.
    pub const MON_COMMAND_ACK: Self = Self::new(51, 1, 1);
    /// `MOSDBackoff`.
    pub const OSD_BACKOFF: Self = Self::new(61, 1, 1);
    /// `MConfig`.
    pub const CONFIG: Self = Self::new(62, 1, 1);
}

/// A message that this crate can write.
pub trait Message {
    /// Its numbers.
    const KIND: Kind;

    /// Appends the front segment.
    fn encode_front(&self, out: &mut BytesMut);

    /// The data segment; empty for most.
    fn data(&self) -> Bytes {
        Bytes::new()
    }
}

/// Any message, decoded.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[allow(missing_docs, reason = "each variant is named after its struct")]
pub enum Msg {
    Ping,
    MonGetMap,
    MonMap(MonMap),
    Subscribe(Subscribe),
    SubscribeAck(SubscribeAck),
    Auth(AuthRequest),
    AuthReply(AuthReply),
    GetVersion(GetVersion),
    GetVersionReply(GetVersionReply),
    OsdMap(MapMessage),
    OpRequest(OpRequest),
    OpReply(OpReply),
    WatchNotify(WatchNotify),
    PoolOpReply(PoolOpReply),
    PoolOp(PoolOp),
    MonCommand(MonCommand),
    MonCommandAck(MonCommandAck),
    Backoff(Backoff),
    Config(ConfigValues),
    /// A type that is not handled here; its number.
    Other(u16),
}

impl Msg {
    /// Decodes a message from its header's type, version and compat version, and its segments.
    ///
    /// # Errors
    /// When a segment does not decode, or when the sender says that readers must know a newer
    /// version than the one here. Unknown types are no error: they give [`Msg::Other`].
    pub fn decode(
        code: u16,
        version: u16,
        compat: u16,
        front: &Bytes,
        data: &Bytes,
    ) -> Result<Self, DecodeError> {
        let knows = |kind: Kind| {
            if compat > kind.version {
                let kind = DecodeErrorKind::TooNew { compat, known: kind.version };
                return Err(DecodeError { offset: 0, what: "message", kind });
            }
            Ok(())
        };
        macro_rules! plain {
            ($kind:expr, $variant:ident) => {{
                knows($kind)?;
                Decode::decode(front).map(Self::$variant)
            }};
        }
        match code {
            2 => Ok(Self::Ping),
            4 => plain!(Kind::MON_MAP, MonMap),
            5 => Ok(Self::MonGetMap),
            15 => {
                knows(Kind::SUBSCRIBE)?;
                Subscribe::decode_version(front, version).map(Self::Subscribe)
            }
            16 => plain!(Kind::SUBSCRIBE_ACK, SubscribeAck),
            17 => plain!(Kind::AUTH, Auth),
            18 => plain!(Kind::AUTH_REPLY, AuthReply),
            19 => plain!(Kind::GET_VERSION, GetVersion),
            20 => {
                knows(Kind::GET_VERSION_REPLY)?;
                GetVersionReply::decode_version(front, version).map(Self::GetVersionReply)
            }
            41 => {
                knows(Kind::OSD_MAP)?;
                MapMessage::decode_version(front, version).map(Self::OsdMap)
            }
            42 => {
                knows(Kind { version: 9, ..Kind::OSD_OP })?;
                OpRequest::decode_version(front, data, version).map(Self::OpRequest)
            }
            43 => {
                knows(Kind::OSD_OP_REPLY)?;
                OpReply::decode_version(front, data, version).map(Self::OpReply)
            }
            44 => {
                knows(Kind::WATCH_NOTIFY)?;
                WatchNotify::decode_version(front, data, version).map(Self::WatchNotify)
            }
            48 => {
                knows(Kind::POOL_OP_REPLY)?;
                PoolOpReply::decode(front).map(Self::PoolOpReply)
            }
            49 => {
                knows(Kind::POOL_OP)?;
                PoolOp::decode_version(front, version).map(Self::PoolOp)
            }
            50 => {
                knows(Kind::MON_COMMAND)?;
                MonCommand::decode(front, data).map(Self::MonCommand)
            }
            51 => {
                knows(Kind::MON_COMMAND_ACK)?;
                MonCommandAck::decode(front, data).map(Self::MonCommandAck)
            }
            61 => plain!(Kind::OSD_BACKOFF, Backoff),
            62 => plain!(Kind::CONFIG, Config),
            other => Ok(Self::Other(other)),
        }
    }
}
