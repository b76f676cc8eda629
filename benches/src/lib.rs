//! Measurements of the codecs and the core, and what they share: clients whose servers' bytes are
//! made beforehand, so that only the client's own work is measured.
#![forbid(unsafe_code)]

mod steps;

pub use steps::{Steps, name};
