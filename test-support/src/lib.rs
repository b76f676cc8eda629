//! A scripted cluster in memory around a client: for benches and fuzzers.
//!
//! [`World`] does what an adapter must, without sockets, and lets [`Server`]s answer: monitors that
//! hand out maps, OSDs that say yes to everything. [`maps`] makes maps of any size.
#![forbid(unsafe_code)]

pub mod maps;
mod server;
mod world;

pub use server::{Script, Server, Who, watch_notify};
pub use world::{World, config};
