//! The states of a notify.
//!
//! The table is the contract; a test walks all of it. `—` ignores the input.
//!
//! | input | Sent | Resent | Accepted | Over |
//! |---|---|---|---|---|
//! | Taken | accept → Accepted | accept → Accepted | — | — |
//! | Refused | fail → Over | fail → Over | — | — |
//! | Complete, of this attempt | report → Over | report → Over | report → Over | — |
//! | Complete, of another | — | — | — | — |
//! | Moved | send | send | send → Resent | — |
//! | Deadline | never accepted → Over | outcome unknown → Over | outcome unknown → Over | — |
//! | Failed | fail → Over | fail → Over | fail → Over | — |
//!
//! * An OSD without watchers completes a notify before it answers the request, so a completion that comes
//!   before the notify's number is known counts (tracker issue 13328). It is of another attempt when it
//!   names another number, or comes from an OSD that this attempt did not go to.
//! * A notify that is sent anew has no number until it is taken anew; watchers see it again, under another
//!   one: delivery is at least once.
//! * The outcome is told exactly once, by what leads to Over.

/// Where a notify stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// Sent, or waiting for a pool, a primary, a pause to end; no OSD ever took it.
    Sent,
    /// Sent anew after an OSD had taken it.
    Resent,
    /// An OSD took it and asks the watchers.
    Accepted,
    /// The outcome is told.
    Over,
}

/// What can happen to a notify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The request was answered with the notify's number.
    Taken,
    /// The request was answered with an errno.
    Refused,
    /// NOTIFY_COMPLETE came.
    Complete {
        /// Of the attempt under way, as far as its number is known.
        current: bool,
    },
    /// The session was reset, the PG has a new interval, or maps were skipped.
    Moved,
    /// The time is over.
    Deadline,
    /// There is no such pool, the client is blocklisted, or it closes.
    Failed,
}

/// What is to be done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Nothing,
    /// Send it, forgetting the attempt before.
    Send,
    /// Tell the user its number.
    Accept,
    /// The outcome is the OSD's report.
    Report,
    /// The outcome is the error that came with the input.
    Fail,
    /// The outcome is that no OSD took it.
    NeverAccepted,
    /// The outcome is that an OSD took it and said no more.
    OutcomeUnknown,
}

/// The next state, and what to do.
pub(super) fn step(state: State, input: Input) -> (State, Action) {
    match (input, state) {
        (_, State::Over)
        | (Input::Complete { current: false }, _)
        | (Input::Taken | Input::Refused, State::Accepted) => (state, Action::Nothing),
        (Input::Taken, _) => (State::Accepted, Action::Accept),
        (Input::Refused | Input::Failed, _) => (State::Over, Action::Fail),
        (Input::Complete { current: true }, _) => (State::Over, Action::Report),
        (Input::Moved, State::Sent) => (State::Sent, Action::Send),
        (Input::Moved, _) => (State::Resent, Action::Send),
        (Input::Deadline, State::Sent) => (State::Over, Action::NeverAccepted),
        (Input::Deadline, _) => (State::Over, Action::OutcomeUnknown),
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Accepted, Over, Resent, Sent};
    use super::*;
    use alloc::format;
    use alloc::string::String;
    use alloc::vec::Vec;

    const STATES: [State; 4] = [Sent, Resent, Accepted, Over];

    type Row = [Option<(State, Action)>; STATES.len()];

    /// One row for each input, one column for each state; `None` ignores the input.
    fn table() -> [(&'static str, Input, Row); 7] {
        let to = |state, action| Some((state, action));
        let fail = to(Over, Action::Fail);
        let report = to(Over, Action::Report);
        let accept = to(Accepted, Action::Accept);
        let resend = to(Resent, Action::Send);
        let unknown = to(Over, Action::OutcomeUnknown);
        let current = |current| Input::Complete { current };
        [
            ("Taken", Input::Taken, [accept, accept, None, None]),
            ("Refused", Input::Refused, [fail, fail, None, None]),
            ("Complete, of this attempt", current(true), [report, report, report, None]),
            ("Complete, of another", current(false), [None; 4]),
            ("Moved", Input::Moved, [to(Sent, Action::Send), resend, resend, None]),
            ("Deadline", Input::Deadline, [to(Over, Action::NeverAccepted), unknown, unknown, None]),
            ("Failed", Input::Failed, [fail, fail, fail, None]),
        ]
    }

    #[test]
    fn the_whole_table() {
        for (_, input, row) in table() {
            for (state, expected) in STATES.into_iter().zip(row) {
                let expected = expected.unwrap_or((state, Action::Nothing));
                assert_eq!(step(state, input), expected, "{state:?} x {input:?}");
            }
        }
    }

    /// The tables in the documentation, here and for users, are the one that is tested.
    #[test]
    fn the_documented_tables() {
        let header = ("input", STATES.map(|state| format!("{state:?}")).to_vec());
        let rows = table().map(|(name, _, row)| {
            (name, STATES.into_iter().zip(row).map(|(state, cell)| said(state, cell)).collect())
        });
        let expected: Vec<Vec<String>> = [header]
            .into_iter()
            .chain(rows)
            .map(|(name, cells)| [name.into()].into_iter().chain(cells).collect())
            .collect();
        for (source, first) in [(include_str!("state.rs"), "input"), (include_str!("../states.rs"), "notify")]
        {
            assert_eq!(crate::doc_table(source, first)[1..], expected[1..]);
            assert_eq!(crate::doc_table(source, first)[0][1..], expected[0][1..]);
        }
    }

    fn said(from: State, cell: Option<(State, Action)>) -> String {
        let Some((to, action)) = cell else { return "—".into() };
        let action = match action {
            Action::Nothing => "nothing",
            Action::Send => "send",
            Action::Accept => "accept",
            Action::Report => "report",
            Action::Fail => "fail",
            Action::NeverAccepted => "never accepted",
            Action::OutcomeUnknown => "outcome unknown",
        };
        if from == to { action.into() } else { format!("{action} → {to:?}") }
    }
}
