//! Operations on pools, as librados' `rados_pool_create` and `rados_pool_delete` send them to a monitor.
//!
//! Facts: `messages/MPoolOp.h`, `MPoolOpReply.h`, `include/ceph_fs.h` (`POOL_OP_*`).

use super::paxos::{parse_paxos, put_paxos};
use super::{Kind, Message};
use crate::primitives::{Parse, fail, parse::run};
use crate::{DecodeError, DecodeErrorKind, Encode, Fsid, Name};
use bytes::{BufMut, Bytes, BytesMut};

/// What to do with a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolAction {
    /// Make it.
    Create,
    /// Remove it with all its objects.
    Delete,
    /// Something about snapshots or owners, by its number.
    Other(u32),
}

impl PoolAction {
    fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Create,
            2 => Self::Delete,
            other => Self::Other(other),
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::Create => 1,
            Self::Delete => 2,
            Self::Other(code) => code,
        }
    }
}

/// `MPoolOp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOp {
    /// The cluster.
    pub fsid: Fsid,
    /// The pool's number; 0 if it is to be made.
    pub pool: u32,
    /// What to do.
    pub action: PoolAction,
    /// The snapshot that this is about, or 0.
    pub snapid: u64,
    /// The name of a pool to be made, or of a snapshot.
    pub name: Name,
    /// The rule of a pool to be made; -1 for the cluster's default.
    pub crush_rule: i16,
}

impl PoolOp {
    /// Decodes the front of a message of this version.
    ///
    /// # Errors
    /// When it ends too early, or the version is older than 4.
    pub fn decode_version(front: &[u8], version: u16) -> Result<Self, DecodeError> {
        run(front, "MPoolOp", |i| {
            if version < 4 {
                return fail(i, "MPoolOp", DecodeErrorKind::TooOld { version, oldest: 4 });
            }
            let (i, _version) = parse_paxos(i)?;
            let (i, fsid) = Fsid::parse(i)?;
            let (i, pool) = u32::parse(i)?;
            let (i, action) = u32::parse(i)?;
            let (i, _owner) = u64::parse(i)?;
            let (i, snapid) = u64::parse(i)?;
            let (i, name) = Name::field(i, "MPoolOp name")?;
            let (i, _pad) = u8::parse(i)?;
            let (i, crush_rule) = i16::parse(i)?;
            Ok((i, Self { fsid, pool, action: PoolAction::from_code(action), snapid, name, crush_rule }))
        })
    }
}

impl Message for PoolOp {
    const KIND: Kind = Kind::POOL_OP;
    fn encode_front(&self, out: &mut BytesMut) {
        put_paxos(out, 0);
        self.fsid.encode(out);
        self.pool.encode(out);
        self.action.code().encode(out);
        out.put_u64_le(0);
        self.snapid.encode(out);
        self.name.encode(out);
        out.put_u8(0);
        self.crush_rule.encode(out);
    }
}

/// `MPoolOpReply`, under the request's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolOpReply {
    /// The cluster.
    pub fsid: Fsid,
    /// 0, or a negative errno.
    pub result: i32,
    /// The map with what was done in it: clients wait for it.
    pub epoch: u32,
    /// The number of a new snapshot; none in all other answers.
    pub output: Option<Bytes>,
}

impl PoolOpReply {
    /// Decodes the front of a message.
    ///
    /// # Errors
    /// When it ends too early.
    pub fn decode(front: &[u8]) -> Result<Self, DecodeError> {
        run(front, "MPoolOpReply", |i| {
            let (i, _version) = parse_paxos(i)?;
            let (i, fsid) = Fsid::parse(i)?;
            let (i, result) = i32::parse(i)?;
            let (i, epoch) = u32::parse(i)?;
            let (i, has_output) = bool::parse(i)?;
            let (i, output) =
                if has_output { Bytes::parse(i).map(|(i, b)| (i, Some(b)))? } else { (i, None) };
            Ok((i, Self { fsid, result, epoch, output }))
        })
    }
}

impl Message for PoolOpReply {
    const KIND: Kind = Kind::POOL_OP_REPLY;
    fn encode_front(&self, out: &mut BytesMut) {
        put_paxos(out, 0);
        self.fsid.encode(out);
        self.result.encode(out);
        self.epoch.encode(out);
        self.output.is_some().encode(out);
        self.output.iter().for_each(|output| output.encode(out));
    }
}
