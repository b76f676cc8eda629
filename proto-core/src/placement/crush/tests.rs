use super::*;
use alloc::{vec, vec::Vec};
use linger_wire::crush::{
    Bucket, BucketAlg, ChooseArg, ITEM_NONE, ListItem, Rule, RuleType, Step, StepOp, Straw2Item, StrawItem,
    Tunables,
};
use proptest::{collection::vec, prelude::*};

const IN: u32 = 0x1_0000;

fn step(op: StepOp, arg1: i32, arg2: i32) -> Step {
    Step { op, arg1, arg2 }
}

fn rule(rule_type: RuleType, steps: &[Step]) -> Option<Rule> {
    let steps = [&[step(StepOp::TAKE, -1, 0)], steps, &[step(StepOp::EMIT, 0, 0)]].concat();
    Some(Rule { ruleset: 0, rule_type, min_size: 1, max_size: 10, steps })
}

fn bucket(bucket_type: u16, alg: BucketAlg) -> Option<Bucket> {
    Some(Bucket { bucket_type, hash: 0, weight: 0, alg })
}

fn straw2(bucket_type: u16, items: &[i32]) -> Option<Bucket> {
    let items = items.iter().map(|&item| Straw2Item { item, weight: IN }).collect();
    bucket(bucket_type, BucketAlg::Straw2(items))
}

/// A root (type 10) over five hosts (type 1), one of each algorithm, of three devices each.
fn five_hosts(rules: Vec<Option<Rule>>) -> CrushMap {
    let list = |item, n| ListItem { item, weight: IN * n, sum: IN * n * (n + 1) / 2 };
    let straw = |item, straw| StrawItem { item, weight: IN, straw };
    let straw2_item = |item, weight| Straw2Item { item, weight };
    let nodes = [0, 1, 3, 2, 6, 3, 3, 0].map(|weight| IN * weight).to_vec();
    CrushMap {
        buckets: vec![
            straw2(10, &[-2, -3, -4, -5, -6]),
            bucket(1, BucketAlg::Uniform { items: vec![0, 1, 2], item_weight: IN }),
            bucket(1, BucketAlg::List(vec![list(3, 1), list(4, 2), list(5, 3)])),
            bucket(1, BucketAlg::Tree { items: vec![6, 7, 8], node_weights: nodes }),
            bucket(1, BucketAlg::Straw(vec![straw(9, 0x1_2000), straw(10, IN), straw(11, 0xf000)])),
            bucket(
                1,
                BucketAlg::Straw2(vec![straw2_item(12, IN), straw2_item(13, 2 * IN), straw2_item(14, 0)]),
            ),
        ],
        rules,
        max_devices: 15,
        ..CrushMap::default()
    }
}

/// Rules of all kinds for [`five_hosts`].
fn rules() -> Vec<Option<Rule>> {
    let msr = [step(StepOp::CHOOSE_MSR, 3, 1), step(StepOp::CHOOSE_MSR, 2, 0)];
    let hosts_then_devices = [step(StepOp::CHOOSE_FIRSTN, 3, 1), step(StepOp::CHOOSE_FIRSTN, 2, 0)];
    let mut rules = vec![
        rule(RuleType::REPLICATED, &[step(StepOp::CHOOSELEAF_FIRSTN, 0, 1)]),
        rule(RuleType::REPLICATED, &hosts_then_devices),
        rule(RuleType::ERASURE, &[step(StepOp::CHOOSELEAF_INDEP, 0, 1)]),
        rule(RuleType::ERASURE, &[step(StepOp::CHOOSE_INDEP, 0, 0)]),
        rule(RuleType::MSR_FIRSTN, &msr),
        rule(RuleType::MSR_INDEP, &msr),
    ];
    for (number, rule) in rules.iter_mut().flatten().enumerate() {
        rule.ruleset = number as u8;
    }
    rules
}

/// The weights of the OSDs for [`five_hosts`]: osd.4 is half in, osd.7 is out.
fn weights() -> Vec<u32> {
    (0..15).map(|osd| [IN, IN / 2, 0][usize::from(osd == 4) + 2 * usize::from(osd == 7)]).collect()
}

/// What `crushtool --test --num-rep 6 --weight 4 0.5 --weight 7 0` of Ceph 20.2.4 prints for inputs
/// 100 to 102 by each of [`rules`].
const CRUSHTOOL: [[&[i32]; 3]; 6] = [
    [&[10, 3, 13, 8, 0], &[2, 6, 9, 12, 3], &[2, 13, 10, 8, 5]],
    [&[10, 9, 5, 3, 12, 13], &[2, 0, 6, 8, 11, 9], &[2, 0, 12, 13, 11, 10]],
    [&[10, 5, 13, 8, NONE, 1], &[2, 8, NONE, 9, 5, 12], &[2, 12, 10, 6, 3, NONE]],
    [&[10, 3, 13, 5, 12, 8], &[2, 6, 1, 9, 0, 12], &[2, 13, 10, 8, 0, 11]],
    [&[10, 11, 12, 13, 5, 3], &[2, 0, 11, 9, 5, 8], &[2, 0, 8, 5, 13, 12]],
    [&[10, 11, 12, 13, 5, 3], &[2, 0, 11, 9, 8, 5], &[2, 0, 5, 8, 13, 12]],
];

const NONE: i32 = ITEM_NONE;

#[test]
fn mappings_are_those_of_crushtool() {
    let map = five_hosts(rules());
    let weights = weights();
    let mut mapper = Mapper::new(&map, &weights);
    for (rule, mappings) in (0..).zip(CRUSHTOOL) {
        for (x, mapping) in (100..).zip(mappings) {
            assert_eq!(mapper.map_rule(rule, x, 6, None), mapping, "rule {rule} x {x}");
            assert_eq!(map_rule(&map, rule, x, 6, &weights, None), mapping);
        }
    }
}

#[test]
fn legacy_tunables_retry_in_place() {
    let map = CrushMap { tunables: Tunables::LEGACY, ..five_hosts(rules()) };
    // From crushtool, as above; with today's tunables the last places differ.
    let expected = [[10, 3, 13, 8, 1], [2, 6, 9, 5, 12], [2, 13, 10, 8, 5]];
    for (x, mapping) in (100..).zip(expected) {
        assert_eq!(map_rule(&map, 0, x, 6, &weights(), None), mapping, "x {x}");
    }
}

#[test]
fn hashes_are_of_all_arguments_in_order() {
    let hashes =
        [hash2(1, 2), hash2(2, 1), hash3(1, 2, 0), hash3(0, 1, 2), hash4(1, 2, 0, 0), hash4(0, 0, 1, 2)];
    for (n, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..n].contains(hash));
    }
}

#[test]
fn choose_args_replace_weights_and_ids() {
    let map = CrushMap { max_devices: 4, buckets: vec![straw2(10, &[0, 1, 2])], ..five_hosts(rules()) };
    let one = |weight_set: &[&[u32]], ids: &[i32]| {
        let weight_set = weight_set.iter().map(|set| set.to_vec()).collect();
        ChooseArgs([(0, ChooseArg { weight_set, ids: ids.to_vec() })].into())
    };
    let mapped = |args: &ChooseArgs, x| map_rule(&map, 3, x, 3, &[IN; 3], Some(args));
    for x in 0..20 {
        // Only one item has weight at each place; the last list serves all further places.
        assert_eq!(mapped(&one(&[&[0, IN, 0]], &[]), x), [1, NONE, NONE]);
        assert_eq!(mapped(&one(&[], &[]), x), map_rule(&map, 3, x, 3, &[IN; 3], None));
        // Lists that are too short leave the bucket's own values.
        assert_eq!(mapped(&one(&[&[]], &[0]), x), map_rule(&map, 3, x, 3, &[IN; 3], None));
    }
    // The draws of item 0 under the id of item 1 and the other way round.
    let first = |args: Option<&ChooseArgs>, x| map_rule(&map, 3, x, 1, &[IN; 3], args)[0];
    let swapped = one(&[], &[1, 0, 2]);
    assert!((0..50).all(|x| first(Some(&swapped), x) == [1, 0, 2][first(None, x) as usize]));
}

#[test]
fn missing_rules_and_items_map_to_nothing() {
    let map = five_hosts(rules());
    assert!(map_rule(&map, 6, 0, 3, &[IN; 15], None).is_empty());
    assert!(map_rule(&map, 0, 0, 0, &[IN; 15], None).is_empty());
    // No OSD is in.
    assert!(map_rule(&map, 0, 0, 3, &[], None).is_empty());
    assert_eq!(map_rule(&map, 2, 0, 3, &[], None), [NONE; 3]);
    assert!(map_rule(&map, 4, 0, 3, &[], None).is_empty());
    assert_eq!(map_rule(&map, 5, 0, 3, &[], None), [NONE; 3]);
    for root in [straw2(10, &[]), straw2(10, &[-9, 99, i32::MIN, i32::MAX]), None] {
        let map = CrushMap { buckets: vec![root], ..five_hosts(rules()) };
        for rule in 0..6 {
            assert!(
                map_rule(&map, rule, 7, 3, &[IN; 15], None).iter().all(|&item| item == NONE),
                "rule {rule}"
            );
        }
    }
}

#[test]
fn a_tree_without_weight_leads_to_its_last_leaf() {
    let tree = |items: &[i32]| {
        let nodes = 2 * items.len().next_power_of_two();
        bucket(10, BucketAlg::Tree { items: items.to_vec(), node_weights: vec![0; nodes] })
    };
    let first = |items: &[i32], x| {
        let map = CrushMap { buckets: vec![tree(items)], ..five_hosts(rules()) };
        map_rule(&map, 3, x, 1, &[IN; 15], None)[0]
    };
    for x in 0..20 {
        assert_eq!(first(&[4, 3], x), 3);
        assert_eq!(first(&[4, 3, 2, 1], x), 1);
        // The last leaf has no item: Ceph reads what is behind the list.
        assert_eq!(first(&[4, 3, 2], x), NONE);
        assert_eq!(first(&[4, 3, 2, 1, 5], x), NONE);
    }
}

#[test]
fn circles_and_endless_tries_end() {
    let mut map = five_hosts(rules());
    map.buckets[1] = straw2(2, &[-1, -2]);
    map.buckets[2] = bucket(1, BucketAlg::Tree { items: vec![1, 2, 3], node_weights: vec![] });
    map.tunables.choose_total_tries = u32::MAX - 1;
    map.tunables.msr_descents = u32::MAX;
    map.tunables.msr_collision_tries = 0;
    let mut mapper = Mapper::new(&map, &[]);
    for rule in 0..6 {
        assert!(mapper.map_rule(rule, 7, 3, None).iter().all(|&item| item == NONE), "rule {rule}");
    }
}

#[test]
fn malformed_msr_rules_map_to_nothing() {
    let choose = |number| step(StepOp::CHOOSE_MSR, number, 1);
    let device = step(StepOp::CHOOSE_MSR, 0, 0);
    let long = vec![choose(1); 65];
    let wrong: [&[Step]; 6] = [
        &[step(StepOp::CHOOSE_FIRSTN, 0, 0)],
        &[choose(-1), device],
        &[choose(i32::MAX), choose(i32::MAX), device],
        &[device, step(StepOp::TAKE, 3, 0), device],
        &[device, step(StepOp::EMIT, 0, 0), step(StepOp::TAKE, 3, 0), device],
        &long,
    ];
    for steps in wrong {
        let map = five_hosts(vec![rule(RuleType::MSR_INDEP, steps)]);
        assert!(map_rule(&map, 0, 7, 3, &[IN; 15], None).is_empty(), "{steps:?}");
    }
    // Steps that lead nowhere: devices shared by places, or never reached.
    for steps in [&[device, device][..], &[choose(2)], &[]] {
        let map = five_hosts(vec![rule(RuleType::MSR_INDEP, steps)]);
        assert_eq!(map_rule(&map, 0, 7, 3, &[IN; 15], None), [NONE; 3], "{steps:?}");
    }
}

/// Buckets whose items name one another, devices, or nothing at all.
fn any_bucket() -> impl Strategy<Value = Option<Bucket>> {
    let items = vec((-8..8, any::<u32>(), any::<u32>()), 0..5);
    (0..7, 0u16..4, items, vec(any::<u32>(), 0..10)).prop_map(|(alg, bucket_type, items, node_weights)| {
        let ids = items.iter().map(|i| i.0).collect();
        let alg = match alg {
            0 => return None,
            1 => BucketAlg::Uniform { items: ids, item_weight: IN },
            2 => BucketAlg::List(
                items.iter().map(|&(item, weight, sum)| ListItem { item, weight, sum }).collect(),
            ),
            3 => BucketAlg::Tree { items: ids, node_weights },
            4 => BucketAlg::Straw(
                items.iter().map(|&(item, weight, straw)| StrawItem { item, weight, straw }).collect(),
            ),
            _ => BucketAlg::Straw2(
                items.iter().map(|&(item, weight, _)| Straw2Item { item, weight }).collect(),
            ),
        };
        bucket(bucket_type, alg)
    })
}

proptest! {
    #[test]
    fn any_map_maps_to_at_most_what_was_asked_for(
        buckets in vec(any_bucket(), 0..8),
        steps in vec((0u32..17, -8..8, -1..4).prop_map(|(op, arg1, arg2)| step(StepOp(op), arg1, arg2)), 0..8),
        rule_type in 0u8..6,
        tries in [0u32..4, 0..4, 0..20, 0..2, 0..4, 0..4],
        size in 0usize..7,
        max_devices in -1..9,
    ) {
        let tunables = Tunables {
            choose_local_tries: tries[0],
            choose_local_fallback_tries: tries[1],
            choose_total_tries: tries[2],
            chooseleaf_descend_once: tries[3],
            msr_descents: tries[4],
            msr_collision_tries: tries[5],
            ..Tunables::default()
        };
        // The rule as it comes, and behind a start that makes more of it run.
        let rules = vec![
            Some(Rule { ruleset: 0, rule_type: RuleType(rule_type), min_size: 1, max_size: 9, steps: steps.clone() }),
            rule(RuleType(rule_type), &steps),
        ];
        let map = CrushMap { buckets, rules, max_devices, tunables, ..CrushMap::default() };
        for number in 0..2 {
            prop_assert!(map_rule(&map, number, 5, size, &[IN, IN / 2, 0, IN], None).len() <= size);
        }
    }
}
