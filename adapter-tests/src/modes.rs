//! Connection modes, as client and cluster negotiate them.

use crate::Adapter;
use crate::support::{self, POOL, name, notification, rados, soon};
use anyhow::{Context, Result, ensure};
use linger_client::{AuthError, ClusterEvent, ConfigError, ConnFault, Error, Events, LinkMode, WatchOptions};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// Waits for the sessions with a monitor and an OSD, which must come without a fault.
async fn modes(events: &mut Events) -> Result<(LinkMode, LinkMode)> {
    let (mut mon, mut osd) = (None, None);
    while mon.is_none() || osd.is_none() {
        match soon(events.next()).await?.context("no more events")? {
            ClusterEvent::MonUp { mode, .. } => mon = Some(mode),
            ClusterEvent::OsdUp { mode, .. } => osd = Some(mode),
            // Other monitors are dialled at once, too.
            ClusterEvent::MonFault { permanent: false, .. } => {}
            other => anyhow::bail!("{other}"),
        }
    }
    mon.zip(osd).context("no sessions")
}

pub async fn the_first_mode_of_the_list_that_the_cluster_allows_is_taken<A: Adapter>(on: A) -> Result<()> {
    support::shared_pool()?;
    use LinkMode::{Crc, Secure, V1};
    for (mon_list, list, expected) in [
        ("secure crc", "crc secure", (Secure, Crc)),
        ("crc secure", "secure crc", (Crc, Secure)),
        ("secure", "secure", (Secure, Secure)),
        ("crc", "crc", (Crc, Crc)),
    ] {
        let settings =
            support::builder().option("ms_mon_client_mode", mon_list).option("ms_client_mode", list);
        let settings = settings.build()?;
        let v1 = settings.mon_host.as_ref().is_some_and(|mons| !mons.to_string().contains("v2:"));
        let cluster = match on.connect(settings).await {
            Ok(cluster) => cluster,
            // A cluster of the matrix that has one mode only, or no keys, or no msgr2.
            Err(Error::Config(ConfigError::NoMode)) => continue,
            Err(Error::Config(ConfigError::NoV2Monitor)) if v1 => continue,
            Err(Error::Connect(error)) if refuses_modes(error.last.as_ref()) => continue,
            Err(error) => return Err(error.into()),
        };
        let (mut events, pool, name) = (cluster.events(), cluster.pool(POOL), name("mode"));
        pool.create(name.as_str(), true).await?;
        let got = soon(modes(&mut events)).await??;
        let met = got == expected || only(mon_list, list, got);
        assert!(if v1 { got == (V1, V1) } else { met }, "{mon_list}; {list}: {got:?}");

        let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
        soon(watch.live()).await??;
        let (rados, object) = (rados()?, support::object(&name));
        let payload: Vec<u8> = (0..70_000u32).map(|n| n as u8).collect();
        let answer = std::thread::spawn({
            let payload = payload.clone();
            move || rados.notify(&object, &payload, TIMEOUT)
        });
        let notify = notification(&mut watch).await?;
        assert_eq!(notify.payload, payload);
        notify.ack(payload.clone())?;
        let report = answer.join().expect("no panic")?;
        ensure!(report.acks.len() == 1 && report.acks[0].data == payload, "{} acks", report.acks.len());
        pool.write_full(name.as_str(), payload.clone()).await?;
        assert_eq!(pool.read(name.as_str(), 0, 0).await?.data, payload);
        pool.remove(name.as_str()).await?;
        cluster.close(TIMEOUT).await?;
    }
    Ok(())
}

/// Whether it is what a cluster that allows nothing else would choose.
fn only(mon_list: &str, list: &str, (mon, osd): (LinkMode, LinkMode)) -> bool {
    mon == osd && mon_list.contains(mon.name()) && list.contains(osd.name())
}

fn refuses_modes(last: Option<&ClusterEvent>) -> bool {
    let auth = |fault: &ConnFault| matches!(fault, ConnFault::Auth(AuthError::ModesRefused { .. }));
    matches!(last, Some(ClusterEvent::MonFault { fault, permanent: true, .. }) if auth(fault))
}
