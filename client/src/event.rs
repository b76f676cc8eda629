//! News of the cluster that no request asked for.

use crate::shared::Shared;
use async_channel::Receiver;
use futures_core::Stream;
use linger_core::auth::AuthMethod;
use linger_core::{ConnFault, LinkMode, MapError};
use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What happened between the client and the daemons, and what went wrong that it deals with by
/// itself: for a log.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ClusterEvent {
    /// A session with a monitor is there, for the first time or again.
    MonUp {
        /// Its address.
        addr: SocketAddr,
        /// How the client logged in.
        auth: AuthMethod,
        /// What the connection speaks, and how it is protected.
        mode: LinkMode,
    },
    /// A session with an OSD is there, for the first time or again.
    OsdUp {
        /// The OSD.
        osd: i32,
        /// What the connection speaks, and how it is protected.
        mode: LinkMode,
    },
    /// A monitor could not be used. The client goes on trying.
    MonFault {
        /// Its address.
        addr: Option<SocketAddr>,
        /// What is wrong.
        fault: ConnFault,
        /// The errno of the system, where it gave one.
        os_error: Option<i32>,
        /// Whether a person must act: a wrong key, denied, another cluster.
        permanent: bool,
    },
    /// An OSD's connection failed. The client dials it again.
    OsdFault {
        /// The OSD.
        osd: i32,
        /// Where it was dialled; none if the map has no address for it that can be.
        addr: Option<SocketAddr>,
        /// What is wrong.
        fault: ConnFault,
        /// The errno of the system, where it gave one.
        os_error: Option<i32>,
    },
    /// A map could not be used; the maps after it are asked for anew.
    MapFault {
        /// Its epoch.
        epoch: u32,
        /// What is wrong.
        error: MapError,
    },
    /// To the cluster the client is another one from now on, and each watch is registered afresh: it was
    /// told so, or the monitors no longer knew it.
    IdentityChanged {
        /// Others know it as `client.N`.
        global_id: u64,
    },
    /// A name could not be resolved. The client asks again in its next round.
    ResolveFault {
        /// What was asked.
        query: String,
        /// The resolver's answer.
        why: String,
    },
    /// Older events were dropped because they were not taken in time.
    Lost {
        /// How many.
        events: u64,
    },
}

impl ClusterEvent {
    /// Whether something went wrong.
    #[must_use]
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::MonUp { .. } | Self::OsdUp { .. })
    }

    /// The errno that a daemon or the system gave; positive.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::MonFault { fault: ConnFault::Auth(error), .. }
            | Self::OsdFault { fault: ConnFault::Auth(error), .. } => error.errno(),
            Self::MonFault { os_error, .. } | Self::OsdFault { os_error, .. } => *os_error,
            _ => None,
        }
    }
}

impl fmt::Display for ClusterEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MonUp { addr, auth, mode } => {
                write!(f, "monitor {addr}: in session, logged in by {}, mode {}", auth.name(), mode.name())
            }
            Self::OsdUp { osd, mode } => write!(f, "osd.{osd}: in session, mode {}", mode.name()),
            Self::MonFault { addr, fault, os_error, .. } => {
                f.write_str("monitor")?;
                addr.map_or(Ok(()), |addr| write!(f, " {addr}"))?;
                write_fault(f, fault, *os_error)
            }
            Self::OsdFault { osd, addr, fault, os_error } => {
                write!(f, "osd.{osd}")?;
                addr.map_or(Ok(()), |addr| write!(f, " at {addr}"))?;
                write_fault(f, fault, *os_error)
            }
            Self::IdentityChanged { global_id } => write!(f, "the client is client.{global_id} now"),
            Self::MapFault { epoch, error } => write!(f, "osdmap {epoch}: {error}"),
            Self::ResolveFault { query, why } => write!(f, "cannot resolve {query}: {why}"),
            Self::Lost { events } => write!(f, "{events} events were lost"),
        }
    }
}

fn write_fault(f: &mut fmt::Formatter<'_>, fault: &ConnFault, os_error: Option<i32>) -> fmt::Result {
    write!(f, ": {fault}")?;
    match os_error {
        Some(errno) => write!(f, ": {}", std::io::Error::from_raw_os_error(errno)),
        None => Ok(()),
    }
}

/// The cluster's events: a stream that ends with the cluster.
///
/// The newest 64 are kept until they are taken; how many older ones were dropped is said first. It
/// does not keep the cluster open. Of several such streams each event goes to one.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
    receiver: Pin<Box<Receiver<ClusterEvent>>>,
}

impl Events {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), receiver: Box::pin(shared.events()) }
    }

    /// The next event; `None` once the cluster is closed. Cancel-safe.
    pub async fn next(&mut self) -> Option<ClusterEvent> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }
}

impl Stream for Events {
    type Item = ClusterEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ClusterEvent>> {
        match self.shared.take_events_lost() {
            0 => self.receiver.as_mut().poll_next(cx),
            events => Poll::Ready(Some(ClusterEvent::Lost { events })),
        }
    }
}
