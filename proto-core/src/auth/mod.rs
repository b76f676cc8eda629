//! Authentication, client side, without I/O.
//!
//! [`MonHandshake`] logs in at a mon; the [`Grant`] it ends with goes to the [`TicketStore`], which renews
//! tickets in the mon session and makes a [`ServiceHandshake`] for each connection to an OSD. Both
//! handshakes take and give only payloads: those of msgr2's auth frames, which over msgr1 are in its
//! authorizers and in messages. Frames, signatures and encryption belong to the connection.
//!
//! Facts: `auth/cephx/CephxClientHandler.cc`, `auth/cephx/CephxProtocol.cc`, `mon/MonClient.cc`.

mod error;
mod mon;
mod negotiate;
mod service;
mod ticket;

pub use error::{AuthError, Side};
pub use mon::{LoginStep, MonHandshake, MonLogin, Resume};
pub use negotiate::{AuthMethod, AuthRequest, ConMode, Credentials};
pub use service::{ServiceHandshake, ServiceLogin};
pub use ticket::{Grant, TicketStore};

pub use linger_wire::cephx::{AuthName, CryptoKey, KeyType, Secret};
