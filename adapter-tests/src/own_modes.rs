//! What a cluster says of a mode, and what it refuses: on clusters of their own.

use crate::Adapter;
use crate::support::{POOL, object, soon, spawn};
use anyhow::{Context, Result, ensure};
use linger_client::config::Settings;
use linger_client::{ClusterEvent, WatchOptions};
use linger_testbed::{Auth, Cluster, Mode, PoolKind};
use std::fs;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// What a daemon's log says of its sessions with clients that are not Ceph's.
fn logged(ceph: &Cluster, daemon: &str, nonce_of: &str) -> Result<Vec<String>> {
    let path = ceph.dir().context("no folder")?.join("log").join(format!("{daemon}.log"));
    let log = fs::read_to_string(path)?;
    Ok(log
        .lines()
        .filter(|line| line.contains(nonce_of) && line.contains("s=READY"))
        .map(str::to_owned)
        .collect())
}

pub async fn the_cluster_s_log_shows_the_mode_that_was_asked_for<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().osds(1).conf("debug_ms", "1").boot()?;
    ceph.pool(POOL, PoolKind::Replicated, 8)?;
    for mode in ["secure", "crc"] {
        let settings = Settings::builder().conf(ceph.conf().display().to_string());
        let settings = settings.option("ms_mon_client_mode", mode).option("ms_client_mode", mode);
        let cluster = on.connect(settings.build()?).await?;
        let pool = cluster.pool(POOL);
        pool.create("logged", false).await?;
        let mut watch = pool.watch("logged", WatchOptions::default()).await?;
        soon(watch.live()).await??;
        let watchers = ceph.list_watchers(&object("logged"))?;
        // The address has the nonce that tells this client from all others: 127.0.0.1:0/NONCE.
        let nonce = watchers[0].addr.split('/').nth(1).context("no nonce")?;
        let nonce = format!("/{nonce}");
        for daemon in ["mon.a", "osd.0"] {
            let lines = logged(&ceph, daemon, &nonce)?;
            ensure!(!lines.is_empty(), "{daemon} says nothing of {nonce}");
            let named = lines.iter().all(|line| line.contains(&format!(" {mode} :")));
            ensure!(named, "{daemon} {mode}: {lines:#?}");
        }
        cluster.close(TIMEOUT).await?;
    }
    Ok(())
}

pub async fn a_mode_that_the_cluster_refuses_is_named<A: Adapter>(on: A) -> Result<()> {
    for (mode, allowed, wanted) in [(Mode::Secure, "secure", "crc"), (Mode::Crc, "crc", "secure")] {
        let ceph = Cluster::builder().osds(1).mode(mode).boot()?;
        let conf = ceph.conf().display().to_string();
        let settings = Settings::builder().conf(&conf).option("ms_mon_client_mode", wanted);
        let error = soon(on.connect(settings.build()?)).await?.unwrap_err();
        let expected = format!("the peer allows connections in mode {allowed}, we allow {wanted}");
        assert!(error.to_string().contains(&expected), "{error}");

        ceph.pool(POOL, PoolKind::Replicated, 8)?;
        let settings = Settings::builder().conf(&conf).option("ms_client_mode", wanted);
        let cluster = soon(on.connect(settings.build()?)).await??;
        let (mut events, pool) = (cluster.events(), cluster.pool(POOL));
        let stat = spawn(async move { pool.within(Some(TIMEOUT)).stat("x").await });
        loop {
            match soon(events.next()).await?.context("no more events")? {
                ClusterEvent::OsdFault { fault, .. } => {
                    assert!(fault.to_string().contains(&expected), "{fault}");
                    break;
                }
                ClusterEvent::OsdUp { mode, .. } => panic!("a downgrade to {mode:?}"),
                _ => {}
            }
        }
        drop(stat);
        cluster.close(TIMEOUT).await?;
    }
    Ok(())
}

pub async fn secure_alone_is_never_given_up_for_a_cluster_without_keys<A: Adapter>(on: A) -> Result<()> {
    let ceph = Cluster::builder().osds(1).auth(Auth::None).boot()?;
    let settings = Settings::builder()
        .conf(ceph.conf().display().to_string())
        .option("auth_client_required", "cephx none")
        .option("ms_mon_client_mode", "secure");
    let error = soon(on.connect(settings.build()?)).await?.unwrap_err();
    assert!(error.to_string().contains("the peer allows authentication by none, we allow cephx"), "{error}");
    Ok(())
}
