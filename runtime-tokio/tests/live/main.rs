//! Against a real cluster, with Ceph's own clients on the other side.

mod asking;
mod cancel;
mod common;
mod connecting;
mod ends;
mod failover;
mod many;
mod objects;
mod watches;
