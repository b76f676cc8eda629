//! Requests that an OSD leaves unanswered may be another one's by now.
//!
//! An OSD drops without a word what is not its own any more: what comes too late, and what waited with it when the
//! group moved on. Who subscribes to maps hears of the move and sends it elsewhere; who does not asks after a while.
//!
//! Facts: `osdc/Objecter.cc` (`tick`, `objecter_timeout`).

use super::Client;
use crate::timers::TimerKey;

impl Client {
    /// Looks in a while whether something is unanswered, if anything is under way.
    pub(super) fn await_answers(&mut self) {
        let cx = &mut self.cx;
        if !cx.config.follow_map && !self.overdue.is_set() && self.sessions.first_sent().is_some() {
            let at = cx.now.saturating_add(cx.config.timing.unanswered);
            cx.timers.set(TimerKey::Overdue, &mut self.overdue, Some(at));
        }
    }

    /// Asks for newer maps if something is unanswered for too long.
    pub(super) fn on_overdue(&mut self) {
        self.cx.timers.set(TimerKey::Overdue, &mut self.overdue, None);
        let waits = self.sessions.first_sent().map(|sent| self.cx.now.saturating_since(sent));
        if waits.is_some_and(|waits| waits >= self.cx.config.timing.unanswered) {
            self.want_newer();
        }
    }
}
