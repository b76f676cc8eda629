//! What the monitors and OSDs do by themselves, and what a test makes them do.

use super::peer::{Misdeed, Peer, Reaction, Stage, Who, mon_addr};
use super::{Sim, target};
use bytes::Bytes;
use linger_core::{
    CloseReason, ConnFault, ConnId, Event, FEATURES, Live, Notify, NotifyId, NotifyOutcome, ObjectRef,
    WatchError, WatchEvent, WatchId,
};
use linger_wire::frame::Control;
use linger_wire::msg::{
    GetVersionReply, MapMessage, Msg, NotifyAcks, NotifyOpcode, Op, OpReply, OpRequest, OpResult, Subscribe,
    SubscribeItem, WatchNotify, WatchOp,
};
use linger_wire::osdmap::Incremental;
use linger_wire::{EVersion, Encode};
use std::net::SocketAddr;

/// A request that an OSD got.
#[derive(Debug, Clone)]
pub struct Request {
    pub at: linger_core::Timestamp,
    pub osd: i32,
    pub conn: ConnId,
    pub tid: u64,
    pub kind: &'static str,
    pub op: OpRequest,
}

impl Request {
    /// A watch request's cookie and generation; those of others are 0.
    pub fn watch(&self) -> (u64, u32) {
        match self.op.ops[0] {
            Op::Watch { cookie, generation, .. } => (cookie, generation),
            _ => (0, 0),
        }
    }

    pub fn cookie(&self) -> u64 {
        match self.op.ops[0] {
            Op::Watch { cookie, .. } | Op::Notify { cookie, .. } | Op::NotifyAck { cookie, .. } => cookie,
            _ => 0,
        }
    }
}

fn kind_of(op: &Op) -> &'static str {
    match op {
        Op::Watch { op, .. } => match op {
            WatchOp::Unwatch => "unwatch",
            WatchOp::Legacy => "legacy",
            WatchOp::Watch => "watch",
            WatchOp::Reconnect => "reconnect",
            WatchOp::Ping => "ping",
        },
        Op::Notify { .. } => "notify",
        Op::NotifyAck { .. } => "ack",
        Op::ListWatchers => "list",
        Op::Read { .. } => "read",
        Op::Stat => "stat",
        Op::Create { .. } => "create",
        Op::WriteFull { .. } => "write",
        Op::Delete => "delete",
        _ => "other",
    }
}

// The adapter's and the servers' part.
impl Sim {
    pub(super) fn on_connect(&mut self, conn: ConnId, addr: SocketAddr) {
        let mon = (0..16).find(|mon| mon_addr(*mon) == addr).map(Who::Mon);
        let has = |osd: &i32| {
            let addrs = self.map.addrs(*osd);
            addrs.is_some_and(|addrs| addrs.0.iter().any(|a| a.sock == Some(addr)))
        };
        let who = mon.or_else(|| (0..self.map.max_osd).find(has).map(Who::Osd));
        let Some(who) = who.filter(|who| !self.down.contains(who)) else {
            self.dials.extend(who.map(|who| (self.now, who)));
            return self.client.handle_closed(self.now, conn, CloseReason::Unreachable);
        };
        self.dials.push((self.now, who));
        let mut peer = Peer::new(conn, who, self.global_id);
        let misdeed = self.misdeeds.get(&(who, Stage::Banner)).cloned();
        peer.say(Stage::Banner, misdeed);
        self.peers.insert(conn, peer);
        self.client.handle_connected(self.now, conn);
    }

    /// Answers everything that a client's bytes hold.
    pub(super) fn serve(&mut self, conn: ConnId) {
        while let Some(peer) = self.peers.get_mut(&conn) {
            let who = peer.who;
            match peer.pull() {
                None => break,
                Some(Reaction::Control(control)) => self.on_control(conn, who, &control),
                Some(Reaction::Message(header, msg)) => match who {
                    Who::Mon(mon) => self.on_mon_message(conn, mon, msg),
                    Who::Osd(osd) => self.on_osd_message(conn, osd, header.tid, msg),
                },
            }
        }
    }

    fn on_control(&mut self, conn: ConnId, who: Who, control: &Control) {
        self.client_controls.push((who, control.clone()));
        let stages: &[Stage] = match control {
            Control::Hello(_) => &[Stage::Hello],
            Control::AuthRequest(_) => &[Stage::AuthDone, Stage::Signature],
            Control::ClientIdent(_) => &[Stage::Ident],
            Control::Keepalive2(stamp) => {
                let peer = self.peers.get_mut(&conn).unwrap();
                if !peer.silent {
                    peer.control(&Control::Keepalive2Ack(*stamp));
                }
                return;
            }
            _ => return,
        };
        for stage in stages {
            let misdeed = self.misdeeds.get(&(who, *stage)).cloned();
            let instead = matches!(misdeed, Some(Misdeed::Instead(_)));
            if let Some(Misdeed::Instead(Control::SessionRetryGlobal { .. })) = misdeed {
                self.misdeeds.remove(&(who, *stage));
            }
            self.peers.get_mut(&conn).unwrap().say(*stage, misdeed);
            if instead {
                return;
            }
        }
        if matches!(self.misdeeds.get(&(who, Stage::Session)), Some(Misdeed::Close)) {
            let peer = self.peers.get_mut(&conn).unwrap();
            peer.closing |= peer.stage == Stage::Session;
        }
    }

    fn on_mon_message(&mut self, conn: ConnId, mon: usize, msg: Msg) {
        let map = self.mon_map.clone();
        let peer = self.peers.get_mut(&conn).unwrap();
        match msg {
            Msg::MonGetMap => peer.message(0, &map),
            Msg::Subscribe(Subscribe { what, .. }) => {
                for (name, item) in what {
                    let name = name.to_string_lossy().into_owned();
                    self.subscribed.push((mon, name.clone(), item.start, item.flags));
                    self.peers.get_mut(&conn).unwrap().subs.insert(name, item);
                }
                self.publish();
            }
            Msg::GetVersion(query) => {
                self.version_queries.push((conn, query.handle));
                if self.answer_versions {
                    self.answer_version(conn, query.handle);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn answer_version(&mut self, conn: ConnId, handle: u64) {
        let reply = GetVersionReply { handle, newest: self.map.epoch.into(), oldest: self.oldest.into() };
        self.peers.get_mut(&conn).unwrap().message(0, &reply);
    }

    fn on_osd_message(&mut self, conn: ConnId, osd: i32, tid: u64, msg: Msg) {
        match msg {
            Msg::OpRequest(op) => {
                let kind = kind_of(&op.ops[0]);
                let request = Request { at: self.now, osd, conn, tid, kind, op };
                self.seen.push(request.clone());
                if self.hold.contains(&kind) || self.hold.contains(&"all") {
                    self.held.push_back(request);
                } else {
                    self.reply(&request, 0);
                }
            }
            Msg::Backoff(backoff) => self.backoff_acks.push(backoff),
            other => panic!("{other:?}"),
        }
    }

    /// Sends every monitor's client what it subscribed to.
    pub fn publish(&mut self) {
        let newest = self.map.epoch;
        for peer in self.peers.values_mut().filter(|peer| peer.is_up()) {
            let Some(item) = peer.subs.get("osdmap").copied() else { continue };
            let start = u32::try_from(item.start).unwrap();
            let mut message =
                MapMessage { fsid: self.map.fsid, oldest: self.oldest, newest, ..MapMessage::default() };
            let onetime = item.flags & SubscribeItem::ONETIME != 0;
            // Who asks once gets one message, of so many epochs at most (`osd_map_message_max`).
            let last = if onetime { newest.min(start.saturating_add(39)) } else { newest };
            let have = |epoch: u32| self.incs.contains_key(&epoch);
            if start > newest {
                continue;
            } else if start > 0 && start >= self.oldest && (start..=last).all(have) {
                message.incrementals = (start..=last).map(|e| (e, self.incs[&e].clone())).collect();
            } else {
                message.fulls.insert(newest, self.fulls[&newest].clone());
            }
            peer.message(0, &message);
            match onetime {
                false => {
                    peer.subs.insert("osdmap".into(), SubscribeItem { start: u64::from(newest) + 1, ..item })
                }
                true => peer.subs.remove("osdmap"),
            };
        }
    }

    /// Makes the next epoch, and keeps it back.
    pub fn stage(&mut self, change: impl FnOnce(&mut Incremental)) {
        let mut inc =
            Incremental { fsid: self.map.fsid, epoch: self.map.epoch + 1, ..Incremental::default() };
        change(&mut inc);
        self.map.apply(&inc).unwrap();
        self.incs.insert(inc.epoch, inc.encode_for(FEATURES));
        self.fulls.insert(inc.epoch, self.map.encode_for(FEATURES));
    }

    /// Makes the next epoch and publishes it.
    pub fn update(&mut self, change: impl FnOnce(&mut Incremental)) {
        self.stage(change);
        self.publish();
        self.settle();
    }

    /// Gives an object's group other OSDs, the first of them as primary.
    pub fn stage_move(&mut self, object: &ObjectRef, osds: &[i32]) {
        let pg = target(&self.map, object).pg.pg;
        self.stage(|inc| _ = inc.new_pg_temp.insert(pg, osds.to_vec()));
    }

    pub fn move_to(&mut self, object: &ObjectRef, osds: &[i32]) {
        self.stage_move(object, osds);
        self.publish();
        self.settle();
    }

    pub fn primary(&self, object: &ObjectRef) -> i32 {
        target(&self.map, object).osd
    }

    /// An OSD that is not the object's primary.
    pub fn other(&self, object: &ObjectRef) -> i32 {
        (self.primary(object) + 1) % 3
    }
}

// What tests make servers do.
impl Sim {
    pub fn conn_to(&self, who: Who) -> ConnId {
        let peer = self.peers.values().find(|peer| peer.who == who && peer.is_up());
        peer.unwrap_or_else(|| panic!("no session with {who:?}")).conn
    }

    pub fn has_session(&self, who: Who) -> bool {
        self.peers.values().any(|peer| peer.who == who && peer.is_up())
    }

    /// The server closes the connection.
    pub fn reset(&mut self, who: Who) {
        let conn = self.conn_to(who);
        self.peers.get_mut(&conn).unwrap().closing = true;
        self.settle();
    }

    pub fn peer(&mut self, who: Who) -> &mut Peer {
        let conn = self.conn_to(who);
        self.peers.get_mut(&conn).unwrap()
    }

    /// The oldest held request of a kind.
    pub fn take(&mut self, kind: &str) -> Request {
        let at = self.held.iter().position(|request| request.kind == kind);
        let at = at.unwrap_or_else(|| panic!("no {kind} in {:#?}", self.held));
        self.held.remove(at).unwrap()
    }

    pub fn reply(&mut self, request: &Request, result: i32) {
        self.reply_with(request, |reply| reply.result = result);
    }

    /// Replies, if the request's connection still stands.
    pub fn reply_with(&mut self, request: &Request, change: impl FnOnce(&mut OpReply)) {
        let results =
            request.op.ops.iter().map(|op| OpResult { op: op.clone(), result: 0, output: Bytes::new() });
        let mut reply = OpReply {
            oid: request.op.oid.clone(),
            pgid: request.op.pgid.pg,
            flags: i64::from(request.op.flags.0),
            result: 0,
            epoch: self.map.epoch,
            ops: results.collect(),
            retry_attempt: request.op.retry_attempt,
            replay_version: EVersion::default(),
            user_version: 5,
            redirect: None,
        };
        change(&mut reply);
        if let Some(peer) = self.peers.get_mut(&request.conn) {
            peer.message(request.tid, &reply);
        }
    }

    /// Takes the oldest held request of a kind and answers it.
    pub fn answer(&mut self, kind: &str, result: i32) -> Request {
        let request = self.take(kind);
        self.reply(&request, result);
        self.settle();
        request
    }

    /// Accepts a held NOTIFY under this id.
    pub fn accept(&mut self, request: &Request, notify_id: u64) {
        self.reply_with(request, |reply| {
            reply.ops[0].output = Bytes::copy_from_slice(&notify_id.to_le_bytes());
        });
    }

    pub fn complete(&mut self, osd: i32, cookie: u64, notify_id: u64, acks: &NotifyAcks, return_code: i32) {
        let message = WatchNotify { return_code, ..completion(cookie, notify_id, acks.to_bytes()) };
        self.peer(Who::Osd(osd)).message(0, &message);
    }

    pub fn complete_raw(&mut self, osd: i32, cookie: u64, notify_id: u64, reply: Bytes) {
        self.peer(Who::Osd(osd)).message(0, &completion(cookie, notify_id, reply));
    }

    pub fn notify(&mut self, osd: i32, cookie: u64, notify_id: u64, payload: &'static [u8]) {
        let payload = Bytes::from_static(payload);
        let message = WatchNotify { notify_id, payload, ..watch_notify(cookie) };
        self.peer(Who::Osd(osd)).message(0, &message);
        self.settle();
    }

    pub fn disconnect(&mut self, osd: i32, cookie: u64) {
        let message = WatchNotify { opcode: NotifyOpcode::Disconnect, notifier: 0, ..watch_notify(cookie) };
        self.peer(Who::Osd(osd)).message(0, &message);
        self.settle();
    }

    pub fn count(&self, kind: &str) -> usize {
        self.seen.iter().filter(|request| request.kind == kind).count()
    }

    /// The latest request of a kind.
    pub fn last(&self, kind: &str) -> Request {
        let last = self.seen.iter().rev().find(|request| request.kind == kind);
        last.unwrap_or_else(|| panic!("no {kind} was sent")).clone()
    }

    /// Kinds of all requests since the last call.
    pub fn kinds(&mut self) -> Vec<&'static str> {
        self.seen.drain(..).map(|request| request.kind).collect()
    }
}

fn completion(cookie: u64, notify_id: u64, reply: Bytes) -> WatchNotify {
    WatchNotify { opcode: NotifyOpcode::Complete, notify_id, reply, ..watch_notify(cookie) }
}

fn watch_notify(cookie: u64) -> WatchNotify {
    WatchNotify {
        opcode: NotifyOpcode::Notify,
        cookie,
        version: 0,
        notify_id: 0,
        payload: Bytes::new(),
        return_code: 0,
        notifier: 9000,
        reply: Bytes::new(),
    }
}

// What came out.
impl Sim {
    /// The next event of a watch.
    pub fn next(&mut self, watch: WatchId) -> Option<WatchEvent> {
        let at = self.news.iter().position(|(id, _)| *id == watch)?;
        self.news.remove(at).map(|(_, event)| event)
    }

    pub fn live(&mut self, watch: WatchId) -> Live {
        match self.next(watch) {
            Some(WatchEvent::Live(live)) => live,
            other => panic!("not live: {other:?}"),
        }
    }

    pub fn error(&mut self, watch: WatchId) -> WatchError {
        match self.next(watch) {
            Some(WatchEvent::Error(error)) => error,
            other => panic!("no error: {other:?}"),
        }
    }

    pub fn got(&mut self, watch: WatchId) -> Notify {
        match self.next(watch) {
            Some(WatchEvent::Notify(notify)) => notify,
            other => panic!("no notify: {other:?}"),
        }
    }

    /// The watch has ended, and this was its last event.
    pub fn closed(&mut self, watch: WatchId) {
        assert!(matches!(self.next(watch), Some(WatchEvent::Closed)));
        self.quiet();
    }

    /// No watch has news.
    pub fn quiet(&self) {
        assert!(self.news.is_empty(), "{:?}", self.news);
    }

    /// How a notify ended, if it did; exactly once.
    pub fn outcome(&mut self, notify: NotifyId) -> Option<NotifyOutcome> {
        let is_it = |event: &Event| matches!(event, Event::NotifyDone { id, .. } if *id == notify);
        let at = self.events.iter().position(is_it)?;
        let event = self.events.remove(at);
        assert!(!self.events.iter().any(is_it), "told twice");
        match event {
            Some(Event::NotifyDone { outcome, .. }) => Some(outcome),
            _ => None,
        }
    }

    /// Faults of a server that were told, oldest first.
    pub fn faults(&mut self, who: Who) -> Vec<ConnFault> {
        let mut faults = Vec::new();
        self.events.retain(|event| match (event, who) {
            (Event::OsdFault { osd, fault, .. }, Who::Osd(id)) if *osd == id => {
                faults.push(fault.clone());
                false
            }
            (Event::MonFault { addr, fault, .. }, Who::Mon(mon)) if *addr == Some(mon_addr(mon)) => {
                faults.push(fault.clone());
                false
            }
            _ => true,
        });
        faults
    }
}
