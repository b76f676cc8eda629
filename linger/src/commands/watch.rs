//! `watch`: prints what comes to objects, until it is told to leave.

use super::connect::{connect, name, pool};
use crate::cli::{self, Global};
use crate::explain::explain;
use crate::failure::{Failure, Outcome};
use crate::output::{AsyncStdout, Format, reader_gone};
use crate::records::{ClientName, Payload, WatchLine, reason};
use crate::runtime::{Runtime, Signals};
use bytes::Bytes;
use futures_core::Stream;
use futures_lite::future::{or, zip};
use futures_util::stream::{self, SelectAll, StreamExt, TryStreamExt};
use linger_client::{Cluster, Error, Notification, ObjectRef, OnDrop, Pool, Watch, WatchEvent, WatchOptions};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// Objects that are created at a time.
const CREATES: usize = 64;
/// How long the cluster has to confirm the end of the watches.
const CLOSE_WITHIN: Duration = Duration::from_secs(10);
/// Requests to leave within this time are one.
const PAIR: Duration = Duration::from_secs(1);
/// How long stdout has to take the last events.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Watches until enough notifies came, a signal comes, or no watch is left.
///
/// # Errors
/// No watch is left, or the cluster can not be reached at all.
pub async fn run(global: &Global, args: &cli::Watch, format: Format) -> Result<Outcome, Failure> {
    let runtime = global.runtime;
    let mut signals = runtime.signals()?;
    let told = async {
        signals.next().await;
        Ok(None)
    };
    let connected = async { connect(global).await.map(Some) };
    let Some(cluster) = or(connected, told).await? else { return Ok(Outcome::Done) };
    let mut session = Session {
        watches: SelectAll::new(),
        answer: Answer::new(args),
        left: args.count,
        out: AsyncStdout::new(format),
        runtime,
    };
    let pool = pool(&cluster, global, &args.pool);
    let told = async {
        signals.next().await;
        Ok(())
    };
    let unread = async {
        reader_gone().await;
        Err(Failure::ReaderGone)
    };
    let ended = or(session.work(&pool, args), or(told, unread)).await;
    let insisted = async {
        insisted(&mut signals, runtime).await;
        Err(left_behind("told to leave twice"))
    };
    let closed = or(session.close(&cluster), insisted).await;
    match ended {
        Err(failure @ (Failure::Silent | Failure::Told(_))) => Err(failure),
        Ok(()) | Err(Failure::ReaderGone) => closed.map(|()| Outcome::Done),
    }
}

/// A watch and what its events do not say.
struct Watched {
    object: Arc<ObjectRef>,
    /// Of the last registration.
    cookie: u64,
    watch: Watch,
}

/// An event of one of the watches.
struct Happening {
    object: Arc<ObjectRef>,
    cookie: u64,
    event: WatchEvent,
}

impl Stream for Watched {
    type Item = Happening;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Happening>> {
        Pin::new(&mut self.watch).poll_next(cx).map(|event| {
            event.map(|event| {
                match &event {
                    WatchEvent::Live(live) => self.cookie = live.cookie,
                    // A blocklisted client's watch would wait for another identity.
                    WatchEvent::Error(error) if error.is_terminal() => self.watch.end(),
                    _ => {}
                }
                Happening { object: Arc::clone(&self.object), cookie: self.cookie, event }
            })
        })
    }
}

/// What notifiers get.
enum Answer {
    Text(Bytes),
    Nothing,
}

impl Answer {
    fn new(args: &cli::Watch) -> Self {
        match (&args.ack, args.no_ack) {
            (_, true) => Self::Nothing,
            (Some(text), _) => Self::Text(Bytes::copy_from_slice(text.as_encoded_bytes())),
            (None, _) => Self::Text(Bytes::new()),
        }
    }

    fn give(&self, notification: Notification) {
        match self {
            Self::Nothing => notification.decline(),
            Self::Text(text) => {
                if let Err(error) = notification.ack(text.clone()) {
                    Failure::new("cannot answer as --ack says", error, "make it shorter").tell();
                }
            }
        }
    }
}

/// The watches at work.
struct Session {
    watches: SelectAll<Watched>,
    answer: Answer,
    /// Notifies until the end, if that was asked for.
    left: Option<u64>,
    out: AsyncStdout,
    runtime: Runtime,
}

impl Session {
    /// Creates what is to be created, watches, and prints events until enough notifies came.
    async fn work(&mut self, pool: &Pool, args: &cli::Watch) -> Result<(), Failure> {
        if args.create {
            let creates = stream::iter(&args.objects).map(|object| pool.create(name(object), false));
            let created = creates.buffer_unordered(CREATES).try_for_each(|_| std::future::ready(Ok(())));
            created.await.map_err(|error| explain(&error))?;
        }
        let options = WatchOptions {
            timeout: Duration::from_secs(args.timeout.into()),
            on_drop: if args.no_ack { OnDrop::Silent } else { OnDrop::AckEmpty },
            ..WatchOptions::default()
        };
        for object in &args.objects {
            let watch = pool.watch(name(object), options.clone()).await.map_err(|error| explain(&error))?;
            self.watches.push(Watched { object: Arc::new(watch.object().clone()), cookie: 0, watch });
        }
        self.events().await
    }

    /// Prints events until enough notifies came.
    async fn events(&mut self) -> Result<(), Failure> {
        while self.left != Some(0) {
            let Some(Happening { object, cookie, event }) = self.watches.next().await else {
                // Why each of them ended is told already.
                return Err(Failure::Silent);
            };
            if let WatchEvent::Failed(error) = event {
                return Err(explain(&error));
            }
            if let Some(line) = line(&object.name.to_string_lossy(), cookie, &event) {
                self.out.write(&line).await?;
            }
            match event {
                WatchEvent::Notification(notification) => {
                    self.answer.give(notification);
                    self.left = self.left.map(|left| left.saturating_sub(1));
                }
                WatchEvent::Error(error) if error.is_terminal() => {
                    explain(&Error::Watch { object: Box::new(object.as_ref().clone()), error }).tell();
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes the watches back; acks are before that in each session's queue.
    async fn close(&mut self, cluster: &Cluster) -> Result<(), Failure> {
        let drain = async {
            let mut closed = Vec::new();
            while let Some(Happening { object, event, .. }) = self.watches.next().await {
                match event {
                    // Too late to be shown: who unwatches is not missed.
                    WatchEvent::Notification(notification) => notification.decline(),
                    WatchEvent::Closed => closed.push(object),
                    _ => {}
                }
            }
            closed
        };
        let (left, closed) = zip(cluster.close(CLOSE_WITHIN), drain).await;
        let runtime = self.runtime;
        let words = async {
            for object in &closed {
                let object = object.name.to_string_lossy();
                self.out.write(&WatchLine::Closed { object: &object }).await?;
            }
            Ok(())
        };
        match (left, runtime.timeout(LAST_WORDS, words).await) {
            (Err(error), _) => Err(explain(&error)),
            (Ok(left), _) if !left.is_empty() => {
                Err(left_behind(&format!("no answer about {} of them", left.len())))
            }
            (Ok(_), Some(Err(failure @ Failure::Told(_)))) => Err(failure),
            (Ok(_), _) => Ok(()),
        }
    }
}

/// Another request to leave; at first they come in pairs, as timeout(1) sends them.
async fn insisted(signals: &mut Signals, runtime: Runtime) {
    let first = async {
        loop {
            signals.next().await;
        }
    };
    let _: Option<()> = runtime.timeout(PAIR, first).await;
    signals.next().await;
}

fn left_behind(why: &str) -> Failure {
    Failure::new("cannot take the watches back", why, "the cluster drops each when its timeout is over")
}

/// An event as it is printed; `None` for one that is not.
fn line<'a>(object: &'a str, cookie: u64, event: &WatchEvent) -> Option<WatchLine<'a>> {
    Some(match event {
        WatchEvent::Live(live) => WatchLine::Live {
            object,
            cookie: live.cookie,
            client: ClientName(live.global_id),
            osd: live.osd,
            pg: live.pg.to_string(),
            generation: live.generation,
            may_have_missed: live.may_have_missed,
            deaf_ms: u64::try_from(live.deaf_for.as_millis()).unwrap_or(u64::MAX),
            version: live.version,
        },
        WatchEvent::Notification(notification) => WatchLine::Notify {
            object,
            cookie,
            notify_id: notification.notify_id,
            from: notification.from.to_string(),
            payload: Payload::new(&notification.payload),
        },
        WatchEvent::Error(error) => WatchLine::Error {
            object,
            cookie,
            reason: reason(error.cause),
            errno: error.errno,
            terminal: error.is_terminal(),
        },
        WatchEvent::Overflow { lost } => WatchLine::Overflow { object, lost: *lost },
        WatchEvent::Closed => WatchLine::Closed { object },
        _ => return None,
    })
}
