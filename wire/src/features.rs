//! Feature bits that peers promise each other.
//!
//! Facts: `include/ceph_features.h`. A bit may be reused once an old feature is gone: such an
//! incarnation counts only together with marker bits, so a feature here is a mask, not a bit.

use super::primitives::{Encode, Input, Parse, Parsed};
use bytes::BytesMut;
use core::fmt;
use core::ops::BitAnd;

/// A set of features.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Features(pub u64);

const JEWEL: u64 = 1 << 57;
const MIMIC: u64 = 1 << 28;

/// A feature of the first incarnation of its bit.
const fn first(bit: u8) -> Features {
    Features(1 << bit)
}

/// A feature of the second incarnation: counts only with bit 57.
const fn second(bit: u8) -> Features {
    Features(1 << bit | JEWEL)
}

/// A feature of the third incarnation: counts only with bits 57 and 28.
const fn third(bit: u8) -> Features {
    Features(1 << bit | JEWEL | MIMIC)
}

#[allow(missing_docs, reason = "names and meanings are those of ceph_features.h")]
impl Features {
    pub const NONE: Self = Self(0);
    pub const UID: Self = first(0);
    pub const NOSRCADDR: Self = first(1);
    pub const SERVER_NAUTILUS: Self = third(2);
    pub const SUBSCRIBE2: Self = first(4);
    pub const MONNAMES: Self = first(5);
    pub const RECONNECT_SEQ: Self = first(6);
    pub const OBJECTLOCATOR: Self = first(8);
    pub const PGID64: Self = first(9);
    pub const INCSUBOSDMAP: Self = first(10);
    pub const PGPOOL3: Self = first(11);
    pub const OSDREPLYMUX: Self = first(12);
    pub const OSDENC: Self = first(13);
    pub const SERVER_KRAKEN: Self = second(14);
    pub const MONENC: Self = first(15);
    pub const SERVER_OCTOPUS: Self = third(16);
    pub const CRUSH_TUNABLES: Self = first(18);
    pub const SERVER_PACIFIC: Self = third(20);
    pub const SERVER_LUMINOUS: Self = second(21);
    pub const MSG_AUTH: Self = first(23);
    pub const CRUSH_TUNABLES2: Self = first(25);
    pub const CREATEPOOLID: Self = first(26);
    pub const SERVER_MIMIC: Self = second(28);
    pub const OSDHASHPSPOOL: Self = first(30);
    /// Says nothing: Nautilus to Quincy set it too, as `MON_SINGLE_PAXOS` beside the markers.
    pub const SERVER_REEF: Self = third(31);
    pub const STRETCH_MODE: Self = third(32);
    pub const SERVER_QUINCY: Self = third(33);
    pub const RANGE_BLOCKLIST: Self = third(34);
    pub const OSD_CACHEPOOL: Self = first(35);
    pub const CRUSH_V2: Self = first(36);
    pub const CRUSH_MSR: Self = second(38);
    pub const OSDMAP_ENC: Self = first(39);
    pub const CRUSH_TUNABLES3: Self = first(41);
    pub const MSGR_KEEPALIVE2: Self = first(42);
    pub const OSD_POOLRESEND: Self = first(43);
    pub const CRUSH_V4: Self = first(48);
    pub const SERVER_SQUID: Self = second(49);
    pub const SERVER_TENTACLE: Self = second(50);
    pub const NEW_OSDOP_ENCODING: Self = first(56);
    pub const SERVER_JEWEL: Self = first(57);
    pub const CRUSH_TUNABLES5: Self = first(58);
    pub const MSG_ADDR2: Self = first(59);
    pub const OSD_RECOVERY_DELETES: Self = first(60);
    pub const CEPHX_V2: Self = first(61);
}

impl Features {
    /// Whether every bit of `mask` is set.
    #[must_use]
    pub const fn has(self, mask: Self) -> bool {
        self.0 & mask.0 == mask.0
    }

    /// All features of both sets.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits of `self` that `other` lacks.
    #[must_use]
    pub const fn missing_in(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitAnd for Features {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl fmt::Debug for Features {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Features({:#018x})", self.0)
    }
}

impl Parse for Features {
    const WHAT: &'static str = "features";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, bits) = u64::parse(i)?;
        Ok((i, Self(bits)))
    }
}

impl Encode for Features {
    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
    }
}
