//! Where the engine leaves a watch's events and the watch's handle takes them.
//!
//! The queue that counts, with the user's bound and policy, is the core's. The engine moves events
//! from there only while the handle's few places are free, so a slow consumer holds up nobody else. What
//! waits here counts against the core's budget of bytes too.

use crate::error::Error;
use crate::flush::Mark;
use crate::lock;
use crate::watch::WatchEvent;
use linger_core::{Live, Timestamp, WatchError};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

/// How many events are at most on their way to a handle.
const ROOM: usize = 16;
/// Which part of the bytes for all watches is at most on its way to a handle, and one payload more: what is
/// on its way no policy can shed.
const PART: usize = 64;

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

/// What waits in all mailboxes of a client.
#[derive(Debug)]
pub(crate) struct Waiting {
    /// Bytes of payloads at which a mailbox is full.
    room: usize,
    items: AtomicUsize,
    bytes: AtomicUsize,
}

#[derive(Debug)]
pub(crate) struct Mailbox {
    state: Mutex<State>,
    waiting: Arc<Waiting>,
}

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
    /// Bytes of payloads among them.
    bytes: usize,
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

impl Waiting {
    /// Nothing, of a client that may keep so many bytes of payloads.
    pub(crate) fn new(notify_bytes: usize) -> Arc<Self> {
        let room = (notify_bytes / PART).max(1);
        Arc::new(Self { room, items: AtomicUsize::new(0), bytes: AtomicUsize::new(0) })
    }

    /// How many events.
    pub(crate) fn items(&self) -> usize {
        self.items.load(Ordering::Relaxed)
    }

    /// How many bytes of payloads.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    fn add(&self, bytes: usize) {
        self.items.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn remove(&self, items: usize, bytes: usize) {
        self.items.fetch_sub(items, Ordering::Relaxed);
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Item {
    fn bytes(&self) -> usize {
        match self {
            Self::Event(event) => payload_bytes(event),
            Self::Mark(_) => 0,
        }
    }
}

fn payload_bytes(event: &WatchEvent) -> usize {
    match event {
        WatchEvent::Notification(notification) => notification.payload.len(),
        _ => 0,
    }
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
    pub(crate) fn new(queue: Option<usize>, waiting: &Arc<Waiting>) -> Self {
        let state = Mutex::new(State {
            items: VecDeque::new(),
            bytes: 0,
            room: queue.unwrap_or(ROOM).clamp(1, ROOM),
            more: false,
            orphaned: false,
            ended: false,
            status: Status::Deaf,
            waker: None,
        });
        Self { state, waiting: Arc::clone(waiting) }
    }

    /// Moves events in until there is no room or no event; `all` goes beyond the room.
    pub(crate) fn fill(&self, now: Timestamp, all: bool, mut next: impl FnMut() -> Option<Item>) {
        // Dropping unwanted notifications answers them, and dropping marks ends flushes: not under the lock.
        let mut passed = Vec::new();
        let waker = {
            let mut state = lock(&self.state);
            let mut came = false;
            state.more = loop {
                let is_full = state.items.len() >= state.room || state.bytes >= self.waiting.room;
                if is_full && !all && !state.orphaned {
                    break true;
                }
                let Some(item) = next() else { break false };
                state.note(&item);
                came = true;
                // A mark that nothing is before ends here: whoever has nothing to take asks for no more.
                if state.orphaned || (state.items.is_empty() && matches!(item, Item::Mark(_))) {
                    passed.push(item);
                } else {
                    state.bytes += item.bytes();
                    self.waiting.add(item.bytes());
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
        let mut state = lock(&self.state);
        let before = state.items.len();
        let Some((_, Item::Event(event))) = state.items.pop_front() else {
            if state.ended {
                return (Poll::Ready(None), false);
            }
            state.waker = Some(cx.waker().clone());
            return (Poll::Pending, false);
        };
        let marks = state.take_marks();
        let bytes = payload_bytes(&event);
        state.bytes -= bytes;
        self.waiting.remove(before - state.items.len(), bytes);
        // A watch that only waits keeps no memory for events.
        if state.items.is_empty() && !matches!(event, WatchEvent::Notification(_)) {
            state.items = VecDeque::new();
        }
        let half_free = state.items.len() <= state.room / 2 && state.bytes <= self.waiting.room / 2;
        let ask = state.more && half_free;
        state.more &= !ask;
        drop(state);
        drop(marks);
        (Poll::Ready(Some(event)), ask)
    }

    /// When the oldest event came that is not taken yet.
    pub(crate) fn oldest(&self) -> Option<Timestamp> {
        lock(&self.state).items.front().map(|(at, _)| *at)
    }

    /// Events that are not taken yet.
    pub(crate) fn len(&self) -> usize {
        lock(&self.state).items.len()
    }

    /// Ready with the status once the watch is live or over.
    pub(crate) fn poll_live(&self, cx: &mut Context<'_>) -> Poll<Status> {
        let mut state = lock(&self.state);
        if matches!(state.status, Status::Deaf) {
            state.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(state.status.clone())
    }

    pub(crate) fn status(&self) -> Status {
        lock(&self.state).status.clone()
    }

    /// The handle is gone: nobody takes events any more.
    pub(crate) fn orphan(&self) {
        let items = {
            let mut state = lock(&self.state);
            state.orphaned = true;
            self.waiting.remove(state.items.len(), std::mem::take(&mut state.bytes));
            std::mem::take(&mut state.items)
        };
        drop(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flush::FlushTicket;
    use crate::watch::Notification;

    const NOW: Timestamp = Timestamp::MAX;

    fn overflow(range: std::ops::Range<u64>) -> impl FnMut() -> Option<Item> {
        let mut range = range;
        move || range.next().map(|lost| Item::Event(WatchEvent::Overflow { lost }))
    }

    #[test]
    fn events_are_moved_only_while_there_is_room() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(Some(4), &Waiting::new(0));
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

    fn payloads(lens: &[usize]) -> impl FnMut() -> Option<Item> {
        let mut lens = lens.iter();
        move || lens.next().map(|len| Item::Event(WatchEvent::Notification(Notification::of_bytes(*len))))
    }

    #[test]
    fn payloads_are_moved_only_up_to_a_part_of_all_bytes_and_one_more() {
        let mut cx = Context::from_waker(Waker::noop());
        let waiting = Waiting::new(10 * PART);
        let mailbox = Mailbox::new(None, &waiting);
        let mut next = payloads(&[9, 1, 1, 100, 0, 5, 5]);
        let mut fill = |items, bytes| {
            mailbox.fill(NOW, false, &mut next);
            assert_eq!((waiting.items(), waiting.bytes()), (items, bytes));
        };
        let mut poll = || match mailbox.poll(&mut cx) {
            (Poll::Ready(Some(WatchEvent::Notification(notification))), ask) => {
                (notification.payload.len(), ask)
            }
            other => panic!("{other:?}"),
        };
        fill(2, 10);
        assert_eq!(poll(), (9, true), "half is free");
        fill(3, 102);
        assert_eq!([poll(), poll(), poll()], [(1, false), (1, false), (100, true)]);
        fill(3, 10);
        assert_eq!([poll(), poll(), poll()], [(0, false), (5, true), (5, false)]);
        fill(0, 0);
    }

    #[test]
    fn all_mailboxes_count_together_and_those_of_handles_that_are_gone_not() {
        let waiting = Waiting::new(0);
        let mailboxes = [(); 3].map(|()| Mailbox::new(None, &waiting));
        for mailbox in &mailboxes {
            let mut next = payloads(&[7, 8]);
            mailbox.fill(NOW, false, &mut next);
            assert!(next().is_some(), "an empty one takes one payload, of whatever size");
        }
        assert_eq!((waiting.items(), waiting.bytes()), (3, 21));
        mailboxes[0].orphan();
        mailboxes[0].fill(NOW, false, payloads(&[9, 9]));
        assert_eq!((waiting.items(), waiting.bytes()), (2, 14));
        mailboxes[1].fill(NOW, true, payloads(&[1, 1]));
        assert_eq!((waiting.items(), waiting.bytes()), (4, 16), "the end comes in any case");
    }

    #[test]
    fn the_end_comes_after_all_events() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(Some(1), &Waiting::new(0));
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
        let mailbox = Mailbox::new(None, &Waiting::new(0));
        mailbox.fill(NOW, false, overflow(0..3));
        mailbox.orphan();
        let mut next = overflow(0..100);
        mailbox.fill(NOW, false, &mut next);
        assert!(next().is_none(), "the core's queue is emptied all the same");
        assert!(lock(&mailbox.state).items.is_empty());
    }

    #[test]
    fn a_mark_ends_when_all_before_it_is_taken() {
        let mut cx = Context::from_waker(Waker::noop());
        let mailbox = Mailbox::new(None, &Waiting::new(0));
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
            let (mailbox, ticket) = (Mailbox::new(None, &Waiting::new(0)), FlushTicket::new());
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
        let mailbox = Mailbox::new(None, &Waiting::new(0));
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
