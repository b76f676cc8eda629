//! `MOSDOpReply`: what became of a request.
//!
//! Facts: `messages/MOSDOpReply.h`, `osd/osd_types.h` (`request_redirect_t`).

use super::op::HEADER_LEN;
use super::osd_op::skip_trace;
use super::{Kind, Message, Op};
use crate::primitives::{Input, Parse, Parsed, fail, parse::run, put_section, section};
use crate::{DecodeError, DecodeErrorKind, EVersion, Encode, Name, ObjectLocator, PgId};
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};

/// Where a request is to be sent instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The pool there; -1 with an empty object name means no redirect.
    pub locator: ObjectLocator,
    /// The object there; empty to keep the name.
    pub object: Name,
}

impl Parse for Redirect {
    const WHAT: &'static str = "request_redirect_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 1, |i, _| {
            let (i, locator) = ObjectLocator::parse(i)?;
            let (i, object) = Name::parse(i)?;
            Ok((i, Self { locator, object }))
        })
    }
}

impl Encode for Redirect {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 1, 1, |out| {
            self.locator.encode(out);
            self.object.encode(out);
            out.put_u32_le(0);
        });
    }
}

/// What became of one operation of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpResult {
    /// The operation, echoed without its input.
    pub op: Op,
    /// Its own result: 0 or more, or a negative errno.
    pub result: i32,
    /// Its output.
    pub output: Bytes,
}

/// A reply, of layout version 6 to 8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpReply {
    /// The object's name.
    pub oid: Name,
    /// The placement group.
    pub pgid: PgId,
    /// The request's flags, echoed.
    pub flags: i64,
    /// The result of the whole: 0 or more, or a negative errno.
    pub result: i32,
    /// The OSD's map epoch.
    pub epoch: u32,
    /// The operations.
    pub ops: Vec<OpResult>,
    /// The request's retry attempt; -1 if unknown.
    pub retry_attempt: i32,
    /// The version a write got in the log.
    pub replay_version: EVersion,
    /// The object's version as users see it.
    pub user_version: u64,
    /// Where to send the request instead.
    pub redirect: Option<Redirect>,
}

impl OpReply {
    /// Decodes the segments of a message of this version.
    ///
    /// # Errors
    /// When a segment ends too early, or the version is older than 6.
    pub fn decode_version(front: &[u8], data: &Bytes, version: u16) -> Result<Self, DecodeError> {
        run(front, "MOSDOpReply", |i| {
            if version < 6 {
                return fail(i, "MOSDOpReply", DecodeErrorKind::TooOld { version, oldest: 6 });
            }
            Self::parse_version(i, data.clone(), version)
        })
    }

    fn parse_version(i: Input<'_>, data: Bytes, version: u16) -> Parsed<'_, Self> {
        let (i, oid) = Name::field(i, "MOSDOpReply oid")?;
        let (i, pgid) = PgId::parse(i)?;
        let (i, flags) = i64::parse(i)?;
        let (i, result) = i32::parse(i)?;
        let (i, _bad_replay_version) = EVersion::parse(i)?;
        let (i, epoch) = u32::parse(i)?;
        let (i, n) = u32::parse(i)?;
        let (i, (retry_attempt, ops)) = parse_ops(i, n as usize, data)?;
        let (i, replay_version) = EVersion::parse(i)?;
        let (i, user_version) = u64::parse(i)?;
        let (i, has_redirect) = if version >= 7 { bool::parse(i)? } else { (i, true) };
        let (i, redirect) = match has_redirect {
            true => Redirect::parse(i).map(|(i, r)| (i, Some(r)))?,
            false => (i, None),
        };
        let redirect = redirect.filter(|r| r.locator.pool != -1 || !r.object.is_empty());
        let (i, ()) = if version >= 8 { skip_trace(i)? } else { (i, ()) };
        let reply = Self {
            oid,
            pgid,
            flags,
            result,
            epoch,
            ops,
            retry_attempt,
            replay_version,
            user_version,
            redirect,
        };
        Ok((i, reply))
    }
}

/// Parses the operations' headers, the attempt, and the results that follow both.
fn parse_ops(mut i: Input<'_>, n: usize, mut data: Bytes) -> Parsed<'_, (i32, Vec<OpResult>)> {
    if n > i.len() / HEADER_LEN {
        return fail(i, "MOSDOpReply ops", DecodeErrorKind::Truncated);
    }
    let mut ops = Vec::with_capacity(n);
    for _ in 0..n {
        let (rest, (op, len)) = Op::parse_echo(i)?;
        if len > data.len() {
            return fail(i, "MOSDOpReply output", DecodeErrorKind::Truncated);
        }
        ops.push(OpResult { op, result: 0, output: data.split_to(len) });
        i = rest;
    }
    let (mut i, retry_attempt) = i32::parse(i)?;
    for op in &mut ops {
        (i, op.result) = i32::parse(i)?;
    }
    Ok((i, (retry_attempt, ops)))
}

impl Message for OpReply {
    const KIND: Kind = Kind::OSD_OP_REPLY;

    fn encode_front(&self, out: &mut BytesMut) {
        self.oid.encode(out);
        self.pgid.encode(out);
        self.flags.encode(out);
        self.result.encode(out);
        // The version for clients that know no other: the user's, in the log's epoch.
        let version = if self.user_version == 0 { self.replay_version.version } else { self.user_version };
        EVersion { version, epoch: self.replay_version.epoch }.encode(out);
        self.epoch.encode(out);
        out.put_u32_le(self.ops.len() as u32);
        self.ops.iter().for_each(|op| op.op.encode_header_with(op.output.len(), out));
        self.retry_attempt.encode(out);
        self.ops.iter().for_each(|op| op.result.encode(out));
        self.replay_version.encode(out);
        self.user_version.encode(out);
        self.redirect.is_some().encode(out);
        if let Some(redirect) = &self.redirect {
            redirect.encode(out);
        }
        out.put_bytes(0, 24);
    }

    fn data(&self) -> Bytes {
        match &self.ops[..] {
            [op] => op.output.clone(),
            ops => ops.iter().flat_map(|op| op.output.iter().copied()).collect(),
        }
    }
}
