//! Watches: from their commands to their mailboxes.

use super::Engine;
use super::command::{Failure, WatchCommand};
use crate::flush::{FlushTicket, Mark};
use crate::mailbox::Item;
use crate::shared::Shared;
use crate::watch::{Notification, Watch, WatchEvent};
use linger_core::{CommandError, OnDrop, WatchId};
use std::sync::Arc;

impl Engine {
    pub(super) fn start_watch(&mut self, command: WatchCommand) {
        self.shared.setups.leave();
        let WatchCommand { object, options, mailbox, lifeline, ticket } = command;
        if !ticket.is_wanted() {
            return;
        }
        let on_drop = options.on_drop;
        match self.client.watch(self.now, object.clone(), options) {
            Ok(id) => {
                self.watches.insert(id, (Arc::clone(&mailbox), on_drop));
                ticket.finish(Ok(Watch::new(id, object, mailbox, lifeline)));
            }
            Err(error) => ticket.finish(Err(Failure::Command(error))),
        }
    }

    /// Puts marks behind the events of a watch, or of all.
    pub(super) fn flush(&mut self, id: Option<WatchId>, ticket: &FlushTicket) {
        self.shared.setups.leave();
        let ids: Vec<_> = match id {
            Some(id) => vec![id],
            None => self.watches.keys().copied().collect(),
        };
        let mark = Mark::new(ticket.clone());
        for id in ids {
            self.last_flush += 1;
            match self.client.flush(self.now, id, self.last_flush) {
                Ok(()) => _ = self.flushes.insert((id, self.last_flush), mark.clone()),
                // What has ended goes on to its last event, with which its marks end.
                Err(CommandError::Unknown) if self.watches.contains_key(&id) => {
                    self.flushes.insert((id, self.last_flush), mark.clone());
                }
                Err(CommandError::Unknown) => {}
                Err(error) => return ticket.finish(Err(Failure::Command(error))),
            }
        }
    }

    /// Moves a watch's events to its handle, as far as that has room.
    pub(super) fn pull(&mut self, id: WatchId) {
        self.pull_all(id, false);
    }

    pub(super) fn pull_all(&mut self, id: WatchId, all: bool) {
        let Some((mailbox, on_drop)) = self.watches.get(&id) else { return };
        let (client, shared, flushes) = (&mut self.client, &self.shared, &mut self.flushes);
        let mut closed = false;
        mailbox.fill(self.now, all, || {
            let event = client.next(id)?;
            closed |= matches!(event, linger_core::WatchEvent::Closed);
            Some(match event {
                linger_core::WatchEvent::Flushed { token } => Item::Mark(flushes.remove(&(id, token))),
                event => Item::Event(event_of(event, *on_drop, shared)),
            })
        });
        if closed {
            self.watches.remove(&id);
            self.flushes.retain(|(of, _), _| *of != id);
        }
    }
}

fn event_of(event: linger_core::WatchEvent, on_drop: OnDrop, shared: &Arc<Shared>) -> WatchEvent {
    use linger_core::WatchEvent as Core;
    match event {
        Core::Notify(notify) => WatchEvent::Notification(Notification::new(notify, on_drop, shared)),
        Core::Live(live) => WatchEvent::Live(live),
        Core::Error(error) => WatchEvent::Error(error),
        Core::ReregisterNeeded { cause } => WatchEvent::ReregisterNeeded { cause },
        Core::Overflow { lost } => WatchEvent::Overflow { lost },
        Core::LeftBehind(left) => WatchEvent::LeftBehind(left),
        _ => WatchEvent::Closed,
    }
}
