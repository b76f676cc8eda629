//! The map's encoding.

use super::{
    Bucket, BucketAlg, ChooseArg, ChooseArgs, Classes, CrushMap, Extent, ListItem, MAX_BUCKETS, MAX_RULES,
    Rule, RuleType, Straw2Item, StrawItem, Tunables,
};
use crate::primitives::{Encode, Input, Parse, Parsed, codec, collections, fail};
use crate::{DecodeErrorKind, Name};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use bytes::{BufMut, BytesMut};

const MAGIC: u32 = 0x0001_0000;

impl Parse for CrushMap {
    const WHAT: &'static str = "CrushMap";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (after_magic, magic) = u32::field(i, "CrushMap.magic")?;
        if magic != MAGIC {
            return fail(i, "CrushMap.magic", DecodeErrorKind::Invalid);
        }
        let (i, max_buckets) = slots(after_magic, "CrushMap.max_buckets", MAX_BUCKETS)?;
        let (i, max_rules) = slots(i, "CrushMap.max_rules", MAX_RULES)?;
        let (mut i, max_devices) = i32::field(i, "CrushMap.max_devices")?;
        // Each slot takes at least four bytes, so a count beyond the input fails soon.
        let mut buckets = Vec::new();
        for slot in 0..max_buckets {
            let (rest, bucket) = bucket(i, slot)?;
            buckets.push(bucket);
            i = rest;
        }
        let mut rules = Vec::new();
        for _ in 0..max_rules {
            let (rest, rule) = rule(i)?;
            rules.push(rule);
            i = rest;
        }
        let (i, types) = names(i, "CrushMap.types")?;
        let (i, names_) = names(i, "CrushMap.names")?;
        let (i, rule_names) = names(i, "CrushMap.rule_names")?;
        let mut map = Self {
            buckets,
            rules,
            max_devices,
            types,
            names: names_,
            rule_names,
            tunables: Tunables::LEGACY,
            classes: Classes::default(),
            choose_args: BTreeMap::new(),
            extent: Extent::Base,
        };
        let (i, ()) = trailing_parts(i, &mut map)?;
        Ok((i, map))
    }
}

/// Refuses a number of slots that no map has: an empty one is many times as large here as in the input.
fn slots<'a>(i: Input<'a>, what: &'static str, max: u32) -> Parsed<'a, u32> {
    let (rest, n) = u32::field(i, what)?;
    match n > max {
        true => fail(i, what, DecodeErrorKind::TooLong { len: n.into(), max: max.into() }),
        false => Ok((rest, n)),
    }
}

/// Parses the parts that are there only if bytes remain.
fn trailing_parts<'a>(mut i: Input<'a>, map: &mut CrushMap) -> Parsed<'a, ()> {
    let t = &mut map.tunables;
    macro_rules! part {
        ($extent:ident: $($to:expr, $name:literal;)*) => {
            if i.is_empty() {
                return Ok((i, ()));
            }
            $((i, $to) = Parse::field(i, concat!("CrushMap.", $name))?;)*
            map.extent = Extent::$extent;
        };
    }
    part!(Tries:
        t.choose_local_tries, "choose_local_tries";
        t.choose_local_fallback_tries, "choose_local_fallback_tries";
        t.choose_total_tries, "choose_total_tries";);
    part!(DescendOnce: t.chooseleaf_descend_once, "chooseleaf_descend_once";);
    part!(VaryR: t.chooseleaf_vary_r, "chooseleaf_vary_r";);
    part!(StrawCalc: t.straw_calc_version, "straw_calc_version";);
    part!(AllowedAlgs: t.allowed_bucket_algs, "allowed_bucket_algs";);
    part!(Stable: t.chooseleaf_stable, "chooseleaf_stable";);
    part!(Classes: map.classes, "classes";);
    if i.is_empty() {
        return Ok((i, ()));
    }
    (i, map.choose_args) = all_choose_args(i, map.buckets.len())?;
    map.extent = Extent::ChooseArgs;
    part!(Msr: t.msr_descents, "msr_descents"; t.msr_collision_tries, "msr_collision_tries";);
    Ok((i, ()))
}

impl Encode for CrushMap {
    fn encode(&self, out: &mut BytesMut) {
        out.put_u32_le(MAGIC);
        out.put_u32_le(self.buckets.len() as u32);
        out.put_u32_le(self.rules.len() as u32);
        out.put_i32_le(self.max_devices);
        // A vector can not hold so many buckets that their ids would leave the negative numbers.
        for (bucket, id) in self.buckets.iter().zip((i32::MIN..0).rev()) {
            match bucket {
                None => out.put_u32_le(0),
                Some(bucket) => put_bucket(out, id, bucket),
            }
        }
        for rule in &self.rules {
            put_rule(out, rule.as_ref());
        }
        put_names(out, &self.types);
        put_names(out, &self.names);
        put_names(out, &self.rule_names);
        self.encode_trailing_parts(out);
    }
}

impl CrushMap {
    fn encode_trailing_parts(&self, out: &mut BytesMut) {
        let t = &self.tunables;
        let has = |part| self.extent >= part;
        if has(Extent::Tries) {
            t.choose_local_tries.encode(out);
            t.choose_local_fallback_tries.encode(out);
            t.choose_total_tries.encode(out);
        }
        if has(Extent::DescendOnce) {
            t.chooseleaf_descend_once.encode(out);
        }
        if has(Extent::VaryR) {
            t.chooseleaf_vary_r.encode(out);
        }
        if has(Extent::StrawCalc) {
            t.straw_calc_version.encode(out);
        }
        if has(Extent::AllowedAlgs) {
            t.allowed_bucket_algs.encode(out);
        }
        if has(Extent::Stable) {
            t.chooseleaf_stable.encode(out);
        }
        if has(Extent::Classes) {
            self.classes.encode(out);
        }
        if has(Extent::ChooseArgs) {
            self.choose_args.encode(out);
        }
        if has(Extent::Msr) {
            t.msr_descents.encode(out);
            t.msr_collision_tries.encode(out);
        }
    }
}

fn bucket(i: Input<'_>, slot: u32) -> Parsed<'_, Option<Bucket>> {
    let (after_kind, kind) = u32::field(i, "Bucket.alg")?;
    if kind == 0 {
        return Ok((after_kind, None));
    }
    let (after_id, id) = i32::field(after_kind, "Bucket.id")?;
    if !id as u32 != slot {
        return fail(after_kind, "Bucket.id", DecodeErrorKind::Invalid);
    }
    let (at_alg, bucket_type) = u16::field(after_id, "Bucket.type")?;
    let (after_alg, alg) = u8::field(at_alg, "Bucket.alg")?;
    if u32::from(alg) != kind {
        return fail(at_alg, "Bucket.alg", DecodeErrorKind::Invalid);
    }
    let (i, hash) = u8::field(after_alg, "Bucket.hash")?;
    let (i, weight) = u32::field(i, "Bucket.weight")?;
    let (i, size) = collections::count(i)?;
    let (i, items) = collections::elements::<i32>(i, size)?;
    let (i, alg) = match alg {
        1 => {
            let (i, item_weight) = u32::field(i, "Bucket.item_weight")?;
            (i, BucketAlg::Uniform { items, item_weight })
        }
        2 => {
            let (i, pairs) = collections::elements::<(u32, u32)>(i, size)?;
            let items = items.into_iter().zip(pairs);
            (i, BucketAlg::List(items.map(|(item, (weight, sum))| ListItem { item, weight, sum }).collect()))
        }
        3 => {
            let (i, nodes) = u8::field(i, "Bucket.num_nodes")?;
            let (i, node_weights) = collections::elements(i, nodes.into())?;
            (i, BucketAlg::Tree { items, node_weights })
        }
        4 => {
            let (i, pairs) = collections::elements::<(u32, u32)>(i, size)?;
            let items = items.into_iter().zip(pairs);
            (
                i,
                BucketAlg::Straw(
                    items.map(|(item, (weight, straw))| StrawItem { item, weight, straw }).collect(),
                ),
            )
        }
        5 => {
            let (i, weights) = collections::elements::<u32>(i, size)?;
            let items = items.into_iter().zip(weights);
            (i, BucketAlg::Straw2(items.map(|(item, weight)| Straw2Item { item, weight }).collect()))
        }
        _ => return fail(at_alg, "Bucket.alg", DecodeErrorKind::Invalid),
    };
    Ok((i, Some(Bucket { bucket_type, hash, weight, alg })))
}

fn put_bucket(out: &mut BytesMut, id: i32, bucket: &Bucket) {
    out.put_u32_le(bucket.alg.number().into());
    out.put_i32_le(id);
    out.put_u16_le(bucket.bucket_type);
    out.put_u8(bucket.alg.number());
    out.put_u8(bucket.hash);
    out.put_u32_le(bucket.weight);
    out.put_u32_le(bucket.len() as u32);
    bucket.items().for_each(|item| out.put_i32_le(item));
    match &bucket.alg {
        BucketAlg::Uniform { item_weight, .. } => out.put_u32_le(*item_weight),
        BucketAlg::List(items) => items.iter().for_each(|i| (i.weight, i.sum).encode(out)),
        BucketAlg::Tree { node_weights, .. } => {
            let nodes = u8::try_from(node_weights.len()).unwrap_or(u8::MAX);
            out.put_u8(nodes);
            node_weights.iter().take(nodes.into()).for_each(|weight| out.put_u32_le(*weight));
        }
        BucketAlg::Straw(items) => items.iter().for_each(|i| (i.weight, i.straw).encode(out)),
        BucketAlg::Straw2(items) => items.iter().for_each(|i| out.put_u32_le(i.weight)),
    }
}

fn rule(i: Input<'_>) -> Parsed<'_, Option<Rule>> {
    let (i, present) = u32::field(i, "Rule.present")?;
    if present == 0 {
        return Ok((i, None));
    }
    let (i, len) = u32::field(i, "Rule.len")?;
    let (i, ruleset) = u8::field(i, "Rule.ruleset")?;
    let (i, rule_type) = u8::field(i, "Rule.type")?;
    let (i, min_size) = u8::field(i, "Rule.min_size")?;
    let (i, max_size) = u8::field(i, "Rule.max_size")?;
    let (i, steps) = collections::elements(i, len as usize)?;
    Ok((i, Some(Rule { ruleset, rule_type: RuleType(rule_type), min_size, max_size, steps })))
}

fn put_rule(out: &mut BytesMut, rule: Option<&Rule>) {
    out.put_u32_le(rule.is_some().into());
    if let Some(rule) = rule {
        out.put_u32_le(rule.steps.len() as u32);
        out.put_slice(&[rule.ruleset, rule.rule_type.0, rule.min_size, rule.max_size]);
        rule.steps.iter().for_each(|step| step.encode(out));
    }
}

impl Parse for super::StepOp {
    const WHAT: &'static str = "StepOp";
    fn parse(i: Input<'_>) -> Parsed<'_, Self> {
        let (i, number) = u32::parse(i)?;
        Ok((i, Self(number)))
    }
}

impl Encode for super::StepOp {
    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
    }
}

/// Parses a map of names, whose keys were 64 bits wide in the oldest maps: a length of 0 is then
/// the key's upper half, since names are not empty.
fn names<'a>(i: Input<'a>, what: &'static str) -> Parsed<'a, BTreeMap<i32, Name>> {
    let (mut i, n) = collections::count(i)?;
    let mut map = BTreeMap::new();
    for _ in 0..n {
        let (after_key, key) = i32::field(i, what)?;
        let (after_len, len) = u32::field(after_key, what)?;
        let (rest, name) = Name::field(if len == 0 { after_len } else { after_key }, what)?;
        map.insert(key, name);
        i = rest;
    }
    Ok((i, map))
}

fn put_names(out: &mut BytesMut, names: &BTreeMap<i32, Name>) {
    out.put_u32_le(names.len() as u32);
    for (key, name) in names {
        key.encode(out);
        // An empty name is only readable behind a 64-bit key.
        if name.is_empty() {
            out.put_u32_le(0);
        }
        name.encode(out);
    }
}

codec!(Classes { of_device, names, shadows });

/// Parses the replacement weights of all pools for a map with `slots` bucket slots.
fn all_choose_args(i: Input<'_>, slots: usize) -> Parsed<'_, BTreeMap<i64, ChooseArgs>> {
    let (mut i, n) = collections::count(i)?;
    let mut all = BTreeMap::new();
    for _ in 0..n {
        let (rest, pool) = i64::field(i, "ChooseArgs.pool")?;
        let (mut rest, buckets) = collections::count(rest)?;
        let mut args = ChooseArgs::default();
        for _ in 0..buckets {
            let (after_slot, slot) = u32::field(rest, "ChooseArgs.bucket")?;
            if slot as usize >= slots {
                return fail(rest, "ChooseArgs.bucket", DecodeErrorKind::Invalid);
            }
            let (after_arg, arg) = ChooseArg::parse(after_slot)?;
            args.0.insert(slot, arg);
            rest = after_arg;
        }
        all.insert(pool, args);
        i = rest;
    }
    Ok((i, all))
}

impl Encode for ChooseArgs {
    fn encode(&self, out: &mut BytesMut) {
        self.0.encode(out);
    }
}

codec!(ChooseArg { weight_set, ids });
