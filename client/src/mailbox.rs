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
/// Losses that wait at most beyond the room, for who waits until the watch is live.
const LOSSES: usize = 256;
/// Marks of flushes that do.
const MARKS: usize = 256;

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
    /// Marks among the items.
    marks: usize,
    /// The engine stopped for want of room.
    more: bool,
    /// Somebody waits until the watch is live, and takes nothing meanwhile.
    awaited: bool,
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

    fn is_loss(&self) -> bool {
        matches!(self, Self::Event(WatchEvent::Error(_) | WatchEvent::ReregisterNeeded { .. }))
    }
}

fn is_same_error(one: &Item, other: &Item) -> bool {
    match (one, other) {
        (Item::Event(WatchEvent::Error(one)), Item::Event(WatchEvent::Error(other))) => one == other,
        _ => false,
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
        self.awaited &= matches!(self.status, Status::Deaf);
    }

    fn is_full(&self, waiting: &Waiting) -> bool {
        self.items.len() >= self.room || self.bytes >= waiting.room
    }

    /// Whether events come in beyond the room: for nobody, or for who waits for one that is behind them. Then
    /// the core's queue bounds notifies.
    fn goes_beyond(&self) -> bool {
        self.orphaned || (self.awaited && self.marks < MARKS)
    }

    /// Adds an item. Beyond the room it bounds losses as the core's queue would.
    fn push(&mut self, now: Timestamp, item: Item, waiting: &Waiting) {
        if item.is_loss() && self.is_full(waiting) {
            // Retries of one registration tell nothing new.
            if self.items.back().is_some_and(|(_, last)| is_same_error(last, &item)) {
                return;
            }
            if self.items.len() >= self.room + LOSSES
                && let Some(last) = self.items.iter().rposition(|(_, item)| item.is_loss())
            {
                self.items.remove(last);
                waiting.remove(1, 0);
            }
        }
        self.bytes += item.bytes();
        self.marks += usize::from(matches!(item, Item::Mark(_)));
        waiting.add(item.bytes());
        self.items.push_back((now, item));
    }

    /// Takes the marks that nothing is before any more.
    fn take_marks(&mut self) -> Vec<Mark> {
        let mut marks = Vec::new();
        while let Some((_, Item::Mark(mark))) = self.items.front_mut() {
            marks.extend(mark.take());
            self.items.pop_front();
            self.marks -= 1;
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
            marks: 0,
            more: false,
            awaited: false,
            orphaned: false,
            ended: false,
            status: Status::Deaf,
            waker: None,
        });
        Self { state, waiting: Arc::clone(waiting) }
    }

    /// Moves events in until there is no room or no event; `all` goes beyond the room, and so does a handle
    /// that waits until the watch is live.
    pub(crate) fn fill(&self, now: Timestamp, all: bool, mut next: impl FnMut() -> Option<Item>) {
        // Dropping unwanted notifications answers them, and dropping marks ends flushes: not under the lock.
        let mut passed = Vec::new();
        let waker = {
            let mut state = lock(&self.state);
            let mut came = false;
            state.more = loop {
                if state.is_full(&self.waiting) && !all && !state.goes_beyond() {
                    break true;
                }
                let Some(item) = next() else { break false };
                state.note(&item);
                came = true;
                // A mark that nothing is before ends here: whoever has nothing to take asks for no more.
                if state.orphaned || (state.items.is_empty() && matches!(item, Item::Mark(_))) {
                    passed.push(item);
                } else {
                    state.push(now, item, &self.waiting);
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

    /// Ready with the status once the watch is live or over. Also says whether the engine is to be asked for
    /// more: what tells may be behind more events than there is room for.
    pub(crate) fn poll_live(&self, cx: &mut Context<'_>) -> (Poll<Status>, bool) {
        let mut state = lock(&self.state);
        if matches!(state.status, Status::Deaf) {
            state.waker = Some(cx.waker().clone());
            state.awaited = true;
            return (Poll::Pending, std::mem::take(&mut state.more));
        }
        (Poll::Ready(state.status.clone()), false)
    }

    pub(crate) fn status(&self) -> Status {
        lock(&self.state).status.clone()
    }

    /// The handle is gone: nobody takes events any more.
    pub(crate) fn orphan(&self) {
        let items = {
            let mut state = lock(&self.state);
            state.orphaned = true;
            state.marks = 0;
            self.waiting.remove(state.items.len(), std::mem::take(&mut state.bytes));
            std::mem::take(&mut state.items)
        };
        drop(items);
    }
}

#[cfg(test)]
mod tests;
