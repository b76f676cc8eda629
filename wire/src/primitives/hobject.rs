//! Objects: full names with their hash (`hobject_t`) and locators (`object_locator_t`).
//!
//! Facts: `common/hobject.h`, `common/hobject.cc`, `osd/osd_types.cc`.

use super::{Encode, Input, Name, Parse, Parsed, fail, put_section, section};
use crate::DecodeErrorKind;
use bytes::{BufMut, BytesMut};
use core::cmp::Ordering;

/// The snapshot id of the head object (`CEPH_NOSNAP`).
pub const SNAP_HEAD: u64 = u64::MAX - 1;

/// An object's full name, ordered as OSDs order objects in a placement group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HObject {
    /// Locator key, empty for none.
    pub key: Name,
    /// Object name.
    pub oid: Name,
    /// Snapshot, [`SNAP_HEAD`] for the head.
    pub snap: u64,
    /// Placement hash, not reversed.
    pub hash: u32,
    /// Whether this is the end of everything.
    pub max: bool,
    /// Namespace, empty for the default one.
    pub nspace: Name,
    /// The pool's number.
    pub pool: i64,
}

impl HObject {
    /// The object before all others.
    #[must_use]
    pub fn min() -> Self {
        Self {
            key: Name::default(),
            oid: Name::default(),
            snap: 0,
            hash: 0,
            max: false,
            nspace: Name::default(),
            pool: i64::MIN,
        }
    }

    fn effective_key(&self) -> &Name {
        if self.key.is_empty() { &self.oid } else { &self.key }
    }
}

impl Ord for HObject {
    /// Bitwise order: the end last, then pool, reversed hash, namespace, effective key, name, snapshot.
    fn cmp(&self, other: &Self) -> Ordering {
        (self.max.cmp(&other.max))
            .then_with(|| self.pool.cmp(&other.pool))
            .then_with(|| self.hash.reverse_bits().cmp(&other.hash.reverse_bits()))
            .then_with(|| self.nspace.cmp(&other.nspace))
            .then_with(|| self.effective_key().cmp(other.effective_key()))
            .then_with(|| self.oid.cmp(&other.oid))
            .then_with(|| self.snap.cmp(&other.snap))
            // Ceph knows no order between an object without key and one whose key is its name.
            .then_with(|| self.key.cmp(&other.key))
    }
}

impl PartialOrd for HObject {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Parse for HObject {
    const WHAT: &'static str = "hobject_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 4, |i, version| {
            if version < 4 {
                return fail(i, Self::WHAT, DecodeErrorKind::TooOld { version: version.into(), oldest: 4 });
            }
            let (i, key) = Name::parse(i)?;
            let (i, oid) = Name::parse(i)?;
            let (i, snap) = u64::parse(i)?;
            let (i, hash) = u32::parse(i)?;
            let (i, max) = bool::parse(i)?;
            let (i, nspace) = Name::parse(i)?;
            let (i, pool) = i64::parse(i)?;
            Ok((i, Self { key, oid, snap, hash, max, nspace, pool }))
        })
    }
}

impl Encode for HObject {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 4, 3, |out| {
            self.key.encode(out);
            self.oid.encode(out);
            self.snap.encode(out);
            self.hash.encode(out);
            self.max.encode(out);
            self.nspace.encode(out);
            self.pool.encode(out);
        });
    }
}

/// Where an object is, besides its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectLocator {
    /// The pool's number, -1 for none (in redirects).
    pub pool: i64,
    /// Placed by this instead of the object's name; empty for none.
    pub key: Name,
    /// Namespace, empty for the default one.
    pub nspace: Name,
    /// Placed by this hash instead of any name; -1 for none.
    pub hash: i64,
}

impl Parse for ObjectLocator {
    const WHAT: &'static str = "object_locator_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 6, |i, version| {
            if version < 3 {
                return fail(i, Self::WHAT, DecodeErrorKind::TooOld { version: version.into(), oldest: 3 });
            }
            let (i, pool) = i64::parse(i)?;
            let (i, _preferred) = i32::parse(i)?;
            let (i, key) = Name::parse(i)?;
            let (i, nspace) = if version >= 5 { Name::parse(i)? } else { (i, Name::default()) };
            let (i, hash) = if version >= 6 { i64::parse(i)? } else { (i, -1) };
            Ok((i, Self { pool, key, nspace, hash }))
        })
    }
}

impl Encode for ObjectLocator {
    fn encode(&self, out: &mut BytesMut) {
        self.encode_in(self.pool, out);
    }
}

impl ObjectLocator {
    /// Appends the encoding with another pool in place of this one's.
    pub(crate) fn encode_in(&self, pool: i64, out: &mut BytesMut) {
        // Old readers ignore a hash they do not know, which would misplace the object.
        let compat = if self.hash == -1 { 3 } else { 6 };
        put_section(out, 6, compat, |out| {
            pool.encode(out);
            out.put_i32_le(-1);
            self.key.encode(out);
            self.nspace.encode(out);
            self.hash.encode(out);
        });
    }
}
