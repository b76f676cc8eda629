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
        let (now, client) = (self.now, &mut self.client);
        let refused = match &op {
            Op::Notify { object, payload, timeout, ticket } => {
                let started = client.notify(now, object.clone(), payload.clone(), *timeout);
                started.map(|id| {
                    ticket.start(id);
                    self.notifies.insert(id, NotifyEntry { ticket: ticket.clone(), accepted: false });
                })
            }
            Op::Call { object, call, within, ticket } => {
                client.call(now, object.clone(), call.clone(), *within).map(|id| {
                    ticket.start(id);
                    self.calls.insert(id, ticket.clone());
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
