//! What the hot paths allocate.

use bytes::Bytes;
use linger_benches::Steps;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOC: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Allocations of one round, on average.
fn per_notify(payload: usize) -> f64 {
    const ROUNDS: usize = 1000;
    let mut steps = Steps::watching(10);
    let payload = Bytes::from(vec![3; payload]);
    let stats = steps.notifies(ROUNDS, &payload, |rounds| {
        let region = Region::new(ALLOC);
        rounds();
        region.change()
    });
    (stats.allocations + stats.reallocations) as f64 / ROUNDS as f64
}

/// Beside the payload: what remembers the notify and the request of its ack.
#[test]
fn a_notify_allocates_little() {
    let empty = per_notify(0);
    assert!(empty < 3.5, "{empty} allocations for a notify without payload");
    let small = per_notify(64);
    assert!(small < empty + 1.5, "{small} with a payload, {empty} without");
}
