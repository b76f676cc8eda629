//! What handles ask of the engine.

use crate::error::Error;
use crate::flush::FlushTicket;
use crate::mailbox::Mailbox;
use crate::shared::Lifeline;
use crate::ticket::Ticket;
use crate::watch::Watch;
use bytes::Bytes;
use linger_core::{
    AckToken, Call, CallId, CallOutput, Client, CommandError, LeftBehind, NotifyId, NotifyOutcome, ObjectRef,
    OpError, Timestamp, WatchId, WatchOptions,
};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Something a handle asks for: for [`Engine::run`](super::Engine::run).
pub struct Command(pub(super) Kind);

/// The core, as a handle's question sees it.
pub(crate) struct Asked<'a> {
    pub(crate) client: &'a Client,
    pub(crate) now: Timestamp,
}

pub(crate) type Ask = Box<dyn FnOnce(Result<Asked<'_>, Error>) + Send>;
pub(crate) type CloseTicket = Ticket<(), Result<Vec<LeftBehind>, Error>>;
pub(crate) type Outcome<T> = Result<T, Failure>;

/// Why there is no outcome; the handle knows of what.
#[derive(Debug)]
pub(crate) enum Failure {
    Command(CommandError),
    Op(OpError),
    Ended(Error),
}

impl Failure {
    pub(crate) fn of(self, what: &'static str, object: &ObjectRef) -> Error {
        match self {
            Self::Command(error) => Error::command(what, object, error),
            Self::Op(error) => Error::op(what, object, error),
            Self::Ended(error) => error,
        }
    }
}

pub(super) enum Kind {
    Watch(Box<WatchCommand>),
    Op(Op),
    More(WatchId),
    Reregister(WatchId),
    Unwatch(WatchId, Option<Duration>),
    /// Of one watch, or of all.
    Flush(Option<WatchId>, FlushTicket),
    RenewIdentity,
    Answer(AckToken, Option<Bytes>),
    AbandonNotify(NotifyId),
    AbandonCall(CallId),
    Ask(Ask),
    Close(Duration, Option<CloseTicket>),
}

pub(super) struct WatchCommand {
    pub(super) object: ObjectRef,
    pub(super) options: WatchOptions,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) lifeline: Arc<Lifeline>,
    pub(super) ticket: Ticket<(), Outcome<Watch>>,
}

/// What the core may refuse as busy, and what then waits.
#[derive(Debug)]
pub(super) enum Op {
    Notify {
        object: ObjectRef,
        payload: Bytes,
        timeout: Duration,
        ticket: Ticket<NotifyId, Outcome<NotifyOutcome>>,
    },
    Call {
        object: ObjectRef,
        call: Call,
        within: Option<Duration>,
        ticket: Ticket<CallId, Outcome<CallOutput>>,
    },
}

impl Op {
    /// Whether anybody still waits for its outcome. A notify is wanted without that too.
    pub(super) fn is_wanted(&self) -> bool {
        match self {
            Self::Notify { .. } => true,
            Self::Call { ticket, .. } => ticket.is_wanted(),
        }
    }

    pub(super) fn fail(&self, failure: Failure) {
        match self {
            Self::Notify { ticket, .. } => ticket.finish(Err(failure)),
            Self::Call { ticket, .. } => ticket.finish(Err(failure)),
        }
    }
}

impl Command {
    pub(crate) fn watch(
        object: ObjectRef,
        options: WatchOptions,
        mailbox: Arc<Mailbox>,
        lifeline: Arc<Lifeline>,
        ticket: Ticket<(), Outcome<Watch>>,
    ) -> Self {
        Self(Kind::Watch(Box::new(WatchCommand { object, options, mailbox, lifeline, ticket })))
    }

    pub(crate) fn notify(
        object: ObjectRef,
        payload: Bytes,
        timeout: Duration,
        ticket: Ticket<NotifyId, Outcome<NotifyOutcome>>,
    ) -> Self {
        Self(Kind::Op(Op::Notify { object, payload, timeout, ticket }))
    }

    pub(crate) fn call(
        object: ObjectRef,
        call: Call,
        within: Option<Duration>,
        ticket: Ticket<CallId, Outcome<CallOutput>>,
    ) -> Self {
        Self(Kind::Op(Op::Call { object, call, within, ticket }))
    }

    pub(crate) fn more(id: WatchId) -> Self {
        Self(Kind::More(id))
    }

    pub(crate) fn reregister(id: WatchId) -> Self {
        Self(Kind::Reregister(id))
    }

    pub(crate) fn unwatch(id: WatchId, within: Option<Duration>) -> Self {
        Self(Kind::Unwatch(id, within))
    }

    pub(crate) fn flush(id: Option<WatchId>, ticket: FlushTicket) -> Self {
        Self(Kind::Flush(id, ticket))
    }

    pub(crate) fn renew_identity() -> Self {
        Self(Kind::RenewIdentity)
    }

    pub(crate) fn answer(token: AckToken, reply: Option<Bytes>) -> Self {
        Self(Kind::Answer(token, reply))
    }

    pub(crate) fn abandon_notify(id: NotifyId) -> Self {
        Self(Kind::AbandonNotify(id))
    }

    pub(crate) fn abandon_call(id: CallId) -> Self {
        Self(Kind::AbandonCall(id))
    }

    pub(crate) fn ask(ask: Ask) -> Self {
        Self(Kind::Ask(ask))
    }

    pub(crate) fn close(within: Duration, ticket: Option<CloseTicket>) -> Self {
        Self(Kind::Close(within, ticket))
    }

    /// Ends a command that can not be carried out any more.
    pub(super) fn refuse(self, why: &Error) {
        match self.0 {
            Kind::Watch(command) => command.ticket.finish(Err(Failure::Ended(why.clone()))),
            Kind::Op(op) => op.fail(Failure::Ended(why.clone())),
            Kind::Flush(_, ticket) => ticket.finish(Err(Failure::Ended(why.clone()))),
            Kind::Ask(ask) => ask(Err(why.clone())),
            Kind::Close(_, Some(ticket)) => ticket.finish(match why {
                Error::Closed => Ok(Vec::new()),
                error => Err(error.clone()),
            }),
            _ => {}
        }
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Watch(_) => "Watch",
            Kind::Op(Op::Notify { .. }) => "Notify",
            Kind::Op(Op::Call { .. }) => "Call",
            Kind::More(_) => "More",
            Kind::Reregister(_) => "Reregister",
            Kind::Unwatch(..) => "Unwatch",
            Kind::Flush(..) => "Flush",
            Kind::RenewIdentity => "RenewIdentity",
            Kind::Answer(..) => "Answer",
            Kind::AbandonNotify(_) => "AbandonNotify",
            Kind::AbandonCall(_) => "AbandonCall",
            Kind::Ask(_) => "Ask",
            Kind::Close(..) => "Close",
        })
    }
}
