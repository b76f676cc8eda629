//! The encoding of full maps.
//!
//! Facts: `OSDMap::encode` and `decode` in `osd/OSDMap.cc`.

use super::blocklist::put_timed;
use super::map::{OsdMap, ServerState, StretchMode, map_flags};
use super::osd::{OsdXInfo, max_osd};
use super::{put_pools, set, since};
use crate::crc::crc32c;
use crate::crush::{CrushMap, Extent};
use crate::primitives::collections::blob;
use crate::primitives::{Encode, Input, Parse, Parsed, codec, fail, put_section, section};
use crate::{DecodeErrorKind, Features, Name};
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use nom::Offset;

/// The first wrapper with a length of its own, of Argonaut.
const OLDEST: u8 = 7;
const NAUTILUS: u8 = 14;
const LUMINOUS: u8 = 12;

codec!(StretchMode { enabled, bucket_count, degraded, recovering, bucket });

impl Parse for OsdMap {
    const WHAT: &'static str = "osdmap";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        refuse_classic(i, Self::WHAT)?;
        section(i, Self::WHAT, 8, |inside, version| {
            let mut map = Self::default();
            let (rest, ()) = section(inside, "osdmap client data", 10, |i, v| map.parse_client(i, v))?;
            let (rest, ()) = section(rest, "osdmap osd data", 12, |i, v| map.parse_server(i, v))?;
            let rest = if version >= 8 { check_crc(i, rest, Self::WHAT)? } else { rest };
            map.settle();
            Ok((rest, map))
        })
    }
}

/// Refuses layouts that begin with a version but have no length.
pub(super) fn refuse_classic<'a>(i: Input<'a>, what: &'static str) -> Parsed<'a, ()> {
    let (_, version) = u8::field(i, what)?;
    match version {
        OLDEST.. => Ok((i, ())),
        _ => fail(i, what, DecodeErrorKind::TooOld { version: version.into(), oldest: OLDEST.into() }),
    }
}

/// Checks the crc at `at` of a wrapper that begins at `whole`: it covers what is before and after it.
pub(super) fn check_crc<'a>(
    whole: Input<'a>,
    at: Input<'a>,
    what: &'static str,
) -> Result<Input<'a>, nom::Err<crate::primitives::parse::Fault<'a>>> {
    let (after, stated) = u32::field(at, what)?;
    let before = whole.get(..whole.offset(at)).unwrap_or_default();
    let computed = crc32c(crc32c(!0, before), after);
    match stated == computed {
        true => Ok(after),
        false => fail(at, what, DecodeErrorKind::Checksum { stated, computed }).map(|(i, ())| i),
    }
}

/// Parses a CRUSH map in its blob.
pub(super) fn crush_blob(i: Input<'_>) -> Parsed<'_, Arc<CrushMap>> {
    let (i, bytes) = blob(i)?;
    let (_, crush) = CrushMap::parse(bytes)?;
    Ok((i, Arc::new(crush)))
}

impl OsdMap {
    fn parse_client<'a>(&mut self, i: Input<'a>, version: u8) -> Parsed<'a, ()> {
        let i = set(&mut self.fsid, Parse::parse(i)?);
        let i = set(&mut self.epoch, Parse::parse(i)?);
        let i = set(&mut self.created, Parse::parse(i)?);
        let i = set(&mut self.modified, Parse::parse(i)?);
        let i = set(&mut self.pools, Parse::parse(i)?);
        let i = set(&mut self.pool_names, Parse::parse(i)?);
        let i = set(&mut self.pool_max, Parse::parse(i)?);
        let i = set(&mut self.flags, Parse::parse(i)?);
        let i = set(&mut self.max_osd, max_osd(i)?);
        let i = match version {
            5.. => set(&mut self.osd_state, Parse::field(i, "osd_state")?),
            _ => {
                let (i, narrow) = Vec::<u8>::field(i, "osd_state")?;
                self.osd_state = narrow.into_iter().map(u32::from).collect();
                i
            }
        };
        let i = set(&mut self.osd_weight, Parse::field(i, "osd_weight")?);
        let i = set(&mut self.osd_addrs, Parse::field(i, "client_addrs")?);
        let i = set(&mut self.pg_temp, Parse::field(i, "pg_temp")?);
        let i = set(&mut self.primary_temp, Parse::field(i, "primary_temp")?);
        let i = set(&mut self.primary_affinity, since(i, version, 2, Vec::new())?);
        let i = set(&mut self.crush, crush_blob(i)?);
        let i = set(&mut self.erasure_code_profiles, since(i, version, 3, Default::default())?);
        let i = set(&mut self.pg_upmap, since(i, version, 4, Default::default())?);
        let i = set(&mut self.pg_upmap_items, since(i, version, 4, Default::default())?);
        let i = set(&mut self.crush_version, since(i, version, 6, 1)?);
        let i = set(&mut self.new_removed_snaps, since(i, version, 7, Default::default())?);
        let i = set(&mut self.new_purged_snaps, since(i, version, 7, Default::default())?);
        let i = set(&mut self.last_up_change, since(i, version, 9, Default::default())?);
        let i = set(&mut self.last_in_change, since(i, version, 9, Default::default())?);
        let i = set(&mut self.pg_upmap_primaries, since(i, version, 10, Default::default())?);
        Ok((i, ()))
    }

    fn parse_server<'a>(&mut self, i: Input<'a>, version: u8) -> Parsed<'a, ()> {
        let server = &mut self.server;
        let i = set(&mut server.hb_back, Parse::field(i, "hb_back_addrs")?);
        let i = set(&mut server.info, Parse::field(i, "osd_info")?);
        let i = set(&mut self.blocklist.entries, Parse::field(i, "blocklist")?);
        let i = set(&mut server.cluster_addrs, Parse::field(i, "cluster_addrs")?);
        let i = set(&mut server.cluster_snapshot_epoch, Parse::parse(i)?);
        let i = set(&mut server.cluster_snapshot, Parse::parse(i)?);
        let i = set(&mut server.uuids, Parse::field(i, "osd_uuid")?);
        let i = set(&mut server.xinfo, Parse::field(i, "osd_xinfo")?);
        let i = set(&mut server.hb_front, Parse::field(i, "hb_front_addrs")?);
        let i = set(&mut server.nearfull_ratio, since(i, version, 2, 0.0)?);
        let i = set(&mut server.full_ratio, since(i, version, 2, 0.0)?);
        let i = set(&mut server.backfillfull_ratio, since(i, version, 3, 0.0)?);
        // Version 4, of a development tree, had the release's name.
        let (i, _name) = if version == 4 { Name::parse(i)? } else { (i, Name::default()) };
        let i = set(&mut server.require_min_compat_client, since(i, version, 5, 0)?);
        let i = set(&mut self.require_osd_release, since(i, version, 5, 0)?);
        let i = set(&mut server.removed_snaps_queue, since(i, version, 6, Default::default())?);
        let i = set(&mut server.crush_node_flags, since(i, version, 8, Default::default())?);
        let i = set(&mut server.device_class_flags, since(i, version, 9, Default::default())?);
        let i = set(&mut server.stretch, since(i, version, 10, StretchMode::default())?);
        let i = set(&mut self.blocklist.ranges, since(i, version, 11, Default::default())?);
        let i = set(&mut server.allow_crimson, since(i, version, 12, false)?);
        Ok((i, ()))
    }

    /// Sets the flags that follow from the release of the OSDs.
    pub(super) fn settle(&mut self) {
        if self.require_osd_release >= LUMINOUS {
            self.flags &= !map_flags::LEGACY_REQUIRE;
            self.flags |= map_flags::RECOVERY_DELETES;
        }
        if self.require_osd_release >= NAUTILUS {
            self.flags |= map_flags::PGLOG_HARDLIMIT;
        }
    }

    /// The encoding that a cluster gives to a peer with these features, Nautilus or newer.
    #[must_use]
    pub fn encode_for(&self, features: Features) -> Bytes {
        let mut out = BytesMut::new();
        self.put(features, &mut out);
        out.freeze()
    }

    /// The checksum in the map's encoding for these features. With the features that the monitors
    /// share, this is the full checksum of the incremental that made this epoch.
    #[must_use]
    pub fn crc(&self, features: Features) -> u32 {
        self.put(features, &mut BytesMut::new())
    }

    fn put(&self, features: Features, out: &mut BytesMut) -> u32 {
        let start = out.len();
        put_section(out, 8, 7, |out| {
            // Octopus to Quincy know no other primaries in upmaps.
            let client = if features.has(Features::SERVER_REEF) { 10 } else { 9 };
            put_section(out, client, 1, |out| self.put_client(features, client, out));
            let server = match &self.server {
                ServerState { allow_crimson: true, .. } => 12,
                _ if !self.blocklist.ranges.is_empty() => 11,
                ServerState { stretch: StretchMode { enabled: true, .. }, .. } => 10,
                _ => 9,
            };
            put_section(out, server, 1, |out| self.put_server(features, server, out));
            out.put_u32_le(0);
        });
        let Some((_, whole)) = out.split_at_mut_checked(start) else { return 0 };
        put_crc(whole, whole.len().saturating_sub(4))
    }

    fn put_client(&self, features: Features, version: u8, out: &mut BytesMut) {
        self.fsid.encode(out);
        self.epoch.encode(out);
        self.created.encode(out);
        self.modified.encode(out);
        put_pools(out, &self.pools, features);
        self.pool_names.encode(out);
        self.pool_max.encode(out);
        self.flags.encode(out);
        self.max_osd.encode(out);
        self.osd_state.encode(out);
        self.osd_weight.encode(out);
        self.osd_addrs.encode(out);
        self.pg_temp.encode(out);
        self.primary_temp.encode(out);
        self.primary_affinity.encode(out);
        put_crush(out, &self.crush, features);
        self.erasure_code_profiles.encode(out);
        self.pg_upmap.encode(out);
        self.pg_upmap_items.encode(out);
        self.crush_version.encode(out);
        self.new_removed_snaps.encode(out);
        self.new_purged_snaps.encode(out);
        self.last_up_change.encode(out);
        self.last_in_change.encode(out);
        if version >= 10 {
            self.pg_upmap_primaries.encode(out);
        }
    }

    fn put_server(&self, features: Features, version: u8, out: &mut BytesMut) {
        let server = &self.server;
        server.hb_back.encode(out);
        server.info.encode(out);
        put_timed(out, &self.blocklist.entries);
        server.cluster_addrs.encode(out);
        server.cluster_snapshot_epoch.encode(out);
        server.cluster_snapshot.encode(out);
        server.uuids.encode(out);
        put_xinfo(out, &server.xinfo, features);
        server.hb_front.encode(out);
        server.nearfull_ratio.encode(out);
        server.full_ratio.encode(out);
        server.backfillfull_ratio.encode(out);
        server.require_min_compat_client.encode(out);
        self.require_osd_release.encode(out);
        server.removed_snaps_queue.encode(out);
        server.crush_node_flags.encode(out);
        server.device_class_flags.encode(out);
        if version >= 10 {
            server.stretch.encode(out);
        }
        if version >= 11 {
            put_timed(out, &self.blocklist.ranges);
        }
        if version >= 12 {
            server.allow_crimson.encode(out);
        }
    }
}

/// Fills in the crc at offset `at` of a wrapper.
pub(super) fn put_crc(whole: &mut [u8], at: usize) -> u32 {
    let Some((before, rest)) = whole.split_at_mut_checked(at) else { return 0 };
    let Some((field, after)) = rest.split_first_chunk_mut() else { return 0 };
    let crc = crc32c(crc32c(!0, before), after);
    *field = crc.to_le_bytes();
    crc
}

/// Appends the CRUSH map as a blob.
pub(super) fn put_crush(out: &mut BytesMut, crush: &CrushMap, features: Features) {
    let at = out.len();
    out.put_u32_le(0);
    match !features.has(Features::CRUSH_MSR) && crush.extent > Extent::ChooseArgs {
        true => CrushMap { extent: Extent::ChooseArgs, ..crush.clone() }.encode(out),
        false => crush.encode(out),
    }
    let len = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&len.to_le_bytes());
}

fn put_xinfo(out: &mut BytesMut, list: &[OsdXInfo], features: Features) {
    out.put_u32_le(list.len() as u32);
    list.iter().for_each(|info| info.encode_for(features, out));
}

impl Encode for OsdMap {
    /// The newest layout.
    fn encode(&self, out: &mut BytesMut) {
        self.put(Features(u64::MAX), out);
    }
}
