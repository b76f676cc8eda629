//! linger against the mini-cluster, over TCP: what users' own tests would do.

use anyhow::{Context, Result, ensure};
use linger_mini_cluster::{Auth, ConMode, KeyType, MiniCluster, Session, Who};
use linger_tokio::config::Settings;
use linger_tokio::{Cluster, ConnectOptions, ObjectRef, Watch, WatchEvent, WatchOptions};
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

async fn round(auth: Auth, modes: &[ConMode]) -> Result<()> {
    let mini = MiniCluster::builder().auth(auth).modes(modes.to_vec()).start()?;
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
    let used = mini.with(|servers, _| servers.sessions());
    ensure!(used.len() >= 2 && used.iter().all(|session| modes.contains(&session.mode)), "{used:?}");

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

/// A notify that waits for a watch is sent again when the watch comes back over another connection.
#[tokio::test]
async fn a_notify_that_waits_is_sent_again() -> Result<()> {
    let mini = MiniCluster::start().await?;
    let dir = tempfile::tempdir()?;
    let (watcher, notifier) = (connect(&mini, &dir).await?, connect(&mini, &dir).await?);
    watcher.pool("rbd").write_full("greeting", "").await?;
    let mut watch = watcher.pool("rbd").watch("greeting", WatchOptions::default()).await?;
    ensure!(matches!(next(&mut watch).await?, WatchEvent::Live(_)));
    let notify = notifier.pool("rbd").notify("greeting", "hello", Duration::from_secs(30)).await?;
    let WatchEvent::Notification(notification) = next(&mut watch).await? else {
        anyhow::bail!("no notification");
    };
    let number = watcher.global_id();
    mini.with(move |servers, now| {
        let mine = |session: &Session| session.client == number && matches!(session.who, Who::Osd(_));
        let sessions = servers.sessions();
        sessions.iter().filter(|session| mine(session)).for_each(|session| servers.reset(now, session.conn));
    });
    ensure!(matches!(next(&mut watch).await?, WatchEvent::Live(live) if !live.may_have_missed));
    let again = async {
        while watcher.totals().await?.duplicates == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, again).await??;
    notification.ack("seen")?;
    let outcome = format!("{:?}", notify.await?);
    ensure!(outcome.contains("Done") && outcome.contains("seen"), "{outcome}");
    Ok(())
}

#[tokio::test]
async fn with_keys() -> Result<()> {
    round(Auth::Cephx(KeyType::Aes), &[ConMode::Crc]).await
}

#[tokio::test]
async fn with_new_keys() -> Result<()> {
    round(Auth::Cephx(KeyType::Aes256k), &[ConMode::Crc, ConMode::Secure]).await
}

#[tokio::test]
async fn without_keys() -> Result<()> {
    round(Auth::None, &[ConMode::Crc]).await
}

#[tokio::test]
async fn in_secure_mode() -> Result<()> {
    for kind in [KeyType::Aes, KeyType::Aes256k] {
        round(Auth::Cephx(kind), &[ConMode::Secure]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_mode_that_is_not_allowed_is_refused() -> Result<()> {
    for (allowed, wanted) in [(ConMode::Crc, "secure"), (ConMode::Secure, "crc")] {
        let mini = MiniCluster::builder().modes(vec![allowed]).start()?;
        let dir = tempfile::tempdir()?;
        let conf = mini.write_conf(dir.path())?;
        let text = std::fs::read_to_string(&conf)?;
        let other = if wanted == "crc" { "secure" } else { "crc" };
        std::fs::write(&conf, text.replace(&format!("mode = {other}"), &format!("mode = {wanted}")))?;
        let settings = Settings::builder().conf(conf.display().to_string()).build()?;
        let refused = timeout(PATIENCE, linger_tokio::connect(settings)).await?.err().context("no way in")?;
        ensure!(refused.to_string().contains("mode"), "{refused}");
    }
    Ok(())
}

#[test]
fn secure_connections_need_keys() {
    let cluster = MiniCluster::builder().auth(Auth::None).modes(vec![ConMode::Secure]).start();
    assert_eq!(cluster.map(|_| ()).unwrap_err().kind(), std::io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn requests_can_be_lost_and_late() -> Result<()> {
    let mini = MiniCluster::builder().osds(1).tune(|settings| settings.epochs = 3).start()?;
    let dir = tempfile::tempdir()?;
    let cluster = connect(&mini, &dir).await?;
    let pool = cluster.pool("rbd");
    pool.write_full("greeting", "content").await?;
    let delay = Duration::from_millis(300);
    mini.with(move |servers, _| servers.delay_requests(0, delay));
    let start = std::time::Instant::now();
    ensure!(pool.stat("greeting").await?.size == 7);
    ensure!(start.elapsed() >= delay, "{:?}", start.elapsed());
    mini.with(|servers, _| {
        servers.delay_requests(0, Duration::ZERO);
        servers.lose_requests(0, 1);
    });
    ensure!(timeout(delay, pool.stat("greeting")).await.is_err(), "a lost request has no answer");
    ensure!(pool.stat("greeting").await?.size == 7);
    Ok(())
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

/// A client that finds only the first of two monitors until a second has passed: one of another cluster.
async fn with_a_stranger(strange: MiniCluster, mini: MiniCluster, fsid: bool) -> Result<()> {
    let mon_host = format!("v2:{},v2:{}", strange.mon(), mini.mon());
    let settings = Settings::builder().mon_host(mon_host).key(mini.admin_key());
    let settings = match fsid {
        true => {
            let settings = settings.option("fsid", mini.with(|servers, _| servers.fsid().to_string()));
            ["auth_cluster_required", "auth_service_required", "auth_client_required"]
                .into_iter()
                .fold(settings, |settings, name| settings.option(name, "none"))
        }
        false => settings,
    };
    mini.with(|servers, now| servers.kill(now, Who::Mon(0)));
    let connecting = tokio::spawn(linger_tokio::connect(settings.build()?));
    tokio::time::sleep(Duration::from_secs(1)).await;
    ensure!(!connecting.is_finished(), "given up: {:?}", connecting.await?.err());
    mini.with(|servers, now| servers.restart(now, Who::Mon(0)));
    let cluster = timeout(PATIENCE, connecting).await???;
    ensure!(cluster.fsid().to_string() == mini.with(|servers, _| servers.fsid().to_string()));
    // Monitors of no use must not stand in the way.
    cluster.pool("rbd").write_full("greeting", "content").await?;
    Ok(())
}

#[tokio::test]
async fn a_stranger_that_refuses_the_key_is_not_all_monitors() -> Result<()> {
    with_a_stranger(MiniCluster::start().await?, MiniCluster::start().await?, false).await
}

#[tokio::test]
async fn a_stranger_that_lets_all_in_is_not_all_monitors() -> Result<()> {
    let start = || MiniCluster::builder().auth(Auth::None).start();
    with_a_stranger(start()?, start()?, true).await
}

#[tokio::test]
async fn a_key_that_all_monitors_refuse_is_said_at_once() -> Result<()> {
    let minis = [MiniCluster::start().await?, MiniCluster::start().await?, MiniCluster::start().await?];
    let other = MiniCluster::start().await?;
    let mons: Vec<_> = minis.iter().map(|mini| format!("v2:{}", mini.mon())).collect();
    let settings = Settings::builder().mon_host(mons.join(",")).key(other.admin_key()).build()?;
    let error = timeout(Duration::from_secs(3), linger_tokio::connect(settings)).await?;
    let error = error.err().context("no way in")?;
    ensure!(error.errno() == Some(13) && error.to_string().contains("EACCES"), "{error}");
    Ok(())
}

/// Takes so many notifies, or word that they were shed: how many bytes they had.
async fn take(watch: &mut Watch, notifies: u64) -> Result<usize> {
    let (mut bytes, mut seen) = (0, 0);
    while seen < notifies {
        match next(watch).await? {
            WatchEvent::Notification(notification) => {
                bytes += notification.payload.len();
                seen += 1;
            }
            WatchEvent::Overflow { lost } => seen += lost,
            WatchEvent::Live(_) => {}
            other => anyhow::bail!("{other:?}"),
        }
    }
    ensure!(seen == notifies, "{seen} of {notifies}");
    Ok(bytes)
}

#[tokio::test]
async fn watches_that_nobody_reads_keep_no_more_than_their_budget() -> Result<()> {
    const WATCHES: usize = 5;
    const NOTIFIES: u64 = 20;
    const BUDGET: usize = 10_000;
    let mini = MiniCluster::start().await?;
    let settings =
        Settings::builder().mon_host(format!("v2:{}", mini.mon())).key(mini.admin_key()).build()?;
    let mut options = ConnectOptions::try_from(settings)?;
    options.config.limits.notify_bytes = BUDGET;
    let cluster = timeout(PATIENCE, linger_tokio::start(options)?).await??;
    let pool = cluster.pool("rbd");
    pool.write_full("greeting", "content").await?;
    let mut watches = Vec::new();
    for _ in 0..WATCHES {
        let mut watch = pool.watch("greeting", WatchOptions::default()).await?;
        timeout(PATIENCE, watch.live()).await??;
        watches.push(watch);
    }
    // Once all are read, and once some are dropped without that, there is room for as much again.
    for (round, reads) in [(1, true), (2, false), (3, true)] {
        let before = cluster.totals().await?;
        ensure!(
            (before.queued, before.queued_bytes) == (if round == 1 { WATCHES } else { 0 }, 0),
            "{before:?}"
        );
        let mut notifies = Vec::new();
        for _ in 0..NOTIFIES {
            let mut notify = pool.notify("greeting", vec![b'x'; 1000], PATIENCE).await?;
            timeout(PATIENCE, notify.accepted()).await?;
            notifies.push(notify);
        }
        let due = before.notifies + NOTIFIES * watches.len() as u64;
        let totals = loop {
            let totals = cluster.totals().await?;
            if totals.notifies == due {
                break totals;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        ensure!((BUDGET - 1000..=BUDGET).contains(&totals.queued_bytes), "{totals:?}");
        if !reads {
            watches.truncate(1);
        }
        let mut kept = 0;
        for watch in &mut watches {
            kept += take(watch, NOTIFIES).await?;
        }
        ensure!(!reads || kept == totals.queued_bytes, "{kept} bytes in round {round}: {totals:?}");
        while round == 2 && cluster.totals().await?.queued > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    Ok(())
}
