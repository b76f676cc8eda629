//! A scripted cluster around a [`Client`], without sockets, in virtual time.
//!
//! [`Sim`] does what an adapter must: it drains `poll_output` until `Wait`, carries bytes, and jumps
//! to the deadlines. The servers answer by themselves what a test does not hold back.

mod map;
mod peer;
mod servers;

pub use map::{FSID, first_map, osd_addrs, target};
pub use peer::{Misdeed, STAGES, Stage, Who, ident, mon_addr, mon_map};
pub use servers::Request;

use bytes::Buf;
use linger_core::auth::{AuthMethod, AuthName, Credentials};
use linger_core::{
    Client, CloseReason, Config, ConnFault, ConnId, Deadline, Event, LossCause, ObjectRef, Output, Query,
    ResolveId, Timestamp, UnixTime, WatchError, WatchEvent, WatchId, WatchOptions,
};
use linger_wire::msg::MonMap;
use linger_wire::osdmap::OsdMap;
use peer::Peer;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng as _, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

/// How bytes reach the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pieces {
    Whole,
    Single,
    Random(u64),
}

pub struct Sim {
    pub client: Client,
    pub now: Timestamp,
    pub map: OsdMap,
    pub mon_map: MonMap,
    pub fulls: BTreeMap<u32, bytes::Bytes>,
    pub incs: BTreeMap<u32, bytes::Bytes>,
    /// The oldest epoch that the monitors still have.
    pub oldest: u32,
    pub global_id: u64,
    pub peers: BTreeMap<ConnId, Peer>,
    /// Servers that can not be reached.
    pub down: BTreeSet<Who>,
    /// Servers that accept and say nothing.
    pub misdeeds: BTreeMap<(Who, Stage), Misdeed>,
    /// Kinds of requests that the test answers itself.
    pub hold: Vec<&'static str>,
    /// Requests held back, oldest first.
    pub held: VecDeque<Request>,
    /// All requests: kind, OSD.
    pub seen: Vec<Request>,
    /// Whether the monitors answer version queries.
    pub answer_versions: bool,
    pub subscribed: Vec<(usize, String, u64, u8)>,
    pub version_queries: Vec<(ConnId, u64)>,
    pub backoff_acks: Vec<linger_wire::msg::Backoff>,
    pub client_controls: Vec<(Who, linger_wire::frame::Control)>,
    pub events: VecDeque<Event>,
    pub news: VecDeque<(WatchId, WatchEvent)>,
    /// Whether watch events are left in the client.
    pub lazy: bool,
    pub resolves: VecDeque<(ResolveId, Query)>,
    pub dials: Vec<(Timestamp, Who)>,
    pub drops: Vec<(Who, ConnFault)>,
    /// Everything that came out, and every byte written.
    pub log: Vec<String>,
    pieces: Pieces,
    rng: ChaCha8Rng,
    pub deadline: Option<Deadline>,
    pub wakeups: u64,
}

pub fn config(mons: usize) -> Config {
    let list: Vec<_> = (0..mons).map(|mon| format!("v2:{}", mon_addr(mon))).collect();
    let credentials = Credentials { name: AuthName::client("admin"), key: None };
    let mut config = Config::new(credentials, Some(list.join(",").parse().unwrap()));
    config.auth = vec![AuthMethod::None];
    config
}

pub fn object(name: &str) -> ObjectRef {
    ObjectRef::new("rbd", name)
}

pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn lost(cause: LossCause, errno: Option<i32>) -> WatchError {
    WatchError { cause, errno }
}

/// A client with a live watch on `object("obj")`, cookie 1, and nothing else noted.
pub fn watching() -> (Sim, WatchId) {
    let (mut sim, watch) = Sim::watching(WatchOptions::default());
    sim.seen.clear();
    (sim, watch)
}

impl Sim {
    /// A client that is connected to a healthy cluster.
    pub fn connected() -> Self {
        let mut sim = Self::new(config(1));
        sim.settle();
        assert!(sim.events.iter().any(|event| matches!(event, Event::Connected { .. })), "{:?}", sim.events);
        sim.events.clear();
        sim
    }

    /// A connected client with a live watch on `object("obj")`; its first events are taken.
    pub fn watching(opts: WatchOptions) -> (Self, WatchId) {
        let mut sim = Self::connected();
        let watch = sim.client.watch(sim.now, object("obj"), opts).unwrap();
        sim.settle();
        let live = sim.live(watch);
        assert_eq!((live.generation, live.may_have_missed), (0, true));
        (sim, watch)
    }

    pub fn new(config: Config) -> Self {
        Self::with_pieces(config, Pieces::Whole)
    }

    pub fn with_pieces(config: Config, pieces: Pieces) -> Self {
        let now = Timestamp::from_micros(1_000_000);
        let unix = UnixTime(secs(1_700_000_000));
        let mons = config.mons.as_ref().map_or(1, |mons| mons.candidates().count());
        let client = Client::new(now, unix, config, [3; 32]).unwrap();
        let map = first_map();
        let seed = if let Pieces::Random(seed) = pieces { seed } else { 0 };
        let mut sim = Self {
            client,
            now,
            mon_map: mon_map(mons),
            fulls: BTreeMap::new(),
            incs: BTreeMap::new(),
            oldest: 1,
            global_id: 4100,
            peers: BTreeMap::new(),
            down: BTreeSet::new(),
            misdeeds: BTreeMap::new(),
            hold: Vec::new(),
            held: VecDeque::new(),
            seen: Vec::new(),
            answer_versions: true,
            subscribed: Vec::new(),
            version_queries: Vec::new(),
            backoff_acks: Vec::new(),
            client_controls: Vec::new(),
            events: VecDeque::new(),
            news: VecDeque::new(),
            lazy: false,
            resolves: VecDeque::new(),
            dials: Vec::new(),
            drops: Vec::new(),
            log: Vec::new(),
            pieces,
            rng: ChaCha8Rng::seed_from_u64(seed),
            deadline: None,
            wakeups: 0,
            map,
        };
        sim.fulls.insert(sim.map.epoch, sim.map.encode_for(linger_core::FEATURES));
        sim
    }

    /// Runs everything that can happen at this moment.
    pub fn settle(&mut self) {
        for _ in 0..20_000 {
            self.drain();
            if !self.deliver() {
                return;
            }
        }
        panic!("this never ends: {:#?}", &self.log[self.log.len() - 20..]);
    }

    /// Lets time pass, with everything that happens meanwhile.
    pub fn run(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        self.settle();
        let mut left = 20_000;
        while let Some(deadline) = self.deadline.filter(|deadline| deadline.at <= end) {
            assert!(left > 0, "woken too often, the last time for {deadline:?}");
            left -= 1;
            self.wakeups += 1;
            self.now = self.now.max(deadline.at);
            self.client.handle_timeout(self.now);
            self.settle();
        }
        self.now = end;
        self.client.handle_timeout(self.now);
        self.settle();
    }

    /// Time passes at once, as over a suspend; then the client is called.
    pub fn jump(&mut self, to: Timestamp) {
        self.now = to;
        self.client.handle_timeout(to);
        self.settle();
    }

    /// Does what the outputs say until nothing is left to do.
    pub fn drain(&mut self) {
        for _ in 0..100_000 {
            let output = self.client.poll_output();
            self.log.push(format!("{:?} {output:?}", self.now));
            match output {
                Output::Resolve { id, query } => self.resolves.push_back((id, query)),
                Output::Connect { conn, addr } => self.on_connect(conn, addr),
                Output::Write(conn) => self.carry(conn),
                Output::Disconnect { conn, why } => {
                    if let Some(peer) = self.peers.remove(&conn) {
                        self.drops.push((peer.who, why));
                    }
                }
                Output::Event(Event::Readable(watch)) if !self.lazy => {
                    while let Some(event) = self.client.next(watch) {
                        self.log.push(format!("{watch:?} {event:?}"));
                        self.news.push_back((watch, event));
                    }
                }
                Output::Event(event) => self.events.push_back(event),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    self.check_invariants();
                    return;
                }
                other => panic!("{other:?}"),
            }
        }
        panic!("outputs never end");
    }

    /// A second poll gives the same wait, and nothing that waits to be written is unannounced.
    fn check_invariants(&mut self) {
        let again = self.client.poll_output();
        match again {
            Output::Wait(deadline) => assert_eq!(deadline, self.deadline),
            other => panic!("output after Wait: {other:?}"),
        }
        for (conn, peer) in &self.peers {
            let waits = self.client.outbox(*conn).remaining();
            assert!(waits == 0 || peer.stalled, "{waits} bytes wait for {:?}", peer.who);
        }
    }

    /// Carries what a connection has to write to its server.
    pub fn carry(&mut self, conn: ConnId) {
        let Some(peer) = self.peers.get_mut(&conn).filter(|peer| !peer.stalled) else { return };
        let mut outbox = self.client.outbox(conn);
        let bytes = outbox.copy_to_bytes(outbox.remaining());
        self.log.push(format!("{:?} {:?} <- {bytes:?}", self.now, peer.who));
        peer.push(&bytes);
        self.serve(conn);
    }

    /// Delivers one server's bytes to the client; false if there are none.
    fn deliver(&mut self) -> bool {
        let ready = |peer: &Peer| !peer.out.is_empty() || peer.closing;
        let Some((conn, peer)) = self.peers.iter_mut().find(|(_, peer)| ready(peer)) else { return false };
        let conn = *conn;
        let bytes = peer::take_out(&mut peer.out);
        if bytes.is_empty() {
            self.peers.remove(&conn);
            self.client.handle_closed(self.now, conn, CloseReason::Closed);
            return true;
        }
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let len = match self.pieces {
                Pieces::Whole => rest.len(),
                Pieces::Single => 1,
                Pieces::Random(_) => 1 + self.rng.next_u32() as usize % rest.len().min(97),
            };
            let (piece, left) = rest.split_at(len);
            self.client.handle_bytes(self.now, conn, piece);
            rest = left;
        }
        true
    }
}
