//! The simulator: real clients and a whole cluster, on a network and a clock that are not real.
//!
//! Everything follows from one seed: how many clients and objects there are, what users do, how the network behaves,
//! what breaks and when. A model that sees both sides checks what clients say against what happened:
//!
//! * a notify that completed without naming a watcher as missed was delivered to it, unless the watch says, by an error
//!   or by `may_have_missed`, that it was deaf;
//! * when an OSD drops a watch for want of pings, its client does not count on it any more;
//! * a return says that something may be missing exactly if a loss was told, once, before it; what a loss or a return
//!   says of the registration is so at the OSDs;
//! * no request comes that its client had agreed to hold, no ping before the RECONNECT that was due;
//! * no notify is delivered twice, or that was not sent; no event follows `Closed`; generations count;
//! * an answer that a notifier gets is the one that the watcher's user gave, who had the notify;
//! * each notify and each call has one outcome, in time, and the notify's is that of its OSD;
//! * when all is well again, each wanted watch is live, the OSDs have exactly those, and a notify reaches all of them;
//! * a client that waits has nothing to say, and is not woken without end;
//! * it keeps no more than its limits say, which some seeds draw tight, and tells when it takes commands again;
//! * a while after the last fault no lease runs out.
#![forbid(unsafe_code)]

mod adapter;
mod agenda;
mod bounds;
mod dice;
mod events;
mod faults;
mod model;
mod net;
mod node;
mod plan;
mod shrink;
mod trace;
mod truth;
mod user;
mod world;

pub use plan::{Plan, Profile};
pub use shrink::shrink;
pub use trace::Trace;
pub use world::{Stats, Violation, run};
