//! What the actions of the state machine do.

use super::state::{Action, Input, State, step};
use super::{Cluster, Reregister, Watches};
use crate::context::Context;
use crate::error::{LossCause, WatchError};
use crate::ids::WatchKey;
use crate::output::{Live, WatchEvent};
use crate::retry::{doubled, jittered};
use crate::session::Member;
use crate::timers::TimerKey;
use alloc::vec::Vec;
use core::time::Duration;
use linger_wire::PgId;

/// What the cluster said beside the input itself.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Detail {
    /// Why it refused, positive.
    pub(super) errno: Option<i32>,
    /// The object's version.
    pub(super) version: Option<u64>,
}

impl Watches {
    /// Feeds the state machine with what the cluster did not say, but the client knows.
    pub(super) fn input(&mut self, key: WatchKey, input: Input, cl: &mut Cluster<'_>, cx: &mut Context) {
        self.input_with(key, input, Detail::default(), cl, cx);
    }

    /// Feeds the state machine.
    pub(super) fn input_with(
        &mut self,
        key: WatchKey,
        input: Input,
        detail: Detail,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let (state, action) = step(watch.state, input);
        watch.state = state;
        let error = |cause| WatchError { cause, errno: detail.errno };
        match action {
            Action::Nothing => {}
            Action::Register => self.register(key, cl),
            Action::RegisterAnew => {
                self.forget_registration(key, cl);
                self.register(key, cl);
            }
            Action::Reconnect => {
                watch.deaf_since.get_or_insert(cx.now);
                self.reconnect(key, cl);
            }
            Action::Unwatch => self.unwatch(key, cl, cx),
            Action::GoLive => self.go_live(key, detail.version, cl, cx),
            Action::Lose(cause) => self.lose(key, error(cause), cl, cx),
            Action::End(cause) => {
                self.announce(key, error(cause));
                self.close(key, cl, cx);
            }
            Action::Close => self.close(key, cl, cx),
        }
        self.arm(key, cx);
    }

    fn go_live(&mut self, key: WatchKey, version: Option<u64>, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let generation = watch.lives;
        watch.lives = watch.lives.saturating_add(1);
        watch.give_up_at = None;
        watch.announced = false;
        watch.live_since = cx.now;
        let deaf_since = watch.deaf_since.take().filter(|_| generation > 0);
        watch.next_ping = watch.next_ping_after(cx.now, &mut cx.rng);
        let (osd, pg) = watch.target.map_or((-1, PgId::default()), |target| (target.osd, target.pg.pg));
        let live = Live {
            generation,
            may_have_missed: core::mem::replace(&mut watch.is_new, false),
            deaf_for: deaf_since.map_or(Duration::ZERO, |since| cx.now.saturating_since(since)),
            version,
            cookie: watch.cookie,
            global_id: cl.global_id,
            osd,
            pg,
        };
        self.tell(key, WatchEvent::Live(live));
    }

    fn lose(&mut self, key: WatchKey, error: WatchError, cl: &mut Cluster<'_>, cx: &mut Context) {
        let was_live = self.watches.get(key).is_some_and(|watch| watch.lives > 0 && !watch.announced);
        self.announce(key, error);
        self.cancel_requests(key, cl);
        let Some(watch) = self.watches.get_mut(key) else { return };
        // What was last proved is the start of the gap, not the moment it was noticed.
        let since = watch.deaf_since.map_or(watch.confirmed, |since| since.min(watch.confirmed));
        watch.deaf_since = Some(since);
        watch.deliveries.clear();
        let timing = &cx.config.timing;
        // The first attempt after a loss comes at once; those after further losses wait.
        if was_live && cx.now.saturating_since(watch.live_since) >= timing.reregister_max {
            watch.retries = 0;
        }
        let wait = match watch.retries {
            0 => Duration::ZERO,
            n => jittered(doubled(timing.reregister_min, timing.reregister_max, n - 1), &mut cx.rng),
        };
        watch.retries = watch.retries.saturating_add(1);
        watch.retry_at = match watch.opts.reregister {
            Reregister::Automatic => Some(cx.now.saturating_add(wait)),
            Reregister::Manual => None,
        };
        if watch.opts.reregister == Reregister::Manual {
            self.tell(key, WatchEvent::ReregisterNeeded { cause: error.cause });
        }
    }

    /// Tells of a loss, once for each.
    pub(super) fn announce(&mut self, key: WatchKey, error: WatchError) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        if !core::mem::replace(&mut watch.announced, true) || error.is_terminal() {
            self.tell(key, WatchEvent::Error(error));
        }
    }

    /// The user wants a lost watch back now.
    pub(crate) fn reregister(&mut self, key: WatchKey, cl: &mut Cluster<'_>, cx: &mut Context) -> bool {
        let known = self.watches.contains_key(key);
        self.input(key, Input::Retry, cl, cx);
        known
    }

    /// Ends a watch; its events can still be taken.
    fn close(&mut self, key: WatchKey, cl: &mut Cluster<'_>, cx: &mut Context) {
        self.cancel_requests(key, cl);
        cl.sessions.targets.remove(Member::Watch(key));
        if let Some(watch) = self.watches.get_mut(key) {
            self.by_cookie.remove(&watch.cookie);
            self.open -= 1;
            watch.deliveries.clear();
            cx.timers.set(TimerKey::Watch(key), &mut watch.timer, None);
            self.tell(key, WatchEvent::Closed);
        }
    }

    fn tell(&mut self, key: WatchKey, event: WatchEvent) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.queue.push(event);
            self.readable.insert(key);
        }
    }

    /// The user closes a watch that has no place yet, or has one.
    pub(crate) fn user_unwatch(&mut self, key: WatchKey, cl: Option<&mut Cluster<'_>>, cx: &mut Context) {
        match cl {
            Some(cl) => self.input(key, Input::Unwatch, cl, cx),
            // Without a map nothing was ever sent.
            None => {
                if let Some(watch) = self.watches.get_mut(key) {
                    if watch.state == State::Closed {
                        return;
                    }
                    watch.state = State::Closed;
                    self.open -= 1;
                    self.by_cookie.remove(&watch.cookie);
                    watch.deliveries.clear();
                    cx.timers.set(TimerKey::Watch(key), &mut watch.timer, None);
                    self.tell(key, WatchEvent::Closed);
                }
            }
        }
    }

    /// The pool is not there, says the newest map.
    pub(crate) fn pool_gone(&mut self, key: WatchKey, cl: &mut Cluster<'_>, cx: &mut Context) {
        self.input(key, Input::Failed(LossCause::PoolGone), cl, cx);
    }

    /// The map says that this client is blocklisted.
    pub(crate) fn blocklisted(&mut self, cl: &mut Cluster<'_>, cx: &mut Context) {
        for key in self.watches.keys().collect::<Vec<_>>() {
            self.input(key, Input::Failed(LossCause::Blocklisted), cl, cx);
        }
    }

    /// The client has another global id: no OSD knows it as the watcher.
    pub(crate) fn identity_changed(&mut self, cl: &mut Cluster<'_>, cx: &mut Context) {
        for key in self.watches.keys().collect::<Vec<_>>() {
            self.input(key, Input::Identity, cl, cx);
        }
    }

    /// An OSD sent DISCONNECT for a cookie.
    ///
    /// Only the primary's word counts: what an earlier one says of its own end of the watch is not
    /// news of the registration, and if it is, the primary refuses RECONNECT.
    pub(crate) fn on_disconnect(&mut self, osd: i32, cookie: u64, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(key) = self.by_cookie.get(&cookie).copied() else { return };
        let target = self.watches.get(key).and_then(|watch| watch.target);
        if target.is_some_and(|target| target.osd == osd) {
            self.input(key, Input::Disconnected, cl, cx);
        }
    }
}
