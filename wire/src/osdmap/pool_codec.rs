//! The encoding of pools.
//!
//! Facts: `pg_pool_t::encode` and `decode` in `osd/osd_types.cc`.

use super::pool::{PeeringCrush, Pool, PoolSnap, PoolType};
use super::{set, since};
use crate::primitives::{Encode, Input, Parse, Parsed, fail, put_section, section, skip_section};
use crate::{DecodeErrorKind, Features, UTime};
use bytes::{BufMut, Bytes, BytesMut};
use nom::Offset;

/// Hammer's; nothing older has been seen in a map that is otherwise readable.
const OLDEST: u8 = 14;

impl Parse for PoolSnap {
    const WHAT: &'static str = "pool_snap_info_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 2, |i, _| {
            let (i, id) = u64::parse(i)?;
            let (i, stamp) = UTime::parse(i)?;
            let (i, name) = Parse::parse(i)?;
            Ok((i, Self { id, stamp, name }))
        })
    }
}

impl Encode for PoolSnap {
    fn encode(&self, out: &mut BytesMut) {
        put_section(out, 2, 2, |out| {
            self.id.encode(out);
            self.stamp.encode(out);
            self.name.encode(out);
        });
    }
}

impl Parse for Pool {
    const WHAT: &'static str = "pg_pool_t";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        section(i, Self::WHAT, 5, |i, version| {
            if version < OLDEST {
                let kind = DecodeErrorKind::TooOld { version: version.into(), oldest: OLDEST.into() };
                return fail(i, Self::WHAT, kind);
            }
            let (i, mut pool) = placement(i)?;
            let (i, ()) = pool.parse_tiering(i)?;
            let (i, ()) = pool.parse_since_hammer(i, version)?;
            let (i, ()) = pool.parse_since_nautilus(i, version)?;
            Ok((i, pool))
        })
    }
}

/// The fields up to the quotas.
fn placement(i: Input<'_>) -> Parsed<'_, Pool> {
    let (i, kind) = u8::field(i, "pg_pool_t.type")?;
    let (i, size) = u8::parse(i)?;
    let (i, crush_rule) = u8::parse(i)?;
    let (i, object_hash) = u8::parse(i)?;
    let (i, pg_num) = u32::parse(i)?;
    let (i, pgp_num) = u32::parse(i)?;
    let (i, _localized) = <(u32, u32)>::parse(i)?;
    let (i, last_change) = u32::parse(i)?;
    let (i, snap_seq) = u64::parse(i)?;
    let (i, snap_epoch) = u32::parse(i)?;
    let (i, snaps) = Parse::field(i, "pg_pool_t.snaps")?;
    let (i, removed_snaps) = Parse::field(i, "pg_pool_t.removed_snaps")?;
    let (i, auid) = u64::parse(i)?;
    let (i, flags) = u64::parse(i)?;
    let (i, _crash_replay_interval) = u32::parse(i)?;
    let (i, min_size) = u8::parse(i)?;
    let (i, quota_max_bytes) = u64::parse(i)?;
    let (i, quota_max_objects) = u64::parse(i)?;
    let pool = Pool {
        kind: PoolType(kind),
        object_hash,
        pgp_num,
        last_change,
        snap_seq,
        snap_epoch,
        snaps,
        removed_snaps,
        auid,
        flags,
        min_size,
        quota_max_bytes,
        quota_max_objects,
        ..Pool::replicated(size, pg_num, crush_rule)
    };
    Ok((i, pool))
}

/// A section as it is, header included.
fn raw_section<'a>(i: Input<'a>, what: &'static str) -> Parsed<'a, Bytes> {
    let (rest, ()) = skip_section(i, what)?;
    let raw = i.get(..i.offset(rest)).unwrap_or_default();
    Ok((rest, Bytes::copy_from_slice(raw)))
}

impl Pool {
    fn parse_tiering<'a>(&mut self, i: Input<'a>) -> Parsed<'a, ()> {
        let cache = &mut self.cache;
        let i = set(&mut self.tiers, Parse::field(i, "pg_pool_t.tiers")?);
        let i = set(&mut self.tier_of, Parse::parse(i)?);
        let i = set(&mut cache.mode, Parse::parse(i)?);
        let i = set(&mut self.read_tier, Parse::parse(i)?);
        let i = set(&mut self.write_tier, Parse::parse(i)?);
        let i = set(&mut self.properties, Parse::field(i, "pg_pool_t.properties")?);
        let i = set(&mut cache.hit_set_params, raw_section(i, "pg_pool_t.hit_set_params")?);
        let i = set(&mut cache.hit_set_period, Parse::parse(i)?);
        let i = set(&mut cache.hit_set_count, Parse::parse(i)?);
        let i = set(&mut self.stripe_width, Parse::parse(i)?);
        let i = set(&mut cache.target_max_bytes, Parse::parse(i)?);
        let i = set(&mut cache.target_max_objects, Parse::parse(i)?);
        let i = set(&mut cache.target_dirty_ratio_micro, Parse::parse(i)?);
        let i = set(&mut cache.target_full_ratio_micro, Parse::parse(i)?);
        let i = set(&mut cache.min_flush_age, Parse::parse(i)?);
        let i = set(&mut cache.min_evict_age, Parse::parse(i)?);
        let i = set(&mut self.erasure_code_profile, Parse::field(i, "pg_pool_t.erasure_code_profile")?);
        Ok((i, ()))
    }

    fn parse_since_hammer<'a>(&mut self, i: Input<'a>, version: u8) -> Parsed<'a, ()> {
        let cache = &mut self.cache;
        let i = set(&mut self.last_force_op_resend_preluminous, since(i, version, 15, 0)?);
        let i = set(&mut cache.min_read_recency_for_promote, since(i, version, 16, 1)?);
        let i = set(&mut self.expected_num_objects, since(i, version, 17, 0)?);
        let low = cache.target_dirty_ratio_micro;
        let i = set(&mut cache.target_dirty_high_ratio_micro, since(i, version, 19, low)?);
        let i = set(&mut cache.min_write_recency_for_promote, since(i, version, 20, 1)?);
        let i = set(&mut cache.use_gmt_hitset, since(i, version, 21, false)?);
        let i = set(&mut self.fast_read, since(i, version, 22, false)?);
        let i = set(&mut cache.hit_set_grade_decay_rate, since(i, version, 23, 0)?);
        let i = set(&mut cache.hit_set_search_last_n, since(i, version, 23, 1)?);
        let i = match version {
            24.. => set(&mut self.opts, raw_section(i, "pg_pool_t.opts")?),
            _ => i,
        };
        let older = self.last_force_op_resend_preluminous;
        let i = set(&mut self.last_force_op_resend_prenautilus, since(i, version, 25, older)?);
        Ok((i, ()))
    }

    fn parse_since_nautilus<'a>(&mut self, i: Input<'a>, version: u8) -> Parsed<'a, ()> {
        let i = set(&mut self.application_metadata, since(i, version, 26, Default::default())?);
        let i = set(&mut self.create_time, since(i, version, 27, UTime::default())?);
        let i = set(&mut self.pg_num_target, since(i, version, 28, self.pg_num)?);
        let i = set(&mut self.pgp_num_target, since(i, version, 28, self.pgp_num)?);
        let i = set(&mut self.pg_num_pending, since(i, version, 28, self.pg_num)?);
        let (i, _dec_last_epochs) = since(i, version, 28, (0u32, 0u32))?;
        let older = self.last_force_op_resend_prenautilus;
        let i = set(&mut self.last_force_op_resend, since(i, version, 28, older)?);
        let i = set(&mut self.autoscale_mode, since(i, version, 28, 1)?);
        let i = match version {
            29.. => {
                let meta = section(i, "pg_merge_meta_t", 1, |i, _| Parse::parse(i))?;
                set(&mut self.last_pg_merge, meta)
            }
            _ => i,
        };
        let (i, stretched) = match version {
            30 => (i, true),
            _ => since(i, version, 31, false)?,
        };
        let i = match stretched {
            true => {
                let (i, crush) = PeeringCrush::parse(i)?;
                self.peering_crush = Some(crush);
                i
            }
            false => i,
        };
        match version {
            32.. => {
                let (i, low) = varint(i)?;
                let (i, high) = varint(i)?;
                self.nonprimary_shards = u128::from(high) << 64 | u128::from(low);
                Ok((i, ()))
            }
            _ => Ok((i, ())),
        }
    }
}

/// 7 bits a byte, the lowest first, the top bit set in all but the last.
fn varint(mut i: Input<'_>) -> Parsed<'_, u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (rest, byte) = u8::parse(i)?;
        value |= u64::from(byte & 0x7f) << shift;
        i = rest;
        if byte & 0x80 == 0 {
            return Ok((i, value));
        }
    }
    fail(i, "varint", DecodeErrorKind::Invalid)
}

fn put_varint(out: &mut BytesMut, mut value: u64) {
    while value >= 0x80 {
        out.put_u8(value as u8 | 0x80);
        value >>= 7;
    }
    out.put_u8(value as u8);
}

impl Pool {
    /// Appends the encoding that a cluster gives to a peer with these features, Nautilus or newer.
    pub fn encode_for(&self, features: Features, out: &mut BytesMut) {
        let version = match self.peering_crush {
            _ if features.has(Features::SERVER_TENTACLE) => 32,
            Some(_) => 30,
            None => 29,
        };
        put_section(out, version, 5, |out| {
            self.put_placement(out);
            self.put_tiering(out);
            self.put_since_hammer(out);
            self.put_since_nautilus(out, version);
        });
    }

    fn put_placement(&self, out: &mut BytesMut) {
        self.kind.0.encode(out);
        self.size.encode(out);
        self.crush_rule.encode(out);
        self.object_hash.encode(out);
        self.pg_num.encode(out);
        self.pgp_num.encode(out);
        // Localized groups, gone since 2011.
        out.put_u64_le(0);
        self.last_change.encode(out);
        self.snap_seq.encode(out);
        self.snap_epoch.encode(out);
        self.snaps.encode(out);
        self.removed_snaps.encode(out);
        self.auid.encode(out);
        self.flags.encode(out);
        // The crash replay interval, long unused.
        out.put_u32_le(0);
        self.min_size.encode(out);
        self.quota_max_bytes.encode(out);
        self.quota_max_objects.encode(out);
    }

    fn put_tiering(&self, out: &mut BytesMut) {
        let cache = &self.cache;
        self.tiers.encode(out);
        self.tier_of.encode(out);
        cache.mode.encode(out);
        self.read_tier.encode(out);
        self.write_tier.encode(out);
        self.properties.encode(out);
        out.put_slice(&cache.hit_set_params);
        cache.hit_set_period.encode(out);
        cache.hit_set_count.encode(out);
        self.stripe_width.encode(out);
        cache.target_max_bytes.encode(out);
        cache.target_max_objects.encode(out);
        cache.target_dirty_ratio_micro.encode(out);
        cache.target_full_ratio_micro.encode(out);
        cache.min_flush_age.encode(out);
        cache.min_evict_age.encode(out);
        self.erasure_code_profile.encode(out);
    }

    fn put_since_hammer(&self, out: &mut BytesMut) {
        let cache = &self.cache;
        self.last_force_op_resend_preluminous.encode(out);
        cache.min_read_recency_for_promote.encode(out);
        self.expected_num_objects.encode(out);
        cache.target_dirty_high_ratio_micro.encode(out);
        cache.min_write_recency_for_promote.encode(out);
        cache.use_gmt_hitset.encode(out);
        self.fast_read.encode(out);
        cache.hit_set_grade_decay_rate.encode(out);
        cache.hit_set_search_last_n.encode(out);
        out.put_slice(&self.opts);
        self.last_force_op_resend_prenautilus.encode(out);
    }

    fn put_since_nautilus(&self, out: &mut BytesMut, version: u8) {
        self.application_metadata.encode(out);
        self.create_time.encode(out);
        self.pg_num_target.encode(out);
        self.pgp_num_target.encode(out);
        self.pg_num_pending.encode(out);
        // Merge epochs of 14.1, now in the merge section.
        out.put_u64_le(0);
        self.last_force_op_resend.encode(out);
        self.autoscale_mode.encode(out);
        put_section(out, 1, 1, |out| self.last_pg_merge.encode(out));
        if version >= 31 {
            self.peering_crush.is_some().encode(out);
        }
        if let Some(crush) = &self.peering_crush {
            crush.encode(out);
        }
        if version >= 32 {
            put_varint(out, self.nonprimary_shards as u64);
            put_varint(out, (self.nonprimary_shards >> 64) as u64);
        }
    }
}

impl Encode for Pool {
    /// The newest layout.
    fn encode(&self, out: &mut BytesMut) {
        self.encode_for(Features(u64::MAX), out);
    }
}
