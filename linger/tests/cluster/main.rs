//! The tool on a real cluster, with Ceph's own clients on the other side.

mod both_ways;
mod ceph;
mod doctor;
mod leaving;
mod losses;
mod placement;
mod refusals;
mod tool;

use anyhow::Result;
use linger_testbed::{Cluster, Object, PoolKind, shared};

/// What `--runtime` may be.
const RUNTIMES: [&str; 2] = ["tokio", "smol"];

/// The objects that everything is tried on: in a replicated and an erasure-coded pool, in a namespace, with a locator
/// key, and with both.
fn places(cluster: &Cluster, name: &str) -> Result<Vec<Object>> {
    let replicated = cluster.pool("linger-tool", PoolKind::Replicated, 8)?;
    let erasure = cluster.pool("linger-tool-ec", PoolKind::Erasure, 8)?;
    Ok(vec![
        replicated.object(name),
        erasure.object(name),
        replicated.object(name).namespace("space"),
        replicated.object(format!("{name}-key")).key("place"),
        erasure.object(format!("{name}-key")).namespace("space").key("place"),
    ])
}

/// One object that exists.
fn object(name: &str) -> Result<Object> {
    let object = shared().pool("linger-tool", PoolKind::Replicated, 8)?.object(name);
    shared().admin()?.write_full(&object, b"")?;
    Ok(object)
}
