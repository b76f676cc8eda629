//! An adapter without sockets, in virtual time.

use crate::maps::Shape;
use crate::server::{Script, Server, Who, mon_addr};
use bytes::{Buf, Bytes};
use linger_core::auth::{AuthMethod, AuthName, Credentials};
use linger_core::{
    Client, CloseReason, Config, ConnId, Deadline, Event, FEATURES, Live, ObjectRef, Output, Timestamp,
    UnixTime, WatchEvent, WatchId, WatchOptions,
};
use linger_wire::msg::MapMessage;
use linger_wire::osdmap::{Incremental, OsdMap};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

/// A configuration for one monitor and no authentication.
///
/// # Panics
/// Never: the address is a valid one.
#[must_use]
pub fn config() -> Config {
    let mons = format!("v2:{}", mon_addr()).parse().expect("a valid address");
    let mut config = Config::new(Credentials { name: AuthName::client("admin"), key: None }, Some(mons));
    config.auth = vec![AuthMethod::None];
    config
}

/// A client and the cluster around it.
#[derive(Debug)]
pub struct World {
    /// The client.
    pub client: Client,
    /// Now.
    pub now: Timestamp,
    /// The cluster's map.
    pub map: OsdMap,
    /// What servers do.
    pub script: Script,
    /// Servers by the client's connection to them.
    pub servers: BTreeMap<ConnId, Server>,
    /// Servers that may have something to say.
    pub talking: BTreeSet<ConnId>,
    /// Connections that are closed; bounded.
    pub dead: Vec<ConnId>,
    /// Events, oldest first; the caller clears them.
    pub events: Vec<Event>,
    /// When the client wants to be called.
    pub deadline: Option<Deadline>,
}

impl World {
    /// A client that has not done anything yet.
    ///
    /// # Panics
    /// If the configuration is refused.
    #[must_use]
    pub fn new(config: Config, map: OsdMap) -> Self {
        let now = Timestamp::from_micros(1_000_000);
        let unix = UnixTime(Duration::from_secs(1_700_000_000));
        Self {
            client: Client::new(now, unix, config, [3; 32]).expect("a good configuration"),
            now,
            script: Script::new(&map),
            map,
            servers: BTreeMap::new(),
            talking: BTreeSet::new(),
            dead: Vec::new(),
            events: Vec::new(),
            deadline: None,
        }
    }

    /// A client that has the map of a cluster of this shape.
    ///
    /// # Panics
    /// If it does not get there.
    #[must_use]
    pub fn connected(shape: Shape) -> Self {
        let mut config = config();
        config.limits.watches = usize::MAX;
        let mut world = Self::new(config, crate::maps::map(shape));
        world.settle();
        assert!(
            matches!(world.events[..], [Event::MonUp { .. }, Event::Connected { .. }]),
            "{:?}",
            world.events
        );
        world.events.clear();
        world
    }

    /// Makes live watches on objects `name(0)`, `name(1)`... of the replicated pool.
    ///
    /// # Panics
    /// If one does not go live.
    pub fn watch(&mut self, count: usize, name: impl Fn(usize) -> String) -> Vec<(WatchId, Live)> {
        let mut watches = Vec::with_capacity(count);
        for i in 0..count {
            let object = ObjectRef::new("rbd", name(i).as_str());
            let watch = self.client.watch(self.now, object, WatchOptions::default()).expect("room");
            watches.push(watch);
            if i % 1000 == 999 {
                self.settle();
            }
        }
        self.settle();
        self.events.clear();
        let live = |watch| match (self.client.next(watch), self.client.next(watch)) {
            (Some(WatchEvent::Live(live)), None) => (watch, live),
            other => panic!("not just live: {other:?}"),
        };
        watches.into_iter().map(live).collect()
    }

    /// Runs everything that can happen at this moment.
    ///
    /// # Panics
    /// If it never ends.
    pub fn settle(&mut self) {
        for _ in 0..1_000_000 {
            self.drain();
            let Some(conn) = self.talking.pop_first() else { return };
            let Some(server) = self.servers.get_mut(&conn) else { continue };
            let bytes = server.take();
            self.client.handle_bytes(self.now, conn, &bytes);
        }
        panic!("the client and its servers never come to rest");
    }

    /// Does what the outputs say until the client waits.
    ///
    /// # Panics
    /// If outputs never end.
    pub fn drain(&mut self) {
        for _ in 0..1_000_000 {
            let output = self.client.poll_output();
            let last = matches!(output, Output::Wait(_));
            self.handle(output);
            if last {
                return;
            }
        }
        panic!("outputs never end");
    }

    /// Does what one output says.
    pub fn handle(&mut self, output: Output) {
        match output {
            Output::Connect { conn, addr } => self.on_connect(conn, addr),
            Output::Write(conn) => self.carry(conn),
            Output::Disconnect { conn, .. } => self.forget(conn),
            Output::Event(event) => self.events.push(event),
            Output::Wait(deadline) => self.deadline = deadline,
            _ => {}
        }
    }

    fn on_connect(&mut self, conn: ConnId, addr: SocketAddr) {
        let has = |osd: &i32| {
            let addrs = self.map.addrs(*osd);
            addrs.is_some_and(|addrs| addrs.0.iter().any(|a| a.sock == Some(addr)))
        };
        let who = match addr == mon_addr() {
            true => Some(Who::Mon),
            false => (0..self.map.max_osd).find(has).map(Who::Osd),
        };
        let Some(who) = who else {
            self.forget(conn);
            return self.client.handle_closed(self.now, conn, CloseReason::Unreachable);
        };
        self.servers.insert(conn, Server::new(who));
        self.talking.insert(conn);
        self.client.handle_connected(self.now, conn);
    }

    fn forget(&mut self, conn: ConnId) {
        self.servers.remove(&conn);
        if self.dead.len() < 1024 {
            self.dead.push(conn);
        }
    }

    /// The server closes a connection.
    pub fn close(&mut self, conn: ConnId) {
        self.forget(conn);
        self.client.handle_closed(self.now, conn, CloseReason::Closed);
    }

    /// Carries what the client has to write to its server.
    pub fn carry(&mut self, conn: ConnId) {
        let mut outbox = self.client.outbox(conn);
        let bytes = outbox.copy_to_bytes(outbox.remaining());
        self.written(conn, &bytes);
    }

    /// A server gets what the client wrote.
    pub fn written(&mut self, conn: ConnId, bytes: &[u8]) {
        let Some(server) = self.servers.get_mut(&conn) else { return };
        server.receive(bytes, &mut self.script);
        if !server.out.is_empty() {
            self.talking.insert(conn);
        }
    }

    /// Lets time pass, with everything that happens meanwhile.
    ///
    /// # Panics
    /// If the client wakes up without end.
    pub fn run(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        self.settle();
        let mut left = 1_000_000;
        while let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= end) {
            assert!(left > 0, "woken too often, the last time for {deadline:?}");
            left -= 1;
            self.now = self.now.max(deadline.at);
            self.client.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
    }

    /// The connection to a server that is up.
    #[must_use]
    pub fn conn_to(&self, who: Who) -> Option<ConnId> {
        let mut up = self.servers.iter().filter(|(_, server)| server.who == who && server.is_up());
        up.next().map(|(conn, _)| *conn)
    }

    /// Makes the cluster's next map; returns the monitor's message about it.
    ///
    /// # Panics
    /// If the step does not fit the map.
    pub fn step(&mut self, inc: &Incremental) -> MapMessage {
        self.map.apply(inc).expect("the next epoch");
        self.script.epoch = self.map.epoch;
        self.script.full = self.map.encode_for(FEATURES);
        let incrementals = [(inc.epoch, inc.encode_for(FEATURES))].into();
        let newest = inc.epoch;
        MapMessage { fsid: self.map.fsid, oldest: 1, newest, incrementals, ..MapMessage::default() }
    }

    /// The monitor sends a message; returns its bytes and the connection.
    ///
    /// # Panics
    /// If there is no session with it.
    pub fn from_mon(&mut self, message: &MapMessage) -> (ConnId, Bytes) {
        let conn = self.conn_to(Who::Mon).expect("a session");
        let server = self.servers.get_mut(&conn).expect("a server");
        server.message(0, message);
        (conn, server.take())
    }
}
