//! Two-sided codecs of what Ceph puts on the wire: msgr2 frames, msgr1 records, messages, cephx envelopes,
//! OSDMap and CRUSH encodings.
//!
//! Everything here is a plain value with [`Encode`] and, for what a peer may send, [`Decode`].
//! There is no I/O and no state beyond the frame assembler. Both directions of each message are
//! implemented, so a client, a test server, a fuzzer and a tool share one codec.
//!
//! Decoding never panics, never reads beyond its input, and never allocates more than a small
//! multiple of it. Encoding is infallible: values that have no encoding do not construct.
#![cfg_attr(not(feature = "std"), no_std)]
#![forbid(unsafe_code)]
#![deny(missing_docs)]

extern crate alloc;

pub mod cephx;
mod crc;
pub mod crush;
pub mod crypto;
pub mod errno;
mod error;
pub mod features;
pub mod frame;
pub mod legacy;
pub mod msg;
pub mod osdmap;
mod primitives;

pub use error::{DecodeError, DecodeErrorKind};
pub use features::Features;
pub use primitives::{
    AddrType, AddrVec, Decode, EVersion, Encode, EntityAddr, EntityName, EntityType, Fsid, HObject, Name,
    ObjectLocator, PgId, ReqId, SNAP_HEAD, SpgId, UTime,
};
