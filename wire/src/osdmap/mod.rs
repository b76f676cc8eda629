//! The OSDMap: which pools and OSDs there are, and all that decides where an object lies.
//!
//! [`OsdMap`] is decoded from what monitors send, kept current with [`OsdMap::apply`], and encoded
//! for peers of any release from Nautilus to Tentacle. Placement itself is no part of this crate.
//!
//! Facts: `osd/OSDMap.h`, `osd/OSDMap.cc`, `osd/osd_types.cc`.

mod apply;
mod blocklist;
mod change;
mod full;
mod incremental;
mod incremental_codec;
mod map;
mod osd;
mod pool;
mod pool_codec;
mod snaps;
#[cfg(test)]
mod tests;

pub use crate::crush::ITEM_NONE;
pub use blocklist::Blocklist;
pub use change::{ApplyError, MapChange};
pub use incremental::{Incremental, ServerChange};
pub use map::{OsdMap, ServerState, StretchMode, map_flags};
pub use osd::{AFFINITY_DEFAULT, MAX_OSDS, OsdInfo, OsdXInfo, WEIGHT_IN, osd_state};
pub use pool::{CacheSettings, PeeringCrush, PgMergeMeta, Pool, PoolSnap, PoolType, pool_flags};
pub use snaps::SnapIntervals;

use crate::primitives::{Encode, Input, Parse, Parsed};
use crate::{AddrVec, Features};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

/// Parses a field that is there from version `first` on; otherwise it has the value `older`.
fn since<T: Parse>(i: Input<'_>, version: u8, first: u8, older: T) -> Parsed<'_, T> {
    if version >= first { T::parse(i) } else { Ok((i, older)) }
}

/// Stores a parsed value and gives what is left to parse.
fn set<'a, T>(field: &mut T, (rest, value): (Input<'a>, T)) -> Input<'a> {
    *field = value;
    rest
}

fn put_pools(out: &mut BytesMut, pools: &BTreeMap<i64, Pool>, features: Features) {
    out.put_u32_le(pools.len() as u32);
    for (id, pool) in pools {
        id.encode(out);
        pool.encode_for(features, out);
    }
}

/// The address of `osd`, if it has one.
fn addrs_of(list: &[AddrVec], osd: i32) -> Option<&AddrVec> {
    list.get(usize::try_from(osd).ok()?)
}

/// Grows or shrinks a list that is indexed by OSD.
fn resize<T: Clone>(list: &mut Vec<T>, osds: usize, absent: T) {
    list.resize(osds, absent);
}
