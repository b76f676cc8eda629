//! `MOSDOp`: operations on one object.
//!
//! Facts: `messages/MOSDOp.h`, `include/rados.h`.

use super::op::HEADER_LEN;
use super::{Kind, Message, Op};
use crate::primitives::{Input, Parse, Parsed, fail, parse::run, skip_section};
use crate::{
    DecodeError, DecodeErrorKind, Encode, Features, Name, ObjectLocator, ReqId, SNAP_HEAD, SpgId, UTime,
};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::ops::BitOr;

/// Flags of a whole request (`CEPH_OSD_FLAG_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OpFlags(pub u32);

impl OpFlags {
    /// Answer when applied.
    pub const ACK: Self = Self(0x1);
    /// Answer when on disk.
    pub const ONDISK: Self = Self(0x4);
    /// Sent before under the same transaction id.
    pub const RETRY: Self = Self(0x8);
    /// Has operations that read.
    pub const READ: Self = Self(0x10);
    /// Has operations that write.
    pub const WRITE: Self = Self(0x20);
    /// Do not treat a cache tier specially.
    pub const IGNORE_CACHE: Self = Self(0x8000);
    /// Ignore the cache tier's overlay.
    pub const IGNORE_OVERLAY: Self = Self(0x2_0000);
    /// Sent where a redirect said.
    pub const REDIRECTED: Self = Self(0x20_0000);
    /// The sender understands redirects.
    pub const KNOWN_REDIR: Self = Self(0x40_0000);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for OpFlags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A request to an OSD, as decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpRequest {
    /// The placement group, after stable_mod, with its shard.
    pub pgid: SpgId,
    /// The object's whole hash.
    pub hash: u32,
    /// The client's map epoch.
    pub epoch: u32,
    /// Flags of the whole request.
    pub flags: OpFlags,
    /// The sender, or all zero.
    pub reqid: ReqId,
    /// The modification time that writes set.
    pub mtime: UTime,
    /// Pool, key and namespace.
    pub locator: ObjectLocator,
    /// The object's name.
    pub oid: Name,
    /// What to do, in order.
    pub ops: Vec<Op>,
    /// The snapshot to read, [`SNAP_HEAD`] for the head.
    pub snapid: u64,
    /// How often this was sent before under the same transaction id.
    pub retry_attempt: i32,
    /// What both ends of the connection can.
    pub features: Features,
}

/// A request to be encoded, from parts that stay with their owner.
#[derive(Debug, Clone, Copy)]
pub struct OpRequestRef<'a> {
    /// The placement group, after stable_mod, with its shard.
    pub pgid: SpgId,
    /// The object's whole hash.
    pub hash: u32,
    /// The client's map epoch.
    pub epoch: u32,
    /// Flags of the whole request.
    pub flags: OpFlags,
    /// The modification time that writes set; zero for reads.
    pub mtime: UTime,
    /// Key and namespace, and the pool as its user knows it.
    pub locator: &'a ObjectLocator,
    /// The pool it goes to: the locator's, or the cache tier laid over that.
    pub pool: i64,
    /// The object's name.
    pub oid: &'a Name,
    /// What to do, in order.
    pub ops: &'a [Op],
    /// How often this was sent before under the same transaction id.
    pub retry_attempt: i32,
    /// What both ends of the connection can.
    pub features: Features,
}

impl Message for OpRequestRef<'_> {
    const KIND: Kind = Kind::OSD_OP;

    fn encode_front(&self, out: &mut BytesMut) {
        self.pgid.encode(out);
        self.hash.encode(out);
        self.epoch.encode(out);
        self.flags.0.encode(out);
        // All zero: the OSD takes the connection's entity and the header's tid.
        ReqId::default().encode(out);
        out.put_bytes(0, TRACE_LEN);
        out.put_u32_le(0);
        self.mtime.encode(out);
        self.locator.encode_in(self.pool, out);
        self.oid.encode(out);
        out.put_u16_le(self.ops.len() as u16);
        self.ops.iter().for_each(|op| op.encode_header(out));
        SNAP_HEAD.encode(out);
        out.put_u64_le(0);
        out.put_u32_le(0);
        self.retry_attempt.encode(out);
        self.features.encode(out);
    }

    fn data(&self) -> Bytes {
        match self.ops {
            [Op::WriteFull { data }] => data.clone(),
            ops => {
                let mut out = BytesMut::with_capacity(ops.iter().map(Op::input_len).sum());
                ops.iter().for_each(|op| op.encode_input(&mut out));
                out.freeze()
            }
        }
    }
}

/// Bytes of a blkin trace, all zero when unused.
const TRACE_LEN: usize = 24;

pub(crate) fn skip_trace(i: Input<'_>) -> Parsed<'_, ()> {
    match i.get(TRACE_LEN..) {
        Some(rest) => Ok((rest, ())),
        None => fail(i, "trace", DecodeErrorKind::Truncated),
    }
}

impl OpRequest {
    /// Decodes the segments of a message of this version, 8 or 9.
    ///
    /// # Errors
    /// When a segment ends too early, an operation is malformed, or the version is older.
    pub fn decode_version(front: &[u8], data: &Bytes, version: u16) -> Result<Self, DecodeError> {
        run(front, "MOSDOp", |i| {
            if version < 8 {
                return fail(i, "MOSDOp", DecodeErrorKind::TooOld { version, oldest: 8 });
            }
            Self::parse_version(i, data.clone(), version)
        })
    }

    fn parse_version(i: Input<'_>, mut data: Bytes, version: u16) -> Parsed<'_, Self> {
        let (i, pgid) = SpgId::parse(i)?;
        let (i, hash) = u32::parse(i)?;
        let (i, epoch) = u32::parse(i)?;
        let (i, flags) = u32::parse(i)?;
        let (i, reqid) = ReqId::parse(i)?;
        let (i, ()) = skip_trace(i)?;
        let (i, ()) = if version >= 9 { skip_section(i, "otel trace")? } else { (i, ()) };
        let (i, _client_inc) = u32::parse(i)?;
        let (i, mtime) = UTime::parse(i)?;
        let (i, locator) = ObjectLocator::parse(i)?;
        let (i, oid) = Name::field(i, "MOSDOp oid")?;
        let (mut i, n) = u16::parse(i)?;
        let mut ops = Vec::with_capacity(usize::from(n).min(i.len() / HEADER_LEN));
        for _ in 0..n {
            let (rest, op) = Op::parse(i, &mut data)?;
            ops.push(op);
            i = rest;
        }
        let (i, snapid) = u64::parse(i)?;
        let (i, _snap_seq) = u64::parse(i)?;
        let (i, _snaps) = Vec::<u64>::field(i, "MOSDOp snaps")?;
        let (i, retry_attempt) = i32::parse(i)?;
        let (i, features) = Features::parse(i)?;
        let flags = OpFlags(flags);
        let request = Self {
            pgid,
            hash,
            epoch,
            flags,
            reqid,
            mtime,
            locator,
            oid,
            ops,
            snapid,
            retry_attempt,
            features,
        };
        Ok((i, request))
    }
}
