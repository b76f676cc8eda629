//! Small identifying values: entities, placement groups, versions, times.

use super::{Encode, Input, Parse, Parsed, codec, fail, put_section, section};
use crate::DecodeErrorKind;
use bytes::{BufMut, BytesMut};
use core::fmt;

/// What kind of daemon or client an entity is (`CEPH_ENTITY_TYPE_*`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntityType(pub u8);

impl EntityType {
    /// A monitor.
    pub const MON: Self = Self(1);
    /// A metadata server.
    pub const MDS: Self = Self(2);
    /// An object storage daemon.
    pub const OSD: Self = Self(4);
    /// A client.
    pub const CLIENT: Self = Self(8);
    /// A manager.
    pub const MGR: Self = Self(0x10);
    /// The authentication service, which the monitors run.
    pub const AUTH: Self = Self(0x20);

    /// The name Ceph prints for the type.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MON => "mon",
            Self::MDS => "mds",
            Self::OSD => "osd",
            Self::CLIENT => "client",
            Self::MGR => "mgr",
            Self::AUTH => "auth",
            _ => "unknown",
        }
    }
}

impl Parse for EntityType {
    const WHAT: &'static str = "entity type";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, kind) = u8::parse(i)?;
        Ok((i, Self(kind)))
    }
}

impl Encode for EntityType {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(self.0);
    }
}

/// A numbered entity, such as `client.4128` or `osd.0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct EntityName {
    /// What it is.
    pub kind: EntityType,
    /// Its number: the global id of a client, the id of an OSD.
    pub num: i64,
}

codec!(EntityName { kind, num });

impl EntityName {
    /// The client with this global id.
    #[must_use]
    pub const fn client(global_id: u64) -> Self {
        Self { kind: EntityType::CLIENT, num: global_id.cast_signed() }
    }
}

impl fmt::Display for EntityName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind.name(), self.num)
    }
}

/// A cluster's id, 16 raw bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Fsid(pub [u8; 16]);

impl Parse for Fsid {
    const WHAT: &'static str = "fsid";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let Some((id, rest)) = i.split_first_chunk() else {
            return fail(i, Self::WHAT, DecodeErrorKind::Truncated);
        };
        Ok((rest, Self(*id)))
    }
}

impl Encode for Fsid {
    fn encode(&self, out: &mut BytesMut) {
        out.put_slice(&self.0);
    }
}

impl fmt::Display for Fsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, byte) in self.0.iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fsid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A wall-clock time or a span, in seconds and nanoseconds (`utime_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UTime {
    /// Seconds since 1970, or of the span.
    pub sec: u32,
    /// Nanoseconds.
    pub nsec: u32,
}

codec!(UTime { sec, nsec });

/// A placement group: pool and seed (`pg_t`). Ordered by pool, then seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PgId {
    /// The pool's number.
    pub pool: i64,
    /// The group's number in the pool.
    pub seed: u32,
}

impl Parse for PgId {
    const WHAT: &'static str = "pg_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, pool) = i64::parse(i)?;
        let (i, seed) = u32::parse(i)?;
        let (i, _preferred) = i32::parse(i)?;
        Ok((i, Self { pool, seed }))
    }
}

impl Encode for PgId {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.pool.encode(out);
        self.seed.encode(out);
        out.put_i32_le(-1);
    }
}

impl fmt::Display for PgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.pool, self.seed)
    }
}

/// A placement group with the shard of an erasure-coded pool (`spg_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpgId {
    /// The placement group.
    pub pg: PgId,
    /// The shard, or [`SpgId::NO_SHARD`] in a replicated pool.
    pub shard: i8,
}

impl SpgId {
    /// The shard of a replicated pool's placement group.
    pub const NO_SHARD: i8 = -1;
}

impl Parse for SpgId {
    const WHAT: &'static str = "spg_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 1, |i, _| {
            let (i, pg) = PgId::parse(i)?;
            let (i, shard) = i8::parse(i)?;
            Ok((i, Self { pg, shard }))
        })
    }
}

impl Encode for SpgId {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 1, 1, |out| {
            self.pg.encode(out);
            self.shard.encode(out);
        });
    }
}

/// Who sent an operation, and which (`osd_reqid_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ReqId {
    /// The sender; all zero lets the OSD take the connection's entity.
    pub name: EntityName,
    /// The transaction id; zero lets the OSD take the message header's.
    pub tid: u64,
    /// The sender's incarnation.
    pub inc: i32,
}

impl Parse for ReqId {
    const WHAT: &'static str = "osd_reqid_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 2, |i, _| {
            let (i, name) = EntityName::parse(i)?;
            let (i, tid) = u64::parse(i)?;
            let (i, inc) = i32::parse(i)?;
            Ok((i, Self { name, tid, inc }))
        })
    }
}

impl Encode for ReqId {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 2, 2, |out| {
            self.name.encode(out);
            self.tid.encode(out);
            self.inc.encode(out);
        });
    }
}

/// A version of an object or a log entry (`eversion_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct EVersion {
    /// The version within the placement group's log.
    pub version: u64,
    /// The map epoch it was made in.
    pub epoch: u32,
}

codec!(EVersion { version, epoch });
