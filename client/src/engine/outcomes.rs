//! Notifies and calls: from their commands to their outcomes.

use super::command::{Failure, Op};
use super::{Engine, NotifyEntry};
use crate::error::Error;
use linger_core::{CallId, CallOutput, CommandError, NotifyId, NotifyOutcome, OpError};

impl Engine {
    pub(super) fn start_or_wait(&mut self, op: Op) {
        if let Some(busy) = self.start(op) {
            self.waiting.push_back(busy);
        }
    }

    /// The core takes commands again.
    pub(super) fn retry(&mut self) {
        while let Some(op) = self.waiting.pop_front() {
            if let Some(busy) = self.start(op) {
                return self.waiting.push_front(busy);
            }
        }
    }

    /// Starts an operation; gives it back if the core is busy.
    fn start(&mut self, op: Op) -> Option<Op> {
        if !op.is_wanted() {
            self.shared.ops.leave();
            return None;
        }
        self.hand_over(op)
    }

    /// Gives an operation to the core.
    fn hand_over(&mut self, op: Op) -> Option<Op> {
        let (now, client) = (self.now, &mut self.client);
        let refused = match &op {
            Op::Notify { object, payload, timeout, ticket } => {
                let started = client.notify(now, object.clone(), payload.clone(), *timeout);
                started.map(|id| {
                    // One that nobody waits for is given up once it is accepted.
                    let _ = ticket.start(id);
                    self.notifies.insert(id, NotifyEntry { ticket: ticket.clone(), accepted: false });
                })
            }
            Op::Call { object, call, within, ticket } => {
                client.call(now, object.clone(), call.clone(), *within).map(|id| {
                    self.calls.insert(id, ticket.clone());
                    // One whose future was dropped just now did not know what to give up.
                    if !ticket.start(id) {
                        self.abandon_call(id);
                    }
                })
            }
        };
        match refused {
            Ok(()) => None,
            Err(CommandError::Busy) => Some(op),
            Err(error) => {
                self.shared.ops.leave();
                op.fail(Failure::Command(error));
                None
            }
        }
    }

    pub(super) fn on_notify_accepted(&mut self, id: NotifyId, notify_id: u64) {
        let Some(entry) = self.notifies.get_mut(&id) else { return };
        entry.accepted = true;
        entry.ticket.accept(notify_id);
        if !entry.ticket.is_wanted() {
            self.abandon_notify(id);
        }
    }

    /// Nobody wants the outcome. Until an OSD has accepted the notify it is kept, so that it is sent.
    pub(super) fn abandon_notify(&mut self, id: NotifyId) {
        if self.notifies.get(&id).is_some_and(|entry| entry.accepted) {
            self.notifies.remove(&id);
            self.client.abandon_notify(self.now, id);
            self.shared.ops.leave();
        }
    }

    /// Nobody wants the result.
    pub(super) fn abandon_call(&mut self, id: CallId) {
        if self.calls.remove(&id).is_some() {
            self.client.abandon_call(self.now, id);
            self.shared.ops.leave();
        }
    }

    pub(super) fn on_notify_done(&mut self, id: NotifyId, outcome: NotifyOutcome) {
        if let Some(entry) = self.notifies.remove(&id) {
            self.shared.ops.leave();
            entry.ticket.finish(Ok(outcome));
        }
    }

    pub(super) fn on_call_done(&mut self, id: CallId, result: Result<CallOutput, OpError>) {
        if let Some(ticket) = self.calls.remove(&id) {
            self.shared.ops.leave();
            ticket.finish(result.map_err(Failure::Op));
        }
    }

    /// Ends all that is under way.
    pub(super) fn fail_ops(&mut self, error: &Error) {
        for entry in std::mem::take(&mut self.notifies).into_values() {
            entry.ticket.finish(Err(Failure::Ended(error.clone())));
        }
        for ticket in std::mem::take(&mut self.calls).into_values() {
            ticket.finish(Err(Failure::Ended(error.clone())));
        }
        for op in std::mem::take(&mut self.waiting) {
            op.fail(Failure::Ended(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;
    use crate::options::ConnectOptions;
    use crate::ticket::Ticket;
    use linger_core::{Call, ObjectRef, Timestamp, UnixTime};

    #[test]
    fn a_call_that_is_given_up_while_it_starts_keeps_no_place() {
        let settings = Settings::builder().id("x").key("AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==");
        let settings = settings.mon_host("v2:10.0.0.1:3300").build().unwrap();
        let mut options = ConnectOptions::try_from(settings).unwrap();
        options.config.limits.ops_in_flight = 1;
        let now = Timestamp::default();
        let (mut engine, _connecting) = Engine::new(now, UnixTime::default(), options, [7; 32]).unwrap();
        for _ in 0..3 {
            let ticket = Ticket::new();
            let (object, call) = (ObjectRef::new("pool", "object"), Call::Stat);
            let op = Op::Call { object, call, within: None, ticket: ticket.clone() };
            assert!(op.is_wanted());
            assert!(engine.shared.ops.try_enter(), "the only place is free");
            // Between the engine's look and its start.
            assert_eq!(ticket.abandon(), None, "the handle knows of nothing to give up");
            assert!(engine.hand_over(op).is_none(), "the core has room");
            assert!(engine.calls.is_empty());
        }
    }
}
