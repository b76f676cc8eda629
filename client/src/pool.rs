//! A pool's objects, as users reach them.

use crate::engine::{Command, Outcome};
use crate::error::Error;
use crate::mailbox::Mailbox;
use crate::notify::Notify;
use crate::shared::{Lifeline, Shared};
use crate::ticket::Ticket;
use crate::watch::Watch;
use bytes::Bytes;
use linger_core::{Call, CallId, CallOutput, ObjectRef, OpError, PoolRef, WatchOptions};
use linger_wire::msg::Watcher;
use linger_wire::{EntityName, Name};
use std::future::poll_fn;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A pool, or a namespace in it. It holds no connection of its own: clones are cheap.
///
/// Whether the pool exists is found out by the first request.
#[derive(Debug, Clone)]
pub struct Pool {
    pool: PoolRef,
    namespace: Name,
    key: Name,
    within: Option<Duration>,
    lifeline: Arc<Lifeline>,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The bytes.
    pub data: Bytes,
    /// The object's version.
    pub version: u64,
}

/// An object's size and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// In bytes.
    pub size: u64,
    /// When it was last written.
    pub modified: SystemTime,
}

/// One who watches an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedWatcher {
    /// As the OSD has it.
    pub watcher: Watcher,
    /// Whether it is this client; which of its watches, the cookie tells.
    pub is_me: bool,
}

impl Pool {
    pub(crate) fn new(pool: PoolRef, lifeline: Arc<Lifeline>) -> Self {
        let within = lifeline.0.call_within;
        Self { pool, namespace: Name::default(), key: Name::default(), within, lifeline }
    }

    /// The same pool with this namespace; the empty one is the default.
    #[must_use]
    pub fn namespace(self, namespace: impl Into<Name>) -> Self {
        Self { namespace: namespace.into(), ..self }
    }

    /// The same pool with this locator key, which places objects instead of their names; the empty
    /// one is none.
    #[must_use]
    pub fn key(self, key: impl Into<Name>) -> Self {
        Self { key: key.into(), ..self }
    }

    /// The same pool with this deadline for calls: all but watches and notifies, which have their
    /// own. `None` waits for ever.
    #[must_use]
    pub fn within(self, within: impl Into<Option<Duration>>) -> Self {
        Self { within: within.into(), ..self }
    }

    /// The pool that this is.
    #[must_use]
    pub fn pool(&self) -> &PoolRef {
        &self.pool
    }

    /// The full name of an object in it.
    #[must_use]
    pub fn object(&self, name: impl Into<Name>) -> ObjectRef {
        ObjectRef::new(self.pool.clone(), name).namespace(self.namespace.clone()).key(self.key.clone())
    }

    /// Watches an object. The watch is registered in the background: [`Watch::live`] waits for it.
    ///
    /// # Errors
    /// What is asked for is out of bounds, there are too many watches, or the cluster is closed. That
    /// there is no such object, and the like, comes as an event of the watch.
    pub async fn watch(&self, name: impl Into<Name>, options: WatchOptions) -> Result<Watch, Error> {
        let object = self.object(name);
        let shared = self.shared();
        let mailbox = Arc::new(Mailbox::new(options.queue, &shared.waiting));
        let ticket = Ticket::new();
        let lifeline = Arc::clone(&self.lifeline);
        shared.setups.enter(shared).await?;
        if !shared.send(Command::watch(object.clone(), options, mailbox, lifeline, ticket.clone())) {
            return Err(shared.ended());
        }
        let _unless_taken = Unless(&ticket);
        poll_fn(|cx| ticket.poll(cx)).await.map_err(|failure| failure.of("watch", &object))
    }

    /// Notifies all watchers of an object. `timeout` is what the OSD waits for their acks: 1 s to
    /// 24 h, rounded up to whole seconds.
    ///
    /// This returns when the notify is on its way; the [`Notify`] is a future of its outcome.
    ///
    /// # Errors
    /// The cluster is closed. That something is out of bounds, and the like, comes as the outcome.
    pub async fn notify(
        &self,
        name: impl Into<Name>,
        payload: impl Into<Bytes>,
        timeout: Duration,
    ) -> Result<Notify, Error> {
        let (object, payload) = (self.object(name), payload.into());
        let shared = self.shared();
        let ticket = Ticket::new();
        shared.ops.enter(shared).await?;
        if !shared.send(Command::notify(object.clone(), payload, timeout, ticket.clone())) {
            return Err(shared.ended());
        }
        Ok(Notify::new(object, ticket, Arc::clone(&self.lifeline)))
    }

    /// Creates an object; with `exclusive` an existing one is an error (EEXIST). Gives its version.
    ///
    /// # Errors
    /// The cluster refuses, the deadline passes, or the cluster is closed.
    pub async fn create(&self, name: impl Into<Name>, exclusive: bool) -> Result<u64, Error> {
        self.write("create", name.into(), Call::Create { exclusive }).await
    }

    /// Replaces an object's content, creating it if needed. Gives its version.
    ///
    /// # Errors
    /// As for [`Pool::create`].
    pub async fn write_full(&self, name: impl Into<Name>, data: impl Into<Bytes>) -> Result<u64, Error> {
        self.write("write", name.into(), Call::WriteFull(data.into())).await
    }

    /// Reads up to `len` bytes from `offset` on; a `len` of 0 reads to the end.
    ///
    /// # Errors
    /// There is no such object (ENOENT); else as for [`Pool::create`].
    pub async fn read(&self, name: impl Into<Name>, offset: u64, len: u64) -> Result<Content, Error> {
        let what = "read";
        match self.call(what, name.into(), Call::Read { offset, len }).await? {
            (CallOutput::Data { data, version }, _) => Ok(Content { data, version }),
            (_, object) => Err(odd(what, &object)),
        }
    }

    /// An object's size and time.
    ///
    /// # Errors
    /// As for [`Pool::read`].
    pub async fn stat(&self, name: impl Into<Name>) -> Result<Stat, Error> {
        let what = "stat";
        match self.call(what, name.into(), Call::Stat).await? {
            (CallOutput::Stat { size, mtime }, _) => {
                let since = Duration::from_secs(mtime.sec.into()) + Duration::from_nanos(mtime.nsec.into());
                Ok(Stat { size, modified: UNIX_EPOCH + since })
            }
            (_, object) => Err(odd(what, &object)),
        }
    }

    /// Removes an object; all its watches end.
    ///
    /// # Errors
    /// As for [`Pool::read`].
    pub async fn remove(&self, name: impl Into<Name>) -> Result<(), Error> {
        self.write("remove", name.into(), Call::Remove).await.map(drop)
    }

    /// Who watches an object.
    ///
    /// # Errors
    /// As for [`Pool::read`].
    pub async fn list_watchers(&self, name: impl Into<Name>) -> Result<Vec<ListedWatcher>, Error> {
        self.watchers("list the watchers of", name.into(), Call::ListWatchers).await
    }

    /// Waits until nobody watches an object, or with `but_me` nobody but this client, and gives those who
    /// still do when the pool's deadline ([`Pool::within`]) is over: none, then, is what was waited for.
    /// An object that does not exist has no watchers.
    ///
    /// # Errors
    /// As for [`Pool::create`].
    pub async fn wait_until_unwatched(
        &self,
        name: impl Into<Name>,
        but_me: bool,
    ) -> Result<Vec<ListedWatcher>, Error> {
        self.watchers("wait for the watchers of", name.into(), Call::AwaitUnwatched { but_me }).await
    }

    async fn watchers(
        &self,
        what: &'static str,
        name: Name,
        call: Call,
    ) -> Result<Vec<ListedWatcher>, Error> {
        match self.call(what, name, call).await? {
            (CallOutput::Watchers(watchers), _) => {
                let me = EntityName::client(self.shared().global_id());
                let listed = |watcher: Watcher| ListedWatcher { is_me: watcher.name == me, watcher };
                Ok(watchers.into_iter().map(listed).collect())
            }
            (_, object) => Err(odd(what, &object)),
        }
    }

    async fn write(&self, what: &'static str, name: Name, call: Call) -> Result<u64, Error> {
        match self.call(what, name, call).await? {
            (CallOutput::Done { version }, _) => Ok(version),
            (_, object) => Err(odd(what, &object)),
        }
    }

    /// Makes a call. Dropping the future gives up its result; a write that was sent may still happen.
    async fn call(
        &self,
        what: &'static str,
        name: Name,
        call: Call,
    ) -> Result<(CallOutput, ObjectRef), Error> {
        let object = self.object(name);
        let shared = self.shared();
        let ticket = Ticket::new();
        shared.ops.enter(shared).await?;
        if !shared.send(Command::call(object.clone(), call, self.within, ticket.clone())) {
            return Err(shared.ended());
        }
        let pending = Pending { ticket: &ticket, shared };
        match poll_fn(|cx| pending.ticket.poll(cx)).await {
            Ok(output) => Ok((output, object)),
            Err(failure) => Err(failure.of(what, &object)),
        }
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.lifeline.0
    }
}

/// A result that does not belong to the call: the core's mistake, reported rather than hidden.
fn odd(what: &'static str, object: &ObjectRef) -> Error {
    debug_assert!(false, "the result of another call");
    Error::op(what, object, OpError::Errno(linger_wire::errno::EINVAL))
}

/// Gives a call up when its future is dropped.
struct Pending<'a> {
    ticket: &'a Ticket<CallId, Outcome<CallOutput>>,
    shared: &'a Shared,
}

impl Drop for Pending<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.ticket.abandon() {
            self.shared.send(Command::abandon_call(id));
        }
    }
}

/// Gives a watch up when the future that asked for it is dropped: the watch's own drop does the rest.
struct Unless<'a>(&'a Ticket<(), Outcome<Watch>>);

impl Drop for Unless<'_> {
    fn drop(&mut self) {
        self.0.abandon();
    }
}
