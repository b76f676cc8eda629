//! What can go wrong with a cluster and its handles.

use crate::config;
use crate::event::ClusterEvent;
use linger_core::{CommandError, ObjectRef, OpError, WatchError};
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why something failed. Its text is one line: what failed, and why.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// There are no settings.
    Settings(Arc<config::ConfigError>),
    /// No client can work with these settings.
    Config(linger_core::ConfigError),
    /// The cluster did not let the client in.
    Connect(Box<ConnectError>),
    /// A request that can not be carried out; it was not sent.
    Command {
        /// What was asked for, as a verb.
        what: &'static str,
        /// Of which object.
        object: Box<ObjectRef>,
        /// What is wrong with it.
        error: CommandError,
    },
    /// The cluster did not do what it was asked for.
    Op {
        /// What was asked for, as a verb.
        what: &'static str,
        /// Of which object.
        object: Box<ObjectRef>,
        /// Why not.
        error: OpError,
    },
    /// A watch ended.
    Watch {
        /// Of which object.
        object: Box<ObjectRef>,
        /// Why.
        error: WatchError,
    },
    /// Too many flushes of one watch wait.
    TooManyFlushes,
    /// The cluster was closed.
    Closed,
    /// The driver can not go on.
    Driver(Arc<io::Error>),
    /// The driver was dropped, as when its runtime shuts down.
    DriverGone,
}

/// Why the cluster did not let the client in.
#[derive(Debug, Clone)]
pub struct ConnectError {
    /// The time that was given and is over; `None` if waiting would not have helped.
    pub within: Option<Duration>,
    /// What happened last, or what can not be helped; `None` if nothing was heard at all.
    pub last: Option<ClusterEvent>,
}

impl Error {
    /// The errno that the cluster gave, or that fits best; positive.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Connect(error) => error.last.as_ref().and_then(ClusterEvent::errno),
            Self::Op { error, .. } => error.errno(),
            Self::Watch { error, .. } => error.errno,
            Self::Driver(error) => error.raw_os_error(),
            _ => None,
        }
    }

    pub(crate) fn command(what: &'static str, object: &ObjectRef, error: CommandError) -> Self {
        match error {
            CommandError::Closing => Self::Closed,
            error => Self::Command { what, object: Box::new(object.clone()), error },
        }
    }

    pub(crate) fn op(what: &'static str, object: &ObjectRef, error: OpError) -> Self {
        match error {
            OpError::Closed => Self::Closed,
            error => Self::Op { what, object: Box::new(object.clone()), error },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::Config(error) => write!(f, "no client can start with these settings: {error}"),
            Self::Connect(error) => error.fmt(f),
            Self::Command { what, object, error } => write!(f, "cannot {what} {object}: {error}"),
            Self::Op { what, object, error } => write!(f, "cannot {what} {object}: {error}"),
            Self::Watch { object, error } => write!(f, "cannot watch {object}: {error}"),
            Self::TooManyFlushes => f.write_str("too many flushes of one watch wait"),
            Self::Closed => f.write_str("the cluster's client was closed"),
            Self::Driver(error) => write!(f, "the cluster's driver failed: {error}"),
            Self::DriverGone => {
                f.write_str("the cluster's driver is gone: its task was dropped before the handles")
            }
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cannot connect to the cluster")?;
        if let Some(within) = self.within {
            write!(f, " within {within:?}")?;
        }
        match &self.last {
            Some(last) => write!(f, ": {last}"),
            None => f.write_str(": no monitor answered"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Settings(error) => Some(&**error),
            Self::Config(error) => Some(error),
            Self::Connect(error) => Some(&**error),
            Self::Command { error, .. } => Some(error),
            Self::Op { error, .. } => Some(error),
            Self::Watch { error, .. } => Some(error),
            Self::Driver(error) => Some(&**error),
            Self::TooManyFlushes | Self::Closed | Self::DriverGone => None,
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<config::ConfigError> for Error {
    fn from(error: config::ConfigError) -> Self {
        Self::Settings(Arc::new(error))
    }
}

impl From<linger_core::ConfigError> for Error {
    fn from(error: linger_core::ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}
