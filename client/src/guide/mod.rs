//! How to use watches well: recipes that hold on every runtime.
//!
//! * [`watch_then_read`]: keep a copy of an object that is never stale without knowing it;
//! * [`lease`]: what a watch promises, for how long, and how to see it;
//! * [`back_pressure`]: what happens to notifies that are not taken;
//! * [`runtimes`]: which adapter to take, and loops of one's own.

pub mod back_pressure;
pub mod lease;
pub mod runtimes;
pub mod watch_then_read;
