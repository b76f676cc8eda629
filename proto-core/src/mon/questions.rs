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
    /// The newest epoch that this session's monitor sent.
    heard: u32,
    /// What that was when a full map came that was asked for and of no use: only after newer ones came, too,
    /// another one is asked for, lest a monitor that has none of use is asked without end.
    in_vain: Option<u32>,
    /// The version query that this session's monitor has not answered: one at a time.
    version_asked: Option<u64>,
    /// The next one. Whoever wants to know before it is asked shares it.
    version_owed: Option<u64>,
    last_handle: u64,
}

/// What became of the wish for OSD maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Nothing is wanted: the next who wants a map asks.
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
            heard: 0,
            in_vain: None,
            version_asked: None,
            version_owed: None,
            last_handle: 0,
        }
    }

    pub(super) fn session_lost(&mut self) {
        self.heard = 0;
        if self.in_vain.take().is_some() {
            // The next monitor may have one of use.
            self.osdmap_next = Some(0);
        }
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

    pub(super) fn got_map(&mut self, epoch: u32, full: bool, conn: Option<ConnKey>, cx: &mut Context) {
        let next = u64::from(epoch) + 1;
        self.in_vain = None;
        let Some(wanted) = self.osdmap_next.filter(|wanted| *wanted < next) else { return };
        if !self.follow_map {
            (self.osdmap_next, self.osdmap) = (None, Asked::No);
            return;
        }
        self.osdmap_next = Some(next);
        if wanted == 0 && !full {
            // The full map that is on its way may be newer, and only what is newer still would follow.
            self.osdmap = Asked::Owed;
            self.ask_owed(conn, cx);
        }
    }

    /// The monitor sent maps up to `epoch`; `in_vain` if a full one is needed though it sent one.
    pub(super) fn heard_of(&mut self, epoch: u32, in_vain: bool) {
        self.heard = self.heard.max(epoch);
        if in_vain && (self.osdmap_next, self.osdmap) == (Some(0), Asked::Yes) {
            self.in_vain = Some(self.heard);
        }
    }

    /// Wants maps from `epoch` on. What is asked already is not asked twice: peers that make this client
    /// want the same again and again must not fill an outbox.
    pub(super) fn want_map(&mut self, epoch: u32, conn: Option<ConnKey>, cx: &mut Context) {
        let next = match self.in_vain {
            Some(heard) if epoch == 0 && self.heard <= heard => u64::from(heard) + 1,
            _ => u64::from(epoch),
        };
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
