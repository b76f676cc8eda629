//! The monitors' own map: who they are and where.
//!
//! Facts: `mon/MonMap.h`, `mon/MonMap.cc`, `messages/MMonMap.h`.

use super::{Kind, Message};
use crate::primitives::{Input, Parse, Parsed, blob, fail, put_section, section, skip_section};
use crate::{AddrVec, DecodeErrorKind, Encode, Fsid, Name, UTime};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

/// One monitor.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonInfo {
    /// Its name, such as "a".
    pub name: Name,
    /// Its addresses, one for each protocol.
    pub addrs: AddrVec,
    /// Lower is tried first.
    pub priority: u16,
    /// Share among monitors of one priority; 0 throughout means equal.
    pub weight: u16,
}

impl Parse for MonInfo {
    const WHAT: &'static str = "mon_info_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 6, |i, version| {
            let (i, name) = Name::parse(i)?;
            let (i, addrs) = AddrVec::parse(i)?;
            let (i, priority) = if version >= 2 { u16::parse(i)? } else { (i, 0) };
            let (i, weight) = if version >= 4 { u16::parse(i)? } else { (i, 0) };
            Ok((i, Self { name, addrs, priority, weight }))
        })
    }
}

impl Encode for MonInfo {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 4, 1, |out| {
            self.name.encode(out);
            self.addrs.encode(out);
            self.priority.encode(out);
            self.weight.encode(out);
        });
    }
}

/// The monitors of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MonMap {
    /// The cluster.
    pub fsid: Fsid,
    /// Grows with each change.
    pub epoch: u32,
    /// When it changed last.
    pub last_changed: UTime,
    /// When the cluster was made.
    pub created: UTime,
    /// The monitors by name.
    pub mons: BTreeMap<Name, MonInfo>,
    /// Their names in order of rank.
    pub ranks: Vec<Name>,
    /// The oldest release among them: 14 for Nautilus, 16 for Pacific.
    pub min_release: u8,
}

impl MonMap {
    /// The oldest layout decoded here, that of Nautilus' predecessors with address lists.
    const OLDEST: u8 = 6;

    fn parse_inner(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, "MonMap", 10, |i, version| {
            if version < Self::OLDEST {
                let kind = DecodeErrorKind::TooOld { version: version.into(), oldest: Self::OLDEST.into() };
                return fail(i, "MonMap", kind);
            }
            let (i, fsid) = Fsid::parse(i)?;
            let (i, epoch) = u32::parse(i)?;
            let (i, last_changed) = UTime::parse(i)?;
            let (i, created) = UTime::parse(i)?;
            let (i, ()) = skip_section(i, "MonMap persistent features")?;
            let (i, ()) = skip_section(i, "MonMap optional features")?;
            let (i, mons) = BTreeMap::field(i, "MonMap mons")?;
            let (i, ranks) = Vec::field(i, "MonMap ranks")?;
            let (i, min_release) = if version >= 7 { u8::parse(i)? } else { (i, 0) };
            Ok((i, Self { fsid, epoch, last_changed, created, mons, ranks, min_release }))
        })
    }
}

impl Parse for MonMap {
    const WHAT: &'static str = "MMonMap";
    /// The message holds the map as a blob.
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (rest, map) = blob(i)?;
        let (_, map) = Self::parse_inner(map)?;
        Ok((rest, map))
    }
}

impl Message for MonMap {
    const KIND: Kind = Kind::MON_MAP;
    /// Version 7, which every release from Nautilus on reads.
    fn encode_front(&self, out: &mut BytesMut) {
        let at = out.len();
        out.put_u32_le(0);
        put_section(out, 7, 6, |out| {
            self.fsid.encode(out);
            self.epoch.encode(out);
            self.last_changed.encode(out);
            self.created.encode(out);
            for _ in ["persistent", "optional"] {
                put_section(out, 1, 1, |out| out.put_u64_le(0));
            }
            self.mons.encode(out);
            self.ranks.encode(out);
            self.min_release.encode(out);
        });
        let len = (out.len() - at - 4) as u32;
        out[at..at + 4].copy_from_slice(&len.to_le_bytes());
    }
}
