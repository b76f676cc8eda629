//! Ceph RADOS watch/notify as a state machine without I/O.
//!
//! A [`Client`] speaks the whole protocol (msgr2 and msgr1, cephx, monitors, OSD maps and CRUSH, OSD sessions,
//! watches and notifies) and touches no socket, clock, file or thread. Bytes and times go in; bytes to
//! write, connections to open, a deadline and events come out. Any event loop can drive it:
//!
//! ```no_run
//! use bytes::Buf;
//! use linger_core::{Client, CloseReason, ConnId, Event, Output, Timestamp};
//! use std::collections::BTreeMap;
//! use std::io::{ErrorKind, Read, Write};
//! use std::net::TcpStream;
//!
//! /// One turn of the loop: (1) drain the outputs, (2) write, (3) read, (4) let time pass.
//! fn turn(client: &mut Client, socks: &mut BTreeMap<ConnId, TcpStream>, now: impl Fn() -> Timestamp) {
//!     // 1. Drain `poll_output` until it says to wait.
//!     let deadline = loop {
//!         match client.poll_output() {
//!             Output::Connect { conn, addr } => match TcpStream::connect(addr) {
//!                 Ok(sock) => {
//!                     sock.set_nonblocking(true).expect("a socket can be non-blocking");
//!                     socks.insert(conn, sock);
//!                     client.handle_connected(now(), conn);
//!                 }
//!                 Err(_) => client.handle_closed(now(), conn, CloseReason::Unreachable),
//!             },
//!             Output::Disconnect { conn, .. } => drop(socks.remove(&conn)),
//!             Output::Resolve { id, .. } => client.handle_resolved(now(), id, &[]),
//!             Output::Event(Event::Readable(watch)) => {
//!                 while let Some(event) = client.next(watch) {
//!                     println!("{event:?}");
//!                 }
//!             }
//!             Output::Event(event) => println!("{event:?}"),
//!             Output::Wait(deadline) => break deadline,
//!             // `Write` names a connection whose outbox turned non-empty; this loop looks at all.
//!             _ => {}
//!         }
//!     };
//!     let mut bytes = [0; 16384];
//!     for (conn, sock) in socks.iter_mut() {
//!         // 2. Write what is to be written, as far as the socket takes it.
//!         let mut outbox = client.outbox(*conn);
//!         while outbox.has_remaining() {
//!             let Ok(count) = sock.write(outbox.chunk()) else { break };
//!             outbox.advance(count);
//!         }
//!         // 3. Hand over what was received, in pieces of any size.
//!         match sock.read(&mut bytes) {
//!             Ok(0) => client.handle_closed(now(), *conn, CloseReason::Closed),
//!             Ok(count) => client.handle_bytes(now(), *conn, &bytes[..count]),
//!             Err(error) if error.kind() == ErrorKind::WouldBlock => {}
//!             Err(_) => client.handle_closed(now(), *conn, CloseReason::Closed),
//!         }
//!     }
//!     // 4. When the deadline has come, say so. (A real loop sleeps here until then, or until a
//!     //    socket is ready; after a sleep it reads first, so that answers count before time does.)
//!     if deadline.is_some_and(|deadline| deadline.at <= now()) {
//!         client.handle_timeout(now());
//!     }
//! }
//! ```
//!
//! **Outputs change only by a command, a `handle_*` call, or an [`Outbox`] that was read from.** After
//! any of these drain [`Client::poll_output`] until it gives [`Output::Wait`]; until then nothing more
//! will come, and another call gives the same `Wait`.
//!
//! # What a watch promises
//!
//! A client that watches can not be deaf without knowing it. Each watch has one ordered queue of
//! [`WatchEvent`]s: [`Live`] when it is registered, [`Notify`] for each notify, an error when it is lost,
//! and `Live` again when it is back, with how long it was deaf and whether it may have missed a notify.
//! Read the object after each `Live` that may have missed something; between those the notifies tell.
//! [`states`] has all of it as tables.
//!
//! # Parts
//!
//! ```text
//! client ── commands, inputs, outputs: the only part that sees two others at once
//!   ├─ watch, notify, call ── what users asked for
//!   │    └─ session ── requests to OSDs, resends, backoffs; placement gives it targets
//!   ├─ mon ── hunting, subscriptions, tickets
//!   └─ conn ── msgr2 and msgr1: handshake, frames, keepalives; auth logs in
//! ```
//!
//! # Features
//!
//! * `std` (default): checksums by the processor's own instruction, and several pieces at once from an
//!   [`Outbox`].
//! * `embassy-time`: [`Timestamp`]s from and to the instants of embassy-time.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod auth;
mod call;
mod client;
mod cluster;
mod config;
mod conn;
mod context;
mod error;
mod features;
mod ids;
mod mon;
pub mod mon_host;
mod notify;
mod object;
mod output;
pub mod placement;
mod retry;
mod session;
pub mod states;
mod time;
mod timers;
mod totals;
mod watch;

pub use call::Call;
pub use client::{Client, CloseReason};
pub use cluster::MapError;
pub use config::{Config, Limits, Timing};
pub use conn::{LinkMode, Outbox};
pub use error::{CommandError, ConfigError, ConnFault, LossCause, OpError, WatchError};
pub use features::{FEATURES, REQUIRED};
pub use ids::{CallId, ConnId, NotifyId, ResolveId, WatchId};
pub use object::{ObjectRef, PoolRef};
pub use output::{
    AckToken, CallOutput, Deadline, Event, LeftBehind, Live, Notify, NotifyOutcome, NotifyReport, Output,
    Query, WatchEvent,
};
pub use time::{Timestamp, UnixTime};
pub use timers::TimerKind;
pub use totals::{Losses, Reconnects, RoundTrips, Totals};
pub use watch::{OnDrop, Reregister, WatchOptions, WatchStatus, WhenFull};

#[cfg(test)]
mod doc_table;
#[cfg(test)]
use doc_table::doc_table;

/// The one source of randomness inside: seeded once, by the adapter.
pub(crate) type Rng = rand_chacha::ChaCha20Rng;
