//! Three monitors, of which one is dead: on a cluster of their own.

use crate::Adapter;
use crate::support::{POOL, notification, soon};
use anyhow::{Context, Result, ensure};
use linger_client::config::Settings;
use linger_client::{ClusterEvent, Events, WatchOptions};
use linger_testbed::{Cluster, Daemon, PoolKind};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(20);

/// The next monitor that there is a session with.
async fn mon(events: &mut Events) -> Result<SocketAddr> {
    loop {
        if let ClusterEvent::MonUp { addr, .. } = soon(events.next()).await?.context("no more events")? {
            return Ok(addr);
        }
    }
}

/// The monitor of an address.
fn serving(ceph: &Cluster, addr: SocketAddr) -> Result<Daemon> {
    let dump = ceph.mon_command(&json!({"prefix": "mon dump", "format": "json"}))?;
    let mons = dump["mons"].as_array().context("no mons")?;
    let addr = addr.to_string();
    let is_it = |mon: &&Value| mon["public_addrs"].to_string().contains(&addr);
    let name = mons.iter().find(is_it).and_then(|mon| mon["name"].as_str()).context("no such monitor")?;
    format!("mon.{name}").parse()
}

pub async fn one_dead_monitor_of_three_is_no_hindrance<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().mons(3).osds(1).boot()?;
    ceph.pool(POOL, PoolKind::Replicated, 8)?;
    let settings = || Settings::builder().conf(ceph.conf().display().to_string()).build();
    ceph.kill(Daemon::Mon(0))?;
    for _ in 0..4 {
        let start = Instant::now();
        let cluster = soon(on.connect(settings()?)).await??;
        soon(cluster.pool(POOL).create("object", false)).await??;
        ensure!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());
        cluster.close(TIMEOUT).await?;
    }

    ceph.start(Daemon::Mon(0))?;
    ceph.wait_active()?;
    let cluster = soon(on.connect(settings()?)).await??;
    let (mut events, id) = (cluster.events(), cluster.global_id());
    let pool = cluster.pool(POOL);
    let mut watch = pool.watch("object", WatchOptions::default()).await?;
    soon(watch.live()).await??;
    let first = mon(&mut events).await?;
    ceph.kill(serving(&ceph, first)?)?;
    let second = mon(&mut events).await?;
    ensure!(second != first, "still {first}");
    ensure!(cluster.global_id() == id, "another number: {} was {id}", cluster.global_id());
    let notify = pool.notify("object", "moved", TIMEOUT).await?;
    notification(&mut watch).await?.ack("")?;
    soon(notify).await??;
    ensure!(cluster.close(TIMEOUT).await?.is_empty());
    Ok(())
}
