//! What breaks, and how it is mended.

use crate::agenda::Item;
use crate::net::Packet;
use crate::world::World;
use linger_core::Timestamp;
use linger_mini_cluster::Who;
use linger_wire::PgId;
use linger_wire::osdmap::{map_flags, pool_flags};
use std::time::Duration;

/// What can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A connection breaks; both sides learn of it.
    Reset,
    /// A client and a daemon can not reach each other.
    Part,
    /// A server forgets a connection, and the client does not learn of it.
    HalfOpen,
    /// An OSD's process dies.
    KillOsd,
    /// An OSD's machine dies: nobody is told, nothing answers.
    CutOsd,
    /// An OSD's process stops.
    PauseOsd,
    /// An OSD that runs is marked down.
    MarkDown,
    /// An OSD is taken out of placement.
    Out,
    /// A placement group has a new interval with the same primary.
    Interval,
    /// A placement group has other OSDs.
    Move,
    /// A pool has another number of placement groups.
    Split,
    /// The map pauses reads, writes or both.
    Pause,
    /// A pool is full.
    Full,
    /// A client is blocklisted.
    Blocklist,
    /// A pool is removed, and later made anew under its name.
    RemovePool,
    /// An object is removed, and later made anew.
    RemoveObject,
    /// A monitor dies.
    KillMon,
    /// Many epochs in which nothing changes, and the old ones are forgotten.
    Epochs,
    /// A client's machine sleeps.
    Freeze,
    /// A client's process dies, and another one takes its place.
    Crash,
    /// An OSD loses requests, and then its connections.
    Lose,
    /// An OSD is slow to look at requests.
    Delay,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Reset,
        Self::Part,
        Self::HalfOpen,
        Self::KillOsd,
        Self::CutOsd,
        Self::PauseOsd,
        Self::MarkDown,
        Self::Out,
        Self::Interval,
        Self::Move,
        Self::Split,
        Self::Pause,
        Self::Full,
        Self::Blocklist,
        Self::RemovePool,
        Self::RemoveObject,
        Self::KillMon,
        Self::Epochs,
        Self::Freeze,
        Self::Crash,
        Self::Lose,
        Self::Delay,
    ];
}

/// Something that breaks for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: Kind,
    /// For how long; what does not last ends by itself.
    pub lasts: Duration,
    /// Which of the daemons, clients or objects.
    pub which: u32,
}

impl World {
    pub(crate) fn begin(&mut self, n: usize) {
        let Fault { kind, lasts, which, .. } = self.plan.faults[n];
        let now = self.now;
        self.trace.line(now, format_args!("--- {kind:?} {which} for {lasts:?}"));
        let ends = now.saturating_add(lasts).min(self.plan.calm);
        self.disturbed = self.disturbed.max(ends);
        let (osd, node) = (self.an_osd(which), self.a_node(which));
        match kind {
            Kind::Reset => self.reset(which, true),
            Kind::HalfOpen => self.reset(which, false),
            Kind::Part => *self.net.parted.entry((node, self.a_daemon(which))).or_default() += 1,
            Kind::KillOsd => self.servers.kill(now, Who::Osd(osd)),
            Kind::CutOsd => {
                self.net.dark.insert(Who::Osd(osd));
                self.servers.kill(now, Who::Osd(osd));
            }
            Kind::PauseOsd => self.servers.pause(now, osd),
            Kind::MarkDown => self.servers.mark_down(now, osd),
            Kind::Out => self.servers.set_in(now, osd, false),
            Kind::Interval => self.servers.new_interval(now, self.a_group(which)),
            Kind::Move => {
                let osds = self.plan.settings.osds.len() as i32;
                let list: Vec<i32> = (0..osds.min(3)).map(|n| (osd + n) % osds).collect();
                self.servers.place(now, self.a_group(which), &list);
            }
            Kind::Split => self.servers.set_pg_num(now, 1, 1 + which % 16),
            Kind::Pause => {
                let flags = [map_flags::PAUSERD, map_flags::PAUSEWR, map_flags::PAUSERD | map_flags::PAUSEWR];
                let flags = self.servers.map().flags | flags[which as usize % 3];
                self.servers.set_flags(now, flags);
            }
            Kind::Full => self.set_pool_flag(pool_flags::FULL, true),
            Kind::Blocklist => self.blocklist(node),
            Kind::RemovePool => {
                if let Some(pool) = self.servers.map().pool_id(&"two".into()) {
                    self.servers.remove_pool(now, pool);
                }
            }
            Kind::RemoveObject => self.remove_object(which),
            Kind::KillMon => self.servers.kill(now, Who::Mon(which as usize % self.plan.settings.mons.len())),
            Kind::Epochs => {
                (0..which % 60).for_each(|_| self.servers.new_epoch(now));
                if which & 64 != 0 {
                    self.servers.trim(now);
                }
            }
            Kind::Freeze => self.freeze(node, ends),
            Kind::Crash => self.crash(node),
            Kind::Lose => self.servers.lose_requests(osd, 1 + which % 3),
            Kind::Delay => self.servers.delay_requests(osd, Duration::from_millis(1 << (which % 12))),
        }
        self.agenda.at(ends, Item::Heal(n));
        self.after_servers();
    }

    pub(crate) fn heal(&mut self, n: usize) {
        let Fault { kind, which, .. } = self.plan.faults[n];
        let now = self.now;
        let (osd, node) = (self.an_osd(which), self.a_node(which));
        match kind {
            Kind::Part => {
                let pair = (node, self.a_daemon(which));
                let rejoined = match self.net.parted.get_mut(&pair) {
                    Some(times) if *times > 1 => {
                        *times -= 1;
                        false
                    }
                    _ => self.net.parted.remove(&pair).is_some(),
                };
                if rejoined {
                    self.wake_links(|link| (link.node, link.who) == pair);
                }
            }
            Kind::KillOsd | Kind::CutOsd => {
                self.net.dark.remove(&Who::Osd(osd));
                self.servers.restart(now, Who::Osd(osd));
            }
            Kind::PauseOsd => {
                self.servers.resume(now, osd);
                self.wake_links(|link| link.who == Who::Osd(osd));
            }
            Kind::Out => self.servers.set_in(now, osd, true),
            Kind::Move => self.servers.place(now, self.a_group(which), &[]),
            Kind::Pause => {
                let flags = self.servers.map().flags & !(map_flags::PAUSERD | map_flags::PAUSEWR);
                self.servers.set_flags(now, flags);
            }
            Kind::Full => self.set_pool_flag(pool_flags::FULL, false),
            Kind::Blocklist => self.servers.clear_blocklist(now),
            Kind::RemovePool => {
                if self.servers.map().pool_id(&"two".into()).is_none() {
                    self.servers.create_pool(now, "two", 4);
                }
            }
            Kind::KillMon => {
                self.servers.restart(now, Who::Mon(which as usize % self.plan.settings.mons.len()));
            }
            Kind::Freeze => self.thaw(node),
            Kind::Delay => self.servers.delay_requests(osd, Duration::ZERO),
            Kind::Lose => {
                // Nothing is lost on a connection that goes on.
                self.servers.lose_requests(osd, 0);
                let mine =
                    self.net.by_server.iter().filter(|(_, id)| {
                        self.net.links.get(id).is_some_and(|link| link.who == Who::Osd(osd))
                    });
                let mine: Vec<_> = mine.map(|(conn, _)| *conn).collect();
                mine.into_iter().for_each(|conn| self.servers.reset(now, conn));
            }
            _ => return,
        }
        self.trace.line(now, format_args!("--- end of {kind:?} {which}"));
        self.after_servers();
    }

    fn an_osd(&self, which: u32) -> i32 {
        (which as usize % self.plan.settings.osds.len()) as i32
    }

    fn a_node(&self, which: u32) -> usize {
        (which >> 4) as usize % self.nodes.len()
    }

    fn a_daemon(&self, which: u32) -> Who {
        let (mons, osds) = (self.plan.settings.mons.len(), self.plan.settings.osds.len());
        match which as usize % (mons + osds) {
            n if n < osds => Who::Osd(n as i32),
            n => Who::Mon(n - osds),
        }
    }

    fn a_group(&self, which: u32) -> PgId {
        let pg_num = self.servers.map().pool(1).map_or(1, |pool| pool.pg_num);
        PgId { pool: 1, seed: (which >> 8) % pg_num }
    }

    fn reset(&mut self, which: u32, told: bool) {
        let all: Vec<_> = self.net.by_server.iter().map(|(conn, link)| (*conn, *link)).collect();
        let Some((conn, id)) = all.get(which as usize % all.len().max(1)).copied() else { return };
        self.servers.closed(self.now, conn);
        self.net.by_server.remove(&conn);
        let at = self.net.arrival(self.now);
        let Some(link) = self.net.links.get_mut(&id) else { return };
        link.server = None;
        link.mute = which & 1 != 0;
        if told {
            link.to_client.queue.clear();
            let at = link.to_client.push(at, Packet::Fin);
            self.agenda.at(at, Item::ToClient(id));
        }
    }

    fn set_pool_flag(&mut self, flag: u64, on: bool) {
        let Some(flags) = self.servers.map().pool(1).map(|pool| pool.flags) else { return };
        let flags = if on { flags | flag } else { flags & !flag };
        self.servers.set_pool_flags(self.now, 1, flags);
    }
}
