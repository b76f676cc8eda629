//! Where the engine leaves a watch's events and the watch's handle takes them.
//!
//! The queue that counts, with the user's bound and policy, is the core's. The engine moves events
//! from there only while the handle's few places are free, so a slow consumer holds up nobody else.

use crate::error::Error;
use crate::lock;
use crate::watch::WatchEvent;
use linger_core::{Live, WatchError};
use std::collections::VecDeque;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// How many events are at most on their way to a handle.
const ROOM: usize = 16;

/// What is known of a watch, as far as its events are delivered.
#[derive(Debug, Clone)]
pub(crate) enum Status {
    /// Not live: the first registration, or the next one, is under way.
    Deaf,
    Live(Live),
    /// Lost for good.
    Lost(WatchError),
    /// Ended without an error of its own.
    Closed,
    Failed(Error),
}

#[derive(Debug)]
pub(crate) struct Mailbox(Mutex<State>);

#[derive(Debug)]
struct State {
    events: VecDeque<WatchEvent>,
    room: usize,
    /// The engine stopped for want of room.
    more: bool,
    /// The handle is gone.
    orphaned: bool,
    /// The last event came in.
    ended: bool,
    status: Status,
    waker: Option<Waker>,
}

impl State {
    fn note(&mut self, event: &WatchEvent) {
        self.ended |= matches!(event, WatchEvent::Closed | WatchEvent::Failed(_));
        self.status = match event {
            WatchEvent::Live(live) => Status::Live(*live),
            WatchEvent::Error(error) if error.is_terminal() => Status::Lost(*error),
            WatchEvent::Error(_) | WatchEvent::ReregisterNeeded { .. } => Status::Deaf,
            WatchEvent::Closed if !matches!(self.status, Status::Lost(_)) => Status::Closed,
            WatchEvent::Failed(error) => Status::Failed(error.clone()),
            _ => return,
        };
    }
}

impl Mailbox {
    /// A mailbox for a watch whose queue in the core has this bound.
    pub(crate) fn new(queue: Option<usize>) -> Self {
        Self(Mutex::new(State {
            events: VecDeque::new(),
            room: queue.unwrap_or(ROOM).clamp(1, ROOM),
            more: false,
            orphaned: false,
            ended: false,
            status: Status::Deaf,
            waker: None,
        }))
    }

    /// Moves events in until there is no room or no event; `all` goes beyond the room.
    pub(crate) fn fill(&self, all: bool, mut next: impl FnMut() -> Option<WatchEvent>) {
        // Unwanted notifications answer when dropped, which must not happen under the lock.
        let mut unwanted = Vec::new();
        let waker = {
            let mut state = lock(&self.0);
            let mut came = false;
            state.more = loop {
                if !all && !state.orphaned && state.events.len() >= state.room {
                    break true;
                }
                let Some(event) = next() else { break false };
                state.note(&event);
                came = true;
                if state.orphaned {
                    unwanted.push(event);
                } else {
                    state.events.push_back(event);
                }
            };
            if came { state.waker.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes an event. Also says whether the engine is to be asked for more.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> (Poll<Option<WatchEvent>>, bool) {
        let mut state = lock(&self.0);
        let Some(event) = state.events.pop_front() else {
            if state.ended {
                return (Poll::Ready(None), false);
            }
            state.waker = Some(cx.waker().clone());
            return (Poll::Pending, false);
        };
        // A watch that only waits keeps no memory for events.
        if state.events.is_empty() && !matches!(event, WatchEvent::Notification(_)) {
            state.events = VecDeque::new();
        }
        let ask = state.more && state.events.len() <= state.room / 2;
        state.more &= !ask;
        (Poll::Ready(Some(event)), ask)
    }

    /// Ready with the status once the watch is live or over.
    pub(crate) fn poll_live(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut state = lock(&self.0);
        if matches!(state.status, Status::Deaf) {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(state.status.clone())
    }

    pub(crate) fn status(&self) -> Status {
        lock(&self.0).status.clone()
    }

    /// The handle is gone: nobody takes events any more.
    pub(crate) fn orphan(&self) {
        let events = {
            let mut state = lock(&self.0);
            state.orphaned = true;
            std::mem::take(&mut state.events)
        };
        drop(events);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overflow(range: std::ops::Range<u64>) -> impl FnMut() -> Option<WatchEvent> {
        let mut range = range;
        move || range.next().map(|lost| WatchEvent::Overflow { lost })
    }

    #[test]
    fn events_are_moved_only_while_there_is_room() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(Some(4));
        let mut next = overflow(0..6);
        mailbox.fill(false, &mut next);
        assert!(next().is_some_and(|event| matches!(event, WatchEvent::Overflow { lost: 4 })), "4 fit");
        let asked: Vec<_> = (0..4).map(|_| mailbox.poll(&mut cx).1).collect();
        assert_eq!(asked, [false, true, false, false], "asked for once, when half is free");
        assert!(mailbox.poll(&mut cx).0.is_pending());
    }

    #[test]
    fn the_end_comes_after_all_events() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(Some(1));
        let lost = WatchError { cause: linger_core::LossCause::ObjectGone, errno: Some(2) };
        let mut events = vec![WatchEvent::Closed, WatchEvent::Error(lost)];
        let mut next = || events.pop();
        mailbox.fill(false, &mut next);
        assert!(matches!(mailbox.poll(&mut cx), (Poll::Ready(Some(WatchEvent::Error(_))), true)));
        assert!(mailbox.poll(&mut cx).0.is_pending(), "the loss is known, the end is still to come");
        mailbox.fill(false, &mut next);
        assert!(matches!(mailbox.status(), Status::Lost(_)), "what ended it stays known");
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Closed))));
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(None)));
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(None)), "for ever");
    }

    #[test]
    fn nothing_is_kept_for_a_handle_that_is_gone() {
        let mailbox = Mailbox::new(None);
        mailbox.fill(false, overflow(0..3));
        mailbox.orphan();
        let mut next = overflow(0..100);
        mailbox.fill(false, &mut next);
        assert!(next().is_none(), "the core's queue is emptied all the same");
        assert!(lock(&mailbox.0).events.is_empty());
    }
}
