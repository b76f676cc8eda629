//! The task that owns the engine and does its I/O, for any runtime with TCP and a timer.

mod runtime;
mod socket;

pub use runtime::{Runtime, Tcp, Timer};

use crate::clock::Clock;
use crate::cluster::Connecting;
use crate::engine::{Command, Engine, IoOutput};
use crate::error::Error;
use crate::options::ConnectOptions;
use crate::ready::ReadyList;
use async_channel::Receiver;
use futures_core::Stream;
use linger_core::{CloseReason, ConnId, Query, ResolveId, Timestamp};
use socket::Socket;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// Bytes read at once. All connections share the buffer.
const READ_BYTES: usize = 64 << 10;
/// Reads of one connection before the others have their turn.
const READS: usize = 16;
/// Commands carried out before the sockets have their turn.
const COMMANDS: usize = 1024;
/// Rounds before the runtime's other tasks have their turn.
const ROUNDS: usize = 32;

type LookUp = Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send>>;

#[derive(Debug, Clone, Copy)]
enum Source {
    Conn(ConnId),
    Name(ResolveId),
}

/// The task that drives a client: a future that ends when the client is closed.
///
/// An adapter spawns it on its runtime, in one task. Dropping it ends every handle's futures and
/// streams with [`Error::DriverGone`].
#[must_use = "nothing happens unless it is polled"]
pub struct Driver<R: Runtime> {
    engine: Engine,
    clock: Clock,
    commands: Pin<Box<Receiver<Command>>>,
    ready: ReadyList<Source>,
    sockets: BTreeMap<ConnId, Socket<R::Tcp>>,
    names: BTreeMap<ResolveId, (LookUp, Waker)>,
    timer: R::Timer,
    deadline: Option<Timestamp>,
    buf: Vec<u8>,
}

impl<R: Runtime> Driver<R> {
    /// A client that starts to connect as soon as its driver is polled, and the future of that.
    ///
    /// # Errors
    /// The options can not work, or the system has no entropy.
    pub fn new(options: ConnectOptions) -> Result<(Self, Connecting), Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::Driver(Arc::new(io::Error::other(error))))?;
        let clock = Clock::new();
        let (engine, connecting) = Engine::new(clock.now(), clock.unix_now(), options, seed)?;
        let driver = Self {
            commands: Box::pin(engine.commands()),
            engine,
            clock,
            ready: ReadyList::new(),
            sockets: BTreeMap::new(),
            names: BTreeMap::new(),
            timer: R::timer(),
            deadline: None,
            buf: vec![0; READ_BYTES],
        };
        Ok((driver, connecting))
    }

    fn drive(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.register(cx);
        for _ in 0..ROUNDS {
            // What the sockets have comes before the clock: after the machine slept, answers that
            // arrived count before deadlines that passed.
            let mut more = self.look_at_ready();
            more |= self.take_commands(cx);
            if self.is_due(cx) {
                self.engine.handle_timeout(self.clock.now());
                self.deadline = None;
                more = true;
            }
            match self.act() {
                Ok(deadline) => self.set_deadline(deadline),
                Err(Finished) => return Poll::Ready(()),
            }
            // The deadline may be another one now, and only polling it makes the runtime wake for it.
            if !more && !self.is_due(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Takes in commands. Whether there may be more.
    fn take_commands(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..COMMANDS {
            let Poll::Ready(Some(command)) = self.commands.as_mut().poll_next(cx) else { return false };
            self.engine.run(self.clock.now(), command);
        }
        true
    }

    /// Looks at what is ready. Whether there was anything.
    fn look_at_ready(&mut self) -> bool {
        let ready = self.ready.take();
        for source in &ready {
            match *source {
                Source::Conn(conn) => self.look_at_socket(conn),
                Source::Name(id) => self.look_at_name(id),
            }
        }
        !ready.is_empty()
    }

    fn look_at_socket(&mut self, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(&conn) else { return };
        match socket.poll_open() {
            Poll::Ready(Ok(())) => self.engine.handle_connected(self.clock.now(), conn),
            Poll::Ready(Err(error)) => return self.closed(conn, CloseReason::Unreachable, Some(&error)),
            Poll::Pending => {}
        }
        let Some(socket) = self.sockets.get_mut(&conn) else { return };
        for read in 0..=READS {
            if read == READS {
                // There may be more: it is looked at again after the others.
                socket.wake();
                break;
            }
            match socket.poll_read(&mut self.buf) {
                Poll::Pending => break,
                Poll::Ready(Ok(0)) => return self.closed(conn, CloseReason::Closed, None),
                Poll::Ready(Ok(count)) => {
                    let bytes = self.buf.get(..count).unwrap_or_default();
                    self.engine.handle_bytes(self.clock.now(), conn, bytes);
                }
                Poll::Ready(Err(error)) => return self.closed(conn, CloseReason::Closed, Some(&error)),
            }
        }
        if socket.wants_write {
            self.write(conn);
        }
    }

    fn look_at_name(&mut self, id: ResolveId) {
        let Some((look_up, waker)) = self.names.get_mut(&id) else { return };
        let Poll::Ready(answer) = look_up.as_mut().poll(&mut Context::from_waker(waker)) else { return };
        self.names.remove(&id);
        let now = self.clock.now();
        match answer {
            Ok(addrs) => self.engine.handle_resolved(now, id, &addrs),
            Err(error) => self.engine.handle_unresolved(now, id, error.to_string()),
        }
    }

    fn write(&mut self, conn: ConnId) {
        let Some(socket) = self.sockets.get_mut(&conn) else { return };
        if let Err(error) = socket.write(self.engine.outbox(conn)) {
            self.closed(conn, CloseReason::Closed, Some(&error));
        }
    }

    fn closed(&mut self, conn: ConnId, why: CloseReason, error: Option<&io::Error>) {
        self.sockets.remove(&conn);
        self.engine.handle_closed(self.clock.now(), conn, why, error);
    }

    /// Does what the engine says; the next deadline, or `Err` when all is over.
    fn act(&mut self) -> Result<Option<Timestamp>, Finished> {
        loop {
            match self.engine.poll_output() {
                IoOutput::Resolve { id, query } => self.resolve(id, query),
                IoOutput::Connect { conn, addr } => {
                    let waker = self.ready.waker(Source::Conn(conn));
                    waker.wake_by_ref();
                    self.sockets.insert(conn, Socket::dial::<R>(addr, waker));
                }
                IoOutput::Write(conn) => self.write(conn),
                IoOutput::Disconnect(conn) => drop(self.sockets.remove(&conn)),
                IoOutput::Wait(deadline) => return Ok(deadline),
                IoOutput::Finished => return Err(Finished),
            }
        }
    }

    fn resolve(&mut self, id: ResolveId, query: Query) {
        let look_up: LookUp = match query {
            Query::Host { host, port } => Box::pin(R::look_up(host, port)),
            _ => {
                let why = "DNS SRV records are not supported here; set mon_host".to_owned();
                return self.engine.handle_unresolved(self.clock.now(), id, why);
            }
        };
        let waker = self.ready.waker(Source::Name(id));
        waker.wake_by_ref();
        self.names.insert(id, (look_up, waker));
    }

    /// Whether the deadline came. If it did not, the task is woken when it does.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline else { return false };
        deadline <= self.clock.now() || self.timer.poll_due(cx).is_ready()
    }

    fn set_deadline(&mut self, deadline: Option<Timestamp>) {
        if self.deadline == deadline {
            return;
        }
        self.deadline = deadline;
        if let Some(deadline) = deadline {
            self.timer.set(self.clock.until(deadline));
        }
    }
}

/// What must not move is in boxes.
impl<R: Runtime> Unpin for Driver<R> {}

impl<R: Runtime> Future for Driver<R> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.drive(cx)
    }
}

impl<R: Runtime> fmt::Debug for Driver<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("engine", &self.engine).finish_non_exhaustive()
    }
}

struct Finished;
