//! Connecting, and all the ways in which it fails: each names what is wrong.

use crate::common::{POOL, builder, connect, connect_with, name, soon, wait};
use anyhow::{Context, Result};
use linger_testbed::{PoolKind, need_cluster, shared};
use linger_tokio::config::Settings;
use linger_tokio::{ClusterEvent, ConnectOptions, Error, LossCause, OpError, WatchOptions};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_knows_its_cluster() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, _) = connect().await?;
    let status = wait(|| shared().mon_command(&json!({"prefix": "fsid", "format": "json"})))?;
    assert_eq!(status["fsid"], cluster.fsid().to_string());
    assert!(cluster.global_id() > 0);
    let (epoch, pool) = cluster.with_map(|map| (map.epoch, map.pool_id(&POOL.into()))).await?;
    assert!(epoch > 0 && epoch <= wait(|| shared().osdmap_epoch())?);
    assert!(pool.is_some());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_and_an_unknown_name_fail_at_once() -> Result<()> {
    need_cluster!(Ok(()));
    let wrong = "AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==";
    for name in ["client.admin", "client.nobody"] {
        let start = Instant::now();
        let settings = builder().name(name).key(wrong).build()?;
        let error = soon(linger_tokio::connect(settings)).await?.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
        let Error::Connect(connect) = &error else { panic!("{error:?}") };
        assert!(matches!(&connect.last, Some(ClusterEvent::MonFault { permanent: true, .. })), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with("cannot connect to the cluster: monitor 127.0.0.1:"), "{text}");
        assert!(text.contains("login failed"), "{text}");
        assert_eq!(error.errno(), Some(13), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn monitors_that_are_not_there_are_named_when_the_time_is_over() -> Result<()> {
    let settings = Settings::builder()
        .key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==")
        .mon_host("v2:127.0.0.1:1")
        .option("client_mount_timeout", "1");
    let start = Instant::now();
    let error = soon(linger_tokio::connect(settings.build()?)).await?.unwrap_err();
    assert!((1..10).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(
        error.to_string(),
        "cannot connect to the cluster within 1s: monitor 127.0.0.1:1: can not be reached: \
         Connection refused (os error 111)"
    );
    assert_eq!(error.errno(), Some(111));
    Ok(())
}

#[tokio::test]
async fn a_name_without_an_address_is_named() -> Result<()> {
    let settings = Settings::builder()
        .key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==")
        .mon_host("v2:mon.invalid:3300")
        .option("client_mount_timeout", "1");
    let error = soon(linger_tokio::connect(settings.build()?)).await?.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("cannot connect to the cluster within 1s: cannot resolve mon.invalid: "),
        "{text}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_is_refused() -> Result<()> {
    need_cluster!(Ok(()));
    let settings = builder().option("fsid", "00000000-1111-2222-3333-444444444444").build()?;
    let start = Instant::now();
    let error = soon(linger_tokio::connect(settings)).await?.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(error.to_string().contains("belongs to cluster"), "{error}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_caps_do_not_allow_is_denied() -> Result<()> {
    need_cluster!(Ok(()));
    wait(|| shared().pool(POOL, PoolKind::Replicated, 8))?;
    let create = json!({"prefix": "auth get-or-create", "entity": "client.linger-mon-only",
        "caps": ["mon", "allow r"], "format": "json"});
    let answer = wait(|| shared().mon_command(&create))?;
    let key = answer[0]["key"].as_str().context("no key")?;
    let settings = builder().id("linger-mon-only").key(key).build()?;
    let pool = soon(linger_tokio::connect(settings)).await??.pool(POOL);
    let error = soon(pool.read("x", 0, 0)).await?.unwrap_err();
    assert_eq!(error.errno(), Some(1), "{error}");
    let mut watch = pool.watch("x", WatchOptions::default()).await?;
    let error = soon(watch.live()).await?.unwrap_err();
    let Error::Watch { error: lost, .. } = &error else { panic!("{error:?}") };
    assert_eq!((lost.cause, lost.errno), (LossCause::Denied, Some(1)));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_is_not_there_is_said_so() -> Result<()> {
    need_cluster!(Ok(()));
    let (cluster, _) = connect().await?;
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

#[tokio::test(flavor = "multi_thread")]
async fn calls_end_at_their_deadline() -> Result<()> {
    need_cluster!(Ok(()));
    let (_cluster, pool) = connect_with(|options| options.call_within = Some(Duration::ZERO)).await?;
    // The first call has to log in at an OSD, which takes longer than nothing.
    let error = soon(pool.stat("x")).await?.unwrap_err();
    assert!(matches!(error, Error::Op { error: OpError::DeadlinePassed, .. }), "{error:?}");
    let (name, pool) = (name("late"), pool.within(None));
    soon(pool.create(name, true)).await??;
    Ok(())
}

#[tokio::test]
async fn dropping_the_future_gives_connecting_up() -> Result<()> {
    // Nobody listens there, but connecting would go on for ever.
    let settings =
        Settings::builder().key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==").mon_host("v2:127.0.0.1:1");
    let mut options = ConnectOptions::try_from(settings.build()?)?;
    options.connect_within = None;
    let connecting = linger_tokio::start(options)?;
    let mut events = connecting.events();
    assert!(matches!(soon(events.next()).await?, Some(ClusterEvent::MonFault { .. })));
    drop(connecting);
    while let Some(event) = soon(events.next()).await? {
        assert!(matches!(event, ClusterEvent::MonFault { .. }), "{event}");
    }
    Ok(())
}
