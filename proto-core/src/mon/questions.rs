//! What is asked of the monitors, and asked again in each new session.

use super::PRIORITY;
use crate::context::Context;
use crate::ids::ConnKey;
use alloc::collections::BTreeMap;
use linger_wire::Name;
use linger_wire::msg::{GetVersion, Kind, Subscribe, SubscribeItem};

/// Subscriptions and version queries.
pub(super) struct Questions {
    follow_map: bool,
    /// The next monmap epoch wanted.
    monmap_next: u64,
    /// The next OSD map epoch wanted, once any is; 0 for the newest in full.
    osdmap_next: Option<u64>,
    osdmap: Asked,
    /// The version query that this session's monitor has not answered: one at a time.
    version_asked: Option<u64>,
    /// The next one. Whoever wants to know before it is asked shares it.
    version_owed: Option<u64>,
    last_handle: u64,
}

/// What became of the wish for OSD maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nothing is wanted, or what came was of no use: the next who wants a map asks.
    No,
    /// It is to be asked when there is a session, and room in its outbox.
    Owed,
    /// This session's monitor will send (or, subscribed, sends) that epoch by itself.
    Yes,
}

impl Questions {
    pub(super) fn new(follow_map: bool) -> Self {
        Self {
            follow_map,
            monmap_next: 0,
            osdmap_next: None,
            osdmap: Asked::No,
            version_asked: None,
            version_owed: None,
            last_handle: 0,
        }
    }

    pub(super) fn session_lost(&mut self) {
        self.osdmap = if self.osdmap_next.is_some() { Asked::Owed } else { Asked::No };
        // A later answer does for those who asked earlier, too.
        self.version_owed = self.version_owed.or(self.version_asked);
        self.version_asked = None;
    }

    pub(super) fn session_up(&mut self, conn: ConnKey, cx: &mut Context) {
        // The first answer names the cluster, so that a wrong one is refused before its maps come.
        cx.pool.send_empty(conn, Kind::MON_GET_MAP, PRIORITY);
        let mut what = BTreeMap::from([(Name::from("monmap"), self.monmap_item())]);
        if let Some(item) = self.osdmap_item() {
            what.insert("osdmap".into(), item);
            self.osdmap = Asked::Yes;
        }
        subscribe(conn, what, cx);
        self.ask_owed(Some(conn), cx);
    }

    fn monmap_item(&self) -> SubscribeItem {
        SubscribeItem { start: self.monmap_next, flags: 0 }
    }

    fn osdmap_item(&self) -> Option<SubscribeItem> {
        let flags = if self.follow_map { 0 } else { SubscribeItem::ONETIME };
        self.osdmap_next.map(|start| SubscribeItem { start, flags })
    }

    pub(super) fn got_monmap(&mut self, epoch: u32) {
        self.monmap_next = self.monmap_next.max(u64::from(epoch) + 1);
    }

    pub(super) fn got_map(&mut self, epoch: u32) {
        let next = u64::from(epoch) + 1;
        if self.osdmap_next.is_some_and(|wanted| wanted < next) {
            self.osdmap_next = self.follow_map.then_some(next);
            if !self.follow_map {
                self.osdmap = Asked::No;
            }
        }
    }

    /// The monitor sent a full map. If one is still wanted it was of no use, and a newer one may be.
    pub(super) fn got_full(&mut self) {
        if (self.osdmap_next, self.osdmap) == (Some(0), Asked::Yes) {
            self.osdmap = Asked::No;
        }
    }

    /// Wants maps from `epoch` on. What is asked already is not asked twice: peers that make this client
    /// want the same again and again must not fill an outbox.
    pub(super) fn want_map(&mut self, epoch: u32, conn: Option<ConnKey>, cx: &mut Context) {
        // Who needs a full map is not helped by others.
        let next = if self.osdmap_next == Some(0) { 0 } else { u64::from(epoch) };
        if (self.osdmap_next, self.osdmap) == (Some(next), Asked::Yes) {
            return;
        }
        (self.osdmap_next, self.osdmap) = (Some(next), Asked::Owed);
        self.ask_owed(conn, cx);
    }

    /// Asks what is to be asked, as far as there is room.
    pub(super) fn ask_owed(&mut self, conn: Option<ConnKey>, cx: &mut Context) {
        let Some(conn) = conn else { return };
        if cx.pool.has_room(conn)
            && let (Asked::Owed, Some(item)) = (self.osdmap, self.osdmap_item())
        {
            subscribe(conn, BTreeMap::from([("osdmap".into(), item)]), cx);
            self.osdmap = Asked::Yes;
        }
        if self.version_asked.is_none()
            && cx.pool.has_room(conn)
            && let Some(handle) = self.version_owed.take()
        {
            cx.pool.send(conn, 0, PRIORITY, &version_of_osdmap(handle));
            self.version_asked = Some(handle);
        }
    }

    /// Wants to know the newest epoch. The answer under this handle, or under a later one, was given after this.
    pub(super) fn ask_newest(&mut self, conn: Option<ConnKey>, cx: &mut Context) -> u64 {
        let handle = self.version_owed.unwrap_or(self.last_handle + 1);
        self.last_handle = handle;
        self.version_owed = Some(handle);
        self.ask_owed(conn, cx);
        handle
    }

    /// Whether this was asked; it is asked no more, but the next one is.
    pub(super) fn answered(&mut self, handle: u64, conn: Option<ConnKey>, cx: &mut Context) -> bool {
        if self.version_asked != Some(handle) {
            return false;
        }
        self.version_asked = None;
        self.ask_owed(conn, cx);
        true
    }
}

fn subscribe(conn: ConnKey, what: BTreeMap<Name, SubscribeItem>, cx: &mut Context) {
    cx.pool.send(conn, 0, PRIORITY, &Subscribe { what, hostname: Name::default() });
}

fn version_of_osdmap(handle: u64) -> GetVersion {
    GetVersion { handle, what: "osdmap".into() }
}
