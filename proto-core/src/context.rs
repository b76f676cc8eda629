//! What every part of the client works with, besides its own state.

use crate::config::Config;
use crate::conn::Pool;
use crate::error::ConnFault;
use crate::ids::ConnKey;
use crate::output::{Event, Output};
use crate::timers::Timers;
use crate::{Rng, Timestamp, UnixTime};
use alloc::collections::VecDeque;

/// The surroundings of one step.
pub(crate) struct Context {
    pub(crate) now: Timestamp,
    pub(crate) unix_now: UnixTime,
    pub(crate) config: Config,
    pub(crate) rng: Rng,
    pub(crate) pool: Pool,
    pub(crate) timers: Timers,
    pub(crate) out: VecDeque<Output>,
}

impl Context {
    pub(crate) fn close(&mut self, conn: ConnKey, why: ConnFault) {
        self.pool.close(conn, why, &mut self.timers, &mut self.out);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.out.push_back(Output::Event(event));
    }
}
