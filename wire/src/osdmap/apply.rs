//! From one epoch to the next.
//!
//! Facts: `OSDMap::apply_incremental` in `osd/OSDMap.cc`.

use super::map::ServerState;
use super::osd::{AFFINITY_DEFAULT, MAX_OSDS, OsdInfo, OsdXInfo, osd_state};
use super::{ApplyError, Incremental, MapChange, OsdMap, SnapIntervals, resize};
use crate::{AddrVec, Fsid, PgId, UTime};
use alloc::collections::{BTreeMap, BTreeSet};

impl OsdMap {
    /// Makes this map the one of the next epoch. On an error the map is as before.
    ///
    /// # Errors
    /// [`ApplyError`] if the incremental is not of this cluster and of the next epoch, or contradicts
    /// the map.
    pub fn apply(&mut self, inc: &Incremental) -> Result<MapChange, ApplyError> {
        if inc.fsid != self.fsid && inc.epoch != 1 {
            return Err(ApplyError::WrongCluster { have: self.fsid, got: inc.fsid });
        }
        if self.epoch.checked_add(1) != Some(inc.epoch) {
            return Err(ApplyError::WrongEpoch { have: self.epoch, got: inc.epoch });
        }
        if let Some(full) = &inc.full_map {
            if (full.fsid, full.epoch) != (inc.fsid, inc.epoch) {
                return Err(ApplyError::WrongEpoch { have: self.epoch, got: full.epoch });
            }
            let change = MapChange::unknown(self, full);
            *self = (**full).clone();
            return Ok(change);
        }
        self.check_osds(inc)?;
        let mut change = MapChange::default();
        self.fsid = inc.fsid;
        self.epoch = inc.epoch;
        self.modified = inc.modified;
        change.flags = self.apply_flags(inc);
        self.apply_pools(inc, &mut change);
        self.apply_osds(inc, &mut change);
        self.apply_overrides(inc, &mut change);
        change.blocklist = self.apply_blocklist(inc);
        self.apply_server(inc);
        change.everything |= self.apply_crush(inc);
        Ok(change)
    }

    /// Refuses OSDs that would not be in the map afterwards.
    fn check_osds(&self, inc: &Incremental) -> Result<(), ApplyError> {
        let max = inc.new_max_osd.unwrap_or(self.max_osd);
        if max > MAX_OSDS {
            return Err(ApplyError::TooManyOsds(max));
        }
        let server = &inc.server;
        let mut osds = (inc.new_state.keys())
            .chain(inc.new_weight.keys())
            .chain(inc.new_up_client.keys())
            .chain(inc.new_primary_affinity.keys())
            .chain(server.new_up_cluster.keys())
            .chain(server.new_up_thru.keys())
            .chain(server.new_last_clean_interval.keys())
            .chain(server.new_lost.keys())
            .chain(server.new_uuid.keys())
            .chain(server.new_xinfo.keys());
        match osds.find(|osd| !(0..max).contains(*osd)) {
            Some(osd) => Err(ApplyError::NoSuchOsd(*osd)),
            None => Ok(()),
        }
    }

    fn apply_flags(&mut self, inc: &Incremental) -> bool {
        let before = self.flags;
        if let Some(flags) = inc.new_flags {
            self.flags = flags;
        }
        if let Some(release) = inc.new_require_osd_release {
            self.require_osd_release = release;
            self.settle();
        }
        self.flags != before
    }

    fn apply_pools(&mut self, inc: &Incremental, change: &mut MapChange) {
        if let Some(max) = inc.new_pool_max {
            self.pool_max = max as i32;
        }
        for (id, pool) in &inc.new_pools {
            let mut pool = pool.clone();
            pool.last_change = self.epoch;
            self.pools.insert(*id, pool);
            change.pools.insert(*id);
        }
        self.apply_snaps(inc);
        for (id, name) in &inc.new_pool_names {
            self.pool_names.insert(*id, name.clone());
            change.pools.insert(*id);
        }
        for id in &inc.old_pools {
            self.pools.remove(id);
            self.pool_names.remove(id);
            change.pools.insert(*id);
        }
        for name in &inc.old_erasure_code_profiles {
            self.erasure_code_profiles.remove(name);
        }
        for (name, profile) in &inc.new_erasure_code_profiles {
            self.erasure_code_profiles.insert(name.clone(), profile.clone());
        }
    }

    fn apply_snaps(&mut self, inc: &Incremental) {
        self.new_removed_snaps.clone_from(&inc.new_removed_snaps);
        self.new_purged_snaps.clone_from(&inc.new_purged_snaps);
        let queues = &mut self.server.removed_snaps_queue;
        for (pool, snaps) in &inc.new_removed_snaps {
            let queue: &mut SnapIntervals = queues.entry(*pool).or_default();
            snaps.iter().for_each(|(start, len)| queue.insert(start, len));
        }
        for (pool, snaps) in &inc.new_purged_snaps {
            if let Some(queue) = queues.get_mut(pool) {
                snaps.iter().for_each(|(start, len)| queue.remove(start, len));
                if queue.is_empty() {
                    queues.remove(pool);
                }
            }
        }
    }

    fn apply_osds(&mut self, inc: &Incremental, change: &mut MapChange) {
        if let Some(max) = inc.new_max_osd {
            change.osds.extend((max..self.max_osd).filter(|osd| self.exists(*osd)));
            change.everything |= max != self.max_osd;
            self.max_osd = max;
        }
        self.complete_lists();
        if inc.new_last_up_change != UTime::default() {
            self.last_up_change = inc.new_last_up_change;
        }
        if inc.new_last_in_change != UTime::default() {
            self.last_in_change = inc.new_last_in_change;
        }
        change.everything |= !inc.new_weight.is_empty()
            || !inc.new_primary_affinity.is_empty()
            || !inc.new_state.is_empty()
            || !inc.new_up_client.is_empty();
        for (osd, weight) in &inc.new_weight {
            put(&mut self.osd_weight, *osd, *weight);
            if *weight != 0 {
                update(&mut self.osd_state, *osd, |state| {
                    *state = (*state | osd_state::EXISTS) & !(osd_state::AUTOOUT | osd_state::NEW);
                });
                update(&mut self.server.xinfo, *osd, |info| info.old_weight = 0);
            }
        }
        for (osd, affinity) in &inc.new_primary_affinity {
            self.set_affinity(*osd, *affinity);
        }
        for (osd, flip) in &inc.new_state {
            self.flip_state(*osd, if *flip == 0 { osd_state::UP } else { *flip });
            change.osds.insert(*osd);
        }
        for (osd, addrs) in &inc.new_up_client {
            self.bring_up(*osd, addrs, inc);
            change.osds.insert(*osd);
        }
        self.apply_details(inc);
    }

    /// Makes each list by OSD as long as the map says.
    pub(super) fn complete_lists(&mut self) {
        let osds = usize::try_from(self.max_osd).unwrap_or(0);
        resize(&mut self.osd_state, osds, 0);
        resize(&mut self.osd_weight, osds, 0);
        resize(&mut self.osd_addrs, osds, AddrVec::default());
        if !self.primary_affinity.is_empty() {
            resize(&mut self.primary_affinity, osds, AFFINITY_DEFAULT);
        }
        let ServerState { info, xinfo, uuids, cluster_addrs, hb_back, hb_front, .. } = &mut self.server;
        resize(info, osds, OsdInfo::default());
        resize(xinfo, osds, OsdXInfo::default());
        resize(uuids, osds, Fsid::default());
        resize(cluster_addrs, osds, AddrVec::default());
        resize(hb_back, osds, AddrVec::default());
        resize(hb_front, osds, AddrVec::default());
    }

    fn set_affinity(&mut self, osd: i32, affinity: u32) {
        if self.primary_affinity.is_empty() {
            resize(&mut self.primary_affinity, usize::try_from(self.max_osd).unwrap_or(0), AFFINITY_DEFAULT);
        }
        put(&mut self.primary_affinity, osd, affinity);
    }

    fn flip_state(&mut self, osd: i32, flip: u32) {
        let (state, epoch, modified) = (self.state(osd), self.epoch, self.modified);
        if state & flip & osd_state::UP != 0 {
            update(&mut self.server.info, osd, |info| info.down_at = epoch);
            update(&mut self.server.xinfo, osd, |info| info.down_stamp = modified);
        }
        if state & flip & osd_state::EXISTS == 0 {
            put(&mut self.osd_state, osd, state ^ flip);
            return;
        }
        // It was destroyed: nothing of it stays.
        put(&mut self.osd_state, osd, 0);
        put(&mut self.osd_addrs, osd, AddrVec::default());
        self.set_affinity(osd, AFFINITY_DEFAULT);
        let server = &mut self.server;
        put(&mut server.info, osd, OsdInfo::default());
        put(&mut server.xinfo, osd, OsdXInfo::default());
        put(&mut server.uuids, osd, Fsid::default());
        put(&mut server.cluster_addrs, osd, AddrVec::default());
        put(&mut server.hb_back, osd, AddrVec::default());
        put(&mut server.hb_front, osd, AddrVec::default());
    }

    fn bring_up(&mut self, osd: i32, addrs: &AddrVec, inc: &Incremental) {
        let epoch = self.epoch;
        update(&mut self.osd_state, osd, |state| {
            *state = (*state | osd_state::EXISTS | osd_state::UP) & !osd_state::STOP;
        });
        put(&mut self.osd_addrs, osd, addrs.clone());
        let found = |map: &BTreeMap<i32, AddrVec>| map.get(&osd).cloned().unwrap_or_default();
        put(&mut self.server.hb_back, osd, found(&inc.server.new_hb_back_up));
        put(&mut self.server.hb_front, osd, found(&inc.server.new_hb_front_up));
        update(&mut self.server.info, osd, |info| info.up_from = epoch);
    }

    fn apply_details(&mut self, inc: &Incremental) {
        let (server, new) = (&mut self.server, &inc.server);
        for (osd, addrs) in &new.new_up_cluster {
            put(&mut server.cluster_addrs, *osd, addrs.clone());
        }
        for (osd, epoch) in &new.new_up_thru {
            update(&mut server.info, *osd, |info| info.up_thru = *epoch);
        }
        for (osd, interval) in &new.new_last_clean_interval {
            update(&mut server.info, *osd, |info| {
                (info.last_clean_begin, info.last_clean_end) = *interval;
            });
        }
        for (osd, epoch) in &new.new_lost {
            update(&mut server.info, *osd, |info| info.lost_at = *epoch);
        }
        new.new_xinfo.iter().for_each(|(osd, info)| put(&mut server.xinfo, *osd, *info));
        new.new_uuid.iter().for_each(|(osd, uuid)| put(&mut server.uuids, *osd, *uuid));
    }

    fn apply_overrides(&mut self, inc: &Incremental, change: &mut MapChange) {
        for (pg, osds) in &inc.new_pg_temp {
            match osds.is_empty() {
                true => self.pg_temp.remove(pg),
                false => self.pg_temp.insert(*pg, osds.clone()),
            };
        }
        for (pg, osd) in &inc.new_primary_temp {
            match osd {
                -1 => self.primary_temp.remove(pg),
                _ => self.primary_temp.insert(*pg, *osd),
            };
        }
        merge(&mut self.pg_upmap, &inc.new_pg_upmap, &inc.old_pg_upmap);
        merge(&mut self.pg_upmap_items, &inc.new_pg_upmap_items, &inc.old_pg_upmap_items);
        merge(&mut self.pg_upmap_primaries, &inc.new_pg_upmap_primary, &inc.old_pg_upmap_primary);
        change.pgs.extend(
            (inc.new_pg_temp.keys())
                .chain(inc.new_primary_temp.keys())
                .chain(inc.new_pg_upmap.keys())
                .chain(&inc.old_pg_upmap)
                .chain(inc.new_pg_upmap_items.keys())
                .chain(&inc.old_pg_upmap_items)
                .chain(inc.new_pg_upmap_primary.keys())
                .chain(&inc.old_pg_upmap_primary),
        );
    }

    fn apply_blocklist(&mut self, inc: &Incremental) -> bool {
        let list = &mut self.blocklist;
        // An entry that is there keeps its time.
        for (addr, until) in &inc.new_blocklist {
            list.entries.entry(*addr).or_insert(*until);
        }
        for (addr, until) in &inc.new_range_blocklist {
            list.ranges.entry(*addr).or_insert(*until);
        }
        for addr in &inc.old_blocklist {
            list.entries.remove(addr);
        }
        for addr in &inc.old_range_blocklist {
            list.ranges.remove(addr);
        }
        !(inc.new_blocklist.is_empty()
            && inc.old_blocklist.is_empty()
            && inc.new_range_blocklist.is_empty()
            && inc.old_range_blocklist.is_empty())
    }

    fn apply_server(&mut self, inc: &Incremental) {
        let (server, new) = (&mut self.server, &inc.server);
        server.cluster_snapshot.clone_from(&new.cluster_snapshot);
        server.cluster_snapshot_epoch = if new.cluster_snapshot.is_empty() { 0 } else { inc.epoch };
        let set = |ratio: &mut f32, new: f32| {
            if new >= 0.0 {
                *ratio = new;
            }
        };
        set(&mut server.nearfull_ratio, new.new_nearfull_ratio);
        set(&mut server.full_ratio, new.new_full_ratio);
        set(&mut server.backfillfull_ratio, new.new_backfillfull_ratio);
        if let Some(release @ 1..) = new.new_require_min_compat_client {
            server.require_min_compat_client = release;
        }
        merge_flags(&mut server.crush_node_flags, &new.new_crush_node_flags);
        merge_flags(&mut server.device_class_flags, &new.new_device_class_flags);
        if let Some(stretch) = new.new_stretch {
            server.stretch = stretch;
        }
        if let Some(allow) = new.new_allow_crimson {
            server.allow_crimson = allow;
        }
    }

    fn apply_crush(&mut self, inc: &Incremental) -> bool {
        let Some(crush) = &inc.crush else { return false };
        self.crush = crush.clone();
        self.crush_version = self.crush_version.wrapping_add(1);
        let classes = &self.crush.classes.names;
        self.server.device_class_flags.retain(|class, _| classes.contains_key(class));
        true
    }
}

fn merge<V: Clone>(map: &mut BTreeMap<PgId, V>, new: &BTreeMap<PgId, V>, old: &BTreeSet<PgId>) {
    map.extend(new.iter().map(|(pg, value)| (*pg, value.clone())));
    old.iter().for_each(|pg| drop(map.remove(pg)));
}

fn merge_flags(map: &mut BTreeMap<i32, u32>, new: &BTreeMap<i32, u32>) {
    for (id, flags) in new {
        match flags {
            0 => map.remove(id),
            _ => map.insert(*id, *flags),
        };
    }
}

fn update<T>(list: &mut [T], osd: i32, change: impl FnOnce(&mut T)) {
    if let Some(item) = usize::try_from(osd).ok().and_then(|at| list.get_mut(at)) {
        change(item);
    }
}

fn put<T>(list: &mut [T], osd: i32, value: T) {
    update(list, osd, |item| *item = value);
}
