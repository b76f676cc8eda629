//! Every future of every handle is dropped at each of its awaits: nothing is lost, nothing leaks, and
//! what is asked for after it is done.

use crate::Adapter;
use crate::support::{builder, connect, connect_with, name, object, sleep, soon, unwatched};
use anyhow::{Context, Result, bail};
use futures_lite::future::or;
use futures_util::future::try_join_all;
use linger_client::{ConnectOptions, Error, NotifyOutcome, Pool, Watch, WatchEvent, WatchOptions};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Mutex;
use std::task::Poll;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
/// So few that a place that is not given back is missed at once.
pub const IN_FLIGHT: usize = 2;
/// How far the driver gets between the last poll and the drop: nowhere, to the socket, to the answer.
pub const PAUSES: [Duration; 3] = [Duration::ZERO, Duration::from_micros(300), Duration::from_millis(30)];
/// More awaits than any future has.
pub const AWAITS: usize = 64;

/// Polls a future at most so often, each time when it is woken, and drops it a while later. Its output
/// if it came before.
pub async fn polled<T>(times: usize, pause: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut left = times;
    let output = poll_fn(|cx| {
        if left > 0 {
            left -= 1;
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Some(output));
            }
        }
        if left == 0 { Poll::Ready(None) } else { Poll::Pending }
    });
    let output = output.await;
    if output.is_none() {
        sleep(pause).await;
    }
    output
}

/// Drops a future after each number of polls that does not end it, then lets one end: its output.
///
/// # Errors
/// It does not end.
pub async fn at_every_await<T, F: Future<Output = T>>(mut future: impl FnMut() -> F) -> Result<T> {
    for times in 0..AWAITS {
        for pause in PAUSES {
            if let Some(output) = soon(polled(times, pause, future())).await? {
                return Ok(output);
            }
        }
    }
    bail!("more than {AWAITS} awaits")
}

/// All places are free: more calls than may be in flight are all carried out.
async fn all_places_are_free(pool: &Pool, name: &str) -> Result<()> {
    soon(try_join_all((0..2 * IN_FLIGHT).map(|_| pool.stat(name)))).await??;
    Ok(())
}

pub async fn calls_at_every_await<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) =
        connect_with(&on, |options| options.config.limits.ops_in_flight = IN_FLIGHT).await?;
    let (kept, of) = (name("kept"), name("called"));
    let (kept, of) = (kept.as_str(), of.as_str());
    pool.create(kept, false).await?;
    at_every_await(|| pool.create(of, false)).await??;
    all_places_are_free(&pool, kept).await?;
    at_every_await(|| pool.write_full(of, "content")).await??;
    all_places_are_free(&pool, kept).await?;
    assert_eq!(at_every_await(|| pool.read(of, 0, 0)).await??.data, "content");
    all_places_are_free(&pool, kept).await?;
    assert_eq!(at_every_await(|| pool.stat(of)).await??.size, 7);
    all_places_are_free(&pool, kept).await?;
    assert!(at_every_await(|| pool.list_watchers(of)).await??.is_empty());
    all_places_are_free(&pool, kept).await?;
    assert!(at_every_await(|| cluster.with_map(|map| map.epoch)).await?? > 0);
    // One that was dropped may have removed it.
    let removed = at_every_await(|| pool.remove(of)).await?;
    assert!(removed.as_ref().is_ok() || removed.is_err_and(|error| error.errno() == Some(2)));
    assert_eq!(soon(pool.stat(of)).await?.unwrap_err().errno(), Some(2));
    all_places_are_free(&pool, kept).await
}

pub async fn connecting_at_every_await<A: Adapter>(on: A) -> Result<()> {
    let settings = builder().build()?;
    let mut all_events = Vec::new();
    let connect = || {
        let connecting = ConnectOptions::try_from(&settings).and_then(|options| on.start(options));
        all_events.extend(connecting.as_ref().ok().map(linger_client::Connecting::events));
        async move { connecting?.await }
    };
    drop(at_every_await(connect).await??);
    assert!(all_events.len() > PAUSES.len(), "one was not there at once");
    for mut events in all_events {
        // The stream ends with the client.
        while soon(events.next()).await?.is_some() {}
    }
    Ok(())
}

pub async fn notifies_at_every_await<A: Adapter>(on: A) -> Result<()> {
    let (_watching, pool) = connect(&on).await?;
    let name = name("notified");
    let name = name.as_str();
    pool.create(name, false).await?;
    let mut watch = pool.watch(name, WatchOptions::default()).await?;
    soon(watch.live()).await??;
    let received = Mutex::new(Vec::new());
    let listen = async {
        while let Some(event) = watch.next().await {
            if let WatchEvent::Notification(notification) = event {
                let text = String::from_utf8_lossy(&notification.payload).into_owned();
                received.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
                notification.ack("seen")?;
            }
        }
        bail!("the watch ended")
    };
    // Another client, which has no session with the OSD yet.
    let (_cluster, pool) =
        connect_with(&on, |options| options.config.limits.ops_in_flight = IN_FLIGHT).await?;
    let sent = or(notify_at_every_await(&pool, name), listen).await?;
    let received = received.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let missing: Vec<_> = sent.iter().filter(|text| !received.contains(text)).collect();
    assert!(missing.is_empty(), "{missing:?} of {sent:?} did not arrive, but {received:?}");
    all_places_are_free(&pool, name).await
}

/// Drops the futures of notifies; the payloads of those that must have gone out.
async fn notify_at_every_await(pool: &Pool, name: &str) -> Result<Vec<String>> {
    let mut n = 0;
    let mut next = |what: &str| {
        n += 1;
        format!("{what} {n}")
    };
    // The command: one that is dropped may have gone out or not.
    let notify = at_every_await(|| pool.notify(name, next("command"), TIMEOUT)).await??;
    assert!(matches!(soon(notify).await??, NotifyOutcome::Done(_)));

    // Waiting until the OSD has it.
    let mut sent = vec![next("accepted")];
    let mut notify = pool.notify(name, sent[0].clone(), TIMEOUT).await?;
    for times in 0..4 {
        for pause in PAUSES {
            polled(times, pause, notify.accepted()).await;
        }
    }
    assert!(matches!(soon(notify).await??, NotifyOutcome::Done(_)));

    // The outcome: a notify that there is a handle of goes out.
    for times in 0..4 {
        for pause in PAUSES {
            let text = next("outcome");
            sent.push(text.clone());
            polled(times, pause, pool.notify(name, text, TIMEOUT).await?).await;
        }
    }
    // Notifies of one client to one object arrive in order.
    let text = next("last");
    sent.push(text.clone());
    assert!(matches!(soon(pool.notify(name, text, TIMEOUT).await?).await??, NotifyOutcome::Done(_)));
    Ok(sent)
}

pub async fn watches_at_every_await<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    let name = name("watched");
    let name = name.as_str();
    pool.create(name, false).await?;
    let mut watch = at_every_await(|| pool.watch(name, WatchOptions::default())).await??;
    let mut live = None;
    for times in 0..AWAITS {
        if live.is_none() {
            live = soon(polled(times, PAUSES[times % PAUSES.len()], watch.live())).await?;
        }
    }
    let live = live.context("not live")??;
    assert_eq!(soon(next_live(&mut watch)).await??, live.cookie, "its event was not taken by that");

    // Of the watches whose futures were dropped none is left, in time.
    let start = std::time::Instant::now();
    loop {
        let watchers = soon(pool.list_watchers(name)).await??;
        assert!(watchers.iter().any(|one| one.watcher.cookie == live.cookie));
        if watchers.len() == 1 {
            break;
        }
        anyhow::ensure!(start.elapsed() < TIMEOUT, "{watchers:?}");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, []);
    Ok(())
}

/// The cookie of the next event, which is that the watch is live; by futures that are dropped.
async fn next_live(watch: &mut Watch) -> Result<u64> {
    for times in 0..AWAITS {
        for pause in PAUSES {
            match polled(times, pause, watch.next()).await {
                None => {}
                Some(Some(WatchEvent::Live(live))) => return Ok(live.cookie),
                Some(other) => bail!("{other:?}"),
            }
        }
    }
    bail!("no event")
}

pub async fn leaving_at_every_await<A: Adapter>(on: A) -> Result<()> {
    for times in 0..3 {
        for pause in PAUSES {
            let (cluster, pool) = connect(&on).await?;
            let (one, other) = (name("unwatched"), name("closed"));
            let mut watches = Vec::new();
            for name in [&one, &other] {
                pool.create(name.as_str(), false).await?;
                let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
                soon(watch.live()).await??;
                watches.push(watch);
            }
            polled(times, pause, watches.remove(0).unwatch()).await;
            unwatched(&object(&one)).await?;
            polled(times, pause, cluster.close(TIMEOUT)).await;
            if times > 0 {
                unwatched(&object(&other)).await?;
                assert!(matches!(soon(pool.stat(one.as_str())).await?, Err(Error::Closed)));
            } else {
                // It was not polled at all, so nothing was asked for.
                soon(pool.stat(one.as_str())).await??;
            }
        }
    }
    Ok(())
}
