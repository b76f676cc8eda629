//! What a client can be asked: how a watch stands, whether all was taken, who watches, what happened so far.

use crate::support::{Sim, config, millis, object, secs, watching};
use linger_core::{
    Call, CallId, CallOutput, CommandError, Event, LossCause, OpError, WatchEvent, WatchOptions,
};
use linger_wire::errno::{ENOENT, ENOTCONN};
use linger_wire::msg::{OpResult, Watcher, WatcherList};
use linger_wire::{AddrType, Encode, EntityAddr, EntityName};

#[test]
fn a_watch_says_how_it_stands() {
    let mut sim = Sim::connected();
    sim.hold = vec!["watch", "ping"];
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.run(secs(2));
    let status = sim.client.status(sim.now, watch).unwrap();
    assert!(!status.is_live && status.generation.is_none());
    assert_eq!((status.deaf_for, status.lease_left), (Some(secs(2)), secs(0)));

    sim.answer("watch", 0);
    sim.live(watch);
    let osd = sim.primary(&object("obj"));
    let status = sim.client.status(sim.now, watch).unwrap();
    assert!(status.is_live && status.deaf_for.is_none());
    assert_eq!((status.generation, status.osd, status.cookie), (Some(0), Some(osd), 1));
    // Proved as of when the request was encoded, two seconds ago.
    assert_eq!((status.age, status.lease_left), (secs(2), secs(28)));

    sim.run(secs(10));
    let status = sim.client.status(sim.now, watch).unwrap();
    assert_eq!((status.age, status.lease_left), (secs(12), secs(18)));
    sim.answer("ping", 0);
    let status = sim.client.status(sim.now, watch).unwrap();
    assert!(status.age < secs(9) && status.lease_left > secs(21), "{status:?}");
    // Asking needs no input before it.
    let later = sim.now.saturating_add(secs(5));
    assert_eq!(sim.client.status(later, watch).unwrap().age, status.age + secs(5));

    sim.client.unwatch(sim.now, watch).unwrap();
    sim.settle();
    assert_eq!(sim.client.status(sim.now, watch), None);
}

#[test]
fn who_takes_no_events_is_told_so_by_the_age() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.lazy = true;
    sim.notify(osd, 1, 5, b"unread");
    sim.run(secs(20));
    let status = sim.client.status(sim.now, watch).unwrap();
    assert_eq!((status.is_live, status.queued), (true, 1));
    assert_eq!(status.age, secs(20), "as old as the oldest event");
    assert!(status.lease_left > secs(20), "pings are confirmed all the same");
    while sim.client.next(watch).is_some() {}
    assert!(sim.client.status(sim.now, watch).unwrap().age < secs(6));
}

#[test]
fn a_flush_ends_when_all_before_it_is_taken() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    sim.lazy = true;
    sim.notify(osd, 1, 5, b"one");
    sim.settle();
    sim.client.flush(sim.now, watch, 77).unwrap();
    sim.notify(osd, 1, 6, b"two");
    sim.settle();
    let ids = |event| match event {
        Some(WatchEvent::Notify(notify)) => notify.notify_id,
        Some(WatchEvent::Flushed { token }) => token,
        other => panic!("{other:?}"),
    };
    assert_eq!([0; 3].map(|_| ids(sim.client.next(watch))), [5, 77, 6]);
    assert!(sim.client.next(watch).is_none());

    // With nothing before it, it comes at once, and is announced.
    sim.client.flush(sim.now, watch, 78).unwrap();
    sim.settle();
    assert!(matches!(sim.events.back(), Some(Event::Readable(id)) if *id == watch));
    assert_eq!(ids(sim.client.next(watch)), 78);

    for token in 0..256 {
        sim.client.flush(sim.now, watch, token).unwrap();
    }
    assert_eq!(sim.client.flush(sim.now, watch, 256), Err(CommandError::Busy));
    while sim.client.next(watch).is_some() {}
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.settle();
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Closed)));
    assert_eq!(sim.client.flush(sim.now, watch, 1), Err(CommandError::Unknown));
}

/// Nothing comes after `Closed`, so nothing is promised to.
#[test]
fn an_ended_watch_is_not_flushed_though_its_events_wait() {
    let (mut sim, watch) = watching();
    sim.lazy = true;
    sim.client.flush(sim.now, watch, 1).unwrap();
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.client.flush(sim.now, watch, 2).unwrap();
    sim.settle();
    assert_eq!(sim.client.flush(sim.now, watch, 3), Err(CommandError::Unknown));
    for token in [1, 2] {
        assert!(matches!(sim.client.next(watch), Some(WatchEvent::Flushed { token: t }) if t == token));
    }
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Closed)));
}

#[test]
fn totals_add_up() {
    let (mut sim, watch) = watching();
    let osd = sim.primary(&object("obj"));
    let before = sim.client.totals(sim.now);
    assert_eq!((before.live, before.deaf, before.went_live), (1, 0, 1));

    sim.notify(osd, 1, 5, b"once");
    sim.notify(osd, 1, 5, b"once");
    sim.run(secs(11));
    let to = sim.other(&object("obj"));
    sim.move_to(&object("obj"), &[to]);
    sim.reset(crate::support::Who::Osd(to));
    sim.run(secs(1));
    (0..3).for_each(|_| sim.stage(|_| {}));
    sim.oldest = sim.map.epoch;
    sim.publish();
    sim.settle();

    sim.hold = vec!["watch"];
    sim.disconnect(sim.primary(&object("obj")), 1);
    sim.run(secs(3));
    let deaf = sim.client.totals(sim.now);
    assert_eq!((deaf.live, deaf.deaf, deaf.losses.of(LossCause::Disconnected)), (0, 1, 1));
    assert!(deaf.deaf_for >= secs(3), "{deaf:?}");
    sim.answer("watch", 0);

    let after = sim.client.totals(sim.now);
    assert_eq!((after.live, after.deaf, after.went_live), (1, 0, 5));
    assert!(after.deaf_for >= deaf.deaf_for && after.deaf_for < deaf.deaf_for + secs(1));
    let reconnects = after.reconnects;
    assert_eq!((reconnects.interval, reconnects.reset, reconnects.skipped), (1, 1, 1));
    assert_eq!((after.notifies, after.duplicates, after.shed), (1, 1, 0));
    assert_eq!(after.losses.all(), 1);
    assert!(after.pings.count >= 2 && after.pings.max == after.pings.min);
    assert_eq!(sim.client.status(sim.now, watch).unwrap().queued, 0);
}

#[test]
fn an_unwatch_can_have_a_deadline() {
    let (mut sim, watch) = watching();
    sim.hold = vec!["unwatch"];
    sim.client.unwatch(sim.now, watch).unwrap();
    sim.run(secs(100));
    sim.quiet();
    // A deadline can be given later, too.
    sim.client.unwatch_within(sim.now, watch, secs(2)).unwrap();
    sim.run(millis(1900));
    sim.quiet();
    sim.run(millis(200));
    let Some(WatchEvent::LeftBehind(left)) = sim.next(watch) else { panic!("{:?}", sim.news) };
    assert_eq!((left.cookie, left.gone_within, left.object.name), (1, secs(30), "obj".into()));
    sim.closed(watch);
    assert_eq!(sim.client.unwatch_within(sim.now, watch, secs(1)), Err(CommandError::Unknown));

    // Confirmed in time, nothing is left.
    let second = sim.client.watch(sim.now, object("two"), WatchOptions::default()).unwrap();
    sim.settle();
    sim.live(second);
    sim.hold.clear();
    sim.client.unwatch_within(sim.now, second, secs(2)).unwrap();
    sim.settle();
    sim.closed(second);
}

#[test]
fn an_unwatch_without_a_map_is_over_at_once() {
    let mut sim = Sim::new(config(1));
    let watch = sim.client.watch(sim.now, object("obj"), WatchOptions::default()).unwrap();
    sim.client.unwatch_within(sim.now, watch, secs(2)).unwrap();
    assert!(matches!(sim.client.next(watch), Some(WatchEvent::Closed)));
}

fn watcher(client: u64) -> Watcher {
    let addr = EntityAddr { kind: AddrType::ANY, nonce: 1, sock: None };
    Watcher { name: EntityName::client(client), cookie: 1, timeout: 30, addr }
}

impl Sim {
    fn watched_by(&mut self, clients: &[u64]) {
        let list = WatcherList(clients.iter().copied().map(watcher).collect());
        let mut output = bytes::BytesMut::new();
        list.encode(&mut output);
        let request = self.take("list");
        let action = request.op.ops[0].clone();
        self.reply_with(&request, |reply| {
            reply.ops = vec![OpResult { op: action, output: output.freeze(), ..reply.ops[0].clone() }];
        });
        self.settle();
    }

    fn called(&mut self, call: CallId) -> Option<Result<CallOutput, OpError>> {
        let at = self
            .events
            .iter()
            .position(|event| matches!(event, Event::CallDone { id, .. } if *id == call))?;
        match self.events.remove(at) {
            Some(Event::CallDone { result, .. }) => Some(result),
            _ => None,
        }
    }

    fn await_unwatched(&mut self, but_me: bool, within: u64) -> CallId {
        self.hold = vec!["list"];
        let call = Call::AwaitUnwatched { but_me };
        let call = self.client.call(self.now, object("obj"), call, Some(secs(within))).unwrap();
        self.settle();
        call
    }
}

#[test]
fn one_can_wait_until_nobody_watches() {
    let mut sim = Sim::connected();
    let call = sim.await_unwatched(false, 60);
    sim.watched_by(&[4100, 9000]);
    assert!(sim.held.is_empty(), "not at once again");
    sim.run(millis(100));
    sim.watched_by(&[4100]);
    sim.run(millis(100));
    assert!(sim.held.is_empty(), "the next look comes later");
    sim.run(millis(100));
    sim.watched_by(&[]);
    assert_eq!(sim.called(call), Some(Ok(CallOutput::Watchers(vec![]))));
    assert!(sim.client.is_me(EntityName::client(4100)) && !sim.client.is_me(EntityName::client(9000)));

    let call = sim.await_unwatched(true, 60);
    sim.watched_by(&[4100]);
    assert_eq!(sim.called(call), Some(Ok(CallOutput::Watchers(vec![]))), "but me");

    let call = sim.await_unwatched(false, 60);
    sim.answer("list", -ENOENT);
    assert_eq!(sim.called(call), Some(Ok(CallOutput::Watchers(vec![]))), "no object, no watcher");

    let call = sim.await_unwatched(false, 60);
    sim.answer("list", -ENOTCONN);
    assert_eq!(sim.called(call), Some(Err(OpError::Errno(ENOTCONN))));
}

#[test]
fn waiting_until_nobody_watches_ends_at_its_deadline() {
    let mut sim = Sim::connected();
    let call = sim.await_unwatched(false, 1);
    sim.watched_by(&[9000]);
    sim.run(secs(2));
    assert_eq!(sim.called(call), Some(Ok(CallOutput::Watchers(vec![watcher(9000)]))), "who is left");
    let call = sim.await_unwatched(false, 1);
    sim.run(secs(2));
    assert_eq!(sim.called(call), Some(Err(OpError::DeadlinePassed)), "nobody answered");
}
