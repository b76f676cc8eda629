//! What can be done to a cluster.

use super::Servers;
use crate::conns::{ConnId, Output};
use crate::keys::utime;
use crate::mon;
use crate::osd::Osd;
use crate::timers::Timer;
use crate::who::Who;
use linger_core::Timestamp;
use linger_core::placement::pg_to_osds;
use linger_wire::osdmap::{Incremental, Pool, WEIGHT_IN, osd_state};
use linger_wire::{AddrVec, EntityAddr, Name, PgId, UTime};
use std::time::Duration;

impl Servers {
    /// A daemon's process ends at once. Monitors notice the death of an OSD by themselves if
    /// [`Settings::down_after`](crate::Settings::down_after) says so; nothing brings it back but
    /// [`restart`](Self::restart).
    pub fn kill(&mut self, now: Timestamp, who: Who) {
        self.at(now);
        match who {
            Who::Mon(rank) => match self.mons.get_mut(rank) {
                Some(runs) if *runs => *runs = false,
                _ => return,
            },
            Who::Osd(id) => {
                let Some(osd) = self.osd_mut(id).filter(|osd| osd.running) else { return };
                osd.die();
                let nonce = osd.nonce;
                if let Some(after) = self.settings.down_after {
                    let at = self.now.saturating_add(after);
                    self.timers.at(at, Timer::Down { osd: id, nonce });
                }
            }
        }
        let conns: Vec<ConnId> = self.conns.of(who).map(|(conn, _)| conn).collect();
        self.conns.outputs.push_back(Output::Refuse(who));
        conns.into_iter().for_each(|conn| self.conns.close(conn));
        self.settle();
    }

    /// Starts a daemon whose process is gone. An OSD comes up in the map at once.
    pub fn restart(&mut self, now: Timestamp, who: Who) {
        self.at(now);
        match who {
            Who::Mon(rank) => match self.mons.get_mut(rank) {
                Some(runs) if !*runs => *runs = true,
                _ => return,
            },
            Who::Osd(id) => {
                let (nonce, epoch) = (self.next_nonce, self.maps.epoch());
                let Some(osd) = self.osd_mut(id).filter(|osd| !osd.running) else { return };
                *osd = Osd::new(id, nonce, epoch);
                self.next_nonce += 1;
                self.conns.outputs.push_back(Output::Listen(who));
                self.boot(id);
                return self.settle();
            }
        }
        self.conns.outputs.push_back(Output::Listen(who));
        self.settle();
    }

    /// An OSD says that it is there.
    pub(crate) fn boot(&mut self, id: i32) {
        let Some(addr) = self.addr(Who::Osd(id)) else { return };
        let up = self.map().is_up(id);
        // A process that takes another's place is first marked down, as monitors do.
        if up {
            self.commit(|inc| _ = inc.new_state.insert(id, osd_state::UP));
        }
        self.commit(|inc| {
            let addrs = AddrVec(vec![addr]);
            inc.new_up_client.insert(id, addrs.clone());
            inc.server.new_up_cluster.insert(id, addrs.clone());
            inc.server.new_hb_back_up.insert(id, addrs.clone());
            inc.server.new_hb_front_up.insert(id, addrs);
        });
    }

    /// An OSD's process stops to run, as if by SIGSTOP, until [`resume`](Self::resume).
    pub fn pause(&mut self, now: Timestamp, osd: i32) {
        self.at(now);
        if let Some(osd) = self.osd_mut(osd).filter(|osd| osd.running) {
            osd.paused = true;
        }
    }

    /// A paused OSD goes on: what it should have done by now comes first, then what clients sent.
    pub fn resume(&mut self, now: Timestamp, id: i32) {
        self.at(now);
        let Some(osd) = self.osd_mut(id).filter(|osd| osd.paused) else { return };
        osd.paused = false;
        let overdue = std::mem::take(&mut osd.overdue);
        overdue.into_iter().for_each(|timer| self.on_timer(timer));
        let conns: Vec<ConnId> = self.conns.of(Who::Osd(id)).map(|(conn, _)| conn).collect();
        for conn in conns {
            let Some(state) = self.conns.get_mut(conn) else { continue };
            let backlog = state.backlog.split();
            state.push(&backlog);
            self.serve(conn);
        }
        // Boots again if it was taken for dead meanwhile.
        if !self.map().is_up(id) {
            self.boot(id);
        }
        self.settle();
    }

    /// The monitors mark an OSD down. One whose process runs comes up again by itself.
    pub fn mark_down(&mut self, now: Timestamp, id: i32) {
        self.at(now);
        if self.map().is_up(id) {
            self.commit(|inc| _ = inc.new_state.insert(id, osd_state::UP));
            if self.osd_mut(id).is_some_and(|osd| osd.running && !osd.paused) {
                self.boot(id);
            }
        }
        self.settle();
    }

    /// An OSD's process was found gone: unless another one took its place, it is marked down.
    pub(super) fn on_dead(&mut self, id: i32, nonce: u32) {
        let gone = self.osd_mut(id).is_some_and(|osd| !osd.running && osd.nonce == nonce);
        if gone && self.map().is_up(id) {
            self.commit(|inc| _ = inc.new_state.insert(id, osd_state::UP));
        }
    }

    /// Takes an OSD out of placement, or in again.
    pub fn set_in(&mut self, now: Timestamp, osd: i32, is_in: bool) {
        self.at(now);
        if self.map().exists(osd) {
            self.commit(|inc| _ = inc.new_weight.insert(osd, if is_in { WEIGHT_IN } else { 0 }));
        }
        self.settle();
    }

    /// A placement group gets other OSDs, the first of them as primary; its own ones again if empty.
    pub fn place(&mut self, now: Timestamp, pg: PgId, osds: &[i32]) {
        self.at(now);
        self.commit(|inc| _ = inc.new_pg_temp.insert(pg, osds.to_vec()));
        self.settle();
    }

    /// A new interval of a placement group with the same primary: a copy goes, or they change places, or all
    /// is as before. Nothing happens to a group of one copy.
    pub fn new_interval(&mut self, now: Timestamp, pg: PgId) {
        let mut osds = pg_to_osds(self.map(), pg).acting.as_slice().to_vec();
        let min_size = self.map().pool(pg.pool).map_or(1, |pool| usize::from(pool.min_size));
        if self.map().pg_temp.contains_key(&pg) {
            osds.clear();
        } else if osds.len() > min_size.max(1) {
            osds.pop();
        } else if let Some(others) = osds.get_mut(1..) {
            others.reverse();
        }
        self.place(now, pg, &osds);
    }

    /// Gives a pool another number of placement groups.
    pub fn set_pg_num(&mut self, now: Timestamp, pool: i64, pg_num: u32) {
        self.at(now);
        let Some(old) = self.map().pool(pool).cloned() else { return };
        let pg_num = pg_num.clamp(1, 1024);
        let epoch = self.maps.epoch() + 1;
        self.commit(|inc| {
            let mut changed = old;
            changed.pg_num = pg_num;
            changed.pgp_num = pg_num;
            changed.pg_num_target = pg_num;
            changed.pgp_num_target = pg_num;
            changed.pg_num_pending = pg_num;
            changed.last_change = epoch;
            inc.new_pools.insert(pool, changed);
        });
        self.settle();
    }

    /// Sets all flags of a pool, a set of [`pool_flags`](linger_wire::osdmap::pool_flags).
    pub fn set_pool_flags(&mut self, now: Timestamp, pool: i64, flags: u64) {
        self.at(now);
        let Some(mut changed) = self.map().pool(pool).cloned() else { return };
        changed.flags = flags;
        self.commit(|inc| _ = inc.new_pools.insert(pool, changed));
        self.settle();
    }

    /// Sets all flags of the map, a set of [`map_flags`](linger_wire::osdmap::map_flags).
    pub fn set_flags(&mut self, now: Timestamp, flags: u32) {
        self.at(now);
        self.commit(|inc| inc.new_flags = Some(flags));
        self.settle();
    }

    /// Makes a pool with a name, and returns its number.
    pub fn create_pool(&mut self, now: Timestamp, name: impl Into<Name>, pg_num: u32) -> i64 {
        self.at(now);
        let id = i64::from(self.map().pool_max) + 1;
        let size = self.settings.osds.len().clamp(1, 3) as u8;
        let name = name.into();
        self.commit(|inc| {
            inc.new_pool_max = Some(id);
            inc.new_pools.insert(id, Pool::replicated(size, pg_num.clamp(1, 1024), 0));
            inc.new_pool_names.insert(id, name);
        });
        self.settle();
        id
    }

    /// Removes a pool with all its objects.
    pub fn remove_pool(&mut self, now: Timestamp, pool: i64) {
        self.at(now);
        if self.map().pool(pool).is_some() {
            self.store.remove_pool(pool);
            self.commit(|inc| _ = inc.old_pools.insert(pool));
        }
        self.settle();
    }

    /// Locks a client out by its address, or a whole host by one with port and nonce 0.
    pub fn blocklist(&mut self, now: Timestamp, addr: EntityAddr, for_long: Duration) {
        self.at(now);
        let until = self.unix().0.saturating_add(for_long);
        self.commit(|inc| _ = inc.new_blocklist.insert(addr, utime(until)));
        self.timers.at(self.now, Timer::Blocklist);
        self.settle();
    }

    /// Lets those in again whose time is over, as monitors do (`mon/OSDMonitor.cc`), and looks again when the
    /// next one's is.
    pub(super) fn expire_blocklist(&mut self) {
        let now = self.unix().0;
        let left = |until: &UTime| Duration::new(until.sec.into(), until.nsec).saturating_sub(now);
        let entries = &self.map().blocklist.entries;
        let over: Vec<_> =
            entries.iter().filter(|(_, until)| left(until).is_zero()).map(|(addr, _)| *addr).collect();
        let next = entries.values().map(left).filter(|left| !left.is_zero()).min();
        if !over.is_empty() {
            self.commit(|inc| inc.old_blocklist = over.into_iter().collect());
        }
        if let Some(left) = next {
            // What is below a microsecond is cut off.
            let at = self.now.saturating_add(left + Duration::from_micros(1));
            self.timers.at(at, Timer::Blocklist);
        }
    }

    /// Lets clients in again.
    pub fn unblocklist(&mut self, now: Timestamp, addrs: &[EntityAddr]) {
        self.at(now);
        self.commit(|inc| inc.old_blocklist = addrs.iter().copied().collect());
        self.settle();
    }

    /// Lets everybody in again.
    pub fn clear_blocklist(&mut self, now: Timestamp) {
        let all: Vec<_> = self.map().blocklist.entries.keys().copied().collect();
        self.unblocklist(now, &all);
    }

    /// A new epoch in which nothing changes.
    pub fn new_epoch(&mut self, now: Timestamp) {
        self.at(now);
        self.commit(|_| {});
        self.settle();
    }

    /// The monitors forget all epochs but the newest: whoever is behind has to skip some.
    pub fn trim(&mut self, now: Timestamp) {
        self.at(now);
        self.maps.trim(u32::MAX);
    }

    /// An OSD loses the next requests that come, as it does with those for groups it is not primary of.
    pub fn lose_requests(&mut self, osd: i32, count: u32) {
        if let Some(osd) = self.osd_mut(osd) {
            osd.losing = count;
        }
    }

    /// An OSD looks at each request only so long after it came; at once again with no time.
    pub fn delay_requests(&mut self, osd: i32, delay: Duration) {
        if let Some(osd) = self.osd_mut(osd) {
            osd.delay = delay;
        }
    }

    /// A daemon closes a connection, for no reason.
    pub fn reset(&mut self, now: Timestamp, conn: ConnId) {
        self.at(now);
        self.conns.close(conn);
        self.settle();
    }

    /// Makes the next epoch and spreads it: to subscribers at once, to OSDs within
    /// [`Settings::map_delay`](crate::Settings::map_delay).
    fn commit(&mut self, change: impl FnOnce(&mut Incremental)) {
        let unix = self.unix();
        self.maps.commit(|inc| {
            inc.modified = utime(unix.0);
            change(inc);
        });
        let epoch = self.maps.epoch();
        mon::publish(&mut self.maps, &mut self.conns);
        for id in 0..self.osds.len() as i32 {
            let mut at = self.now;
            self.with_osd(id, |_, cx| at = cx.within(cx.settings.map_delay));
            let paused = self.osd_mut(id).is_some_and(|osd| osd.paused);
            if at > self.now || paused {
                self.timers.at(at, Timer::Map { osd: id, epoch });
            } else {
                self.with_osd(id, |osd, cx| osd.on_map(epoch, cx));
            }
        }
    }
}
