//! The session with a monitor: finding one, logging in, subscriptions, versions, tickets.
//!
//! ```text
//!            a round's deadline: the next addresses
//!           ┌──┐
//!  start ─▶ Hunting ──first login wins──▶ Joining ──idents──▶ Active
//!              ▲                             │ fault            │ fault
//!              └─────────────────────────────┴──────────────────┘
//! ```
//!
//! A client keeps its global id from session to session by presenting its ticket. If the monitors
//! give it another one all the same, the OSDs do not know it as the watcher any more: that is news.
//!
//! Facts: `mon/MonClient.cc`.

mod candidates;
mod questions;

use crate::Timestamp;
use crate::auth::{AuthError, MonHandshake, MonLogin, Side, TicketStore};
use crate::config::Config;
use crate::conn::{Connection, Dial, Login, Peer};
use crate::context::Context;
use crate::error::ConnFault;
use crate::ids::{ConnKey, ResolveKey};
use crate::output::Event;
use crate::retry::redial_wait;
use crate::timers::{Slot, TimerKey};
use alloc::collections::{BTreeMap, VecDeque};
use candidates::{Candidate, Candidates};
use core::net::SocketAddr;
use linger_wire::Fsid;
use linger_wire::msg::{AuthReply, AuthRequest, Msg};
use questions::Questions;

const PRIORITY: u16 = 127;

/// What the rest of the client has to know of the monitors.
#[derive(Debug)]
pub(crate) enum MonNews {
    /// Logged in; `changed` when OSDs know this client by another number than before.
    LoggedIn { changed: bool },
    /// Messages flow.
    Up,
    /// Tickets were renewed: OSDs that waited for one can be dialled.
    Tickets,
    /// The newest epoch that the monitors have, asked for under this handle and all before it.
    Newest { handle: u64, epoch: u64 },
}

enum State {
    Idle,
    Hunting(BTreeMap<ConnKey, Candidate>),
    /// Logged in, not yet in session.
    Joining(ConnKey, Candidate),
    Active(ConnKey, Candidate),
}

/// The client's side of the monitors.
pub(crate) struct MonClient {
    state: State,
    candidates: Candidates,
    tickets: TicketStore,
    /// The number that OSDs know this client by.
    global_id: Option<u64>,
    questions: Questions,
    /// The cluster, once a monmap said.
    fsid: Option<Fsid>,
    /// Multiple of the hunting interval, in percent.
    multiple: u32,
    hunt_ends: Option<Timestamp>,
    /// Sessions that ended soon after they began, in a row.
    failures: u32,
    up_since: Timestamp,
    renewal_asked: Option<Timestamp>,
    /// The renewal that was asked waits for room in the outbox.
    renewal_owed: bool,
    timer: Slot,
    /// This side's configuration is at fault: no monitor can help.
    own_fault: bool,
    pub(crate) news: VecDeque<MonNews>,
}

impl MonClient {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            state: State::Idle,
            candidates: Candidates::new(config),
            tickets: TicketStore::new(config.credentials.clone()),
            global_id: None,
            questions: Questions::new(config.follow_map),
            fsid: config.fsid,
            multiple: 100,
            hunt_ends: None,
            failures: 0,
            up_since: Timestamp::default(),
            renewal_asked: None,
            renewal_owed: false,
            timer: Slot::default(),
            own_fault: false,
            news: VecDeque::new(),
        }
    }

    pub(crate) fn fsid(&self) -> Option<Fsid> {
        self.fsid
    }

    pub(crate) fn tickets(&self) -> &TicketStore {
        &self.tickets
    }

    /// The client's number, once a monitor gave one.
    pub(crate) fn global_id(&self) -> Option<u64> {
        self.global_id
    }

    /// Whether no monitor can be used for a reason that stays.
    pub(crate) fn is_shut_out(&self) -> bool {
        let has_session = matches!(self.state, State::Joining(..) | State::Active(..));
        self.own_fault || !has_session && self.candidates.are_all_unfit()
    }

    /// Gives the number and its tickets up: the next login gets another one.
    pub(crate) fn forget_identity(&mut self) {
        self.tickets.forget();
        self.global_id = None;
    }

    /// Whether the connection is one of the monitors'.
    pub(crate) fn owns(&self, conn: ConnKey) -> bool {
        match &self.state {
            State::Idle => false,
            State::Hunting(conns) => conns.contains_key(&conn),
            State::Joining(active, _) | State::Active(active, _) => *active == conn,
        }
    }

    /// Starts looking for a monitor, dropping the session if there is one.
    pub(crate) fn hunt(&mut self, cx: &mut Context) {
        self.drop_connections(cx);
        let timing = &cx.config.timing;
        let wait = timing.hunt.saturating_mul(self.multiple) / 100;
        self.hunt_ends = Some(cx.now.saturating_add(wait));
        self.multiple = (self.multiple.saturating_mul(timing.hunt_backoff_percent) / 100)
            .min(timing.hunt_max_multiple.saturating_mul(100));
        self.state = State::Hunting(BTreeMap::new());
        self.dial_more(cx);
        self.arm(cx);
    }

    /// Dials untried addresses until as many are under way as may be.
    fn dial_more(&mut self, cx: &mut Context) {
        let State::Hunting(conns) = &mut self.state else { return };
        if !self.candidates.any_untried() && self.candidates.are_refusals_final() {
            // The monitors do not give the old number back: better another one than none.
            self.tickets.forget();
            self.candidates.forget_refusals();
        }
        let free = cx.config.timing.hunt_parallel.saturating_sub(conns.len());
        let v2_dialled = conns.values().any(|candidate| candidate.is_v2());
        for candidate in self.candidates.next(free, v2_dialled, &mut cx.rng, &mut cx.out) {
            let (resume, config) = (self.tickets.resume(), &cx.config);
            let login =
                MonHandshake::new(config.credentials.clone(), &config.auth, &config.mon_modes, resume);
            // What the configuration makes impossible was refused when the client was made.
            let Ok(login) = login else { continue };
            let dial =
                Dial { peer: Peer::Mon, target: candidate.addr(), login: Login::Mon(login), global_id: None };
            let (addr, config) = (candidate.sock(), &cx.config);
            let conn = cx.pool.open(cx.now, addr, dial, config, &mut cx.timers, &mut cx.out);
            conns.insert(conn, candidate);
        }
    }

    fn drop_connections(&mut self, cx: &mut Context) {
        let conns = match core::mem::replace(&mut self.state, State::Idle) {
            State::Idle => BTreeMap::new(),
            State::Hunting(conns) => conns,
            State::Joining(conn, addr) | State::Active(conn, addr) => BTreeMap::from([(conn, addr)]),
        };
        conns.keys().for_each(|conn| cx.close(*conn, ConnFault::Dropped));
        self.questions.session_lost();
        self.renewal_asked = None;
        self.renewal_owed = false;
    }

    /// Closes everything for good.
    pub(crate) fn shut_down(&mut self, cx: &mut Context) {
        self.drop_connections(cx);
        self.hunt_ends = None;
        cx.timers.set(TimerKey::Mon, &mut self.timer, None);
    }

    pub(crate) fn on_resolved(&mut self, id: ResolveKey, addrs: &[SocketAddr], cx: &mut Context) {
        if self.candidates.on_resolved(id, addrs) {
            self.dial_more_untried(cx);
        }
    }

    /// A monitor let us in: it wins, the others are dropped.
    pub(crate) fn on_login(&mut self, conn: ConnKey, login: MonLogin, cx: &mut Context) {
        let State::Hunting(conns) = &mut self.state else { return };
        let Some(addr) = conns.remove(&conn) else { return };
        conns.keys().for_each(|other| cx.close(*other, ConnFault::Dropped));
        self.state = State::Joining(conn, addr);
        let changed = self.global_id.replace(login.global_id).is_some_and(|id| id != login.global_id);
        self.tickets.adopt(login.grant);
        self.candidates.forget_refusals();
        self.news.push_back(MonNews::LoggedIn { changed });
        self.arm(cx);
    }

    /// The session is there: ask everything that is to be asked.
    pub(crate) fn on_ready(&mut self, cx: &mut Context) {
        let State::Joining(conn, addr) = self.state else { return };
        self.state = State::Active(conn, addr);
        self.candidates.set_fit(addr, true);
        if let Some(mode) = cx.pool.get(conn).map(Connection::mode) {
            let (addr, auth) = (addr.sock(), self.tickets.method());
            cx.event(Event::MonUp { addr, auth, mode });
        }
        self.hunt_ends = None;
        self.multiple = 100;
        self.up_since = cx.now;
        self.questions.session_up(conn, cx);
        self.news.push_back(MonNews::Up);
        self.arm(cx);
    }

    /// A connection failed; the client goes on with the others or looks for another monitor.
    pub(crate) fn on_fault(&mut self, conn: ConnKey, fault: ConnFault, cx: &mut Context) {
        let candidate = match &mut self.state {
            State::Hunting(conns) => conns.remove(&conn),
            State::Joining(active, addr) | State::Active(active, addr) if *active == conn => Some(*addr),
            _ => None,
        };
        let permanent = match &fault {
            ConnFault::Auth(error) => error.is_permanent(),
            ConnFault::WrongCluster { .. }
            | ConnFault::ClientLacks(_)
            | ConnFault::PeerLacks(_)
            | ConnFault::ProtocolVersion { .. } => true,
            _ => false,
        };
        self.own_fault |= matches!(&fault, ConnFault::Auth(error) if error.side() == Side::Local);
        if let Some(candidate) = candidate {
            if permanent {
                self.candidates.set_fit(candidate, false);
            } else if matches!(fault, ConnFault::Auth(AuthError::Refused { resumed: true, .. })) {
                self.candidates.on_refused(candidate);
            }
        }
        cx.event(Event::MonFault { addr: candidate.map(Candidate::sock), fault, permanent });
        match self.state {
            State::Hunting(_) => self.dial_more_untried(cx),
            _ => self.hunt_again(cx),
        }
    }

    /// After the loss of a session: at once if it lasted, else after growing waits.
    fn hunt_again(&mut self, cx: &mut Context) {
        let lasted = matches!(self.state, State::Active(..))
            && cx.now.saturating_since(self.up_since) >= cx.config.timing.keepalive;
        self.drop_connections(cx);
        if lasted {
            self.failures = 0;
            return self.hunt(cx);
        }
        self.failures = self.failures.saturating_add(1);
        let wait = redial_wait(&cx.config.timing, self.failures, &mut cx.rng);
        self.hunt_ends = Some(cx.now.saturating_add(wait));
        self.arm(cx);
    }

    /// Goes on with addresses of this round; the next round waits for its time.
    fn dial_more_untried(&mut self, cx: &mut Context) {
        if self.candidates.any_untried() {
            self.dial_more(cx);
        }
    }

    /// Handles a message of the session. OSD maps are for the caller.
    pub(crate) fn on_message(&mut self, msg: Msg, cx: &mut Context) -> Result<(), ConnFault> {
        match msg {
            Msg::MonMap(map) => {
                if self.fsid.is_some_and(|fsid| fsid != map.fsid) {
                    return Err(ConnFault::WrongCluster { found: map.fsid });
                }
                self.fsid = Some(map.fsid);
                self.candidates.on_monmap(&map);
                self.questions.got_monmap(map.epoch);
            }
            Msg::AuthReply(reply) => self.on_renewal(&reply, cx)?,
            Msg::GetVersionReply(reply) => {
                let conn = self.active();
                if self.questions.answered(reply.handle, conn, cx) {
                    self.news.push_back(MonNews::Newest { handle: reply.handle, epoch: reply.newest });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn on_renewal(&mut self, reply: &AuthReply, cx: &mut Context) -> Result<(), ConnFault> {
        self.renewal_asked = None;
        self.tickets.on_renewal_reply(cx.now, reply.result, &reply.payload).map_err(ConnFault::Auth)?;
        self.news.push_back(MonNews::Tickets);
        self.renew(cx);
        self.arm(cx);
        Ok(())
    }

    /// Asks for new tickets if some are due and none are asked for.
    fn renew(&mut self, cx: &mut Context) {
        let State::Active(conn, _) = self.state else { return };
        if self.renewal_asked.is_some() || self.tickets.next_due().is_none_or(|due| cx.now < due) {
            return;
        }
        if !cx.pool.has_room(conn) {
            (self.renewal_asked, self.renewal_owed) = (Some(cx.now), true);
        } else if let Some(payload) = self.tickets.renewal(cx.now, &mut cx.rng) {
            self.renewal_asked = Some(cx.now);
            let request = AuthRequest { protocol: 2, payload, monmap_epoch: 0 };
            cx.pool.send(conn, 0, PRIORITY, &request);
        }
    }

    /// An OSD refused a ticket: gets new ones. Returns whether it is the first to refuse this one.
    pub(crate) fn invalidate_tickets(&mut self, cx: &mut Context) -> bool {
        let news = self.tickets.invalidate(linger_wire::EntityType::OSD);
        self.renew(cx);
        self.arm(cx);
        news
    }

    /// Asks for maps from `epoch` on; 0 for the newest in full.
    pub(crate) fn want_map(&mut self, epoch: u32, cx: &mut Context) {
        let conn = self.active();
        self.questions.want_map(epoch, conn, cx);
    }

    /// Notes that maps up to `epoch` are here; `full` if the monitor just sent a full one.
    pub(crate) fn got_map(&mut self, epoch: u32, full: bool, cx: &mut Context) {
        let conn = self.active();
        self.questions.got_map(epoch, full, conn, cx);
    }

    /// Notes that the monitor sent maps up to `epoch`; `in_vain` if a full one is needed though it sent one.
    pub(crate) fn heard_of(&mut self, epoch: u32, in_vain: bool) {
        self.questions.heard_of(epoch, in_vain);
    }

    /// The outbox got room: asks what had none.
    pub(crate) fn on_drained(&mut self, cx: &mut Context) {
        let conn = self.active();
        self.questions.ask_owed(conn, cx);
        if core::mem::take(&mut self.renewal_owed) {
            self.renewal_asked = None;
            self.renew(cx);
            self.arm(cx);
        }
    }

    /// Asks for the newest map's epoch; the answer comes as news under the handle or a later one.
    pub(crate) fn ask_newest(&mut self, cx: &mut Context) -> u64 {
        let conn = self.active();
        self.questions.ask_newest(conn, cx)
    }

    fn active(&self) -> Option<ConnKey> {
        match self.state {
            State::Active(conn, _) => Some(conn),
            _ => None,
        }
    }

    pub(crate) fn on_timer(&mut self, cx: &mut Context) {
        if self.hunt_ends.is_some_and(|at| at <= cx.now) {
            self.hunt(cx);
        }
        let lost = |asked: Timestamp| cx.now >= asked.saturating_add(cx.config.timing.handshake);
        if self.renewal_asked.is_some_and(lost) {
            // A monitor that does not answer is of no use: another one may.
            self.hunt(cx);
        }
        self.renew(cx);
        self.arm(cx);
    }

    fn arm(&mut self, cx: &mut Context) {
        let renewal = match (&self.state, self.renewal_asked) {
            (State::Active(..), None) => self.tickets.next_due(),
            (_, asked) => asked.map(|asked| asked.saturating_add(cx.config.timing.handshake)),
        };
        let at = [self.hunt_ends, renewal].into_iter().flatten().min();
        cx.timers.set(TimerKey::Mon, &mut self.timer, at);
    }
}
