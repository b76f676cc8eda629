//! Every future of the adapter is dropped at each of its awaits, on a real cluster: nothing is lost, nothing leaks, and
//! what is asked for after it is done.

mod executor;

use anyhow::{Result, bail, ensure};
use embassy_executor::Spawner;
use executor::Host;
use futures_lite::future::or;
use futures_util::future::try_join_all;
use linger_adapter_tests::awaits::{AWAITS, IN_FLIGHT, PAUSES, at_every_await, polled};
use linger_adapter_tests::support::{POOL, builder, name, shared_pool, soon};
use linger_adapter_tests::testbed::need_cluster;
use linger_embassy::{
    Call, CallOutput, Cluster, Config, NotifyOutcome, ObjectRef, Runner, Watch, WatchEvent, WatchOptions,
};
use std::cell::RefCell;
use std::sync::mpsc::Sender;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn every_future_is_dropped_at_every_await() -> Result<()> {
    need_cluster!(Ok(()));
    shared_pool()?;
    let mut config = Config::try_from(&builder().build()?)?;
    config.limits.ops_in_flight = IN_FLIGHT;
    executor::run(config, begin)
}

fn begin(spawner: Spawner, cluster: Cluster, runner: Runner<Host, Host>, done: Sender<Result<()>>) {
    spawner.spawn(drive(runner).expect("spawned once"));
    spawner.spawn(test(cluster, done).expect("spawned once"));
}

#[embassy_executor::task]
async fn drive(runner: Runner<Host, Host>) {
    runner.run().await;
}

#[embassy_executor::task]
async fn test(cluster: Cluster, done: Sender<Result<()>>) {
    let _ = done.send(all(cluster).await);
}

async fn all(cluster: Cluster) -> Result<()> {
    at_every_await(|| cluster.connected()).await??;
    let object = ObjectRef::new(POOL, name("embassy").as_str());
    calls(&cluster, &object).await?;
    let mut watch = cluster.watch(object.clone(), WatchOptions::default())?;
    next_live(&mut watch).await?;
    notifies(&cluster, &object, &mut watch).await?;
    leaving(cluster, &object, watch).await
}

async fn call(cluster: &Cluster, object: &ObjectRef, call: Call) -> Result<CallOutput> {
    Ok(cluster.call(object.clone(), call, Some(TIMEOUT)).await?.await?)
}

async fn calls(cluster: &Cluster, object: &ObjectRef) -> Result<()> {
    at_every_await(|| call(cluster, object, Call::Create { exclusive: false })).await??;
    at_every_await(|| call(cluster, object, Call::WriteFull("content".into()))).await??;
    let read = at_every_await(|| call(cluster, object, Call::Read { offset: 0, len: 0 })).await??;
    ensure!(matches!(read, CallOutput::Data { data, .. } if data == "content"));
    all_places_are_free(cluster, object).await
}

/// More calls than may be in flight are all carried out.
async fn all_places_are_free(cluster: &Cluster, object: &ObjectRef) -> Result<()> {
    soon(try_join_all((0..2 * IN_FLIGHT).map(|_| call(cluster, object, Call::Stat)))).await??;
    Ok(())
}

/// The next event, which must be that the watch is live, by futures that are dropped.
async fn next_live(watch: &mut Watch) -> Result<()> {
    for times in 0..AWAITS {
        for pause in PAUSES {
            match polled(times, pause, watch.next()).await {
                None => {}
                Some(Some(WatchEvent::Live(_))) => return Ok(()),
                Some(other) => bail!("{other:?}"),
            }
        }
    }
    bail!("no event")
}

/// Notifies that were asked for and whose futures were dropped come all the same, in order.
async fn notifies(cluster: &Cluster, object: &ObjectRef, watch: &mut Watch) -> Result<()> {
    let received = RefCell::new(Vec::new());
    let listen = async {
        while let Some(event) = watch.next().await {
            if let WatchEvent::Notify(notify) = event {
                received.borrow_mut().push(String::from_utf8_lossy(&notify.payload).into_owned());
                watch.ack(notify.token, "seen")?;
            }
        }
        bail!("the watch ended")
    };
    let send = async {
        let mut sent = Vec::new();
        for times in 0..4 {
            for pause in PAUSES {
                sent.push(format!("outcome {}", sent.len()));
                let notify = cluster.notify(object.clone(), sent[sent.len() - 1].clone(), TIMEOUT);
                polled(times, pause, soon(notify).await??).await;
            }
        }
        let notify = at_every_await(|| cluster.notify(object.clone(), "last", TIMEOUT)).await??;
        ensure!(matches!(soon(notify).await?, NotifyOutcome::Done(_)));
        Ok(sent)
    };
    let sent = or(send, listen).await?;
    let received = received.into_inner();
    let missing: Vec<_> = sent.iter().filter(|text| !received.contains(text)).collect();
    ensure!(missing.is_empty(), "{missing:?} did not arrive, but {received:?}");
    all_places_are_free(cluster, object).await
}

/// An unwatch whose future is dropped goes on, and so does the end of all.
async fn leaving(cluster: Cluster, object: &ObjectRef, watch: Watch) -> Result<()> {
    drop(watch);
    for times in 0..3 {
        for pause in PAUSES {
            let mut watch = cluster.watch(object.clone(), WatchOptions::default())?;
            next_live(&mut watch).await?;
            polled(times, pause, watch.unwatch()).await;
        }
    }
    let left = soon(call(&cluster, object, Call::AwaitUnwatched { but_me: false })).await??;
    ensure!(matches!(&left, CallOutput::Watchers(left) if left.is_empty()), "{left:?}");
    ensure!(at_every_await(|| cluster.close(TIMEOUT)).await?.is_empty());
    ensure!(call(&cluster, object, Call::Stat).await.is_err(), "it is closed");
    Ok(())
}
