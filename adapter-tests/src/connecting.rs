//! Connecting, and all the ways in which it fails: each names what is wrong.

use crate::Adapter;
use crate::support::{POOL, builder, connect, connect_with, name, soon};
use anyhow::{Context, Result};
use linger_client::{ClusterEvent, Error, LossCause, OpError, WatchOptions};
use linger_testbed::{PoolKind, shared};
use serde_json::json;
use std::time::{Duration, Instant};

pub async fn a_client_knows_its_cluster<A: Adapter>(on: A) -> Result<()> {
    let (cluster, _) = connect(&on).await?;
    let status = shared().mon_command(&json!({"prefix": "fsid", "format": "json"}))?;
    assert_eq!(status["fsid"], cluster.fsid().to_string());
    assert!(cluster.global_id() > 0);
    let (epoch, pool) = cluster.with_map(|map| (map.epoch, map.pool_id(&POOL.into()))).await?;
    assert!(epoch > 0 && epoch <= shared().osdmap_epoch()?);
    assert!(pool.is_some());
    Ok(())
}

pub async fn a_wrong_key_and_an_unknown_name_fail_at_once<A: Adapter>(on: A) -> Result<()> {
    let wrong = "AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==";
    for name in ["client.admin", "client.nobody"] {
        let start = Instant::now();
        let settings = builder().name(name).key(wrong).build()?;
        let error = soon(on.connect(settings)).await?.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        let Error::Connect(connect) = &error else { panic!("{error:?}") };
        assert!(matches!(&connect.last, Some(ClusterEvent::MonFault { permanent: true, .. })), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("cannot connect to the cluster: monitor 127.0.0.1:"), "{text}");
        assert!(text.contains("login failed"), "{text}");
        // Nautilus says EPERM.
        assert!(matches!(error.errno(), Some(1 | 13)), "{text}");
    }
    Ok(())
}

pub async fn another_cluster_is_refused<A: Adapter>(on: A) -> Result<()> {
    let settings = builder().option("fsid", "00000000-1111-2222-3333-444444444444").build()?;
    let start = Instant::now();
    let error = soon(on.connect(settings)).await?.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(error.to_string().contains("belongs to cluster"), "{error}");
    Ok(())
}

pub async fn what_caps_do_not_allow_is_denied<A: Adapter>(on: A) -> Result<()> {
    shared().pool(POOL, PoolKind::Replicated, 8)?;
    let create = json!({"prefix": "auth get-or-create", "entity": "client.linger-mon-only",
        "caps": ["mon", "allow r"], "format": "json"});
    let answer = shared().mon_command(&create)?;
    let key = answer[0]["key"].as_str().context("no key")?;
    let settings = builder().id("linger-mon-only").key(key).build()?;
    let pool = soon(on.connect(settings)).await??.pool(POOL);
    let error = soon(pool.read("x", 0, 0)).await?.unwrap_err();
    // Up to Reef the request is refused, since Tentacle the login at the OSD.
    assert!(matches!(error.errno(), Some(1 | 13)), "{error}");
    let mut watch = pool.watch("x", WatchOptions::default()).await?;
    let error = soon(watch.live()).await?.unwrap_err();
    let Error::Watch { error: lost, .. } = &error else { panic!("{error:?}") };
    assert_eq!(lost.cause, LossCause::Denied);
    assert!(matches!(lost.errno, Some(1 | 13)), "{lost:?}");
    Ok(())
}

pub async fn a_pool_that_is_not_there_is_said_so<A: Adapter>(on: A) -> Result<()> {
    let (cluster, _) = connect(&on).await?;
    let pool = cluster.pool("no-such-pool");
    let error = soon(pool.stat("x")).await?.unwrap_err();
    assert!(matches!(error, Error::Op { error: OpError::NoPool, .. }), "{error:?}");
    assert_eq!(error.to_string(), "cannot stat no-such-pool/x: no such pool");
    let notify = pool.notify("x", "", Duration::from_secs(5)).await?;
    let error = soon(notify).await?.unwrap_err();
    assert!(matches!(error, Error::Op { error: OpError::NoPool, .. }), "{error:?}");
    let mut watch = pool.watch("x", WatchOptions::default()).await?;
    let error = soon(watch.live()).await?.unwrap_err();
    assert_eq!(error.to_string(), "cannot watch no-such-pool/x: no such pool");
    Ok(())
}

pub async fn calls_end_at_their_deadline<A: Adapter>(on: A) -> Result<()> {
    let (_cluster, pool) = connect_with(&on, |options| options.call_within = Some(Duration::ZERO)).await?;
    // The first call has to log in at an OSD, which takes longer than nothing.
    let error = soon(pool.stat("x")).await?.unwrap_err();
    assert!(matches!(error, Error::Op { error: OpError::DeadlinePassed, .. }), "{error:?}");
    let (name, pool) = (name("late"), pool.within(None));
    soon(pool.create(name, true)).await??;
    Ok(())
}
