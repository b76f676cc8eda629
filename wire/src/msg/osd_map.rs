//! `MOSDMap`: maps, full and incremental, by epoch.
//!
//! Facts: `messages/MOSDMap.h`.

use super::{Kind, Message};
use crate::primitives::{Parse, parse::run};
use crate::{DecodeError, Encode, Fsid};
use alloc::collections::BTreeMap;
use bytes::{BufMut, Bytes, BytesMut};

/// Encoded maps; each is decoded only when it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapMessage {
    /// The cluster.
    pub fsid: Fsid,
    /// Incremental maps: what leads from the epoch before to this one.
    pub incrementals: BTreeMap<u32, Bytes>,
    /// Full maps.
    pub fulls: BTreeMap<u32, Bytes>,
    /// The oldest epoch that the cluster still has (`cluster_osdmap_trim_lower_bound`).
    pub oldest: u32,
    /// The newest epoch that the sender has.
    pub newest: u32,
}

impl MapMessage {
    /// Decodes the front of a message of this version.
    ///
    /// # Errors
    /// When it ends too early.
    pub fn decode_version(front: &[u8], version: u16) -> Result<Self, DecodeError> {
        run(front, "MOSDMap", |i| {
            let (i, fsid) = Fsid::parse(i)?;
            let (i, incrementals) = BTreeMap::field(i, "MOSDMap incrementals")?;
            let (i, fulls) = BTreeMap::field(i, "MOSDMap full maps")?;
            let (i, (oldest, newest)) = if version >= 2 { <(u32, u32)>::parse(i)? } else { (i, (0, 0)) };
            Ok((i, Self { fsid, incrementals, fulls, oldest, newest }))
        })
    }

    /// The newest epoch in the message, 0 if it holds none.
    #[must_use]
    pub fn last(&self) -> u32 {
        let newest = |maps: &BTreeMap<u32, Bytes>| maps.keys().next_back().copied().unwrap_or(0);
        newest(&self.incrementals).max(newest(&self.fulls))
    }
}

impl Message for MapMessage {
    const KIND: Kind = Kind::OSD_MAP;
    fn encode_front(&self, out: &mut BytesMut) {
        self.fsid.encode(out);
        self.incrementals.encode(out);
        self.fulls.encode(out);
        self.oldest.encode(out);
        self.newest.encode(out);
        // Snapshots removed in epochs that are skipped; never filled by current encoders.
        out.put_u32_le(0);
    }
}
