//! What the fuzz targets do, as plain functions: the fuzzers call them with what they invent, a
//! test on stable with the corpus.
//!
//! Fuzz: `cargo +nightly fuzz run --features libfuzzer frame_decode`.
//! Replay: `cargo test --manifest-path fuzz/Cargo.toml`.
#![forbid(unsafe_code)]

mod client;
mod frame;
mod legacy;
mod msg;
mod osdmap;

pub use client::client;
pub use frame::{ends_without_cipher, frame_decode};
pub use legacy::legacy_decode;
pub use msg::msg_decode;
pub use osdmap::osdmap;

/// What a fuzzer calls.
pub type Target = fn(&[u8]);

/// All targets by the name of their corpus folder.
pub const TARGETS: &[(&str, Target)] = &[
    ("client", client),
    ("frame_decode", frame_decode),
    ("legacy_decode", legacy_decode),
    ("msg_decode", msg_decode),
    ("osdmap", osdmap),
];
