//! What the map knows of each OSD.
//!
//! Facts: `osd/OSDMap.h` (`osd_info_t`, `osd_xinfo_t`), `include/rados.h`.

use super::since;
use crate::primitives::{Encode, Input, Parse, Parsed, fail, put_section, section};
use crate::{DecodeErrorKind, Features, UTime};
use bytes::{BufMut, BytesMut};

/// Bits of an OSD's state (`CEPH_OSD_*`).
pub mod osd_state {
    /// The id is in use.
    pub const EXISTS: u32 = 1;
    /// The OSD runs.
    pub const UP: u32 = 2;
    /// The cluster, not a user, took it out.
    pub const AUTOOUT: u32 = 4;
    /// It was never in.
    pub const NEW: u32 = 8;
    /// It is full.
    pub const FULL: u32 = 16;
    /// It is close to full.
    pub const NEARFULL: u32 = 32;
    /// It is too full for backfill.
    pub const BACKFILLFULL: u32 = 64;
    /// It was destroyed; its id waits for another one.
    pub const DESTROYED: u32 = 128;
    /// It is stopped for good.
    pub const STOP: u32 = 4096;
}

/// The weight of an OSD that is in (`CEPH_OSD_IN`); 0 is out.
pub const WEIGHT_IN: u32 = 0x1_0000;

/// The primary affinity of an OSD that takes every primary role (`CEPH_OSD_DEFAULT_PRIMARY_AFFINITY`).
pub const AFFINITY_DEFAULT: u32 = 0x1_0000;

/// The largest number of OSDs that a map may have here. The largest clusters have about 10,000.
pub const MAX_OSDS: i32 = 1 << 18;

/// When an OSD was up (`osd_info_t`), as epochs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OsdInfo {
    /// Where the last interval began that it ended cleanly.
    pub last_clean_begin: u32,
    /// Where that interval ended.
    pub last_clean_end: u32,
    /// When it last came up.
    pub up_from: u32,
    /// Until when it is known to have lived.
    pub up_thru: u32,
    /// When it last went down.
    pub down_at: u32,
    /// When it was declared lost.
    pub lost_at: u32,
}

impl Parse for OsdInfo {
    const WHAT: &'static str = "osd_info_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, _version) = u8::parse(i)?;
        let (i, (last_clean_begin, last_clean_end)) = Parse::parse(i)?;
        let (i, (up_from, up_thru)) = Parse::parse(i)?;
        let (i, (down_at, lost_at)) = Parse::parse(i)?;
        Ok((i, Self { last_clean_begin, last_clean_end, up_from, up_thru, down_at, lost_at }))
    }
}

impl Encode for OsdInfo {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u8(1);
        self.last_clean_begin.encode(out);
        self.last_clean_end.encode(out);
        self.up_from.encode(out);
        self.up_thru.encode(out);
        self.down_at.encode(out);
        self.lost_at.encode(out);
    }
}

/// More about an OSD (`osd_xinfo_t`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OsdXInfo {
    /// When it was last marked down.
    pub down_stamp: UTime,
    /// How likely it only was slow then, as a fraction of `u32::MAX`.
    pub laggy_probability: u32,
    /// For how long it was slow, in seconds.
    pub laggy_interval: u32,
    /// What it can do.
    pub features: Features,
    /// Its weight before it was taken out.
    pub old_weight: u32,
    /// When it last looked for snapshots that should be gone.
    pub last_purged_snaps_scrub: UTime,
    /// The last epoch in which it was dead for certain.
    pub dead_epoch: u32,
}

impl Parse for OsdXInfo {
    const WHAT: &'static str = "osd_xinfo_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 4, |i, version| {
            let (i, down_stamp) = UTime::parse(i)?;
            let (i, laggy_probability) = u32::parse(i)?;
            let (i, laggy_interval) = u32::parse(i)?;
            let (i, features) = since(i, version, 2, Features::NONE)?;
            let (i, old_weight) = since(i, version, 3, 0)?;
            let (i, last_purged_snaps_scrub) = since(i, version, 4, UTime::default())?;
            let (i, dead_epoch) = since(i, version, 4, 0)?;
            let info = Self {
                down_stamp,
                laggy_probability,
                laggy_interval,
                features,
                old_weight,
                last_purged_snaps_scrub,
                dead_epoch,
            };
            Ok((i, info))
        })
    }
}

impl OsdXInfo {
    pub(super) fn encode_for(&self, features: Features, out: &mut BytesMut) {
        let octopus = features.has(Features::SERVER_OCTOPUS);
        put_section(out, if octopus { 4 } else { 3 }, 1, |out| {
            self.down_stamp.encode(out);
            self.laggy_probability.encode(out);
            self.laggy_interval.encode(out);
            self.features.encode(out);
            self.old_weight.encode(out);
            if octopus {
                self.last_purged_snaps_scrub.encode(out);
                self.dead_epoch.encode(out);
            }
        });
    }
}

/// Refuses a number of OSDs that no cluster has.
pub(super) fn max_osd(i: Input<'_>) -> Parsed<'_, i32> {
    let (rest, max) = i32::field(i, "max_osd")?;
    match max > MAX_OSDS {
        true => {
            let (len, max) = (max.unsigned_abs().into(), MAX_OSDS.unsigned_abs().into());
            fail(i, "max_osd", DecodeErrorKind::TooLong { len, max })
        }
        false => Ok((rest, max)),
    }
}
