//! What the handles and the runner share: the client, and whom to wake.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::task::{Context, Waker};
use embassy_time::Instant;
use linger_core::{
    CallId, CallOutput, Client, ConnFault, ConnId, Event, LeftBehind, NotifyId, NotifyOutcome, OpError,
    Timestamp, WatchId,
};

/// The state, for the tasks of one executor. It is borrowed for single steps, never across an await.
pub(crate) struct Shared(RefCell<State>);

pub(crate) struct State {
    pub(crate) client: Client,
    /// The runner.
    driver: Wakers,
    /// Those who wait for anything that has no place of its own: a session, room, the end.
    pub(crate) news: Wakers,
    pub(crate) watches: BTreeMap<WatchId, Wakers>,
    pub(crate) notifies: BTreeMap<NotifyId, Slot<NotifyOutcome>>,
    pub(crate) calls: BTreeMap<CallId, Slot<Result<CallOutput, OpError>>>,
    pub(crate) sockets: BTreeMap<ConnId, Wakers>,
    /// What no monitor will change its mind about.
    pub(crate) refused: Option<ConnFault>,
    /// Set when all is over.
    pub(crate) ended: Option<Vec<LeftBehind>>,
}

/// Where an outcome waits for who asked for it.
pub(crate) struct Slot<T> {
    pub(crate) outcome: Option<T>,
    pub(crate) wakers: Wakers,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self { outcome: None, wakers: Wakers::default() }
    }
}

impl Shared {
    pub(crate) fn new(client: Client) -> Rc<Self> {
        Rc::new(Self(RefCell::new(State {
            client,
            driver: Wakers::default(),
            news: Wakers::default(),
            watches: BTreeMap::new(),
            notifies: BTreeMap::new(),
            calls: BTreeMap::new(),
            sockets: BTreeMap::new(),
            refused: None,
            ended: None,
        })))
    }

    /// A look at the state that leads to nothing new.
    pub(crate) fn look<T>(&self, step: impl FnOnce(&mut State) -> T) -> T {
        step(&mut self.0.borrow_mut())
    }

    /// A command or an input, after which the runner looks what is to be done.
    pub(crate) fn act<T>(&self, step: impl FnOnce(&mut State, Timestamp) -> T) -> T {
        let mut state = self.0.borrow_mut();
        let output = step(&mut state, now());
        state.driver.wake();
        output
    }
}

impl State {
    /// The runner is to be woken by this task's waker.
    pub(crate) fn register_driver(&mut self, cx: &Context<'_>) {
        self.driver.register(cx);
    }

    /// Hands an event to whom it is for.
    pub(crate) fn on_event(&mut self, event: Event) {
        match event {
            Event::Readable(id) => match self.watches.get_mut(&id) {
                Some(wakers) => wakers.wake(),
                None => self.forget_watch(id),
            },
            // Without a slot its handle was dropped.
            Event::NotifyDone { id, outcome } => finish(&mut self.notifies, &id, outcome),
            Event::CallDone { id, result } => finish(&mut self.calls, &id, result),
            Event::MonFault { fault, permanent: true, .. } => {
                self.refused = Some(fault);
                self.news.wake();
            }
            Event::Connected { .. } => {
                self.refused = None;
                self.news.wake();
            }
            Event::Closed { left_behind } => self.end(left_behind),
            _ => self.news.wake(),
        }
    }

    /// Nobody takes a watch's events any more; its last one frees its place.
    pub(crate) fn forget_watch(&mut self, id: WatchId) {
        self.watches.remove(&id);
        while self.client.next(id).is_some() {}
    }

    /// All is over: whoever waits is told so.
    pub(crate) fn end(&mut self, left_behind: Vec<LeftBehind>) {
        self.ended.get_or_insert(left_behind);
        self.news.wake();
        self.watches.values_mut().for_each(Wakers::wake);
        self.notifies.values_mut().for_each(|slot| slot.wakers.wake());
        self.calls.values_mut().for_each(|slot| slot.wakers.wake());
    }
}

fn finish<K: Ord, T>(slots: &mut BTreeMap<K, Slot<T>>, id: &K, outcome: T) {
    if let Some(slot) = slots.get_mut(id) {
        slot.outcome = Some(outcome);
        slot.wakers.wake();
    }
}

/// Tasks that wait for the same thing.
#[derive(Default)]
pub(crate) struct Wakers(Vec<Waker>);

impl Wakers {
    pub(crate) fn register(&mut self, cx: &Context<'_>) {
        if !self.0.iter().any(|waker| waker.will_wake(cx.waker())) {
            self.0.push(cx.waker().clone());
        }
    }

    pub(crate) fn wake(&mut self) {
        self.0.drain(..).for_each(Waker::wake);
    }
}

/// The time by embassy's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp::from_embassy(Instant::now())
}
