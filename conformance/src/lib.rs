//! Comparison with Ceph's own tools and encodings: the tests are in `tests/`, this is what they share.

mod corpus;
mod crush_text;
mod osdmap_tool;
mod random;
mod random_map;
mod tools;

pub use corpus::{Sample, corpus, samples};
pub use crush_text::{CrushText, crush_text};
pub use osdmap_tool::{compare_pgs, osdmaptool_pgs};
pub use random::Rng;
pub use random_map::{MapKind, decode_as_written, random_map, run};
pub use tools::tools;
