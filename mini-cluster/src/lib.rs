//! A Ceph cluster in memory that speaks the real protocol.
//!
//! Monitors and OSDs as one state machine without I/O, [`Servers`]: msgr2 (revision 1, crc and secure mode), cephx or no
//! authentication, maps with CRUSH, objects, watches and notifies. Ceph's own clients work with it, so it can
//! stand in for a cluster in demos and in tests; and it can be broken on purpose. With virtual time it is one
//! side of a simulation.
//!
//! What it is not: a place for data that matters. All OSDs share one store in memory, and copies are made at
//! once; a folder may keep it over a restart.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(feature = "loopback"),
    allow(dead_code, reason = "what outlives the process is kept by the driver on TCP")
)]

mod command;
mod conn;
mod conns;
mod journal;
mod kept;
mod keys;
mod login;
#[cfg(feature = "loopback")]
mod loopback;
mod maps;
mod mon;
mod osd;
mod servers;
mod settings;
mod store;
mod timers;
mod who;

pub use conns::{ConnId, Output, Session};
pub use journal::{Deed, Record};
pub use linger_core::auth::ConMode;
pub use linger_wire::cephx::{AuthName, CryptoKey, KeyType};
#[cfg(feature = "loopback")]
pub use loopback::{Builder, MiniCluster};
pub use servers::Servers;
pub use settings::{Auth, PoolSpec, Settings, User};
pub use who::Who;
