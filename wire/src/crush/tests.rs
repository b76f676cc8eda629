use super::*;
use crate::{Decode, DecodeErrorKind, Encode};
use alloc::vec;

fn straw2(items: &[(i32, u32)]) -> Bucket {
    let items = items.iter().map(|&(item, weight)| Straw2Item { item, weight }).collect();
    Bucket { bucket_type: 1, hash: 0, weight: 7, alg: BucketAlg::Straw2(items) }
}

/// A map with something in every field.
fn full_map() -> CrushMap {
    let alg = |alg| Some(Bucket { bucket_type: 2, hash: 0, weight: 9, alg });
    let step = |op, arg1, arg2| Step { op, arg1, arg2 };
    let rule = Rule {
        ruleset: 1,
        rule_type: RuleType::REPLICATED,
        min_size: 1,
        max_size: 10,
        steps: vec![
            step(StepOp::TAKE, -1, 0),
            step(StepOp::CHOOSELEAF_FIRSTN, 0, 1),
            step(StepOp::EMIT, 0, 0),
        ],
    };
    let arg = ChooseArg { weight_set: vec![vec![1, 2], vec![3, 4]], ids: vec![-7, 8] };
    CrushMap {
        buckets: vec![
            Some(straw2(&[(0, 0x10000), (-3, 0x8000)])),
            None,
            alg(BucketAlg::Uniform { items: vec![3, 4], item_weight: 5 }),
            alg(BucketAlg::List(vec![ListItem { item: 1, weight: 2, sum: 3 }])),
            alg(BucketAlg::Tree { items: vec![1], node_weights: vec![0, 6] }),
            alg(BucketAlg::Straw(vec![StrawItem { item: 1, weight: 2, straw: 3 }])),
        ],
        rules: vec![None, Some(rule)],
        max_devices: 5,
        types: BTreeMap::from([(0, "osd".into()), (1, "host".into())]),
        names: BTreeMap::from([(-1, "default".into()), (0, "osd.0".into())]),
        rule_names: BTreeMap::from([(1, "r".into())]),
        tunables: Tunables::default(),
        classes: Classes {
            of_device: BTreeMap::from([(0, 1)]),
            names: BTreeMap::from([(1, "ssd".into())]),
            shadows: BTreeMap::from([(-1, BTreeMap::from([(1, -3)]))]),
        },
        choose_args: BTreeMap::from([(-1, ChooseArgs(BTreeMap::from([(0, arg)])))]),
        extent: Extent::Msr,
    }
}

#[test]
fn every_field_survives() {
    let map = full_map();
    assert_eq!(CrushMap::decode(&map.to_bytes()), Ok(map));
}

#[test]
fn every_extent_reencodes_to_itself() {
    let extents = [
        (Extent::Base, 0),
        (Extent::Tries, 12),
        (Extent::DescendOnce, 4),
        (Extent::VaryR, 1),
        (Extent::StrawCalc, 1),
        (Extent::AllowedAlgs, 4),
        (Extent::Stable, 1),
    ];
    let mut len = None;
    for (extent, grows_by) in extents {
        let bytes = CrushMap { extent, ..full_map() }.to_bytes();
        assert_eq!(bytes.len(), len.map_or(bytes.len(), |len| len + grows_by), "{extent:?}");
        len = Some(bytes.len());
        let map = CrushMap::decode(&bytes).unwrap();
        assert_eq!(map.extent, extent);
        assert_eq!(map.to_bytes(), bytes);
    }
    let base = CrushMap::decode(&CrushMap { extent: Extent::Base, ..full_map() }.to_bytes()).unwrap();
    assert_eq!(base.tunables, Tunables::LEGACY);
    assert_eq!(base.classes, Classes::default());
}

#[test]
fn layout() {
    let map = CrushMap {
        buckets: vec![None, Some(straw2(&[(5, 0x10000)]))],
        rules: vec![],
        max_devices: 6,
        extent: Extent::Base,
        ..CrushMap::default()
    };
    let expected = [
        &[0, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0][..], // magic, max_buckets, max_rules, max_devices
        &[0, 0, 0, 0],                                         // a hole
        &[5, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 1, 0, 5, 0],     // algorithm, id -2, type, algorithm, hash
        &[7, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 0, 0, 1, 0],     // weight, size, item, item weight
        &[0; 12],                                              // no names
    ]
    .concat();
    assert_eq!(map.to_bytes(), expected);
}

#[test]
fn wide_keys_and_empty_names() {
    // One type whose key has 64 bits.
    let mut bytes = [0, 0, 1, 0].to_vec();
    bytes.extend([0; 12]);
    bytes.extend([1, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, b'x']);
    bytes.extend([0; 8]);
    let map = CrushMap::decode(&bytes).unwrap();
    assert_eq!(map.types, BTreeMap::from([(3, "x".into())]));

    let map = CrushMap { names: BTreeMap::from([(-1, "".into()), (2, "b".into())]), ..full_map() };
    assert_eq!(CrushMap::decode(&map.to_bytes()), Ok(map));
}

#[test]
fn truncation_is_an_error_or_an_older_extent() {
    let bytes = full_map().to_bytes();
    for len in 0..bytes.len() {
        match CrushMap::decode(&bytes[..len]) {
            Ok(map) => assert!(map.extent < Extent::Msr && map.to_bytes() == bytes[..len]),
            Err(e) => assert_eq!(e.kind, DecodeErrorKind::Truncated, "{len}: {e}"),
        }
    }
}

#[test]
fn wrong_values_are_refused_where_they_stand() {
    let bytes = full_map().to_bytes();
    // magic; id and inner algorithm of the first bucket
    for (offset, what) in [(0, "CrushMap.magic"), (20, "Bucket.id"), (26, "Bucket.alg")] {
        let mut bytes = bytes.to_vec();
        bytes[offset] ^= 0x40;
        let error = CrushMap::decode(&bytes).unwrap_err();
        assert_eq!((error.offset, error.what, error.kind), (offset, what, DecodeErrorKind::Invalid));
    }
    let args = ChooseArgs(BTreeMap::from([(6, ChooseArg::default())]));
    let map = CrushMap { choose_args: BTreeMap::from([(3, args)]), ..full_map() };
    assert_eq!(CrushMap::decode(&map.to_bytes()).unwrap_err().what, "ChooseArgs.bucket");
}

#[test]
fn more_slots_than_any_map_has_are_refused() {
    let base = || CrushMap { extent: Extent::Base, ..CrushMap::default() };
    let of_buckets = |n: u32| CrushMap { buckets: vec![None; n as usize], ..base() };
    let of_rules = |n: u32| CrushMap { rules: vec![None; n as usize], ..base() };
    for most in [of_buckets(MAX_BUCKETS), of_rules(MAX_RULES)] {
        let slots = |map: CrushMap| (map.buckets.len(), map.rules.len());
        assert_eq!(CrushMap::decode(&most.to_bytes()).map(slots), Ok(slots(most)));
    }
    let beyond = [
        (of_buckets(MAX_BUCKETS + 1), 4, "CrushMap.max_buckets", MAX_BUCKETS),
        (of_rules(MAX_RULES + 1), 8, "CrushMap.max_rules", MAX_RULES),
    ];
    for (map, offset, what, max) in beyond {
        let error = CrushMap::decode(&map.to_bytes()).map(|_| "taken").unwrap_err();
        let kind = DecodeErrorKind::TooLong { len: u64::from(max) + 1, max: max.into() };
        assert_eq!((error.offset, error.what, error.kind), (offset, what, kind));
    }
}

#[test]
fn counts_beyond_the_input_fail_at_its_end() {
    for (at, most) in [(4, MAX_BUCKETS), (8, MAX_RULES)] {
        let mut bytes = CrushMap { extent: Extent::Base, ..CrushMap::default() }.to_bytes().to_vec();
        bytes[at..at + 4].copy_from_slice(&most.to_le_bytes());
        assert_eq!(CrushMap::decode(&bytes).unwrap_err().kind, DecodeErrorKind::Truncated);
    }
}

#[test]
fn lookups() {
    let map = full_map();
    assert_eq!(map.bucket(-1).map(Bucket::len), Some(2));
    assert_eq!(map.bucket(-4).and_then(|b| b.item(0)), Some(1));
    for missing in [0, 1, i32::MAX, -2, -7, i32::MIN] {
        assert_eq!(map.bucket(missing), None);
    }
    assert!(map.rule(0).is_none() && map.rule(1).is_some() && map.rule(2).is_none());
    assert!(map.choose_args_of(9).is_some_and(|args| args.get(-1).is_some() && args.get(-2).is_none()));
}
