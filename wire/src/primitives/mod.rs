//! The building blocks of all Ceph encodings.
//!
//! Facts: `include/encoding.h`, `include/denc.h`, `msg/msg_types.h`, `osd/osd_types.h` of Ceph.

mod addr;
pub(crate) mod collections;
mod hobject;
mod ids;
mod name;
pub(crate) mod parse;
mod section;

pub use addr::{AddrType, AddrVec, EntityAddr};
pub(crate) use collections::{blob, put_blob};
pub use hobject::{HObject, ObjectLocator, SNAP_HEAD};
pub use ids::{EVersion, EntityName, EntityType, Fsid, PgId, ReqId, SpgId, UTime};
pub use name::Name;
pub use parse::{Decode, Encode};
pub(crate) use parse::{Input, Parse, Parsed, codec, fail};
pub(crate) use section::{put_section, section, skip_section};
