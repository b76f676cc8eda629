//! The states of a watch.
//!
//! The table is the contract; a test walks all of it. `—` ignores the input.
//!
//! | input | Registering | Live | Reconnecting | Lost | Barred | Unwatching | Closed |
//! |---|---|---|---|---|---|---|---|
//! | Registered | go live → Live | — | — | — | — | — | — |
//! | RegisteredLate | register anew | — | — | — | — | — | — |
//! | Reconnected | — | — | go live → Live | — | — | — | — |
//! | Failed, blocklisted | bar → Barred | bar → Barred | bar → Barred | bar → Barred | — | close → Closed | — |
//! | Failed, else terminal | end → Closed | end → Closed | end → Closed | end → Closed | end → Closed | close → Closed | — |
//! | Failed, else | lose → Lost | lose → Lost | lose → Lost | — | — | — | — |
//! | Moved | register | reconnect → Reconnecting | reconnect | — | — | — | — |
//! | Disconnected | register anew | lose → Lost | lose → Lost | — | — | — | — |
//! | LeaseOver | — | lose → Lost | lose → Lost | — | — | — | — |
//! | Identity | register anew | lose → Lost | lose → Lost | — | register anew → Registering | leave behind → Closed | — |
//! | Retry | — | — | — | register anew → Registering | — | — | — |
//! | Unwatch | unwatch → Unwatching | unwatch → Unwatching | unwatch → Unwatching | unwatch → Unwatching | close → Closed | — | — |
//! | Unwatched | — | — | — | — | — | close → Closed | — |
//!
//! * *lose*, *bar* and *end* announce the loss; *lose* then retries after a wait, *bar* waits for another
//!   identity of the client, *end* closes.
//! * *register* repeats WATCH under the same cookie: the OSD keeps one registration of it.
//! * *register anew* takes a new cookie and removes what may be left of the old one, so that nothing
//!   said about the old registration can be mistaken for news of the new one.
//! * *leave behind* says that the OSD may still have it, then closes: as another client nobody can remove it.
//! * A loss is announced once: when the watch was live since the last announcement, or never was and
//!   this is the first failure; a terminal one always. A mere move that RECONNECT heals is no loss.
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
    /// The cluster blocklisted the client: lost until that has another identity.
    Barred,
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
    /// Tell the user, and wait for another identity.
    Bar(LossCause),
    /// Tell the user, then close.
    End(LossCause),
    /// Tell the user that the OSD may still have it, then close.
    LeaveBehind,
    Close,
}

type Step = Option<(State, Action)>;

/// The next state, and what to do.
pub(super) fn step(state: State, input: Input) -> (State, Action) {
    let next = match state {
        State::Registering => registering(input),
        State::Live | State::Reconnecting => registered(state, input),
        State::Lost => lost(input),
        State::Barred => barred(input),
        State::Unwatching => unwatching(input),
        State::Closed => None,
    };
    next.unwrap_or((state, Action::Nothing))
}

fn registering(input: Input) -> Step {
    match input {
        Input::Registered => Some((State::Live, Action::GoLive)),
        Input::Moved => Some((State::Registering, Action::Register)),
        Input::RegisteredLate | Input::Disconnected | Input::Identity => {
            Some((State::Registering, Action::RegisterAnew))
        }
        Input::Failed(cause) if !cause.is_terminal() => lose(cause),
        input => wanted(input),
    }
}

fn registered(state: State, input: Input) -> Step {
    match input {
        Input::Reconnected if state == State::Reconnecting => Some((State::Live, Action::GoLive)),
        Input::Moved => Some((State::Reconnecting, Action::Reconnect)),
        Input::Disconnected => lose(LossCause::Disconnected),
        Input::LeaseOver => lose(LossCause::Lease),
        Input::Identity => lose(LossCause::Identity),
        Input::Failed(cause) if !cause.is_terminal() => lose(cause),
        input => wanted(input),
    }
}

fn lost(input: Input) -> Step {
    match input {
        Input::Retry => Some((State::Registering, Action::RegisterAnew)),
        input => wanted(input),
    }
}

fn barred(input: Input) -> Step {
    match input {
        Input::Identity => Some((State::Registering, Action::RegisterAnew)),
        // Nothing that a blocklisted client says is heard.
        Input::Unwatch => Some((State::Closed, Action::Close)),
        Input::Failed(LossCause::Blocklisted) => None,
        input => wanted(input),
    }
}

fn unwatching(input: Input) -> Step {
    match input {
        Input::Unwatched => Some((State::Closed, Action::Close)),
        Input::Identity => Some((State::Closed, Action::LeaveBehind)),
        Input::Failed(cause) if cause.is_terminal() => Some((State::Closed, Action::Close)),
        _ => None,
    }
}

/// What ends a watch that is wanted, in whichever state.
fn wanted(input: Input) -> Step {
    match input {
        Input::Unwatch => Some((State::Unwatching, Action::Unwatch)),
        Input::Failed(cause @ LossCause::Blocklisted) => Some((State::Barred, Action::Bar(cause))),
        Input::Failed(cause) if cause.is_terminal() => Some((State::Closed, Action::End(cause))),
        _ => None,
    }
}

fn lose(cause: LossCause) -> Step {
    Some((State::Lost, Action::Lose(cause)))
}

#[cfg(test)]
mod tests {
    use super::Action as A;
    use super::State::{Barred, Closed, Live, Lost, Reconnecting, Registering, Unwatching};
    use super::*;

    const GONE: LossCause = LossCause::ObjectGone;
    const BARRED: LossCause = LossCause::Blocklisted;
    const REFUSED: LossCause = LossCause::Refused;
    const STATES: [State; 7] = [Registering, Live, Reconnecting, Lost, Barred, Unwatching, Closed];

    type Row = [Option<(State, Action)>; STATES.len()];

    /// One row of the table for each input, one column for each state; `None` ignores the input.
    fn table() -> [(Input, Row); 13] {
        let stay = None;
        let to = |state, action| Some((state, action));
        let lost = |cause| to(Lost, A::Lose(cause));
        let bar = to(Barred, A::Bar(BARRED));
        let end = to(Closed, A::End(GONE));
        let close = to(Closed, A::Close);
        let leave = to(Closed, A::LeaveBehind);
        let unwatch = to(Unwatching, A::Unwatch);
        let register = to(Registering, A::Register);
        let anew = to(Registering, A::RegisterAnew);
        let reconnect = to(Reconnecting, A::Reconnect);
        let live = to(Live, A::GoLive);
        let refused = lost(REFUSED);
        let disconnected = lost(LossCause::Disconnected);
        let lease = lost(LossCause::Lease);
        let identity = lost(LossCause::Identity);
        [
            (Input::Registered, [live, stay, stay, stay, stay, stay, stay]),
            (Input::RegisteredLate, [anew, stay, stay, stay, stay, stay, stay]),
            (Input::Reconnected, [stay, stay, live, stay, stay, stay, stay]),
            (Input::Failed(BARRED), [bar, bar, bar, bar, stay, close, stay]),
            (Input::Failed(GONE), [end, end, end, end, end, close, stay]),
            (Input::Failed(REFUSED), [refused, refused, refused, stay, stay, stay, stay]),
            (Input::Moved, [register, reconnect, reconnect, stay, stay, stay, stay]),
            (Input::Disconnected, [anew, disconnected, disconnected, stay, stay, stay, stay]),
            (Input::LeaseOver, [stay, lease, lease, stay, stay, stay, stay]),
            (Input::Identity, [anew, identity, identity, stay, anew, leave, stay]),
            (Input::Retry, [stay, stay, stay, anew, stay, stay, stay]),
            (Input::Unwatch, [unwatch, unwatch, unwatch, unwatch, close, stay, stay]),
            (Input::Unwatched, [stay, stay, stay, stay, stay, close, stay]),
        ]
    }

    #[test]
    fn the_whole_table() {
        for (input, row) in table() {
            for (state, expected) in STATES.into_iter().zip(row) {
                let expected = expected.unwrap_or((state, A::Nothing));
                assert_eq!(step(state, input), expected, "{state:?} x {input:?}");
            }
        }
    }

    /// The tables in the documentation, here and for users, are the one that is tested.
    #[test]
    fn the_documented_tables() {
        for (source, first) in [(include_str!("state.rs"), "input"), (include_str!("../states.rs"), "watch")]
        {
            check_documented(&crate::doc_table(source, first));
        }
    }

    fn check_documented(documented: &[Vec<String>]) {
        let mut rows = documented.iter();
        let header: Vec<_> = STATES.iter().map(|state| format!("{state:?}")).collect();
        assert_eq!(rows.next().map(|row| &row[1..]), Some(&header[..]));
        for ((input, row), documented) in table().into_iter().zip(rows.by_ref()) {
            let name = match input {
                Input::Failed(BARRED) => "Failed, blocklisted".into(),
                Input::Failed(GONE) => "Failed, else terminal".into(),
                Input::Failed(_) => "Failed, else".into(),
                input => format!("{input:?}"),
            };
            let cells = STATES.into_iter().zip(row).map(|(state, cell)| said(state, cell));
            assert_eq!(documented[..], [name].into_iter().chain(cells).collect::<Vec<_>>()[..]);
        }
        assert_eq!(rows.next(), None);
    }

    fn said(from: State, cell: Option<(State, Action)>) -> String {
        let Some((to, action)) = cell else { return "—".into() };
        let action = match action {
            A::Nothing => "nothing",
            A::Register => "register",
            A::RegisterAnew => "register anew",
            A::Reconnect => "reconnect",
            A::Unwatch => "unwatch",
            A::GoLive => "go live",
            A::Lose(_) => "lose",
            A::Bar(_) => "bar",
            A::End(_) => "end",
            A::LeaveBehind => "leave behind",
            A::Close => "close",
        };
        if from == to { action.into() } else { format!("{action} → {to:?}") }
    }
}
