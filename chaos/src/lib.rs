//! Chaos on real clusters.
//!
//! An [`Arena`] is a cluster with objects that a linger client and a librados client (python3-rados, in a process of
//! its own) both watch, while a third client notifies each object with growing numbers. A [`Fault`] strikes and heals;
//! then the [`Ledger`] tells, of each number that completed without naming the watcher as missed, whether the watcher
//! saw it or announced a gap that it lies in. What is neither is a notify lost in silence.

mod arena;
mod fault;
mod interval;
mod ledger;
mod librados_watcher;
mod linger_watcher;
mod mix;
mod notifier;
mod soak;
mod table;

pub use arena::{Arena, OBJECTS, TIMEOUT};
pub use fault::Fault;
pub use interval::{Intervals, measure_intervals};
pub use ledger::{Ledger, Report, Side, Verdict};
pub use mix::{Mix, SEED_VAR};
pub use soak::Soak;
pub use table::Row;
