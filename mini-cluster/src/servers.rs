//! The whole cluster as one state machine: connections and bytes in, bytes out.

mod faults;
mod questions;

use crate::command::{self, Caller};
use crate::conn::{Client, Conn, News};
use crate::conns::{ConnId, Conns, Output};
use crate::journal::{Journal, Record};
use crate::kept::{Kept, KeptCluster};
use crate::keys::Keys;
use crate::maps::{self, Maps};
use crate::mon;
use crate::osd::{self, Osd};
use crate::settings::Settings;
use crate::store::Store;
use crate::timers::{Timer, Timers};
use crate::who::Who;
use bytes::{Buf, Bytes};
use linger_core::{Timestamp, UnixTime};
use linger_wire::frame::Chunks;
use linger_wire::msg::{MonMap, Msg};
use linger_wire::osdmap::OsdMap;
use linger_wire::{EntityAddr, Fsid};
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use std::net::SocketAddr;
use std::time::Duration;

/// Monitors and OSDs, without sockets and clock.
///
/// Tell it what happened ([`accept`](Self::accept), [`receive`](Self::receive), [`closed`](Self::closed),
/// [`tick`](Self::tick)) and when, then do what [`poll`](Self::poll) says until it says nothing more; call
/// `tick` again when the [`deadline`](Self::deadline) comes. The same inputs and seed give the same outputs.
#[derive(Debug)]
pub struct Servers {
    now: Timestamp,
    /// Wall-clock time at the epoch of `now`.
    unix_epoch: Duration,
    settings: Settings,
    rng: ChaCha8Rng,
    pub(crate) keys: Keys,
    mon_map: MonMap,
    pub(crate) maps: Maps,
    pub(crate) store: Store,
    conns: Conns,
    timers: Timers,
    journal: Journal,
    /// Which monitors run.
    mons: Vec<bool>,
    pub(crate) osds: Vec<Osd>,
    next_nonce: u32,
    /// What was told last to whoever keeps the cluster, if anybody does.
    pub(crate) kept: Option<Kept>,
}

impl Servers {
    /// A cluster that has just started.
    #[must_use]
    pub fn new(now: Timestamp, unix_now: UnixTime, settings: Settings, seed: [u8; 32]) -> Self {
        let mut rng = ChaCha8Rng::from_seed(seed);
        let keys = Keys::new(&settings, unix_now, &mut rng);
        let mut fsid = [0; 16];
        rng.fill_bytes(&mut fsid);
        // As a random uuid has it.
        fsid[6] = fsid[6] & 0x0f | 0x40;
        fsid[8] = fsid[8] & 0x3f | 0x80;
        let fsid = Fsid(fsid);
        let first_nonce = 1 + rng.next_u32() % (1 << 30);
        let count = settings.osds.len() as u32;
        let nonces: Vec<u32> = (first_nonce..first_nonce + count).collect();
        let maps = Maps::new(maps::first(&settings, fsid, &nonces), settings.epochs);
        let osds = (0..).zip(&nonces).map(|(id, nonce)| Osd::new(id, *nonce, maps.epoch())).collect();
        let since_epoch = now.saturating_since(Timestamp::default());
        Self {
            now,
            unix_epoch: unix_now.0.saturating_sub(since_epoch),
            rng,
            keys,
            mon_map: mon::mon_map(&settings, fsid),
            maps,
            store: Store::default(),
            conns: Conns::default(),
            timers: Timers::default(),
            journal: Journal::default(),
            mons: vec![true; settings.mons.len()],
            osds,
            next_nonce: first_nonce + count,
            kept: None,
            settings,
        }
    }

    /// Goes on as a cluster of before, without its objects.
    pub(crate) fn take_back(&mut self, kept: KeptCluster) {
        self.mon_map.fsid = kept.map.fsid;
        self.store.version = kept.version;
        self.keys.take_back(kept.keys);
        let epoch = kept.map.epoch;
        self.maps = Maps::new(OsdMap::clone(&kept.map), self.settings.epochs);
        self.osds.iter_mut().for_each(|osd| osd.epoch = epoch);
        self.timers.at(self.now, Timer::Blocklist);
    }

    /// Keeps a journal from now on, of all requests if they are wanted; [`journal`](Self::journal) empties it.
    pub fn keep_journal(&mut self, requests: bool) {
        self.journal.wanted = true;
        self.journal.requests = requests;
    }

    /// What happened since the last call, if a journal is kept.
    pub fn journal(&mut self) -> Vec<Record> {
        self.journal.take()
    }

    /// A client connects; `None` if the daemon's process is gone: refuse it.
    pub fn accept(&mut self, now: Timestamp, who: Who, peer: SocketAddr) -> Option<ConnId> {
        self.at(now);
        let me = self.addr(who)?;
        let conn = self.conns.add(Conn::new(who, me, peer));
        self.announce();
        Some(conn)
    }

    /// Bytes came, in pieces of any size. They are ignored if the connection is closed.
    pub fn receive(&mut self, now: Timestamp, conn: ConnId, bytes: &[u8]) {
        self.at(now);
        let Some(who) = self.conns.get(conn).map(|conn| conn.who) else { return };
        let paused = self.is_paused(who);
        let Some(state) = self.conns.get_mut(conn) else { return };
        if paused {
            return state.backlog.extend_from_slice(bytes);
        }
        state.push(bytes);
        self.serve(conn);
        self.settle();
    }

    /// A connection is closed: by the client, or as [`Output::Close`] said.
    pub fn closed(&mut self, now: Timestamp, conn: ConnId) {
        self.at(now);
        self.conns.forget(conn);
        self.settle();
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Timestamp) {
        self.at(now);
        while let Some(timer) = self.timers.due(self.now) {
            let sleeper = timer.needs().and_then(|osd| self.osd_mut(osd)).filter(|osd| osd.paused);
            match sleeper {
                Some(osd) => osd.overdue.push(timer),
                None => self.on_timer(timer),
            }
        }
        self.settle();
    }

    /// When [`tick`](Self::tick) is to be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.timers.first()
    }

    /// What is to be done next; `None` if nothing is until something happens.
    pub fn poll(&mut self) -> Option<Output> {
        self.conns.outputs.pop_front()
    }

    /// What waits to be sent on a connection: read it as a [`Buf`].
    pub fn outbox(&mut self, conn: ConnId) -> Option<&mut Chunks> {
        self.conns.outbox(conn).map(|conn| &mut conn.out)
    }

    /// Takes all that waits to be sent on a connection.
    pub fn take(&mut self, conn: ConnId) -> Bytes {
        self.outbox(conn).map(|out| out.copy_to_bytes(out.remaining())).unwrap_or_default()
    }

    fn at(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
    }

    fn unix(&self) -> UnixTime {
        UnixTime(self.unix_epoch.saturating_add(self.now.saturating_since(Timestamp::default())))
    }

    /// A daemon's address, while its process runs.
    pub(crate) fn addr(&self, who: Who) -> Option<EntityAddr> {
        match who {
            Who::Mon(rank) => {
                let runs = self.mons.get(rank).copied().unwrap_or(false);
                runs.then(|| mon::mon_addr(&self.settings, rank))
            }
            Who::Osd(id) => {
                let osd = self.osds.get(usize::try_from(id).ok()?).filter(|osd| osd.running)?;
                let sock = self.settings.osds.get(usize::try_from(id).ok()?)?;
                Some(maps::daemon_addr(*sock, osd.nonce))
            }
        }
    }

    fn osd_mut(&mut self, id: i32) -> Option<&mut Osd> {
        self.osds.get_mut(usize::try_from(id).ok()?)
    }

    /// Whether a daemon's process is stopped: it reads nothing.
    #[must_use]
    pub fn is_paused(&self, who: Who) -> bool {
        match who {
            Who::Osd(id) => {
                usize::try_from(id).ok().and_then(|id| self.osds.get(id)).is_some_and(|osd| osd.paused)
            }
            Who::Mon(_) => false,
        }
    }

    /// Lets a running OSD do something.
    fn with_osd(&mut self, id: i32, run: impl FnOnce(&mut Osd, &mut osd::Cx<'_>)) {
        let Some(osd) = usize::try_from(id).ok().and_then(|id| self.osds.get_mut(id)) else { return };
        if !osd.running {
            return;
        }
        let mut cx = osd::Cx {
            now: self.now,
            settings: &self.settings,
            maps: &mut self.maps,
            store: &mut self.store,
            conns: &mut self.conns,
            timers: &mut self.timers,
            journal: &mut self.journal,
            rng: &mut self.rng,
        };
        run(osd, &mut cx);
    }

    /// Answers everything that a client's bytes hold.
    fn serve(&mut self, id: ConnId) {
        let unix = self.unix();
        while let Some(conn) = self.conns.get_mut(id) {
            let who = conn.who;
            match conn.pull(unix, &mut self.keys) {
                Ok(None) => break,
                Ok(Some(News::Opened)) => self.on_opened(id),
                Ok(Some(News::Message(header, msg))) => self.on_message(id, who, header.tid, *msg),
                Err(_) => return self.conns.close(id),
            }
        }
    }

    /// A client instance has one connection to a daemon: the newest.
    fn on_opened(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get(id) else { return };
        let Some(Client { addrs, global_seq, .. }) = conn.client.clone() else { return };
        let same = |other: &Conn| other.client.as_ref().is_some_and(|client| client.addrs == addrs);
        let others = self.conns.of(conn.who).filter(|(other, conn)| *other != id && same(conn));
        let others: Vec<_> = others
            .map(|(id, conn)| (id, conn.client.as_ref().map_or(0, |client| client.global_seq)))
            .collect();
        for (other, seq) in others {
            self.conns.close(if seq > global_seq { id } else { other });
        }
        // What the old ones leave behind must not be done after what the new one brings.
        self.bury();
    }

    fn on_message(&mut self, id: ConnId, who: Who, tid: u64, msg: Msg) {
        match (who, msg) {
            (Who::Mon(_), Msg::MonCommand(command)) => {
                let Some(from) = self.caller(id) else { return };
                let ack = command::run(self, self.now, &from, command.words);
                self.conns.send(id, tid, &ack);
            }
            (Who::Mon(_), Msg::PoolOp(op)) => {
                let Some(from) = self.caller(id) else { return };
                let reply = command::pool_op(self, self.now, &from, &op);
                self.conns.send(id, tid, &reply);
            }
            (Who::Mon(_), msg) => {
                let unix = self.unix();
                let mut cx = mon::Cx {
                    unix,
                    mon_map: &self.mon_map,
                    maps: &mut self.maps,
                    conns: &mut self.conns,
                    keys: &mut self.keys,
                };
                mon::on_message(id, msg, &mut cx);
            }
            (Who::Osd(osd), Msg::OpRequest(request)) => {
                self.with_osd(osd, |osd, cx| osd.on_request(id, tid, request, cx));
            }
            (Who::Osd(osd), Msg::Backoff(backoff)) => {
                self.with_osd(osd, |osd, _| osd.on_backoff(id, &backoff));
            }
            (Who::Osd(_), _) => {}
        }
    }

    fn caller(&self, id: ConnId) -> Option<Caller> {
        let Client { caps, features, .. } = self.conns.get(id)?.client.as_ref()?;
        Some(Caller { caps: caps.clone(), features: *features })
    }

    fn on_timer(&mut self, timer: Timer) {
        match timer {
            Timer::Map { osd, epoch } => self.with_osd(osd, |osd, cx| osd.on_map(epoch, cx)),
            Timer::Late { osd } => self.with_osd(osd, Osd::on_late),
            Timer::Active { osd } => self.with_osd(osd, Osd::retry),
            Timer::Watch { osd, object, watcher } => {
                self.with_osd(osd, |osd, cx| osd.on_watch_timer(object, watcher, cx));
            }
            Timer::Notify { osd, object, notify_id } => {
                self.with_osd(osd, |osd, cx| osd.on_notify_timer(object, notify_id, cx));
            }
            Timer::Down { osd, nonce } => self.on_dead(osd, nonce),
            Timer::Blocklist => self.expire_blocklist(),
        }
    }

    /// Tells OSDs of connections that are gone, then the driver of what there is to write.
    pub(crate) fn settle(&mut self) {
        self.bury();
        self.announce();
    }

    fn bury(&mut self) {
        while let Some(conn) = self.conns.lost.pop_front() {
            let (now, timers) = (self.now, &mut self.timers);
            self.osds.iter_mut().for_each(|osd| osd.on_closed(conn, now, timers));
        }
    }

    fn announce(&mut self) {
        let osds = &self.osds;
        self.conns.announce(|who| match who {
            Who::Osd(id) => osds.iter().any(|osd| osd.id == id && osd.paused),
            Who::Mon(_) => false,
        });
    }
}
