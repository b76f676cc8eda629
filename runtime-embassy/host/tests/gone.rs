//! The runner is dropped, on a cluster in memory: whoever waits is told so, and what is left behind.

mod executor;

use anyhow::{Result, ensure};
use executor::Host;
use futures_lite::future::{or, poll_once};
use linger_adapter_tests::support::soon;
use linger_client::config::Settings;
use linger_embassy::{
    Call, Cluster, CommandError, Config, ObjectRef, OpError, Runner, WatchEvent, WatchOptions,
};
use linger_mini_cluster::MiniCluster;
use std::pin::pin;
use std::sync::mpsc::Sender;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);
const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_runner_that_is_dropped_leaves_nobody_waiting() -> Result<()> {
    run(false)
}

#[test]
fn a_close_under_way_ends_with_the_runner() -> Result<()> {
    run(true)
}

fn run(closing: bool) -> Result<()> {
    let mini = MiniCluster::builder().osds(1).start()?;
    let settings =
        Settings::builder().mon_host(format!("v2:{}", mini.mon())).key(mini.admin_key()).build()?;
    let mut config = Config::try_from(&settings)?;
    config.limits.ops_in_flight = 1;
    executor::run(config, move |spawner, cluster, runner, done| {
        let task = test(mini, cluster, runner, closing, done);
        spawner.spawn(task.expect("one for each test"));
    })
}

/// One for each test of this process.
#[embassy_executor::task(pool_size = 2)]
async fn test(
    mini: MiniCluster,
    cluster: Cluster,
    runner: Runner<Host, Host>,
    closing: bool,
    done: Sender<Result<()>>,
) {
    let _ = done.send(all(mini, cluster, runner, closing).await);
}

async fn all(mini: MiniCluster, cluster: Cluster, runner: Runner<Host, Host>, closing: bool) -> Result<()> {
    let object = ObjectRef::new("rbd", "left");
    let mut notifying = pin!(cluster.notify(object.clone(), "no room", TIMEOUT));
    let user = async {
        cluster.call(object.clone(), Call::Create { exclusive: false }, Some(TIMEOUT)).await?.await?;
        let mut watch = cluster.watch(object.clone(), WatchOptions::default())?;
        let live = watch.next().await;
        ensure!(matches!(live, Some(WatchEvent::Live(_))), "{live:?}");
        mini.with(|servers, now| servers.pause(now, 0));
        let stat = cluster.call(object.clone(), Call::Stat, None).await?;
        ensure!(poll_once(notifying.as_mut()).await.is_none(), "the call takes the only place");
        if closing {
            ensure!(poll_once(pin!(cluster.close(HOUR))).await.is_none(), "the OSD does not answer");
        }
        Ok((watch, stat))
    };
    let driven = async {
        runner.run().await;
        Err(anyhow::anyhow!("the runner ended"))
    };
    let (mut watch, stat) = soon(or(user, driven)).await??;
    // The runner is gone now.
    ensure!(matches!(soon(notifying).await?, Err(CommandError::Closing)));
    ensure!(matches!(soon(stat).await?, Err(OpError::Closed)));
    let left = soon(cluster.close(TIMEOUT)).await?;
    ensure!(left.len() == 1 && left[0].object.name == object.name, "{left:?}");
    let events = [soon(watch.next()).await?, soon(watch.next()).await?, soon(watch.next()).await?];
    let [Some(WatchEvent::LeftBehind(behind)), Some(WatchEvent::Closed), None] = &events else {
        anyhow::bail!("{events:?}");
    };
    ensure!(*behind == left[0]);
    ensure!(cluster.watch(object, WatchOptions::default()).is_err());
    Ok(())
}
