//! The states of a watch.
//!
//! The table is the contract; a test walks all of it. `—` ignores the input.
//!
//! | input | Registering | Live | Reconnecting | Lost | Unwatching | Closed |
//! |---|---|---|---|---|---|---|
//! | Registered | go live → Live | — | — | — | — | — |
//! | RegisteredLate | reconnect → Reconnecting | — | — | — | — | — |
//! | Reconnected | — | — | go live → Live | — | — | — |
//! | Failed, terminal | announce, close → Closed | announce, close → Closed | announce, close → Closed | announce, close → Closed | close → Closed | — |
//! | Failed, else | announce once, retry → Lost | announce, retry → Lost | announce, retry → Lost | — | — | — |
//! | Moved | register | reconnect → Reconnecting | reconnect | — | — | — |
//! | Disconnected | register anew | announce, retry → Lost | announce, retry → Lost | — | — | — |
//! | LeaseOver | — | announce, retry → Lost | announce, retry → Lost | — | — | — |
//! | Identity | register anew | announce, retry → Lost | announce, retry → Lost | — | close → Closed | — |
//! | Retry | — | — | — | register anew → Registering | — | — |
//! | Unwatch | unwatch → Unwatching | unwatch → Unwatching | unwatch → Unwatching | unwatch → Unwatching | — | — |
//! | Unwatched | — | — | — | — | close → Closed | — |
//!
//! * *register* repeats WATCH under the same cookie: the OSD keeps one registration of it.
//! * *register anew* takes a new cookie and removes what may be left of the old one, so that nothing
//!   said about the old registration can be mistaken for news of the new one.
//! * *announce once*: a loss is announced when the watch was live since the last announcement, or
//!   never was and this is the first failure. A mere move that RECONNECT heals is no loss.
//! * Closing wins: from Unwatching nothing leads back.

use crate::error::LossCause;

/// Where a watch stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// WATCH is sent, or waits for a primary, a pause to end, a connection.
    Registering,
    /// Registered and bound to this client's connection, as far as the last ping proved.
    Live,
    /// Registered, but bound to a connection that is gone or to an earlier interval of the PG.
    Reconnecting,
    /// Not registered, or not provably so; announced.
    Lost,
    /// UNWATCH is sent or waits to be.
    Unwatching,
    /// The end.
    Closed,
}

/// What can happen to a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// WATCH was answered with 0.
    Registered,
    /// WATCH was answered with 0, but a whole lease after it was sent: the watch may be gone again.
    RegisteredLate,
    /// RECONNECT was answered with 0.
    Reconnected,
    /// WATCH, RECONNECT or PING was refused, or the map says that it would be.
    Failed(LossCause),
    /// The session was reset, the PG has a new interval, or maps were skipped.
    Moved,
    /// The OSD sent DISCONNECT.
    Disconnected,
    /// No ping was confirmed for the timeout.
    LeaseOver,
    /// The client has another global id.
    Identity,
    /// It is time to register again.
    Retry,
    /// The user closes the watch.
    Unwatch,
    /// UNWATCH was answered, whatever it said.
    Unwatched,
}

/// What is to be done about it, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    Register,
    RegisterAnew,
    Reconnect,
    Unwatch,
    GoLive,
    /// Tell the user, unless this loss is known already, then retry after a wait.
    Lose(LossCause),
    /// Tell the user, then close.
    End(LossCause),
    Close,
}

/// The next state, and what to do.
pub(super) fn step(state: State, input: Input) -> (State, Action) {
    use State::{Closed, Live, Lost, Reconnecting, Registering, Unwatching};
    let registered = matches!(state, Live | Reconnecting);
    match (input, state) {
        (_, Closed) => (Closed, Action::Nothing),
        (Input::Unwatch, Unwatching) => (state, Action::Nothing),
        (Input::Unwatch, _) => (Unwatching, Action::Unwatch),
        (Input::Unwatched | Input::Identity, Unwatching) => (Closed, Action::Close),
        (Input::Failed(cause), Unwatching) if cause.is_terminal() => (Closed, Action::Close),
        (Input::Failed(cause), _) if cause.is_terminal() => (Closed, Action::End(cause)),
        (_, Unwatching) => (state, Action::Nothing),
        (Input::Registered, Registering) | (Input::Reconnected, Reconnecting) => (Live, Action::GoLive),
        (Input::RegisteredLate, Registering) => (Reconnecting, Action::Reconnect),
        (Input::Failed(cause), Registering) => (Lost, Action::Lose(cause)),
        (Input::Failed(cause), _) if registered => (Lost, Action::Lose(cause)),
        (Input::Moved, Registering) => (state, Action::Register),
        (Input::Moved, _) if registered => (Reconnecting, Action::Reconnect),
        (Input::Disconnected | Input::Identity, Registering) => (state, Action::RegisterAnew),
        (Input::Disconnected, _) if registered => (Lost, Action::Lose(LossCause::Disconnected)),
        (Input::LeaseOver, _) if registered => (Lost, Action::Lose(LossCause::Lease)),
        (Input::Identity, _) if registered => (Lost, Action::Lose(LossCause::Identity)),
        (Input::Retry, Lost) => (Registering, Action::RegisterAnew),
        _ => (state, Action::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::Action as A;
    use super::State::*;
    use super::*;

    const GONE: LossCause = LossCause::ObjectGone;
    const REFUSED: LossCause = LossCause::Refused;

    /// One row of the table for each input, one column for each state.
    #[test]
    fn the_whole_table() {
        let states = [Registering, Live, Reconnecting, Lost, Unwatching, Closed];
        let stay = None;
        let to = |state, action| Some((state, action));
        let lost = |cause| to(Lost, A::Lose(cause));
        let end = to(Closed, A::End(GONE));
        let close = to(Closed, A::Close);
        let unwatch = to(Unwatching, A::Unwatch);
        let rows = [
            (Input::Registered, [to(Live, A::GoLive), stay, stay, stay, stay, stay]),
            (Input::RegisteredLate, [to(Reconnecting, A::Reconnect), stay, stay, stay, stay, stay]),
            (Input::Reconnected, [stay, stay, to(Live, A::GoLive), stay, stay, stay]),
            (Input::Failed(GONE), [end, end, end, end, close, stay]),
            (Input::Failed(REFUSED), [lost(REFUSED), lost(REFUSED), lost(REFUSED), stay, stay, stay]),
            (
                Input::Moved,
                [
                    to(Registering, A::Register),
                    to(Reconnecting, A::Reconnect),
                    to(Reconnecting, A::Reconnect),
                    stay,
                    stay,
                    stay,
                ],
            ),
            (
                Input::Disconnected,
                [
                    to(Registering, A::RegisterAnew),
                    lost(LossCause::Disconnected),
                    lost(LossCause::Disconnected),
                    stay,
                    stay,
                    stay,
                ],
            ),
            (Input::LeaseOver, [stay, lost(LossCause::Lease), lost(LossCause::Lease), stay, stay, stay]),
            (
                Input::Identity,
                [
                    to(Registering, A::RegisterAnew),
                    lost(LossCause::Identity),
                    lost(LossCause::Identity),
                    stay,
                    close,
                    stay,
                ],
            ),
            (Input::Retry, [stay, stay, stay, to(Registering, A::RegisterAnew), stay, stay]),
            (Input::Unwatch, [unwatch, unwatch, unwatch, unwatch, stay, stay]),
            (Input::Unwatched, [stay, stay, stay, stay, close, stay]),
        ];
        for (input, row) in rows {
            for (state, expected) in states.into_iter().zip(row) {
                let expected = expected.unwrap_or((state, A::Nothing));
                assert_eq!(step(state, input), expected, "{state:?} x {input:?}");
            }
        }
    }
}
