//! A loop of one's own, by mio: one thread, no async, and another protocol on the same loop. `poll_loop POOL
//! [SECONDS]` prints a port; who connects to it says what to watch and to notify, by [`words`].

mod lines;
mod words;

use anyhow::{Context, Result};
use bytes::{Buf, Bytes};
use lines::Lines;
use linger_client::config::{Environment, Settings};
use linger_client::{Clock, Config, ObjectRef, WatchOptions};
use linger_core::{Client, CloseReason, ConnId, Event, NotifyId, Output, Query};
use linger_core::{Timestamp, WatchEvent, WatchId};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::net::ToSocketAddrs;
use std::time::Duration;
use words::Ask;

const LINES: Token = Token(0);

struct Loop {
    poll: Poll,
    clock: Clock,
    client: Client,
    conns: BTreeMap<ConnId, (Token, TcpStream)>,
    tokens: usize,
    pool: String,
    timeout: Duration,
    lines: Lines,
    watches: BTreeMap<WatchId, String>,
    notifies: BTreeMap<NotifyId, String>,
    /// Watches with events that were not taken yet.
    readable: BTreeSet<WatchId>,
    /// Objects whose events stay where they are.
    held: BTreeSet<String>,
}

impl Loop {
    fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(256);
        loop {
            // 1. Do what the client says until it says to wait; events that are taken may lead to more, and
            // what is written makes room for events that were not.
            let deadline = loop {
                match self.drain()? {
                    Some(deadline) if !self.take_events() && !self.lines.flush() => break deadline,
                    Some(_) => {}
                    None => return Ok(()),
                }
            };
            // 2. Sleep until a socket is ready or the deadline comes.
            let woken = self.poll.poll(&mut events, deadline.map(|at| self.clock.until(at)));
            woken
                .or_else(|error| if error.kind() == ErrorKind::Interrupted { Ok(()) } else { Err(error) })?;
            // 3. Hand in what the sockets have, and only then let time pass: answers count before it.
            for event in &events {
                match event.token() {
                    LINES => self.obey()?,
                    token => self.on_ready(token),
                }
            }
            self.client.handle_timeout(self.clock.now());
        }
    }

    /// Does what the client says; the deadline of its `Wait`, or `None` once it is closed.
    fn drain(&mut self) -> Result<Option<Option<Timestamp>>> {
        loop {
            match self.client.poll_output() {
                Output::Resolve { id, query: Query::Host { host, port } } => {
                    // Blocks; a loop with more to do asks a resolver that does not.
                    let addrs = (host, port).to_socket_addrs().map(Vec::from_iter).unwrap_or_default();
                    self.client.handle_resolved(self.clock.now(), id, &addrs);
                }
                Output::Resolve { id, .. } => self.client.handle_resolved(self.clock.now(), id, &[]),
                Output::Connect { conn, addr } => match TcpStream::connect(addr) {
                    Ok(mut socket) => {
                        self.tokens += 1;
                        let (token, both) = (Token(self.tokens), Interest::READABLE | Interest::WRITABLE);
                        self.poll.registry().register(&mut socket, token, both)?;
                        socket.set_nodelay(true)?;
                        self.conns.insert(conn, (token, socket));
                    }
                    Err(_) => self.closed(conn, CloseReason::Unreachable),
                },
                Output::Write(conn) => self.write(conn),
                Output::Disconnect { conn, .. } => drop(self.conns.remove(&conn)),
                Output::Event(Event::Readable(watch)) => _ = self.readable.insert(watch),
                Output::Event(Event::NotifyDone { id, outcome }) => {
                    let name = self.notifies.remove(&id).unwrap_or_default();
                    self.lines.say(&words::outcome(&name, &outcome));
                }
                Output::Event(Event::Closed { .. }) => return Ok(None),
                Output::Wait(deadline) => return Ok(Some(deadline.map(|deadline| deadline.at))),
                _ => {}
            }
        }
    }

    /// A socket is ready. mio says so once, so it is read until it has no more.
    fn on_ready(&mut self, token: Token) {
        let Some((&conn, (_, socket))) = self.conns.iter().find(|(_, it)| it.0 == token) else { return };
        if socket.peer_addr().is_err() {
            if !matches!(socket.take_error(), Ok(None)) {
                self.closed(conn, CloseReason::Unreachable); // Else it is still dialling.
            }
            return;
        }
        // It is open; to be told so again does nothing.
        self.client.handle_connected(self.clock.now(), conn);
        let mut buf = [0; 16 << 10];
        while let Some((_, socket)) = self.conns.get_mut(&conn) {
            match socket.read(&mut buf) {
                Ok(count @ 1..) => self.client.handle_bytes(self.clock.now(), conn, &buf[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return self.write(conn),
                _ => self.closed(conn, CloseReason::Closed),
            }
        }
    }

    fn write(&mut self, conn: ConnId) {
        let Some((_, socket)) = self.conns.get_mut(&conn) else { return };
        let mut outbox = self.client.outbox(conn);
        while outbox.has_remaining() {
            match socket.write(outbox.chunk()) {
                Ok(count) => outbox.advance(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.closed(conn, CloseReason::Closed),
            }
        }
    }

    fn closed(&mut self, conn: ConnId, why: CloseReason) {
        self.conns.remove(&conn);
        self.client.handle_closed(self.clock.now(), conn, why);
    }

    /// Takes events while there is room for what they say; the others wait in the core, which sheds
    /// notifies when a watch has too many. Whether any was taken.
    fn take_events(&mut self) -> bool {
        let mut any = false;
        for watch in self.readable.clone() {
            let Some(name) = self.watches.get(&watch).cloned() else { continue };
            while self.lines.has_room() && !self.held.contains(&name) {
                let Some(event) = self.client.next(watch) else {
                    self.readable.remove(&watch);
                    break;
                };
                any = true;
                self.lines.say(&words::event(&name, &event));
                if let WatchEvent::Notify(notify) = event {
                    let _ = self.client.ack(self.clock.now(), notify.token, Bytes::from_static(b"seen"));
                }
            }
        }
        any
    }

    /// Does what the lines say.
    fn obey(&mut self) -> Result<()> {
        for line in self.lines.read(self.poll.registry(), LINES)? {
            let now = self.clock.now();
            let object = |name: &str| ObjectRef::new(self.pool.as_str(), name);
            match words::parse(&line) {
                Some(Ask::Watch(name, queue)) => {
                    let options = WatchOptions { queue, timeout: self.timeout, ..WatchOptions::default() };
                    let id = self.client.watch(now, object(&name), options)?;
                    self.watches.insert(id, name);
                }
                Some(Ask::Notify(name, payload)) => {
                    let id = self.client.notify(now, object(&name), payload.into(), self.timeout)?;
                    self.notifies.insert(id, name);
                }
                Some(Ask::Hold(name)) => _ = self.held.insert(name),
                Some(Ask::Take(name)) => _ = self.held.remove(&name),
                Some(Ask::Close) => self.client.close(now, self.timeout),
                None => self.lines.say("what?"),
            }
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let pool = args.next().context("usage: poll_loop POOL [SECONDS]")?;
    let timeout = Duration::from_secs(args.next().map_or(Ok(30), |secs| secs.parse())?);
    let settings = Settings::from_environment(Environment::from_process())?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let (poll, clock) = (Poll::new()?, Clock::new());
    let client = Client::new(clock.now(), clock.unix_now(), Config::try_from(&settings)?, seed)?;
    let lines = Lines::new(poll.registry(), LINES)?;
    let (conns, tokens, watches, notifies, readable, held) = Default::default();
    Loop { poll, clock, client, conns, tokens, pool, timeout, lines, watches, notifies, readable, held }.run()
}
