//! The encoding of incrementals.
//!
//! Facts: `OSDMap::Incremental::encode` and `decode` in `osd/OSDMap.cc`.

use super::blocklist::{put_addrs, put_timed};
use super::full::{check_crc, put_crc, put_crush, refuse_classic};
use super::osd::max_osd;
use super::{Incremental, OsdMap, ServerChange, StretchMode, put_pools, set, since};
use crate::crush::CrushMap;
use crate::primitives::collections::blob;
use crate::primitives::{Encode, Input, Parse, Parsed, put_section, section};
use crate::{Features, Name};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use bytes::{BufMut, Bytes, BytesMut};

/// The release byte that stands for "no change".
const NO_RELEASE: u8 = 0xff;

impl Parse for Incremental {
    const WHAT: &'static str = "incremental osdmap";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        refuse_classic(i, Self::WHAT)?;
        section(i, Self::WHAT, 8, |inside, version| {
            let mut inc = Self::default();
            let (rest, ()) = section(inside, "incremental client data", 9, |i, v| inc.parse_client(i, v))?;
            let (rest, ()) = section(rest, "incremental osd data", 12, |i, v| inc.parse_server(i, v))?;
            if version < 8 {
                return Ok((rest, inc));
            }
            let rest = check_crc(i, rest, Self::WHAT)?;
            let rest = set(&mut inc.full_crc, u32::field(rest, "full_crc")?);
            Ok((rest, inc))
        })
    }
}

/// Parses a blob that is empty when there is no value.
fn optional_blob<T: Parse>(i: Input<'_>) -> Parsed<'_, Option<T>> {
    let (i, bytes) = blob(i)?;
    match bytes.is_empty() {
        true => Ok((i, None)),
        false => T::parse(bytes).map(|(_, value)| (i, Some(value))),
    }
}

impl Incremental {
    fn parse_client<'a>(&mut self, i: Input<'a>, version: u8) -> Parsed<'a, ()> {
        let i = set(&mut self.fsid, Parse::parse(i)?);
        let i = set(&mut self.epoch, Parse::parse(i)?);
        let i = set(&mut self.modified, Parse::parse(i)?);
        let (i, pool_max) = i64::parse(i)?;
        self.new_pool_max = (pool_max != -1).then_some(pool_max);
        let (i, flags) = i32::parse(i)?;
        self.new_flags = u32::try_from(flags).ok();
        let (i, full_map) = optional_blob::<OsdMap>(i)?;
        self.full_map = full_map.map(Box::new);
        let (i, crush) = optional_blob::<CrushMap>(i)?;
        self.crush = crush.map(Arc::new);
        let (i, max) = max_osd(i)?;
        self.new_max_osd = (max >= 0).then_some(max);
        let i = set(&mut self.new_pools, Parse::field(i, "new_pools")?);
        let i = set(&mut self.new_pool_names, Parse::field(i, "new_pool_names")?);
        let i = set(&mut self.old_pools, Parse::field(i, "old_pools")?);
        let i = set(&mut self.new_up_client, Parse::field(i, "new_up_client")?);
        let i = match version {
            5.. => set(&mut self.new_state, Parse::field(i, "new_state")?),
            _ => {
                let (i, narrow) = BTreeMap::<i32, u8>::field(i, "new_state")?;
                self.new_state = narrow.into_iter().map(|(osd, bits)| (osd, bits.into())).collect();
                i
            }
        };
        let i = set(&mut self.new_weight, Parse::field(i, "new_weight")?);
        let i = set(&mut self.new_pg_temp, Parse::field(i, "new_pg_temp")?);
        let i = set(&mut self.new_primary_temp, Parse::field(i, "new_primary_temp")?);
        let i = set(&mut self.new_primary_affinity, since(i, version, 2, Default::default())?);
        let i = set(&mut self.new_erasure_code_profiles, since(i, version, 3, Default::default())?);
        let i = set(&mut self.old_erasure_code_profiles, since(i, version, 3, Default::default())?);
        let i = set(&mut self.new_pg_upmap, since(i, version, 4, Default::default())?);
        let i = set(&mut self.old_pg_upmap, since(i, version, 4, Default::default())?);
        let i = set(&mut self.new_pg_upmap_items, since(i, version, 4, Default::default())?);
        let i = set(&mut self.old_pg_upmap_items, since(i, version, 4, Default::default())?);
        let i = set(&mut self.new_removed_snaps, since(i, version, 6, Default::default())?);
        let i = set(&mut self.new_purged_snaps, since(i, version, 6, Default::default())?);
        let i = set(&mut self.new_last_up_change, since(i, version, 8, Default::default())?);
        let i = set(&mut self.new_last_in_change, since(i, version, 8, Default::default())?);
        let i = set(&mut self.new_pg_upmap_primary, since(i, version, 9, Default::default())?);
        let i = set(&mut self.old_pg_upmap_primary, since(i, version, 9, Default::default())?);
        Ok((i, ()))
    }

    fn parse_server<'a>(&mut self, i: Input<'a>, version: u8) -> Parsed<'a, ()> {
        let server = &mut self.server;
        let i = set(&mut server.new_hb_back_up, Parse::field(i, "new_hb_back_up")?);
        let i = set(&mut server.new_up_thru, Parse::field(i, "new_up_thru")?);
        let i = set(&mut server.new_last_clean_interval, Parse::field(i, "new_last_clean_interval")?);
        let i = set(&mut server.new_lost, Parse::field(i, "new_lost")?);
        let i = set(&mut self.new_blocklist, Parse::field(i, "new_blocklist")?);
        let i = set(&mut self.old_blocklist, Parse::field(i, "old_blocklist")?);
        let i = set(&mut server.new_up_cluster, Parse::field(i, "new_up_cluster")?);
        let i = set(&mut server.cluster_snapshot, Parse::parse(i)?);
        let i = set(&mut server.new_uuid, Parse::field(i, "new_uuid")?);
        let i = set(&mut server.new_xinfo, Parse::field(i, "new_xinfo")?);
        let i = set(&mut server.new_hb_front_up, Parse::field(i, "new_hb_front_up")?);
        let i = set(&mut server.encode_features, since(i, version, 2, Features::NONE)?);
        let i = set(&mut server.new_nearfull_ratio, since(i, version, 3, -1.0)?);
        let i = set(&mut server.new_full_ratio, since(i, version, 3, -1.0)?);
        let i = set(&mut server.new_backfillfull_ratio, since(i, version, 4, -1.0)?);
        // Version 5, of a development tree, had the release's name.
        let (i, _name) = if version == 5 { Name::parse(i)? } else { (i, Name::default()) };
        let (i, min_compat) = since(i, version, 6, NO_RELEASE)?;
        server.new_require_min_compat_client = release(min_compat);
        let (i, osd_release) = since(i, version, 6, NO_RELEASE)?;
        self.new_require_osd_release = release(osd_release);
        let i = set(&mut server.new_crush_node_flags, since(i, version, 8, Default::default())?);
        let i = set(&mut server.new_device_class_flags, since(i, version, 9, Default::default())?);
        let i = match version {
            10.. => set(&mut server.new_stretch, stretch(i)?),
            _ => i,
        };
        let i = set(&mut self.new_range_blocklist, since(i, version, 11, Default::default())?);
        let i = set(&mut self.old_range_blocklist, since(i, version, 11, Default::default())?);
        let (i, crimson) = since(i, version, 12, 0u8)?;
        server.new_allow_crimson = (crimson != 0).then_some(crimson == 1);
        Ok((i, ()))
    }

    /// The encoding that a cluster gives to a peer with these features, Nautilus or newer.
    #[must_use]
    pub fn encode_for(&self, features: Features) -> Bytes {
        let mut out = BytesMut::new();
        self.put(features, &mut out);
        out.freeze()
    }

    fn put(&self, features: Features, out: &mut BytesMut) {
        let start = out.len();
        put_section(out, 8, 7, |out| {
            let client = if features.has(Features::SERVER_REEF) { 9 } else { 8 };
            put_section(out, client, 1, |out| self.put_client(features, client, out));
            let server = match &self.server {
                ServerChange { new_allow_crimson: Some(_), .. } => 12,
                _ if !self.new_range_blocklist.is_empty() || !self.old_range_blocklist.is_empty() => 11,
                ServerChange { new_stretch: Some(_), .. } => 10,
                _ => 9,
            };
            put_section(out, server, 1, |out| self.put_server(features, server, out));
            out.put_u32_le(0);
            self.full_crc.encode(out);
        });
        if let Some((_, whole)) = out.split_at_mut_checked(start) {
            put_crc(whole, whole.len().saturating_sub(8));
        }
    }

    fn put_client(&self, features: Features, version: u8, out: &mut BytesMut) {
        self.fsid.encode(out);
        self.epoch.encode(out);
        self.modified.encode(out);
        self.new_pool_max.unwrap_or(-1).encode(out);
        self.new_flags.unwrap_or(u32::MAX).encode(out);
        self.full_map.as_ref().map(|map| map.encode_for(features)).unwrap_or_default().encode(out);
        match &self.crush {
            Some(crush) => put_crush(out, crush, features),
            None => out.put_u32_le(0),
        }
        self.new_max_osd.unwrap_or(-1).encode(out);
        put_pools(out, &self.new_pools, features);
        self.new_pool_names.encode(out);
        self.old_pools.encode(out);
        self.new_up_client.encode(out);
        self.new_state.encode(out);
        self.new_weight.encode(out);
        self.new_pg_temp.encode(out);
        self.new_primary_temp.encode(out);
        self.new_primary_affinity.encode(out);
        self.new_erasure_code_profiles.encode(out);
        self.old_erasure_code_profiles.encode(out);
        self.new_pg_upmap.encode(out);
        self.old_pg_upmap.encode(out);
        self.new_pg_upmap_items.encode(out);
        self.old_pg_upmap_items.encode(out);
        self.new_removed_snaps.encode(out);
        self.new_purged_snaps.encode(out);
        self.new_last_up_change.encode(out);
        self.new_last_in_change.encode(out);
        if version >= 9 {
            self.new_pg_upmap_primary.encode(out);
            self.old_pg_upmap_primary.encode(out);
        }
    }

    fn put_server(&self, features: Features, version: u8, out: &mut BytesMut) {
        let server = &self.server;
        server.new_hb_back_up.encode(out);
        server.new_up_thru.encode(out);
        server.new_last_clean_interval.encode(out);
        server.new_lost.encode(out);
        put_timed(out, &self.new_blocklist);
        put_addrs(out, &self.old_blocklist);
        server.new_up_cluster.encode(out);
        server.cluster_snapshot.encode(out);
        server.new_uuid.encode(out);
        out.put_u32_le(server.new_xinfo.len() as u32);
        for (osd, info) in &server.new_xinfo {
            osd.encode(out);
            info.encode_for(features, out);
        }
        server.new_hb_front_up.encode(out);
        server.encode_features.encode(out);
        server.new_nearfull_ratio.encode(out);
        server.new_full_ratio.encode(out);
        server.new_backfillfull_ratio.encode(out);
        server.new_require_min_compat_client.unwrap_or(NO_RELEASE).encode(out);
        self.new_require_osd_release.unwrap_or(NO_RELEASE).encode(out);
        server.new_crush_node_flags.encode(out);
        server.new_device_class_flags.encode(out);
        if version >= 10 {
            put_stretch(out, server.new_stretch);
        }
        if version >= 11 {
            put_timed(out, &self.new_range_blocklist);
            put_addrs(out, &self.old_range_blocklist);
        }
        if version >= 12 {
            server.new_allow_crimson.map_or(0u8, |allow| if allow { 1 } else { 2 }).encode(out);
        }
    }
}

/// Releases are small numbers; all with the top bit set stand for "no change".
fn release(byte: u8) -> Option<u8> {
    (byte < 0x80).then_some(byte)
}

fn stretch(i: Input<'_>) -> Parsed<'_, Option<StretchMode>> {
    let (i, change) = bool::parse(i)?;
    let (i, (bucket_count, degraded)) = Parse::parse(i)?;
    let (i, (recovering, bucket)) = Parse::parse(i)?;
    let (i, enabled) = bool::parse(i)?;
    Ok((i, change.then_some(StretchMode { enabled, bucket_count, degraded, recovering, bucket })))
}

fn put_stretch(out: &mut BytesMut, change: Option<StretchMode>) {
    change.is_some().encode(out);
    let mode = change.unwrap_or_default();
    mode.bucket_count.encode(out);
    mode.degraded.encode(out);
    mode.recovering.encode(out);
    mode.bucket.encode(out);
    mode.enabled.encode(out);
}

impl Encode for Incremental {
    /// The newest layout.
    fn encode(&self, out: &mut BytesMut) {
        self.put(Features(u64::MAX), out);
    }
}
