//! The states of watches and of notifies: what leads where, and what is done about it.
//!
//! Tests hold these tables against the code, cell by cell. `—` ignores the input.
//!
//! # A watch
//!
//! | watch | Registering | Live | Reconnecting | Lost | Barred | Unwatching | Closed |
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
//! | state | a user sees it as |
//! |---|---|
//! | Registering | [`WatchStatus::is_live`] is false; before the first [`Live`], or after an error on the way back |
//! | Live | [`Live`] was told, and nothing since |
//! | Reconnecting | `is_live` is false, and nothing is told: RECONNECT may heal it without a gap |
//! | Lost | [`WatchEvent::Error`] was told; it is registered again by itself, or by [`Client::reregister`] |
//! | Barred | a terminal error was told; only [`Client::renew_identity`] brings it back |
//! | Unwatching | [`Client::unwatch`] was called |
//! | Closed | [`WatchEvent::Closed`] was told |
//!
//! *Moved* is a reset of the session, a new interval of the placement group, or maps that are missing. *Register
//! anew* takes a new cookie, so that nothing said of the old registration is mistaken for news of the new one.
//! *Lose*, *bar* and *end* tell of the loss, once. *Leave behind* tells what the OSD may still have
//! ([`WatchEvent::LeftBehind`]), if it was asked for it.
//!
//! # A notify
//!
//! | notify | Sent | Resent | Accepted | Over |
//! |---|---|---|---|---|
//! | Taken | accept → Accepted | accept → Accepted | — | — |
//! | Refused | fail → Over | fail → Over | — | — |
//! | Complete, of this attempt | report → Over | report → Over | report → Over | — |
//! | Complete, of another | — | — | — | — |
//! | Moved | send | send | send → Resent | — |
//! | Deadline | never accepted → Over | outcome unknown → Over | outcome unknown → Over | — |
//! | Failed | fail → Over | fail → Over | fail → Over | — |
//!
//! *Report* is [`NotifyOutcome::Done`] or [`NotifyOutcome::TimedOut`]; the others are the outcomes of their names.
//!
//! [`Client::reregister`]: crate::Client::reregister
//! [`Client::renew_identity`]: crate::Client::renew_identity
//! [`Client::unwatch`]: crate::Client::unwatch
//! [`Live`]: crate::Live
//! [`NotifyOutcome::Done`]: crate::NotifyOutcome::Done
//! [`NotifyOutcome::TimedOut`]: crate::NotifyOutcome::TimedOut
//! [`WatchEvent::Closed`]: crate::WatchEvent::Closed
//! [`WatchEvent::LeftBehind`]: crate::WatchEvent::LeftBehind
//! [`WatchEvent::Error`]: crate::WatchEvent::Error
//! [`WatchStatus::is_live`]: crate::WatchStatus::is_live
