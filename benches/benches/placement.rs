//! Placement: from names to OSDs, maps in and out, and what a change of the map costs a client.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use bytes::{Buf, Bytes};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linger_benches::name;
use linger_core::placement::{Overlay, Placer, crush::Mapper, locate, pg_to_osds};
use linger_core::{ConnId, FEATURES, Output};
use linger_test_support::World;
use linger_test_support::maps::{ERASURE, REPLICATED, Shape, map, next};
use linger_wire::osdmap::{Incremental, OsdMap, WEIGHT_IN};
use linger_wire::{Decode, ObjectLocator, PgId};
use std::hint::black_box;
use std::time::{Duration, Instant};

const POOLS: [(&str, i64); 2] = [("replicated", REPLICATED), ("erasure", ERASURE)];

fn groups(pool: i64) -> impl Iterator<Item = PgId> {
    (0..Shape::LARGE.pg_num).map(move |seed| PgId { pool, seed }).cycle()
}

fn crush(c: &mut Criterion) {
    let map = map(Shape::LARGE);
    let mut group = c.benchmark_group("placement/crush");
    for (name, pool) in POOLS {
        let (rule, size) =
            map.pool(pool).map(|pool| (pool.crush_rule.into(), pool.size.into())).expect("a pool");
        let mut mapper = Mapper::new(&map.crush, &map.osd_weight);
        let mut x = 0u32;
        group.bench_function(name, |b| {
            b.iter(|| {
                x = x.wrapping_add(1);
                black_box(mapper.map_rule(rule, x, size, None).len())
            });
        });
    }
    group.finish();
}

fn osds(c: &mut Criterion) {
    let map = map(Shape::LARGE);
    let mut group = c.benchmark_group("placement/pg_to_osds");
    for (name, pool) in POOLS {
        let mut pgs = groups(pool);
        group.bench_function(name, |b| b.iter(|| pg_to_osds(&map, pgs.next().expect("endless"))));
        let mut placer = Placer::new(&map);
        group.bench_function(BenchmarkId::new(name, "placer"), |b| {
            b.iter(|| placer.place(pgs.next().expect("endless")));
        });
    }
    group.finish();

    let locator = ObjectLocator { pool: REPLICATED, key: "".into(), nspace: "".into(), hash: -1 };
    let names: Vec<linger_wire::Name> = (0..1000).map(|i| name(i).as_str().into()).collect();
    let mut names = names.iter().cycle();
    c.bench_function("placement/locate", |b| {
        b.iter(|| locate(&map, &locator, names.next().expect("endless"), Overlay::Write));
    });
}

fn maps(c: &mut Criterion) {
    let map = map(Shape::LARGE);
    let raw = map.encode_for(FEATURES);
    let mut group = c.benchmark_group("placement/map");
    group.throughput(Throughput::Bytes(raw.len() as u64));
    group.bench_function("decode", |b| b.iter(|| OsdMap::decode(&raw).expect("a map")));
    group.bench_function("encode", |b| b.iter(|| map.encode_for(FEATURES)));
    group.finish();

    let inc = Incremental { new_weight: [(7, WEIGHT_IN / 2)].into(), ..next(&map) };
    let raw = inc.encode_for(FEATURES);
    c.bench_function("placement/incremental/decode", |b| {
        b.iter(|| Incremental::decode(&raw).expect("a step"));
    });
    c.bench_function("placement/incremental/apply", |b| {
        let mut map = map.clone();
        let mut inc = inc.clone();
        b.iter(|| {
            inc.epoch = map.epoch + 1;
            map.apply(&inc).expect("the next epoch")
        });
    });
}

/// A client's work on one map, without what its servers then do.
fn time_map(world: &mut World, inc: &Incremental) -> Duration {
    let message = world.step(inc);
    let (mon, bytes) = world.from_mon(&message);
    let mut written: Vec<(ConnId, Bytes)> = Vec::new();
    let mut others = Vec::new();
    let start = Instant::now();
    world.client.handle_bytes(world.now, mon, &bytes);
    loop {
        match world.client.poll_output() {
            Output::Wait(_) => break,
            Output::Write(conn) => {
                let mut outbox = world.client.outbox(conn);
                let bytes = outbox.copy_to_bytes(outbox.remaining());
                written.push((conn, bytes));
            }
            other => others.push(other),
        }
    }
    let spent = start.elapsed();
    written.iter().for_each(|(conn, bytes)| world.written(*conn, bytes));
    others.into_iter().for_each(|output| world.handle(output));
    world.settle();
    world.events.clear();
    spent
}

/// Maps for a client with 100,000 watches in 1,024 groups.
fn change(c: &mut Criterion) {
    let mut group = c.benchmark_group("placement/change");
    group.sample_size(20);
    let mut world = World::connected(Shape::LARGE);
    let lives = world.watch(100_000, name);
    let pg = lives[0].1.pg;
    let mapping = pg_to_osds(&world.map, pg);
    let swapped: Vec<i32> = mapping.acting.as_slice().iter().rev().copied().collect();
    let osd = mapping.acting_primary;

    let mut run = |name: &str, change: &dyn Fn(&mut Incremental, bool)| {
        let mut odd = false;
        group.bench_function(name, |b| {
            b.iter_custom(|iters| {
                let one = |_| {
                    odd = !odd;
                    let mut inc = next(&world.map);
                    change(&mut inc, odd);
                    time_map(&mut world, &inc)
                };
                (0..iters).map(one).sum()
            });
        });
    };
    run("nothing", &|_, _| {});
    run("pg_temp_of_one_group", &|inc, odd| {
        // An empty list ends the override.
        let osds = if odd { swapped.clone() } else { Vec::new() };
        inc.new_pg_temp.insert(pg, osds);
    });
    run("weight_of_one_osd", &|inc, odd| {
        let weight = if odd { WEIGHT_IN / 2 } else { WEIGHT_IN };
        inc.new_weight.insert(osd, weight);
    });
    group.finish();
}

criterion_group!(benches, crush, osds, maps, change);
criterion_main!(benches);
