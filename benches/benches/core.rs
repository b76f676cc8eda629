//! The core's hot paths: what a notify, a ping, an idle poll and a registration cost.
#![allow(missing_docs, reason = "criterion's macros make public functions")]

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use linger_benches::Steps;
use linger_core::Output;
use std::hint::black_box;

fn notify(c: &mut Criterion) {
    let mut group = c.benchmark_group("core/notify");
    for payload in [0, 64, 4096] {
        let mut steps = Steps::watching(100);
        let payload = Bytes::from(vec![3; payload]);
        group.bench_function(BenchmarkId::new("payload", payload.len()), |b| {
            b.iter_custom(|iters| steps.time_notifies(iters as usize, &payload));
        });
    }
    for watches in [1, 100_000] {
        let mut steps = Steps::watching(watches);
        group.bench_function(BenchmarkId::new("watches", watches), |b| {
            b.iter_custom(|iters| steps.time_notifies(iters as usize, &Bytes::new()));
        });
    }
    group.finish();
}

fn ping(c: &mut Criterion) {
    let mut group = c.benchmark_group("core/ping");
    for watches in [1, 1000, 100_000] {
        let mut steps = Steps::watching(watches);
        group.bench_function(BenchmarkId::from_parameter(watches), |b| {
            b.iter_custom(|iters| {
                let (spent, done) = steps.time_pings(iters as usize);
                spent.mul_f64(iters as f64 / done as f64)
            });
        });
    }
    group.finish();
}

fn idle(c: &mut Criterion) {
    let mut group = c.benchmark_group("core/idle");
    for watches in [1, 1000, 100_000] {
        let mut steps = Steps::watching(watches);
        group.bench_function(BenchmarkId::new("poll", watches), |b| {
            b.iter(|| {
                let output = black_box(steps.world.client.poll_output());
                assert!(matches!(output, Output::Wait(Some(_))));
            });
        });
        let now = steps.world.now;
        group.bench_function(BenchmarkId::new("early_timeout", watches), |b| {
            b.iter(|| {
                steps.world.client.handle_timeout(now);
                black_box(steps.world.client.poll_output())
            });
        });
    }
    group.finish();
}

fn register(c: &mut Criterion) {
    let mut group = c.benchmark_group("core/register");
    group.sample_size(10);
    for watches in [1000, 100_000] {
        group.throughput(Throughput::Elements(watches as u64));
        group.bench_function(BenchmarkId::from_parameter(watches), |b| {
            b.iter_custom(|iters| (0..iters).map(|_| Steps::watching(1).time_registrations(watches)).sum());
        });
    }
    group.finish();
}

criterion_group!(benches, notify, ping, idle, register);
criterion_main!(benches);
