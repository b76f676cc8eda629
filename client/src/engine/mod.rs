//! The core with its handles: what is left to an adapter is I/O.

mod command;
mod connect;
mod outcomes;
mod watches;

pub use command::Command;
pub(crate) use command::{Asked, Failure, Outcome};

use crate::cluster::Connecting;
use crate::error::Error;
use crate::event::ClusterEvent;
use crate::flush::Mark;
use crate::mailbox::{Item, Mailbox};
use crate::options::ConnectOptions;
use crate::shared::{Lifeline, Shared};
use crate::ticket::Ticket;
use crate::watch::WatchEvent;
use async_channel::Receiver;
use command::{Kind, Op};
use connect::Connect;
use linger_core::{
    CallId, CallOutput, Client, CloseReason, ConnId, Event, LeftBehind, NotifyId, NotifyOutcome, OnDrop,
    Outbox, Output, Query, ResolveId, Timestamp, UnixTime, WatchId,
};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// The core with its handles, for adapters.
///
/// One task of the adapter owns it and does I/O for it:
///
/// ```no_run
/// # use linger_client::{Engine, IoOutput, Clock};
/// # async fn wait() {}
/// # async fn drive(mut engine: Engine, clock: Clock) {
/// let commands = engine.commands();
/// loop {
///     // 1. Hand in what came: bytes, closed sockets, resolved names, commands.
///     while let Ok(command) = commands.try_recv() {
///         engine.run(clock.now(), command);
///     }
///     // 2. If the deadline of the last `Wait` is over, say so, after all bytes that were there.
///     engine.handle_timeout(clock.now());
///     // 3. Do what is to be done.
///     let deadline = loop {
///         match engine.poll_output() {
///             IoOutput::Resolve { id, query } => { /* look up; handle_resolved or handle_unresolved */ }
///             IoOutput::Connect { conn, addr } => { /* dial; handle_connected or handle_closed */ }
///             IoOutput::Write(conn) => { /* write from engine.outbox(conn) while the socket takes it */ }
///             IoOutput::Disconnect(conn) => { /* drop the socket */ }
///             IoOutput::Wait(deadline) => break deadline,
///             IoOutput::Finished => return,
///             _ => {}
///         }
///     };
///     // 4. Wait for a socket, a name, a command or the deadline.
///     # let _ = deadline;
///     wait().await;
/// }
/// # }
/// ```
///
/// Dropping it ends every handle's futures and streams with [`Error::DriverGone`].
#[derive(Debug)]
pub struct Engine {
    client: Client,
    shared: Arc<Shared>,
    commands: Receiver<Command>,
    now: Timestamp,
    connect: Option<Connect>,
    watches: BTreeMap<WatchId, (Arc<Mailbox>, OnDrop)>,
    notifies: BTreeMap<NotifyId, NotifyEntry>,
    calls: BTreeMap<CallId, Ticket<CallId, Outcome<CallOutput>>>,
    /// Refused as busy; first come, first served.
    waiting: VecDeque<Op>,
    closers: Vec<Ticket<(), Result<Vec<LeftBehind>, Error>>>,
    /// Marks that are in the core's queues.
    flushes: BTreeMap<(WatchId, u64), Mark>,
    last_flush: u64,
    conns: BTreeMap<ConnId, SocketAddr>,
    /// Names that the adapter is looking up.
    resolving: BTreeMap<ResolveId, String>,
    /// What the system said about connections that failed since the last `Wait`.
    os_errors: BTreeMap<SocketAddr, i32>,
    over: bool,
}

#[derive(Debug)]
struct NotifyEntry {
    ticket: Ticket<NotifyId, Outcome<NotifyOutcome>>,
    accepted: bool,
}

/// What the adapter is to do next.
#[derive(Debug)]
#[non_exhaustive]
pub enum IoOutput {
    /// Look a name up, and answer with `handle_resolved` or `handle_unresolved`.
    Resolve {
        /// Comes back in the answer.
        id: ResolveId,
        /// What to look up.
        query: Query,
    },
    /// Open a TCP connection, and answer with `handle_connected` or `handle_closed`.
    Connect {
        /// Names the connection from now on.
        conn: ConnId,
        /// Where to.
        addr: SocketAddr,
    },
    /// The connection's outbox has bytes: write them whenever the socket is writable, until it is
    /// empty, and then poll again.
    Write(ConnId),
    /// Drop the connection's socket; no answer is needed.
    Disconnect(ConnId),
    /// Nothing more to do until a socket, a name or a command comes, or this time.
    Wait(Option<Timestamp>),
    /// Everything is closed: the engine can be dropped.
    Finished,
}

impl Engine {
    /// A client that starts to connect at once, and the future of its cluster.
    ///
    /// `seed` is 32 bytes of the operating system's entropy.
    ///
    /// # Errors
    /// [`Error::Config`] for options with which no session can ever be.
    pub fn new(
        now: Timestamp,
        unix_now: UnixTime,
        options: ConnectOptions,
        seed: [u8; 32],
    ) -> Result<(Self, Connecting), Error> {
        let (sender, commands) = async_channel::unbounded();
        let shared = Shared::new(sender, &options);
        let ticket = Ticket::new();
        let connect = Connect::new(now, options.connect_within, ticket.clone());
        let engine = Self {
            client: Client::new(now, unix_now, options.config, seed)?,
            shared: Arc::clone(&shared),
            commands,
            now,
            connect: Some(connect),
            watches: BTreeMap::new(),
            notifies: BTreeMap::new(),
            calls: BTreeMap::new(),
            waiting: VecDeque::new(),
            closers: Vec::new(),
            flushes: BTreeMap::new(),
            last_flush: 0,
            conns: BTreeMap::new(),
            resolving: BTreeMap::new(),
            os_errors: BTreeMap::new(),
            over: false,
        };
        Ok((engine, Connecting::new(ticket, Arc::new(Lifeline(shared)))))
    }

    /// Where handles' commands come: to be awaited with the sockets, and handed to [`Engine::run`].
    #[must_use]
    pub fn commands(&self) -> Receiver<Command> {
        self.commands.clone()
    }

    /// Carries a command out.
    pub fn run(&mut self, now: Timestamp, command: Command) {
        self.now = now;
        if self.over {
            return command.refuse(&self.shared.ended());
        }
        // That what a command names is gone is nobody's mistake: its end was on its way.
        match command.0 {
            Kind::Watch(command) => self.start_watch(*command),
            Kind::Op(op) if self.waiting.is_empty() => self.start_or_wait(op),
            Kind::Op(op) => self.waiting.push_back(op),
            Kind::More(id) => self.pull(id),
            Kind::Reregister(id) => {
                let _ = self.client.reregister(now, id);
            }
            Kind::Unwatch(id, within) => {
                let _ = match within {
                    Some(within) => self.client.unwatch_within(now, id, within),
                    None => self.client.unwatch(now, id),
                };
                self.pull(id);
            }
            Kind::Flush(id, ticket) => self.flush(id, &ticket),
            Kind::RenewIdentity => {
                let _ = self.client.renew_identity(now);
            }
            Kind::Answer(token, Some(reply)) => {
                let _ = self.client.ack(now, token, reply);
            }
            Kind::Answer(token, None) => {
                let _ = self.client.decline(now, token);
            }
            Kind::AbandonNotify(id) => self.abandon_notify(id),
            Kind::AbandonCall(id) => self.abandon_call(id),
            Kind::Ask(ask) => {
                self.shared.setups.leave();
                ask(Ok(Asked { client: &self.client, now }));
            }
            Kind::Close(within, ticket) => {
                self.closers.extend(ticket);
                self.client.close(now, within);
            }
        }
    }

    /// A connection is open.
    pub fn handle_connected(&mut self, now: Timestamp, conn: ConnId) {
        self.now = now;
        self.client.handle_connected(now, conn);
    }

    /// Bytes came, in pieces of any size.
    pub fn handle_bytes(&mut self, now: Timestamp, conn: ConnId, bytes: &[u8]) {
        self.now = now;
        // Handles only make it less meanwhile.
        self.client.set_held_bytes(self.shared.waiting.bytes());
        self.client.handle_bytes(now, conn, bytes);
    }

    /// A connection could not be opened, or is closed; `error` is what the system said, if it did.
    pub fn handle_closed(
        &mut self,
        now: Timestamp,
        conn: ConnId,
        why: CloseReason,
        error: Option<&io::Error>,
    ) {
        self.now = now;
        if let (Some(addr), Some(errno)) = (self.conns.remove(&conn), error.and_then(io::Error::raw_os_error))
        {
            self.os_errors.insert(addr, errno);
        }
        self.client.handle_closed(now, conn, why);
    }

    /// The addresses of a name.
    pub fn handle_resolved(&mut self, now: Timestamp, id: ResolveId, addrs: &[SocketAddr]) {
        self.now = now;
        self.resolving.remove(&id);
        self.client.handle_resolved(now, id, addrs);
    }

    /// A name has no address, and why.
    pub fn handle_unresolved(&mut self, now: Timestamp, id: ResolveId, why: String) {
        let query = self.resolving.get(&id).cloned().unwrap_or_default();
        self.tell(ClusterEvent::ResolveFault { query, why });
        self.handle_resolved(now, id, &[]);
    }

    /// The time of [`IoOutput::Wait`] came, or any time before it: then nothing happens.
    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.now = now;
        if let Some(connect) = &self.connect
            && connect.is_late(now)
        {
            self.fail_connect();
        }
        self.client.handle_timeout(now);
    }

    /// The adapter can not go on: everything ends with this error.
    pub fn fail(&mut self, error: io::Error) {
        self.finish(&Err(Error::Driver(Arc::new(error))));
    }

    /// The bytes that a connection has to write.
    pub fn outbox(&mut self, conn: ConnId) -> Outbox<'_> {
        self.client.outbox(conn)
    }

    /// What is to be done next. Call it until it gives [`IoOutput::Wait`] or [`IoOutput::Finished`],
    /// after every command, every `handle_*`, and after bytes were taken from an outbox.
    #[must_use]
    pub fn poll_output(&mut self) -> IoOutput {
        loop {
            match self.client.poll_output() {
                Output::Event(event) => self.on_event(event),
                Output::Resolve { id, query } => {
                    self.resolving.insert(id, connect::name(&query));
                    return IoOutput::Resolve { id, query };
                }
                Output::Connect { conn, addr } => {
                    self.conns.insert(conn, addr);
                    return IoOutput::Connect { conn, addr };
                }
                Output::Disconnect { conn, .. } => {
                    self.conns.remove(&conn);
                    return IoOutput::Disconnect(conn);
                }
                Output::Write(conn) => return IoOutput::Write(conn),
                Output::Wait(_) if self.over => return IoOutput::Finished,
                Output::Wait(deadline) => {
                    self.os_errors.clear();
                    self.shared.set_global_id(self.client.global_id().unwrap_or_default());
                    if self.is_hopeless() {
                        self.fail_connect();
                        continue;
                    }
                    let connect = self.connect.as_ref().and_then(Connect::by);
                    let core = deadline.map(|deadline| deadline.at);
                    return IoOutput::Wait([core, connect].into_iter().flatten().min());
                }
                _ => {}
            }
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Connected { fsid, .. } => self.on_connected(fsid),
            Event::MonUp { addr, auth, mode } => self.tell(ClusterEvent::MonUp { addr, auth, mode }),
            Event::OsdUp { osd, mode } => self.tell(ClusterEvent::OsdUp { osd, mode }),
            Event::MonFault { addr, fault, permanent } => self.on_mon_fault(addr, fault, permanent),
            Event::OsdFault { osd, addr, fault } => {
                let os_error = addr.and_then(|addr| self.os_errors.remove(&addr));
                self.tell(ClusterEvent::OsdFault { osd, addr, fault, os_error });
            }
            Event::IdentityChanged { global_id } => self.tell(ClusterEvent::IdentityChanged { global_id }),
            Event::MapFault { epoch, error } => self.tell(ClusterEvent::MapFault { epoch, error }),
            Event::Readable(id) => self.pull(id),
            Event::NotifyAccepted { id, notify_id } => self.on_notify_accepted(id, notify_id),
            Event::NotifyDone { id, outcome } => self.on_notify_done(id, outcome),
            Event::CallDone { id, result } => self.on_call_done(id, result),
            Event::CommandsReady => self.retry(),
            Event::Closed { left_behind } => self.finish(&Ok(left_behind)),
            _ => {}
        }
    }

    /// The end of all: every future and stream ends.
    fn finish(&mut self, end: &Result<Vec<LeftBehind>, Error>) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        let error = end.as_ref().err().cloned().unwrap_or(Error::Closed);
        self.shared.end(error.clone());
        self.commands.close();
        for id in self.watches.keys().copied().collect::<Vec<_>>() {
            self.pull_all(id, true);
        }
        // What the core has no last event for ends all the same.
        for (mailbox, _) in std::mem::take(&mut self.watches).into_values() {
            let mut last = Some(match end {
                Ok(_) => WatchEvent::Closed,
                Err(error) => WatchEvent::Failed(error.clone()),
            });
            mailbox.fill(self.now, true, || last.take().map(Item::Event));
        }
        self.flushes.clear();
        self.fail_ops(&error);
        if let Some(connect) = self.connect.take() {
            connect.ticket.finish(Err(error.clone()));
        }
        for closer in self.closers.drain(..) {
            closer.finish(end.clone());
        }
        while let Ok(command) = self.commands.try_recv() {
            command.refuse(&error);
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.finish(&Err(Error::DriverGone));
    }
}
