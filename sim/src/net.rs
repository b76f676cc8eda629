//! The network: a link for each connection, with a queue each way.

use crate::dice::Dice;
use bytes::Bytes;
use linger_core::{ConnId, Timestamp};
use linger_mini_cluster::Who;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub(crate) type LinkId = u64;

/// What travels.
#[derive(Debug)]
pub(crate) enum Packet {
    Bytes(Bytes),
    /// The connection ends.
    Fin,
}

/// One direction of a link.
#[derive(Debug, Default)]
pub(crate) struct Lane {
    pub queue: VecDeque<(Timestamp, Packet)>,
    last: Timestamp,
}

impl Lane {
    /// Sends a packet, which arrives after all before it; returns when.
    pub fn push(&mut self, at: Timestamp, packet: Packet) -> Timestamp {
        self.last = self.last.max(at);
        self.queue.push_back((self.last, packet));
        self.last
    }

    /// The next packet that has arrived.
    pub fn pop(&mut self, now: Timestamp) -> Option<Packet> {
        let (at, _) = self.queue.front()?;
        if *at > now { None } else { self.queue.pop_front().map(|(_, packet)| packet) }
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.queue.front().map(|(at, _)| *at)
    }
}

/// A connection, or an attempt.
#[derive(Debug)]
pub(crate) struct Link {
    pub node: usize,
    pub conn: ConnId,
    pub who: Who,
    /// The server's end, once accepted.
    pub server: Option<linger_mini_cluster::ConnId>,
    /// The connection request has reached the daemon.
    pub knocked: bool,
    /// The client knows.
    pub answered: bool,
    /// The server forgot it, and does not even say so.
    pub mute: bool,
    /// The client has not closed it.
    pub open: bool,
    pub to_server: Lane,
    pub to_client: Lane,
    /// Bytes on their way to the server.
    pub in_flight: usize,
    /// The socket took less than there was: its client waits until it takes more.
    pub full: bool,
}

/// All links, and how the network is.
#[derive(Debug)]
pub(crate) struct Net {
    pub links: BTreeMap<LinkId, Link>,
    pub by_server: BTreeMap<linger_mini_cluster::ConnId, LinkId>,
    next: LinkId,
    pub dice: Dice,
    pub latency: Duration,
    pub jitter: Duration,
    /// Bytes that a socket takes before it is full.
    pub window: usize,
    /// Pieces are cut anew on the way.
    pub cuts: bool,
    /// Pairs between which nothing gets through, and how often each was parted.
    pub parted: BTreeMap<(usize, Who), u32>,
    /// Daemons whose machine is gone: no answer, not even a refusal.
    pub dark: BTreeSet<Who>,
}

impl Net {
    pub fn new(dice: Dice) -> Self {
        Self {
            links: BTreeMap::new(),
            by_server: BTreeMap::new(),
            next: 0,
            dice,
            latency: Duration::ZERO,
            jitter: Duration::ZERO,
            window: 64 << 10,
            cuts: false,
            parted: BTreeMap::new(),
            dark: BTreeSet::new(),
        }
    }

    pub fn open(&mut self, node: usize, conn: ConnId, who: Who) -> LinkId {
        let id = self.next;
        self.next += 1;
        let link = Link {
            node,
            conn,
            who,
            server: None,
            knocked: false,
            answered: false,
            mute: false,
            open: true,
            to_server: Lane::default(),
            to_client: Lane::default(),
            in_flight: 0,
            full: false,
        };
        self.links.insert(id, link);
        id
    }

    /// When something that is sent now arrives.
    pub fn arrival(&mut self, now: Timestamp) -> Timestamp {
        now.saturating_add(self.latency + self.dice.span(Duration::ZERO, self.jitter))
    }

    pub fn is_parted(&self, node: usize, who: Who) -> bool {
        self.parted.contains_key(&(node, who))
    }

    pub fn remove(&mut self, id: LinkId) {
        if let Some(Link { server: Some(server), .. }) = self.links.remove(&id) {
            self.by_server.remove(&server);
        }
    }
}
