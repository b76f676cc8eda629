//! Watches and notifies, both ways round.

use crate::Adapter;
use crate::support::{connect, name, notification, object, rados, soon};
use anyhow::{Context, Result};
use blocking::unblock;
use linger_client::{NotifyOutcome, OnDrop, WatchEvent, WatchOptions};
use linger_testbed::{PoolKind, shared};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

pub async fn a_watch_gets_what_ceph_notifies_and_ceph_gets_its_ack<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    let (name, theirs) = (name("watched"), rados()?);
    pool.create(name.as_str(), false).await?;
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    let live = soon(watch.live()).await??;
    assert!(watch.is_live());
    assert_eq!((live.generation, live.global_id), (0, cluster.global_id()));
    assert_eq!(watch.cookie(), Some(live.cookie));

    let watchers = shared().list_watchers(&object(&name))?;
    let ids: Vec<_> = watchers.iter().map(|watcher| (watcher.client, watcher.cookie)).collect();
    assert_eq!(ids, [(cluster.global_id(), live.cookie)]);

    let (there, of) = (theirs.clone(), object(&name));
    let report = unblock(move || there.notify(&of, b"hello", TIMEOUT));
    let notification = notification(&mut watch).await?;
    assert_eq!(notification.payload, "hello");
    assert_eq!(notification.from.to_string(), format!("client.{}", theirs.notifier_id()?));
    notification.ack("hello yourself")?;
    let report = soon(report).await??;
    assert_eq!(report.errno, 0);
    let acks: Vec<_> = report.acks.iter().map(|ack| (ack.client, ack.cookie, &ack.data[..])).collect();
    assert_eq!(acks, [(cluster.global_id(), live.cookie, &b"hello yourself"[..])]);
    soon(watch.unwatch()).await??;
    assert!(shared().list_watchers(&object(&name))?.is_empty());
    assert_eq!(soon(cluster.close(TIMEOUT)).await??, []);
    Ok(())
}

pub async fn ceph_gets_what_is_notified_and_its_ack_is_in_the_report<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    let (name, theirs) = (name("notified"), shared().rados()?);
    pool.create(name.as_str(), false).await?;
    let watch = theirs.watch(&object(&name), b"seen")?;
    let mut notify = pool.notify(name.as_str(), "news", TIMEOUT).await?;
    let accepted = soon(notify.accepted()).await?;
    let NotifyOutcome::Done(report) = soon(notify).await?? else { panic!("not done") };
    assert!(accepted.is_none_or(|id| id == report.notify_id));
    assert_eq!(report.watchers.missed, []);
    let [ack] = &report.watchers.acks[..] else { panic!("{report:?}") };
    assert_eq!((ack.watcher.client, ack.watcher.cookie), (theirs.instance_id()?, watch.cookie));
    assert_eq!(ack.reply, "seen");
    let seen = theirs.event(TIMEOUT)?;
    let Some(linger_testbed::Event::Notify { notifier, data, .. }) = seen else { panic!("{seen:?}") };
    assert_eq!((notifier, &data[..]), (cluster.global_id(), &b"news"[..]));

    let watchers = pool.list_watchers(name.as_str()).await?;
    let ids: Vec<_> = watchers.iter().map(|one| (one.watcher.name.to_string(), one.watcher.cookie)).collect();
    assert_eq!(ids, [(format!("client.{}", theirs.instance_id()?), watch.cookie)]);
    Ok(())
}

pub async fn in_a_namespace_and_by_a_locator_key<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    let (name, theirs) = (name("placed"), rados()?);
    let pool = pool.namespace("tenant").key("elsewhere");
    let of = object(&name).namespace("tenant").key("elsewhere");
    pool.write_full(name.as_str(), "x").await?;
    assert_eq!(theirs.read(&of)?, b"x");
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    let live = soon(watch.live()).await??;
    let (there, target) = (theirs.clone(), of.clone());
    let report = unblock(move || there.notify(&target, b"in here", TIMEOUT));
    let notification = notification(&mut watch).await?;
    assert_eq!(notification.payload, "in here");
    drop(notification);
    let report = soon(report).await??;
    assert_eq!((report.acks.len(), report.acks[0].cookie), (1, live.cookie));
    let ours = cluster.pool(crate::support::POOL);
    assert_eq!(ours.stat(name.as_str()).await.unwrap_err().errno(), Some(2), "not outside of it");
    Ok(())
}

pub async fn in_an_erasure_coded_pool<A: Adapter>(on: A) -> Result<()> {
    let (cluster, _) = connect(&on).await?;
    let erasure = shared().pool("linger-adapters-ec", PoolKind::Erasure, 8)?;
    let (pool, name) = (cluster.pool(erasure.name.as_str()), name("erasure"));
    pool.write_full(name.as_str(), "coded").await?;
    assert_eq!(pool.read(name.as_str(), 0, 0).await?.data, "coded");
    let mut watch = pool.watch(name.as_str(), WatchOptions::default()).await?;
    let live = soon(watch.live()).await??;
    let theirs = rados()?;
    let of = erasure.object(name.as_str());
    let report = unblock(move || theirs.notify(&of, b"from ceph", TIMEOUT));
    let received = notification(&mut watch).await?;
    assert_eq!(received.payload, "from ceph");
    received.ack("to ceph")?;
    let report = soon(report).await??;
    assert_eq!((report.acks.len(), report.acks[0].cookie), (1, live.cookie));
    let notify = pool.notify(name.as_str(), "to myself", TIMEOUT).await?;
    drop(notification(&mut watch).await?);
    assert!(matches!(soon(notify).await??, NotifyOutcome::Done(_)));
    Ok(())
}

pub async fn what_is_not_answered_is_acked_or_missed_as_asked<A: Adapter>(on: A) -> Result<()> {
    let (cluster, pool) = connect(&on).await?;
    for (silent, decline) in [(false, false), (true, false), (false, true)] {
        let name = name("unanswered");
        pool.create(name.as_str(), false).await?;
        let on_drop = if silent { OnDrop::Silent } else { OnDrop::AckEmpty };
        let options = WatchOptions { on_drop, ..WatchOptions::default() };
        let mut watch = pool.watch(name.as_str(), options).await?;
        let live = soon(watch.live()).await??;
        let notify = pool.notify(name.as_str(), "?", Duration::from_secs(1)).await?;
        let notification = notification(&mut watch).await?;
        if decline {
            notification.decline();
        } else {
            drop(notification);
        }
        let me = (cluster.global_id(), live.cookie);
        match soon(notify).await?? {
            NotifyOutcome::Done(report) if !silent && !decline => {
                let [ack] = &report.watchers.acks[..] else { panic!("{report:?}") };
                assert_eq!((ack.watcher.client, ack.watcher.cookie, ack.reply.len()), (me.0, me.1, 0));
            }
            NotifyOutcome::TimedOut(report) if silent || decline => {
                let [missed] = &report.watchers.missed[..] else { panic!("{report:?}") };
                assert_eq!((missed.client, missed.cookie), me);
            }
            other => panic!("{other:?} for silent {silent}, declined {decline}"),
        }
    }
    Ok(())
}

pub async fn a_watch_that_is_not_read_sheds_and_holds_up_no_other<A: Adapter>(on: A) -> Result<()> {
    const COUNT: u64 = 40;
    let (_cluster, pool) = connect(&on).await?;
    let (slow, quick) = (name("slow"), name("quick"));
    let mut watches = Vec::new();
    for name in [&slow, &quick] {
        pool.create(name.as_str(), false).await?;
        let options = WatchOptions { queue: Some(2), ..WatchOptions::default() };
        let mut watch = pool.watch(name.as_str(), options).await?;
        soon(watch.live()).await??;
        watches.push(watch);
    }
    let (mut read, mut unread) = (watches.pop().context("two")?, watches.pop().context("two")?);
    let mut notifies = Vec::new();
    for n in 0..COUNT {
        let mut notify = pool.notify(slow.as_str(), n.to_string(), TIMEOUT).await?;
        soon(notify.accepted()).await?;
        notifies.push(notify);
    }
    for n in 0..5 {
        let notify = pool.notify(quick.as_str(), n.to_string(), TIMEOUT).await?;
        assert_eq!(notification(&mut read).await?.payload, n.to_string());
        assert!(matches!(soon(notify).await??, NotifyOutcome::Done(_)));
    }
    let (mut seen, mut lost) = (Vec::new(), 0);
    while seen.len() as u64 + lost < COUNT {
        match soon(unread.next()).await?.context("ended")? {
            WatchEvent::Notification(notification) => seen.push(notification.payload.clone()),
            WatchEvent::Overflow { lost: more } => lost += more,
            WatchEvent::Live(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(seen.len() <= 4, "two queued, two on their way: {seen:?}");
    assert_eq!(seen[0], "0", "the oldest are kept");
    for notify in notifies {
        assert!(matches!(soon(notify).await??, NotifyOutcome::Done(_)), "shed ones are acked too");
    }
    Ok(())
}
