//! The task that drives a client.

use crate::shared::{Shared, State, now};
use crate::socket::serve;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::future::{Future, poll_fn};
use core::net::SocketAddr;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;
use embassy_time::Timer;
use embedded_nal_async::{AddrType, Dns, TcpConnect};
use futures_util::stream::{FuturesUnordered, StreamExt};
use linger_core::{ConnId, Output, Query, ResolveId, Timestamp};

/// The task that drives a client. It ends when the client is closed.
///
/// Dropping it ends every watch, notify and call. OSDs are not told: [`Cluster::close`](crate::Cluster::close) says
/// which watches they still have.
#[must_use = "nothing happens unless it runs"]
pub struct Runner<N, D> {
    net: N,
    dns: D,
    end: End,
}

/// What becomes of handles when the runner ends or is dropped.
struct End(Rc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.look(|state| {
            let mut at = now();
            state.client.close(at, Duration::ZERO);
            // A close under way has a time of its own: nobody is there any more to use it.
            while state.ended.is_none() {
                state.client.handle_timeout(at);
                let Some(Round { deadline: Some(next), .. }) = drain(state) else { break };
                at = next;
            }
            state.end(Vec::new());
        });
    }
}

/// What the client asks for.
enum Errand {
    Dial(ConnId, SocketAddr),
    LookUp(ResolveId, Query),
}

/// What there is to wait for.
struct Round {
    errands: Vec<Errand>,
    deadline: Option<Timestamp>,
}

impl<N, D> Runner<N, D> {
    pub(crate) fn new(net: N, dns: D, shared: Rc<Shared>) -> Self {
        Self { net, dns, end: End(shared) }
    }
}

impl<N: TcpConnect, D: Dns> Runner<N, D> {
    /// Drives the client until it is closed.
    pub async fn run(self) {
        let Self { net, dns, end } = &self;
        let shared = &*end.0;
        let mut sockets = FuturesUnordered::new();
        let mut names = FuturesUnordered::new();
        let mut alarm = Alarm::default();
        poll_fn(|cx| {
            shared.look(|state| state.register_driver(cx));
            let mut is_due = false;
            loop {
                // What the sockets have comes before the clock: answers count before deadlines.
                while sockets.poll_next_unpin(cx) == Poll::Ready(Some(())) {}
                while names.poll_next_unpin(cx) == Poll::Ready(Some(())) {}
                is_due |= alarm.is_due(cx);
                let round = shared.look(|state| {
                    if is_due {
                        state.client.handle_timeout(now());
                    }
                    drain(state)
                });
                let Some(Round { errands, deadline }) = round else { return Poll::Ready(()) };
                alarm.set(deadline);
                // New futures and a new deadline are waited for only once they were polled.
                is_due = alarm.is_due(cx);
                if errands.is_empty() && !is_due {
                    return Poll::Pending;
                }
                for errand in errands {
                    match errand {
                        Errand::Dial(conn, addr) => sockets.push(serve(net, shared, conn, addr)),
                        Errand::LookUp(id, query) => names.push(look_up(dns, shared, id, query)),
                    }
                }
            }
        })
        .await;
    }
}

/// Does what the client says; `None` when all is over.
fn drain(state: &mut State) -> Option<Round> {
    let mut errands = Vec::new();
    loop {
        match state.client.poll_output() {
            Output::Resolve { id, query } => errands.push(Errand::LookUp(id, query)),
            Output::Connect { conn, addr } => {
                state.sockets.entry(conn).or_default();
                errands.push(Errand::Dial(conn, addr));
            }
            Output::Write(conn) => {
                if let Some(wakers) = state.sockets.get_mut(&conn) {
                    wakers.wake();
                }
            }
            Output::Disconnect { conn, .. } => {
                if let Some(mut wakers) = state.sockets.remove(&conn) {
                    wakers.wake();
                }
            }
            Output::Event(event) => state.on_event(event),
            Output::Wait(_) if state.ended.is_some() => return None,
            Output::Wait(deadline) => {
                return Some(Round { errands, deadline: deadline.map(|deadline| deadline.at) });
            }
            _ => {}
        }
    }
}

async fn look_up<D: Dns>(dns: &D, shared: &Shared, id: ResolveId, query: Query) {
    let addr = match query {
        Query::Host { host, port } => address(dns, host, port).await,
        // The traits know no service records.
        _ => None,
    };
    shared.act(|state, now| state.client.handle_resolved(now, id, addr.as_slice()));
}

async fn address<D: Dns>(dns: &D, host: String, port: u16) -> Option<SocketAddr> {
    let ip = dns.get_host_by_name(&host, AddrType::Either).await.ok()?;
    Some(SocketAddr::new(ip, port))
}

/// A timer that is set again and again.
#[derive(Default)]
struct Alarm {
    at: Option<Timestamp>,
    timer: Option<Timer>,
}

impl Alarm {
    fn set(&mut self, at: Option<Timestamp>) {
        if self.at != at {
            self.at = at;
            self.timer = at.map(|at| Timer::at(at.to_embassy_deadline()));
        }
    }

    /// Whether the time came; once. If it did not, the task is woken when it does.
    fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let is_due = self.timer.as_mut().is_some_and(|timer| Pin::new(timer).poll(cx).is_ready());
        if is_due {
            *self = Self::default();
        }
        is_due
    }
}

impl<N, D> fmt::Debug for Runner<N, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}
