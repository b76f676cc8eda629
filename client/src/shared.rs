//! What all handles of one cluster and its engine share.

use crate::engine::{Asked, Command, Failure};
use crate::error::Error;
use crate::event::ClusterEvent;
use crate::flush::FlushTicket;
use crate::mailbox::Waiting;
use crate::ticket::Ticket;
use async_channel::{Receiver, Sender};

use linger_core::WatchId;
use linger_wire::Fsid;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// How long the last handle's drop lets watches end in order.
pub(crate) const DROP_WITHIN: Duration = Duration::from_secs(5);
/// Watches, questions to the map and the like that wait for the engine.
const SETUPS: usize = 256;
/// Events of the cluster that are kept until they are taken.
const EVENTS: usize = 64;

#[derive(Debug)]
pub(crate) struct Shared {
    commands: Sender<Command>,
    /// Calls and notifies under way, as many as the core takes.
    pub(crate) ops: Gate,
    /// Commands that are over as soon as the engine saw them.
    pub(crate) setups: Gate,
    /// The largest ack.
    pub(crate) payload_bytes: usize,
    /// What pools give their calls unless told otherwise.
    pub(crate) call_within: Option<Duration>,
    /// What the core no longer has and handles have not taken.
    pub(crate) waiting: Arc<Waiting>,
    fsid: OnceLock<Fsid>,
    global_id: AtomicU64,
    /// Why the engine is gone.
    ended: OnceLock<Error>,
    events: (Sender<ClusterEvent>, Receiver<ClusterEvent>),
    events_lost: AtomicU64,
}

impl Shared {
    pub(crate) fn new(commands: Sender<Command>, options: &crate::ConnectOptions) -> Arc<Self> {
        let limits = &options.config.limits;
        Arc::new(Self {
            commands,
            ops: Gate::new(limits.ops_in_flight),
            setups: Gate::new(SETUPS),
            payload_bytes: limits.payload_bytes,
            call_within: options.call_within,
            waiting: Waiting::new(limits.notify_bytes),
            fsid: OnceLock::new(),
            global_id: AtomicU64::new(0),
            ended: OnceLock::new(),
            events: async_channel::bounded(EVENTS),
            events_lost: AtomicU64::new(0),
        })
    }

    /// Hands a command to the engine without waiting; false if the engine is gone.
    ///
    /// The channel has no bound of its own: commands that take part in a queue pass a gate before,
    /// and all others are at most a few for each handle, watch and notification that there is.
    pub(crate) fn send(&self, command: Command) -> bool {
        self.commands.try_send(command).is_ok()
    }

    /// Asks the core something. The closure runs in the driver.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(Asked<'_>) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let ticket = Ticket::<(), Result<T, Error>>::new();
        let end = ticket.clone();
        self.setups.enter(self).await?;
        if !self.send(Command::ask(Box::new(move |asked| end.finish(asked.map(question))))) {
            return Err(self.ended());
        }
        poll_fn(|cx| ticket.poll(cx)).await
    }

    /// Waits until all events so far are taken, of one watch or of all.
    pub(crate) async fn flush(&self, watch: Option<WatchId>) -> Result<(), Error> {
        let ticket = FlushTicket::new();
        self.setups.enter(self).await?;
        if !self.send(Command::flush(watch, ticket.clone())) {
            return Err(self.ended());
        }
        poll_fn(|cx| ticket.poll(cx)).await.map_err(|failure| match failure {
            Failure::Ended(error) => error,
            _ => Error::TooManyFlushes,
        })
    }

    /// Why no command can be carried out any more.
    pub(crate) fn ended(&self) -> Error {
        self.ended.get().cloned().unwrap_or(Error::Closed)
    }

    pub(crate) fn end(&self, why: Error) {
        let _ = self.ended.set(why);
        self.ops.close();
        self.setups.close();
        self.events.0.close();
    }

    pub(crate) fn connected(&self, fsid: Fsid) {
        let _ = self.fsid.set(fsid);
    }

    pub(crate) fn fsid(&self) -> Fsid {
        self.fsid.get().copied().unwrap_or_default()
    }

    pub(crate) fn set_global_id(&self, id: u64) {
        self.global_id.store(id, Ordering::Relaxed);
    }

    pub(crate) fn global_id(&self) -> u64 {
        self.global_id.load(Ordering::Relaxed)
    }

    /// Adds an event; the oldest makes room.
    pub(crate) fn tell(&self, event: ClusterEvent) {
        if let Ok(Some(_)) = self.events.0.force_send(event) {
            self.events_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn events(&self) -> Receiver<ClusterEvent> {
        self.events.1.clone()
    }

    pub(crate) fn take_events_lost(&self) -> u64 {
        self.events_lost.swap(0, Ordering::Relaxed)
    }
}

/// What keeps the cluster open: dropping the last clone closes it.
#[derive(Debug)]
pub(crate) struct Lifeline(pub(crate) Arc<Shared>);

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.send(Command::close(DROP_WITHIN, None));
    }
}

/// Where handles wait until there is room for another command.
#[derive(Debug)]
pub(crate) struct Gate(Sender<()>, Receiver<()>);

impl Gate {
    fn new(room: usize) -> Self {
        let (sender, receiver) = async_channel::bounded(room.max(1));
        Self(sender, receiver)
    }

    /// Waits for room. What entered must leave: the engine sees to that once it has the command.
    pub(crate) async fn enter(&self, shared: &Shared) -> Result<(), Error> {
        self.0.send(()).await.map_err(|_| shared.ended())
    }

    #[cfg(test)]
    pub(crate) fn try_enter(&self) -> bool {
        self.0.try_send(()).is_ok()
    }

    pub(crate) fn leave(&self) {
        let _ = self.1.try_recv();
    }

    fn close(&self) {
        self.0.close();
    }
}
