//! linger against the mini-cluster, over TCP: what users' own tests would do.

use anyhow::{Context, Result, ensure};
use linger_mini_cluster::{Auth, KeyType, MiniCluster, Who};
use linger_tokio::config::Settings;
use linger_tokio::{Cluster, ObjectRef, Watch, WatchEvent, WatchOptions};
use std::time::Duration;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(mini: &MiniCluster, dir: &tempfile::TempDir) -> Result<Cluster> {
    let conf = mini.write_conf(dir.path())?;
    let settings = Settings::builder().conf(conf.display().to_string()).build()?;
    Ok(timeout(PATIENCE, linger_tokio::connect(settings)).await??)
}

async fn next(watch: &mut Watch) -> Result<WatchEvent> {
    timeout(PATIENCE, watch.next()).await?.context("the watch goes on")
}

async fn round(auth: Auth) -> Result<()> {
    let mini = MiniCluster::builder().auth(auth).start()?;
    let dir = tempfile::tempdir()?;
    let cluster = connect(&mini, &dir).await?;
    let pool = cluster.pool("rbd");
    pool.write_full("greeting", "content").await?;
    ensure!(pool.read("greeting", 0, 0).await?.data.as_ref() == b"content");
    let mut watch = pool.watch("greeting", WatchOptions::default()).await?;
    ensure!(matches!(next(&mut watch).await?, WatchEvent::Live(live) if live.generation == 0));
    let notify = pool.notify("greeting", "hello", Duration::from_secs(10)).await?;
    let WatchEvent::Notification(notification) = next(&mut watch).await? else {
        anyhow::bail!("no notification");
    };
    ensure!(notification.payload.as_ref() == b"hello");
    notification.ack("seen")?;
    let outcome = format!("{:?}", notify.await?);
    ensure!(outcome.contains("Done") && outcome.contains("seen"), "{outcome}");

    // The watch moves on with its object.
    let object = ObjectRef::new("rbd", "greeting");
    let primary = mini.with(move |servers, _| servers.primary(&object)).context("a primary")?;
    mini.with(move |servers, now| {
        servers.kill(now, Who::Osd(primary));
        servers.mark_down(now, primary);
    });
    let event = next(&mut watch).await?;
    ensure!(
        matches!(event, WatchEvent::Live(live) if live.generation == 1 && live.osd != primary),
        "{event:?}"
    );
    timeout(PATIENCE, watch.unwatch()).await??;
    ensure!(pool.list_watchers("greeting").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn with_keys() -> Result<()> {
    round(Auth::Cephx(KeyType::Aes)).await
}

#[tokio::test]
async fn with_new_keys() -> Result<()> {
    round(Auth::Cephx(KeyType::Aes256k)).await
}

#[tokio::test]
async fn without_keys() -> Result<()> {
    round(Auth::None).await
}

#[tokio::test]
async fn a_wrong_key_is_refused() -> Result<()> {
    let mini = MiniCluster::start().await?;
    let other = MiniCluster::start().await?;
    let settings =
        Settings::builder().mon_host(format!("v2:{}", mini.mon())).key(other.admin_key()).build()?;
    let error = timeout(PATIENCE, linger_tokio::connect(settings)).await?.err().context("no way in")?;
    ensure!(error.to_string().contains("denied") || error.to_string().contains("key"), "{error}");
    Ok(())
}
