//! From an object to the OSD that serves it.
//!
//! An object's name gives a hash ([`object_hash`]), the hash a placement group of its pool, the group a list of OSDs
//! ([`pg_to_osds`]). [`locate`] goes the whole way. All results equal Ceph's, or a client would talk to the wrong OSDs.
//!
//! Facts: `osd/OSDMap.cc`, `osd/osd_types.cc`, `common/ceph_hash.cc`, `osdc/Objecter.cc`.

pub mod crush;
mod dump;
mod interval;
mod object;
mod pg;
mod target;
#[cfg(test)]
mod tests;

pub use dump::{PgLine, mark_up_in, pgs};
pub use interval::Interval;
pub use object::{actual_pg, object_hash, placement_seed, stable_mod};
pub use pg::{OsdList, PgMapping, Placer, pg_to_osds};
pub use target::{NoSuchPool, Overlay, Target, locate, raw_pg};
