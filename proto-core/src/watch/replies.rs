//! Answers of the OSD, and what the passing of time says.

use super::apply::Detail;
use super::state::{Input, State};
use super::{Answer, Cluster, Watches};
use crate::context::Context;
use crate::error::{LossCause, WatchError};
use crate::ids::WatchKey;
use crate::session::op::WatchRole;
use linger_wire::errno;

impl Watches {
    /// A request of a watch was answered.
    pub(crate) fn on_reply(
        &mut self,
        key: WatchKey,
        answer: &Answer<'_>,
        cl: &mut Cluster<'_>,
        cx: &mut Context,
    ) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        if answer.role == WatchRole::Ping {
            return self.on_ping_reply(key, answer, cl, cx);
        }
        if watch.tid != Some(answer.tid) {
            return;
        }
        (watch.tid, watch.asked) = (None, true);
        let detail = Detail {
            errno: errno_of(answer.reply.result),
            version: Some(answer.reply.user_version).filter(|version| *version > 0),
            why: None,
        };
        let input = match (answer.role, detail.errno) {
            (WatchRole::Unwatch, _) => Input::Unwatched,
            (_, Some(errno)) => Input::Failed(cause_of(errno)),
            (WatchRole::Reconnect, None) if cx.now >= watch.lease_ends() => Input::LeaseOver,
            (role, None) => {
                // Over the connection that has the watch already it was not a sign of life.
                let bound = *watch.bound.get_or_insert(answer.sent);
                match role {
                    // The OSD may have dropped it by now, or be about to.
                    WatchRole::Register if cx.now >= bound.saturating_add(watch.lease()) => {
                        Input::RegisteredLate
                    }
                    WatchRole::Reconnect => {
                        watch.confirmed = watch.confirmed.max(bound);
                        Input::Reconnected
                    }
                    _ => {
                        watch.confirmed = bound;
                        Input::Registered
                    }
                }
            }
        };
        let doubtful = watch.confirmed < answer.sent;
        self.input_with(key, input, detail, cl, cx);
        if let Some(watch) = self.watches.get_mut(key).filter(|watch| doubtful && watch.state == State::Live)
        {
            watch.next_ping = cx.now;
            self.arm(key, cx);
        }
    }

    fn on_ping_reply(&mut self, key: WatchKey, answer: &Answer<'_>, cl: &mut Cluster<'_>, cx: &mut Context) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        // Pings of an older generation were forgotten when it ended.
        if !watch.pings.remove(&answer.tid) || watch.state != State::Live {
            return;
        }
        match errno_of(answer.reply.result) {
            Some(errno) => {
                let detail = Detail { errno: Some(errno), ..Detail::default() };
                self.input_with(key, Input::Failed(cause_of(errno)), detail, cl, cx);
            }
            None if cx.now >= watch.lease_ends() => self.input(key, Input::LeaseOver, cl, cx),
            None => {
                watch.confirmed = watch.confirmed.max(answer.sent);
                self.totals.pings.add(cx.now.saturating_since(answer.sent));
                self.arm(key, cx);
            }
        }
    }

    /// A watch's time came: a ping, the end of its lease, another attempt, or giving up.
    pub(crate) fn on_timer(&mut self, key: WatchKey, cl: Option<&mut Cluster<'_>>, cx: &mut Context) {
        let Some(watch) = self.watches.get_mut(key) else { return };
        let (now, state) = (cx.now, watch.state);
        let Some(cl) = cl else {
            // Without a map only the first registration's deadline can come.
            if watch.give_up_at.is_some_and(|at| at <= now) {
                watch.give_up_at = None;
                self.announce(key, WatchError { cause: LossCause::Held, errno: None }, cx);
                self.end_unplaced(key, cx);
            }
            return self.arm(key, cx);
        };
        match state {
            State::Registering | State::Lost if watch.give_up_at.is_some_and(|at| at <= now) => {
                watch.give_up_at = None;
                self.forget_registration(key, cl);
                self.input(key, Input::Failed(LossCause::Held), cl, cx);
            }
            State::Unwatching if watch.give_up_at.is_some_and(|at| at <= now) => {
                watch.give_up_at = None;
                self.leave_behind(key, cx);
                self.input(key, Input::Failed(LossCause::Held), cl, cx);
            }
            State::Lost if watch.retry_at.is_some_and(|at| at <= now) => {
                watch.retry_at = None;
                self.input(key, Input::Retry, cl, cx);
            }
            State::Live | State::Reconnecting if watch.lease_ends() <= now => {
                self.input(key, Input::LeaseOver, cl, cx);
            }
            State::Live if watch.next_ping <= now => self.ping(key, cl, cx),
            _ => {}
        }
        self.arm(key, cx);
    }
}

/// The errno of a failure, positive.
fn errno_of(result: i32) -> Option<i32> {
    (result < 0).then(|| result.saturating_neg())
}

/// What an errno says about a watch.
fn cause_of(errno: i32) -> LossCause {
    match errno {
        errno::ENOENT => LossCause::ObjectGone,
        errno::ENOTCONN => LossCause::Disconnected,
        errno::ETIMEDOUT => LossCause::TimedOut,
        errno::EBLOCKLISTED => LossCause::Blocklisted,
        errno::EPERM | errno::EACCES => LossCause::Denied,
        _ => LossCause::Refused,
    }
}
