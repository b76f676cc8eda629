//! Which placement group each thing belongs to, so that a new map touches only what it moves.
//!
//! Watches, notifies and requests that are sent again after a move are *members* of their object's
//! placement group. A group remembers the interval it is in; a map that begins a new one moves all
//! its members, even if an equal interval follows later in the same batch of maps.

use crate::ids::{NotifyKey, WatchKey};
use crate::object::Object;
use crate::placement::{Interval, Overlay, Placer, Target, actual_pg, raw_pg};
use crate::totals::Why;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use linger_wire::PgId;
use linger_wire::osdmap::{MapChange, OsdMap};

/// Something that has to follow its object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Member {
    /// A request, by its tid.
    Op(u64),
    Watch(WatchKey),
    Notify(NotifyKey),
}

/// Members that a map affects.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// They have to start over.
    pub(crate) moved: BTreeMap<Member, Why>,
    /// Their pool is gone.
    pub(crate) lost: BTreeSet<Member>,
}

#[derive(Debug)]
struct Group {
    interval: Interval,
    members: BTreeMap<Member, (Arc<Object>, Overlay)>,
}

/// All groups that have members.
#[derive(Debug, Default)]
pub(crate) struct Targets {
    groups: BTreeMap<PgId, Group>,
    homes: BTreeMap<Member, PgId>,
    by_osd: BTreeMap<i32, BTreeSet<PgId>>,
}

impl Targets {
    /// Puts a member where its object now is; `None` if the map has no such pool.
    pub(crate) fn place(
        &mut self,
        member: Member,
        object: &Arc<Object>,
        overlay: Overlay,
        map: &OsdMap,
    ) -> Option<Target> {
        let raw = raw_pg(map, &object.locator, &object.name, overlay).ok();
        let pool = raw.and_then(|raw| map.pool(raw.pool));
        let (Some(raw), Some(pool)) = (raw, pool) else {
            self.remove(member);
            return None;
        };
        let pg = actual_pg(pool, raw);
        if self.homes.get(&member) != Some(&pg) {
            self.remove(member);
            self.homes.insert(member, pg);
        }
        if !self.groups.contains_key(&pg) {
            let interval = Interval::of(map, pg)?;
            self.by_osd.entry(interval.mapping.acting_primary).or_default().insert(pg);
            self.groups.insert(pg, Group { interval, members: BTreeMap::new() });
        }
        let group = self.groups.get_mut(&pg)?;
        group.members.insert(member, (Arc::clone(object), overlay));
        Some(Target::of(map, pool, raw, &group.interval.mapping))
    }

    pub(crate) fn remove(&mut self, member: Member) {
        let Some(pg) = self.homes.remove(&member) else { return };
        let Some(group) = self.groups.get_mut(&pg) else { return };
        group.members.remove(&member);
        if group.members.is_empty() {
            let osd = group.interval.mapping.acting_primary;
            self.groups.remove(&pg);
            self.leave(osd, pg);
        }
    }

    fn leave(&mut self, osd: i32, pg: PgId) {
        if let Some(pgs) = self.by_osd.get_mut(&osd) {
            pgs.remove(&pg);
            if pgs.is_empty() {
                self.by_osd.remove(&osd);
            }
        }
    }

    /// Whether an OSD is the primary of any member.
    pub(crate) fn is_used(&self, osd: i32) -> bool {
        self.by_osd.contains_key(&osd)
    }

    /// The watches and notifies whose primary an OSD is.
    pub(crate) fn lingers_of(&self, osd: i32) -> Vec<Member> {
        let pgs = self.by_osd.get(&osd).into_iter().flatten();
        let members = pgs.filter_map(|pg| self.groups.get(pg)).flat_map(|group| group.members.keys());
        members.filter(|member| !matches!(member, Member::Op(_))).copied().collect()
    }

    /// All members, for when nothing of what was known holds.
    pub(crate) fn all(&self) -> BTreeSet<Member> {
        self.homes.keys().copied().collect()
    }

    /// Takes in a new map: one call for each epoch.
    pub(crate) fn refresh(&mut self, map: &OsdMap, change: &MapChange, moves: &mut Moves) {
        let mut placer = Placer::new(map);
        for pg in self.affected(change) {
            match Interval::with(&mut placer, map, pg) {
                None => self.lose(pg, moves),
                Some(interval) => self.renew(pg, interval, map, change, moves),
            }
        }
    }

    fn affected(&self, change: &MapChange) -> Vec<PgId> {
        // Some flags are part of the interval.
        if change.everything || change.flags {
            return self.groups.keys().copied().collect();
        }
        let mut pgs: BTreeSet<PgId> =
            change.pgs.iter().filter(|pg| self.groups.contains_key(pg)).copied().collect();
        if !change.pools.is_empty() {
            let of_pool = |pg: &PgId, group: &Group| {
                let through = |(object, _): &(Arc<Object>, Overlay)| object.locator.pool;
                change.pools.contains(&pg.pool)
                    || group.members.values().any(|member| change.pools.contains(&through(member)))
            };
            pgs.extend(self.groups.iter().filter(|(pg, group)| of_pool(pg, group)).map(|(pg, _)| *pg));
        }
        pgs.into_iter().collect()
    }

    fn lose(&mut self, pg: PgId, moves: &mut Moves) {
        let Some(group) = self.groups.remove(&pg) else { return };
        self.leave(group.interval.mapping.acting_primary, pg);
        for member in group.members.into_keys() {
            self.homes.remove(&member);
            moves.moved.remove(&member);
            moves.lost.insert(member);
        }
    }

    fn renew(&mut self, pg: PgId, interval: Interval, map: &OsdMap, change: &MapChange, moves: &mut Moves) {
        let Some(group) = self.groups.get_mut(&pg) else { return };
        let is_new = interval.is_new_since(&group.interval);
        let (before, after) = (group.interval.mapping.acting_primary, interval.mapping.acting_primary);
        group.interval = interval;
        let stays = |(object, overlay): &(Arc<Object>, Overlay)| {
            raw_pg(map, &object.locator, &object.name, *overlay)
                .is_ok_and(|raw| map.pool(raw.pool).is_some_and(|pool| actual_pg(pool, raw) == pg))
        };
        if is_new {
            moves.moved.extend(group.members.keys().map(|member| (*member, Why::Interval)));
        }
        // Only a split, a merge or a cache tier takes members to another group: a change of a pool.
        let may_leave = |member: &(Arc<Object>, Overlay)| !change.pools.is_empty() && !stays(member);
        let leaving: Vec<_> = group.members.iter().filter(|(_, member)| may_leave(member)).collect();
        let leaving: Vec<_> =
            leaving.into_iter().map(|(m, (object, o))| (*m, Arc::clone(object), *o)).collect();
        if before != after {
            self.leave(before, pg);
            self.by_osd.entry(after).or_default().insert(pg);
        }
        for (member, object, overlay) in leaving {
            if self.place(member, &object, overlay, map).is_some() {
                moves.moved.insert(member, Why::Interval);
            } else {
                moves.moved.remove(&member);
                moves.lost.insert(member);
            }
        }
    }
}
