//! Which of a driver's sources woke it.

use crate::lock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

/// A list of sources, such as sockets, that are ready to be looked at.
///
/// A driver that waits for many sources in one task gives each a waker of its own. When it is woken
/// it looks only at those that the list names, so a wake-up costs the same with one socket and with a
/// thousand.
///
/// ```
/// use linger_client::ReadyList;
/// let ready = ReadyList::new();
/// let (first, second) = (ready.waker(1), ready.waker(2));
/// second.wake_by_ref();
/// second.wake_by_ref();
/// assert_eq!(ready.take(), [2], "named once until it is taken");
/// first.wake();
/// assert_eq!(ready.take(), [1]);
/// ```
#[derive(Debug)]
pub struct ReadyList<K>(Arc<Mutex<State<K>>>);

#[derive(Debug)]
struct State<K> {
    ready: Vec<Arc<Source<K>>>,
    driver: Option<Waker>,
}

#[derive(Debug)]
struct Source<K> {
    key: K,
    listed: AtomicBool,
    list: Arc<Mutex<State<K>>>,
}

impl<K: Copy + Send + Sync + 'static> ReadyList<K> {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(State { ready: Vec::new(), driver: None })))
    }

    /// A waker that puts `key` on the list and wakes the driver.
    #[must_use]
    pub fn waker(&self, key: K) -> Waker {
        Waker::from(Arc::new(Source { key, listed: AtomicBool::new(false), list: Arc::clone(&self.0) }))
    }

    /// Says whom to wake; to be called before [`ReadyList::take`], each time the driver is polled.
    pub fn register(&self, cx: &Context<'_>) {
        let mut state = lock(&self.0);
        match &mut state.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            None => state.driver = Some(cx.waker().clone()),
        }
    }

    /// Takes what is ready.
    #[must_use]
    pub fn take(&self) -> Vec<K> {
        let ready = std::mem::take(&mut lock(&self.0).ready);
        let key = |source: Arc<Source<K>>| {
            source.listed.store(false, Ordering::Release);
            source.key
        };
        ready.into_iter().map(key).collect()
    }
}

impl<K: Copy + Send + Sync + 'static> Default for ReadyList<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Copy + Send + Sync + 'static> Wake for Source<K> {
    fn wake(self: Arc<Self>) {
        if self.listed.swap(true, Ordering::AcqRel) {
            return;
        }
        let driver = {
            let mut state = lock(&self.list);
            state.ready.push(Arc::clone(&self));
            state.driver.clone()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}
