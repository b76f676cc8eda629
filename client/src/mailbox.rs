//! Where the engine leaves a watch's events and the watch's handle takes them.
//!
//! The queue that counts, with the user's bound and policy, is the core's. The engine moves events
//! from there only while the handle's few places are free, so a slow consumer holds up nobody else.

use crate::error::Error;
use crate::flush::Mark;
use crate::lock;
use crate::watch::WatchEvent;
use linger_core::{Live, Timestamp, WatchError};
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

/// What comes through a mailbox.
#[derive(Debug)]
pub(crate) enum Item {
    Event(WatchEvent),
    /// Ends when it comes to the front, so it never waits there.
    Mark(Option<Mark>),
}

#[derive(Debug)]
struct State {
    /// With the time each came.
    items: VecDeque<(Timestamp, Item)>,
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
    fn note(&mut self, item: &Item) {
        let Item::Event(event) = item else { return };
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

impl State {
    /// Takes the marks that nothing is before any more.
    fn take_marks(&mut self) -> Vec<Mark> {
        let mut marks = Vec::new();
        while let Some((_, Item::Mark(mark))) = self.items.front_mut() {
            marks.extend(mark.take());
            self.items.pop_front();
        }
        marks
    }
}

impl Mailbox {
    /// A mailbox for a watch whose queue in the core has this bound.
    pub(crate) fn new(queue: Option<usize>) -> Self {
        Self(Mutex::new(State {
            items: VecDeque::new(),
            room: queue.unwrap_or(ROOM).clamp(1, ROOM),
            more: false,
            orphaned: false,
            ended: false,
            status: Status::Deaf,
            waker: None,
        }))
    }

    /// Moves events in until there is no room or no event; `all` goes beyond the room.
    pub(crate) fn fill(&self, now: Timestamp, all: bool, mut next: impl FnMut() -> Option<Item>) {
        // Dropping unwanted notifications answers them, and dropping marks ends flushes: not under the lock.
        let mut passed = Vec::new();
        let waker = {
            let mut state = lock(&self.0);
            let mut came = false;
            state.more = loop {
                if !all && !state.orphaned && state.items.len() >= state.room {
                    break true;
                }
                let Some(item) = next() else { break false };
                state.note(&item);
                came = true;
                // A mark that nothing is before ends here: whoever has nothing to take asks for no more.
                if state.orphaned || (state.items.is_empty() && matches!(item, Item::Mark(_))) {
                    passed.push(item);
                } else {
                    state.items.push_back((now, item));
                }
            };
            if came { state.waker.take() } else { None }
        };
        drop(passed);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Takes an event. Also says whether the engine is to be asked for more.
    pub(crate) fn poll(&self, cx: &mut Context<'_>) -> (Poll<Option<WatchEvent>>, bool) {
        let mut state = lock(&self.0);
        let Some((_, Item::Event(event))) = state.items.pop_front() else {
            if state.ended {
                return (Poll::Ready(None), false);
            }
            state.waker = Some(cx.waker().clone());
            return (Poll::Pending, false);
        };
        let marks = state.take_marks();
        // A watch that only waits keeps no memory for events.
        if state.items.is_empty() && !matches!(event, WatchEvent::Notification(_)) {
            state.items = VecDeque::new();
        }
        let ask = state.more && state.items.len() <= state.room / 2;
        state.more &= !ask;
        drop(state);
        drop(marks);
        (Poll::Ready(Some(event)), ask)
    }

    /// When the oldest event came that is not taken yet.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        lock(&self.0).items.front().map(|(at, _)| *at)
    }

    /// Events that are not taken yet.
    pub(crate) fn len(&self) -> usize {
        lock(&self.0).items.len()
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
        let items = {
            let mut state = lock(&self.0);
            state.orphaned = true;
            std::mem::take(&mut state.items)
        };
        drop(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flush::FlushTicket;

    const NOW: Timestamp = Timestamp::MAX;

    fn overflow(range: std::ops::Range<u64>) -> impl FnMut() -> Option<Item> {
        let mut range = range;
        move || range.next().map(|lost| Item::Event(WatchEvent::Overflow { lost }))
    }

    #[test]
    fn events_are_moved_only_while_there_is_room() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(Some(4));
        let mut next = overflow(0..6);
        mailbox.fill(NOW, false, &mut next);
        assert!(
            next().is_some_and(|event| matches!(event, Item::Event(WatchEvent::Overflow { lost: 4 }))),
            "4 fit"
        );
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
        let mut next = || events.pop().map(Item::Event);
        mailbox.fill(NOW, false, &mut next);
        assert!(matches!(mailbox.poll(&mut cx), (Poll::Ready(Some(WatchEvent::Error(_))), true)));
        assert!(mailbox.poll(&mut cx).0.is_pending(), "the loss is known, the end is still to come");
        mailbox.fill(NOW, false, &mut next);
        assert!(matches!(mailbox.status(), Status::Lost(_)), "what ended it stays known");
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Closed))));
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(None)));
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(None)), "for ever");
    }

    #[test]
    fn nothing_is_kept_for_a_handle_that_is_gone() {
        let mailbox = Mailbox::new(None);
        mailbox.fill(NOW, false, overflow(0..3));
        mailbox.orphan();
        let mut next = overflow(0..100);
        mailbox.fill(NOW, false, &mut next);
        assert!(next().is_none(), "the core's queue is emptied all the same");
        assert!(lock(&mailbox.0).items.is_empty());
    }

    #[test]
    fn a_mark_ends_when_all_before_it_is_taken() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(None);
        let ticket = FlushTicket::new();
        let mut items = vec![
            Item::Event(WatchEvent::Closed),
            Item::Mark(Some(Mark::new(ticket.clone()))),
            Item::Event(WatchEvent::Overflow { lost: 1 }),
        ];
        mailbox.fill(NOW, false, || items.pop());
        assert!(ticket.poll(&mut cx).is_pending());
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Overflow { lost: 1 }))));
        assert!(ticket.poll(&mut cx).is_ready(), "what comes after it is not waited for");
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Closed))));

        for orphaned in [false, true] {
            let (mailbox, ticket) = (Mailbox::new(None), FlushTicket::new());
            let mark = Mark::new(ticket.clone());
            if orphaned {
                mailbox.orphan();
            }
            let mut item = Some(Item::Mark(Some(mark)));
            mailbox.fill(NOW, false, || item.take());
            assert!(ticket.poll(&mut cx).is_ready(), "nothing is before it");
        }
    }

    #[test]
    fn marks_with_nothing_before_them_take_no_room() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(None);
        let ticket = FlushTicket::new();
        let mark = Mark::new(ticket.clone());
        let marks = (0..=ROOM).map(|_| Item::Mark(Some(mark.clone())));
        let mut items = marks.chain([Item::Event(WatchEvent::Closed)]).collect::<VecDeque<_>>();
        drop(mark);
        // With nothing to take nobody would ask for the rest.
        mailbox.fill(NOW, false, || items.pop_front());
        assert!(ticket.poll(&mut cx).is_ready());
        assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Closed))));
    }
}
