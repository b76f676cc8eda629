//! The whole client: commands, time, connections, and peers that say anything.

mod say;

use arbitrary::{Arbitrary, Unstructured};
use bytes::{Buf, Bytes};
use linger_core::{
    AckToken, Call, CallId, CloseReason, ConnId, Limits, NotifyId, ObjectRef, OnDrop, Output, PoolRef,
    Reregister, WatchEvent, WatchId, WatchOptions, WhenFull,
};
use linger_test_support::maps::{Shape, map};
use linger_test_support::{World, config};
use say::Say;
use std::time::Duration;

/// One thing that happens to a client.
#[derive(Debug, Arbitrary)]
enum Step<'a> {
    /// Time passes, and the client is called at each deadline.
    Pass {
        millis: u16,
    },
    /// Time passes at once, as over a suspend.
    Jump {
        secs: u16,
    },
    /// A call before any deadline, or with a time that ran backwards.
    Early {
        micros: u32,
    },
    Watch {
        object: Object,
        timeout: u8,
        queue: Option<u8>,
        manual: bool,
        silent: bool,
        full: u8,
    },
    Unwatch(u8),
    UnwatchWithin {
        which: u8,
        secs: u8,
    },
    Reregister(u8),
    Flush {
        which: u8,
        token: u8,
    },
    /// The client becomes another one, as after a blocklist.
    RenewIdentity,
    Notify {
        object: Object,
        len: u8,
        timeout: u8,
    },
    Call {
        object: Object,
        kind: u8,
        within: Option<u8>,
    },
    AbandonNotify(u8),
    AbandonCall(u8),
    /// Takes the events of all watches.
    Take,
    Ack {
        which: u8,
        len: Option<u8>,
    },
    Close {
        secs: u8,
    },
    /// OSDs stop answering, or answer again.
    Hold(bool),
    /// The server closes, at once or before it accepted.
    Closed {
        conn: u8,
        why: bool,
    },
    /// The client gets another number at its next login.
    Identity(u8),
    Say {
        conn: u8,
        say: Say<'a>,
    },
}

#[derive(Debug, Arbitrary)]
struct Object {
    pool: u8,
    name: u8,
}

impl Object {
    fn get(&self) -> ObjectRef {
        let pool = match self.pool % 8 {
            0..4 => PoolRef::from("rbd"),
            4 => PoolRef::from("ec"),
            5 => PoolRef::Id(3),
            6 => PoolRef::Id(i64::MIN),
            _ => PoolRef::from("no such"),
        };
        ObjectRef::new(pool, format!("o{}", self.name % 8).as_str())
    }
}

/// What a run has under way.
struct Run {
    world: World,
    watches: Vec<WatchId>,
    notifies: Vec<NotifyId>,
    calls: Vec<CallId>,
    tokens: Vec<AckToken>,
}

/// Steps of one input.
const STEPS: usize = 100;
/// As many things of a kind are remembered.
const KEPT: usize = 64;

/// Anything happens to a client: no panic, it always comes to rest, a second poll gives the same
/// wait, nothing waits to be written that was not announced, and bounds are kept.
pub fn client(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let mut run = Run::new();
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        let Ok(step) = Step::arbitrary(&mut input) else { break };
        run.step(step);
        run.check();
    }
}

fn limits() -> Limits {
    Limits {
        watches: 16,
        ops_in_flight: 16,
        outbox_bytes: 4096,
        front_bytes: 1 << 16,
        data_bytes: 1 << 16,
        notifies_per_watch: 8,
        notify_bytes: 4096,
        backoffs: 8,
        ..Limits::default()
    }
}

fn pick<T>(list: &[T], which: u8) -> Option<&T> {
    list.get(usize::from(which) % list.len().max(1))
}

fn payload(len: u8) -> Bytes {
    Bytes::from(vec![7; usize::from(len) * 16])
}

impl Run {
    fn new() -> Self {
        let mut config = config();
        config.limits = limits();
        let mut world = World::new(config, map(Shape::SMALL));
        world.settle();
        Self { world, watches: vec![], notifies: vec![], calls: vec![], tokens: vec![] }
    }

    fn step(&mut self, step: Step<'_>) {
        let now = self.world.now;
        match step {
            Step::Pass { millis } => self.world.run(Duration::from_millis(millis.into())),
            Step::Jump { secs } => {
                self.world.now = now.saturating_add(Duration::from_secs(secs.into()));
                self.world.client.handle_timeout(self.world.now);
            }
            Step::Early { micros } => {
                self.world.client.handle_timeout(linger_core::Timestamp::from_micros(micros.into()));
            }
            Step::Hold(hold) => self.world.script.hold = hold,
            Step::Identity(id) => self.world.script.global_id = 4100 + u64::from(id),
            Step::Closed { conn, why } => {
                if let Some(conn) = self.conn(conn) {
                    let why = if why { CloseReason::Closed } else { CloseReason::Unreachable };
                    self.world.servers.remove(&conn);
                    self.world.client.handle_closed(now, conn, why);
                }
            }
            Step::Say { conn, say } => {
                if let Some(conn) = self.conn(conn) {
                    say.say(&mut self.world, conn);
                }
            }
            command => self.command(command),
        }
        self.world.settle();
        self.world.events.clear();
    }

    /// A connection; now and then one that is gone.
    fn conn(&self, which: u8) -> Option<ConnId> {
        let all: Vec<ConnId> = self.world.servers.keys().chain(self.world.dead.last()).copied().collect();
        pick(&all, which).copied()
    }

    fn command(&mut self, command: Step<'_>) {
        let (client, now) = (&mut self.world.client, self.world.now);
        match command {
            Step::Watch { object, timeout, queue, manual, silent, full } => {
                let opts = WatchOptions {
                    timeout: Duration::from_secs(timeout.into()),
                    reregister: if manual { Reregister::Manual } else { Reregister::Automatic },
                    queue: queue.map(usize::from),
                    on_drop: if silent { OnDrop::Silent } else { OnDrop::AckEmpty },
                    when_full: match full % 4 {
                        0 => WhenFull::KeepOldest,
                        1 => WhenFull::KeepNewest,
                        2 => WhenFull::Coalesce,
                        _ => WhenFull::Close,
                    },
                    ..WatchOptions::default()
                };
                keep(&mut self.watches, client.watch(now, object.get(), opts).ok());
            }
            Step::Unwatch(which) => {
                let _ = pick(&self.watches, which).map(|watch| client.unwatch(now, *watch));
            }
            Step::UnwatchWithin { which, secs } => {
                let within = Duration::from_secs(secs.into());
                let _ = pick(&self.watches, which).map(|watch| client.unwatch_within(now, *watch, within));
            }
            Step::Flush { which, token } => {
                let _ = pick(&self.watches, which).map(|watch| client.flush(now, *watch, token.into()));
            }
            Step::RenewIdentity => _ = client.renew_identity(now),
            Step::Reregister(which) => {
                let _ = pick(&self.watches, which).map(|watch| client.reregister(now, *watch));
            }
            Step::Notify { object, len, timeout } => {
                let timeout = Duration::from_secs(timeout.into());
                keep(&mut self.notifies, client.notify(now, object.get(), payload(len), timeout).ok());
            }
            Step::Call { object, kind, within } => {
                let call = call_of(kind);
                let within = within.map(|secs| Duration::from_secs(secs.into()));
                keep(&mut self.calls, client.call(now, object.get(), call, within).ok());
            }
            Step::AbandonNotify(which) => {
                if let Some(id) = pick(&self.notifies, which) {
                    client.abandon_notify(now, *id);
                }
            }
            Step::AbandonCall(which) => {
                if let Some(id) = pick(&self.calls, which) {
                    client.abandon_call(now, *id);
                }
            }
            Step::Take => self.take(),
            Step::Ack { which, len } if !self.tokens.is_empty() => {
                let token = self.tokens.swap_remove(usize::from(which) % self.tokens.len());
                let _ = match len {
                    Some(len) => client.ack(now, token, payload(len)),
                    None => client.decline(now, token),
                };
            }
            Step::Close { secs } => client.close(now, Duration::from_secs(secs.into())),
            _ => {}
        }
    }

    fn take(&mut self) {
        for watch in &self.watches {
            while let Some(event) = self.world.client.next(*watch) {
                if let WatchEvent::Notify(notify) = event
                    && self.tokens.len() < KEPT
                {
                    self.tokens.push(notify.token);
                }
            }
        }
    }

    fn check(&mut self) {
        let World { client, servers, deadline, now, .. } = &mut self.world;
        match client.poll_output() {
            Output::Wait(again) => assert_eq!(again, *deadline, "the same wait"),
            other => panic!("output after Wait: {other:?}"),
        }
        for conn in servers.keys() {
            assert_eq!(client.outbox(*conn).remaining(), 0, "bytes wait and nobody was told");
        }
        let totals = client.totals(*now);
        assert!(totals.live + totals.deaf <= client.watches() && totals.pings.min <= totals.pings.max);
        for watch in &self.watches {
            if let Some(status) = client.status(*now, *watch) {
                assert_eq!(status.is_live, status.deaf_for.is_none());
                assert!(!status.is_live || status.lease_left > Duration::ZERO, "live beyond its lease");
            }
        }
        // Watches that have ended keep their last events until these are taken.
        assert!(client.watches() <= 16, "more watches than the limit");
    }
}

fn keep<T>(list: &mut Vec<T>, item: Option<T>) {
    if list.len() >= KEPT {
        list.remove(0);
    }
    list.extend(item);
}

fn call_of(kind: u8) -> Call {
    match kind % 8 {
        0 => Call::Create { exclusive: kind > 127 },
        1 => Call::WriteFull(payload(kind)),
        2 => Call::Read { offset: 0, len: u64::from(kind) },
        3 => Call::Stat,
        4 => Call::Remove,
        5 => Call::ListWatchers,
        _ => Call::AwaitUnwatched { but_me: kind > 127 },
    }
}
