//! What the actions of the state machine do.

use super::state::{Action, Input, State, step};
use super::{Cluster, Reregister, Watch, Watches};
use crate::context::Context;
use crate::error::{LossCause, WatchError};
use crate::ids::WatchKey;
use crate::output::{LeftBehind, Live, WatchEvent};
use crate::retry::{doubled, jittered};
use crate::session::Member;
use crate::timers::TimerKey;
use crate::totals::Why;
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
    /// Why it moved.
    pub(super) why: Option<Why>,
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
                if let Some(why) = detail.why {
                    self.totals.reconnects.count(why);
                }
                self.reconnect(key, cl);
            }
            Action::Unwatch => self.unwatch(key, cl, cx),
            Action::GoLive => self.go_live(key, detail.version, cl, cx),
            Action::Lose(cause) => self.lose(key, error(cause), cl, cx),
            Action::Bar(cause) => {
                self.announce(key, error(cause), cx);
                self.drop_registration(key, cl);
            }
            Action::End(cause) => {
                self.announce(key, error(cause), cx);
                self.close(key, cl, cx);
            }
            Action::LeaveBehind => {
                self.leave_behind(key, cx);
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
        let deaf_for = deaf_since.map_or(Duration::ZERO, |since| cx.now.saturating_since(since));
        self.totals.went_live = self.totals.went_live.saturating_add(1);
        self.totals.deaf_for = self.totals.deaf_for.saturating_add(deaf_for);
        watch.next_ping = watch.next_ping_after(cx.now, &mut cx.rng);
        let osd = watch.osd().unwrap_or(-1);
        let pg = watch.target.map_or(PgId::default(), |target| target.pg.pg);
        let live = Live {
            generation,
            may_have_missed: core::mem::replace(&mut watch.is_new, false),
            deaf_for,
            version,
            cookie: watch.cookie,
            global_id: cl.global_id,
            osd,
            pg,
        };
        self.tell(key, WatchEvent::Live(live), cx);
    }

    fn lose(&mut self, key: WatchKey, error: WatchError, cl: &mut Cluster<'_>, cx: &mut Context) {
        let was_live = self.watches.get(key).is_some_and(|watch| watch.lives > 0 && !watch.announced);
        self.announce(key, error, cx);
        self.drop_registration(key, cl);
        let Some(watch) = self.watches.get_mut(key) else { return };
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
            self.tell(key, WatchEvent::ReregisterNeeded { cause: error.cause }, cx);
        }
    }

    /// What the OSD had of the watch counts no more.
    fn drop_registration(&mut self, key: WatchKey, cl: &mut Cluster<'_>) {
        self.cancel_requests(key, cl);
        let Some(watch) = self.watches.get_mut(key) else { return };
        // What was last proved is the start of the gap, not the moment it was noticed.
        let since = watch.deaf_since.map_or(watch.confirmed, |since| since.min(watch.confirmed));
        watch.deaf_since = Some(since);
        watch.give_up_at = watch.give_up_at.filter(|_| watch.state != State::Barred);
    }

    /// Tells of a loss, once for each.
    pub(super) fn announce(&mut self, key: WatchKey, error: WatchError, cx: &Context) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        if !core::mem::replace(&mut watch.announced, true) || error.is_terminal() {
            self.totals.losses.count(error.cause);
            self.tell(key, WatchEvent::Error(error), cx);
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
        self.forget_answers(key, cl);
        cl.sessions.targets.remove(Member::Watch(key));
        self.orphan_removals(key);
        self.bound_orphans(cl);
        self.forget(key, cx);
    }

    fn forget(&mut self, key: WatchKey, cx: &mut Context) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        self.by_cookie.remove(&watch.cookie);
        self.open -= 1;
        cx.timers.set(TimerKey::Watch(key), &mut watch.timer, None);
        self.tell(key, WatchEvent::Closed, cx);
    }

    fn tell(&mut self, key: WatchKey, event: WatchEvent, cx: &Context) {
        if let Some(watch) = self.watches.get_mut(key) {
            watch.queue.push(cx.now, event);
            self.readable.insert(key);
        }
    }

    /// The user closes a watch, which waits for the OSD's word, no longer than `within` if that is given.
    pub(crate) fn user_unwatch(
        &mut self,
        key: WatchKey,
        within: Option<Duration>,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        if let Some(watch) = self.watches.get_mut(key)
            && (within.is_some() || watch.state != State::Unwatching)
        {
            watch.give_up_at = within.map(|within| cx.now.saturating_add(within));
        }
        self.input(key, Input::Unwatch, cl, cx);
        self.arm(key, cx);
    }

    /// Ends a watch for which nothing is to be sent any more, or of which nothing ever was.
    pub(crate) fn end_unplaced(&mut self, key: WatchKey, cx: &mut Context) {
        if let Some(watch) = self.watches.get_mut(key)
            && core::mem::replace(&mut watch.state, State::Closed) != State::Closed
        {
            self.forget(key, cx);
        }
    }

    /// Says that the OSD of a watch that ends may still have it, be it by a registration that was replaced.
    ///
    /// Returns what nothing else stands for: a replaced registration has its removal.
    pub(super) fn leave_behind(&mut self, key: WatchKey, cx: &Context) -> Option<LeftBehind> {
        let watch = self.watches.get(key)?;
        let object = watch.object.as_ref()?.to_ref();
        let asked = watch.asked;
        let replaced = watch.removals.last_key_value().map(|(_, cookie)| *cookie);
        let cookie = if asked { watch.cookie } else { replaced? };
        let left = LeftBehind { object, cookie, gone_within: watch.lease() };
        self.tell(key, WatchEvent::LeftBehind(left.clone()), cx);
        Some(left).filter(|_| asked)
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

    /// No OSD lets this client in.
    pub(crate) fn denied(&mut self, errno: i32, cl: &mut Cluster<'_>, cx: &mut Context) {
        for key in self.watches.keys().collect::<Vec<_>>() {
            let detail = Detail { errno: Some(errno), ..Detail::default() };
            self.input_with(key, Input::Failed(LossCause::Denied), detail, cl, cx);
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
    /// Only the word of the primary counts, or of whom it redirects to: what an earlier one says of its own end
    /// of the watch is not news of the registration, and if it is, the primary refuses RECONNECT.
    pub(crate) fn on_disconnect(&mut self, osd: i32, cookie: u64, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(key) = self.by_cookie.get(&cookie).copied() else { return };
        if self.watches.get(key).and_then(Watch::osd) == Some(osd) {
            self.input(key, Input::Disconnected, cl, cx);
        }
    }
}
