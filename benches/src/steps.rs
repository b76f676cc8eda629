//! Steps of a client that is connected to a cluster of one OSD.

use bytes::{Buf, Bytes};
use linger_core::{Client, ConnId, Event, Live, ObjectRef, Output, WatchEvent, WatchOptions};
use linger_test_support::maps::Shape;
use linger_test_support::{Who, World, watch_notify};
use linger_wire::msg::OpRequest;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Steps whose bytes are made at a time.
const BATCH: usize = 4096;

/// A client with live watches, each on an object of its own.
#[derive(Debug)]
pub struct Steps {
    /// The client and the cluster.
    pub world: World,
    conn: ConnId,
    lives: Vec<Live>,
    /// What the next requests are answered with, in order of their tids.
    replies: VecDeque<Bytes>,
    next_tid: u64,
    notify_id: u64,
}

/// The name of an object; all are equally long.
#[must_use]
pub fn name(i: usize) -> String {
    format!("object.{i:09}")
}

/// Takes all outputs, as an adapter whose sockets take everything; returns how many bytes `conn` took.
fn drain(client: &mut Client, conn: ConnId, mut rest: impl FnMut(&mut Client, Output)) -> usize {
    let mut written = 0;
    loop {
        match client.poll_output() {
            Output::Wait(_) => return written,
            Output::Write(to) if to == conn => {
                let mut outbox = client.outbox(conn);
                let len = outbox.remaining();
                outbox.advance(len);
                written += len;
            }
            other => rest(client, other),
        }
    }
}

impl Steps {
    /// A client with this many watches, at least one.
    ///
    /// # Panics
    /// If they do not go live.
    #[must_use]
    pub fn watching(count: usize) -> Self {
        let mut world = World::connected(Shape::ONE);
        let lives = world.watch(count, name).into_iter().map(|(_, live)| live).collect();
        let conn = world.conn_to(Who::Osd(0)).expect("a session");
        Self { world, conn, lives, replies: VecDeque::new(), next_tid: 0, notify_id: 0 }
    }

    /// The latest request; the next ones will be like it.
    fn template(&mut self) -> OpRequest {
        let (tid, request) = self.world.script.last.clone().expect("a request");
        self.next_tid = tid + 1;
        self.replies.clear();
        request
    }

    /// Prepares replies until there are this many.
    fn prepare(&mut self, count: usize, request: &OpRequest) {
        let server = self.world.servers.get_mut(&self.conn).expect("a server");
        while self.replies.len() < count {
            server.reply(self.next_tid, request, 0);
            self.next_tid += 1;
            self.replies.push_back(server.take());
        }
    }

    /// A NOTIFY's frame for one watch after the other.
    fn notify_frame(&mut self, payload: &Bytes) -> Bytes {
        self.notify_id += 1;
        let cookie = self.lives[self.notify_id as usize % self.lives.len()].cookie;
        let server = self.world.servers.get_mut(&self.conn).expect("a server");
        server.message(0, &watch_notify(cookie, self.notify_id, payload.clone()));
        server.take()
    }

    /// A request that acks a notify.
    fn ack_request(&mut self) -> OpRequest {
        let notify = self.notify_frame(&Bytes::new());
        let World { client, now, .. } = &mut self.world;
        client.handle_bytes(*now, self.conn, &notify);
        while let Output::Event(Event::Readable(watch)) = client.poll_output() {
            while let Some(WatchEvent::Notify(notify)) = client.next(watch) {
                client.ack(*now, notify.token, Bytes::new()).expect("a known notify");
            }
        }
        self.world.carry(self.conn);
        self.world.settle();
        self.template()
    }

    /// Runs `measure` around rounds of: a NOTIFY's bytes in, its event out, its ack out, the reply
    /// to the ack in. Everything that is not the client's is made before.
    ///
    /// # Panics
    /// If a notify does not come through.
    pub fn notifies<T>(
        &mut self,
        count: usize,
        payload: &Bytes,
        measure: impl FnOnce(&mut dyn FnMut()) -> T,
    ) -> T {
        let ack = self.ack_request();
        // In the order in which they are handed over: messages of a connection are numbered.
        let notify_and_reply = |i| {
            let notify = self.notify_frame(payload);
            self.prepare(i + 1, &ack);
            notify
        };
        let notifies: Vec<_> = (0..count).map(notify_and_reply).collect();
        let mut acked = 0;
        let result = measure(&mut || acked = notifies.iter().map(|notify| self.round(notify)).sum());
        assert_eq!(acked, count);
        result
    }

    fn round(&mut self, notify: &[u8]) -> usize {
        let World { client, now, .. } = &mut self.world;
        client.handle_bytes(*now, self.conn, notify);
        let mut acked = 0;
        drain(client, self.conn, |client, output| {
            let Output::Event(Event::Readable(watch)) = output else { return };
            while let Some(WatchEvent::Notify(notify)) = client.next(watch) {
                client.ack(*now, notify.token, Bytes::new()).expect("a known notify");
                acked += 1;
            }
        });
        let reply = self.replies.pop_front().expect("a reply");
        client.handle_bytes(*now, self.conn, &reply);
        drain(client, self.conn, |_, _| ());
        acked
    }

    /// The time that this many rounds of notifies take.
    pub fn time_notifies(&mut self, count: usize, payload: &Bytes) -> Duration {
        let batches = (0..count).step_by(BATCH).map(|from| BATCH.min(count - from));
        batches
            .map(|batch| {
                self.notifies(batch, payload, |rounds| {
                    let start = Instant::now();
                    rounds();
                    start.elapsed()
                })
            })
            .sum()
    }

    /// The time that this many due pings take, each from its deadline to its reply; and how many
    /// there were in fact, for several can be due at once.
    ///
    /// # Panics
    /// If the client does not ping.
    pub fn time_pings(&mut self, count: usize) -> (Duration, usize) {
        let len = self.ping_len();
        let ping = self.template();
        let (mut spent, mut done) = (Duration::ZERO, 0);
        while done < count {
            self.prepare(BATCH, &ping);
            let start = Instant::now();
            while self.replies.len() > BATCH / 2 && done < count {
                done += self.due(len);
            }
            spent += start.elapsed();
        }
        // The servers' turn again: replies that were not used are to be as if never made.
        self.replies.clear();
        (spent, done)
    }

    /// The length of a ping on the wire.
    fn ping_len(&mut self) -> usize {
        let before = self.world.script.requests;
        loop {
            self.world.settle();
            self.world.now = self.world.deadline.expect("pings are due").at;
            self.world.client.handle_timeout(self.world.now);
            let waits = self.world.client.outbox(self.conn).remaining();
            self.world.settle();
            let pings = self.world.script.requests - before;
            if pings > 0 {
                return waits / pings as usize;
            }
        }
    }

    /// Goes to the next deadline, and answers what it brings.
    fn due(&mut self, ping_len: usize) -> usize {
        let World { client, now, deadline, .. } = &mut self.world;
        *now = deadline.expect("a deadline").at;
        client.handle_timeout(*now);
        let mut others = VecDeque::new();
        let pings = drain(client, self.conn, |_, output| others.push_back(output)) / ping_len;
        for _ in 0..pings {
            let reply = self.replies.pop_front().expect("a reply");
            client.handle_bytes(*now, self.conn, &reply);
        }
        drain(client, self.conn, |_, output| others.push_back(output));
        if let Output::Wait(at) = client.poll_output() {
            *deadline = at;
        }
        if !others.is_empty() {
            // A keepalive to the monitor, now and then.
            others.into_iter().for_each(|output| self.world.handle(output));
            self.world.settle();
        }
        pings
    }

    /// The time that registrations of this many more watches take, 64 in flight, until they are live.
    ///
    /// # Panics
    /// If they do not go live.
    pub fn time_registrations(&mut self, count: usize) -> Duration {
        let template = self.template();
        let objects: Vec<_> =
            (0..count).map(|i| ObjectRef::new("rbd", name(1_000_000 + i).as_str())).collect();
        self.prepare(count, &template);
        let World { client, now, .. } = &mut self.world;
        let (now, conn) = (*now, self.conn);
        let mut live = 0;
        let mut take = |client: &mut Client, output| {
            if let Output::Event(Event::Readable(watch)) = output {
                while let Some(event) = client.next(watch) {
                    live += usize::from(matches!(event, WatchEvent::Live(_)));
                }
            }
        };
        let start = Instant::now();
        for objects in objects.chunks(64) {
            for object in objects {
                client.watch(now, object.clone(), WatchOptions::default()).expect("room");
                drain(client, conn, &mut take);
            }
            for reply in self.replies.drain(..objects.len()) {
                client.handle_bytes(now, conn, &reply);
                drain(client, conn, &mut take);
            }
        }
        let spent = start.elapsed();
        assert_eq!(live, count);
        spent
    }
}
