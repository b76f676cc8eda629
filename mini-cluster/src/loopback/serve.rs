//! The loop: listeners, connections, timers and jobs in; bytes out.

use super::folder::Folder;
use super::{Clock, Job};
use crate::conns::{ConnId, Output};
use crate::servers::Servers;
use crate::who::Who;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{AbortHandle, spawn};

/// Things that happened and were not looked at yet; sockets wait beyond it.
const EVENTS_MAX: usize = 1024;
/// Bytes of one read.
const READ_MAX: usize = 64 << 10;
/// How long to wait before a port is tried again.
const REBIND: Duration = Duration::from_millis(50);

enum Event {
    Accepted(Who, TcpStream, SocketAddr),
    Bytes(ConnId, Bytes),
    Closed(ConnId),
}

/// A connection's tasks.
struct Socket {
    /// Dropped, it closes the socket once all is written.
    writer: UnboundedSender<Bytes>,
    reader: AbortHandle,
}

struct Loop {
    servers: Servers,
    clock: Clock,
    events: mpsc::Sender<Event>,
    sockets: BTreeMap<ConnId, Socket>,
    listeners: BTreeMap<Who, AbortHandle>,
    addrs: BTreeMap<Who, SocketAddr>,
    folder: Option<Folder>,
}

/// Serves until nobody has jobs any more, or nothing can be kept in the folder.
pub(super) async fn serve(
    servers: Servers,
    listeners: Vec<(Who, TcpListener)>,
    mut jobs: UnboundedReceiver<Job>,
    folder: Option<Folder>,
) -> io::Result<()> {
    let (events, mut queue) = mpsc::channel(EVENTS_MAX);
    let clock = Clock(std::time::Instant::now());
    let mut state = Loop {
        servers,
        clock,
        events,
        sockets: BTreeMap::new(),
        listeners: BTreeMap::new(),
        addrs: BTreeMap::new(),
        folder,
    };
    state.keep()?;
    for (who, listener) in listeners {
        if let Ok(addr) = listener.local_addr() {
            state.addrs.insert(who, addr);
        }
        state.listen(who, Some(listener));
    }
    loop {
        let wait = state.servers.deadline().map(|at| clock.until(at));
        tokio::select! {
            job = jobs.recv() => match job {
                Some(job) => job(&mut state.servers, clock.now()),
                None => return Ok(()),
            },
            event = queue.recv() => match event {
                Some(event) => state.on_event(event),
                None => return Ok(()),
            },
            () = tokio::time::sleep(wait.unwrap_or(Duration::MAX)), if wait.is_some() => {
                state.servers.tick(clock.now());
            }
        }
        // What clients are told is safe.
        state.keep()?;
        state.drain();
    }
}

impl Loop {
    fn on_event(&mut self, event: Event) {
        let now = self.clock.now();
        match event {
            Event::Accepted(who, stream, peer) => {
                // Dropping the stream closes it: the process has gone since it was accepted.
                if let Some(conn) = self.servers.accept(now, who, peer) {
                    self.open(conn, stream);
                }
            }
            Event::Bytes(conn, bytes) => self.servers.receive(now, conn, &bytes),
            Event::Closed(conn) => {
                self.sockets.remove(&conn);
                self.servers.closed(now, conn);
            }
        }
    }

    fn keep(&mut self) -> io::Result<()> {
        match &mut self.folder {
            Some(folder) => folder.keep(self.servers.changes()),
            None => Ok(()),
        }
    }

    fn open(&mut self, conn: ConnId, stream: TcpStream) {
        // Only latency is lost without it.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let (writer, queue) = mpsc::unbounded_channel();
        spawn(write_all(write, queue));
        let reader = spawn(read_all(conn, read, self.events.clone())).abort_handle();
        self.sockets.insert(conn, Socket { writer, reader });
    }

    fn drain(&mut self) {
        while let Some(output) = self.servers.poll() {
            match output {
                Output::Write(conn) => self.write(conn),
                Output::Close(conn) => {
                    self.write(conn);
                    if let Some(socket) = self.sockets.remove(&conn) {
                        socket.reader.abort();
                    }
                    self.servers.closed(self.clock.now(), conn);
                }
                Output::Listen(who) => self.listen(who, None),
                Output::Refuse(who) => {
                    if let Some(listener) = self.listeners.remove(&who) {
                        listener.abort();
                    }
                }
            }
        }
    }

    fn write(&mut self, conn: ConnId) {
        let bytes = self.servers.take(conn);
        if let Some(socket) = self.sockets.get(&conn).filter(|_| !bytes.is_empty()) {
            // A writer that has failed is noticed by its reader.
            let _ = socket.writer.send(bytes);
        }
    }

    fn listen(&mut self, who: Who, listener: Option<TcpListener>) {
        let Some(addr) = self.addrs.get(&who) else { return };
        let task = spawn(accept_all(who, *addr, listener, self.events.clone())).abort_handle();
        if let Some(old) = self.listeners.insert(who, task) {
            old.abort();
        }
    }
}

async fn accept_all(who: Who, addr: SocketAddr, first: Option<TcpListener>, events: mpsc::Sender<Event>) {
    let mut first = first.and_then(|listener| tokio::net::TcpListener::from_std(listener).ok());
    loop {
        let listener = match first.take() {
            Some(listener) => listener,
            None => match tokio::net::TcpListener::bind(addr).await {
                Ok(listener) => listener,
                // The listener before this one may not be quite gone.
                Err(_) => {
                    tokio::time::sleep(REBIND).await;
                    continue;
                }
            },
        };
        while let Ok((stream, peer)) = listener.accept().await {
            if events.send(Event::Accepted(who, stream, peer)).await.is_err() {
                return;
            }
        }
    }
}

async fn read_all(conn: ConnId, mut socket: OwnedReadHalf, events: mpsc::Sender<Event>) {
    let mut buffer = vec![0; READ_MAX];
    while let Ok(count @ 1..) = socket.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(&buffer[..count]);
        if events.send(Event::Bytes(conn, bytes)).await.is_err() {
            return;
        }
    }
    // Nobody listens only if the loop has ended.
    let _ = events.send(Event::Closed(conn)).await;
}

async fn write_all(mut socket: OwnedWriteHalf, mut queue: UnboundedReceiver<Bytes>) {
    while let Some(bytes) = queue.recv().await {
        if socket.write_all(&bytes).await.is_err() {
            return;
        }
    }
    // The peer may be gone already.
    let _ = socket.shutdown().await;
}
