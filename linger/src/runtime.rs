//! The runtime that does the I/O, and what the tool needs of one.

use crate::failure::Failure;
use async_executor::Executor;
use clap::ValueEnum;
use futures_lite::future::or;
use linger_client::{ConnectOptions, Connecting, Error};
use std::future::Future;
use std::io;
use std::time::Duration;

/// smol's tasks; the main thread runs them.
static SMOL: Executor<'static> = Executor::new();

/// The runtimes there are, each with one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Runtime {
    /// tokio.
    #[default]
    Tokio,
    /// async-io and async-executor.
    Smol,
}

impl Runtime {
    /// Runs the future to its end; tasks that are left then go with the process.
    ///
    /// # Errors
    /// The runtime can not start.
    pub fn block_on<T>(self, future: impl Future<Output = T>) -> Result<T, Failure> {
        match self {
            Self::Tokio => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                let runtime = runtime.map_err(|error| {
                    Failure::new("cannot start", error, "see whether the system is out of resources")
                })?;
                let output = runtime.block_on(future);
                runtime.shutdown_background();
                Ok(output)
            }
            Self::Smol => Ok(async_io::block_on(SMOL.run(future))),
        }
    }

    /// Starts to connect; inside of [`Runtime::block_on`].
    ///
    /// # Errors
    /// The adapter's.
    pub fn connect(self, options: ConnectOptions) -> Result<Connecting, Error> {
        match self {
            Self::Tokio => linger_tokio::start(options),
            Self::Smol => {
                let (driver, connecting) = linger_smol::start(options)?;
                SMOL.spawn(driver).detach();
                Ok(connecting)
            }
        }
    }

    /// Runs the future beside all else; inside of [`Runtime::block_on`].
    pub fn spawn(self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::Tokio => drop(tokio::spawn(future)),
            Self::Smol => SMOL.spawn(future).detach(),
        }
    }

    /// Waits.
    pub async fn sleep(self, time: Duration) {
        match self {
            Self::Tokio => tokio::time::sleep(time).await,
            Self::Smol => _ = async_io::Timer::after(time).await,
        }
    }

    /// The future's output; `None` if the time is over first.
    pub async fn timeout<T>(self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        let late = async {
            self.sleep(time).await;
            None
        };
        or(async { Some(future.await) }, late).await
    }

    /// Takes SIGINT and SIGTERM over; inside of [`Runtime::block_on`].
    ///
    /// # Errors
    /// The system does not give them.
    pub fn signals(self) -> Result<Signals, Failure> {
        let signals = match self {
            Self::Tokio => tokio_signals().map(Signals::Tokio),
            Self::Smol => smol_signals().map(Signals::Smol),
        };
        signals.map_err(|error| Failure::new("cannot handle signals", error, "try again"))
    }
}

/// Requests to leave. While this lives they do not end the process by themselves.
pub enum Signals {
    /// SIGINT and SIGTERM.
    Tokio([TokioSignal; SIGNALS]),
    /// All of them.
    Smol(async_signal::Signals),
}

#[cfg(unix)]
const SIGNALS: usize = 2;
#[cfg(unix)]
type TokioSignal = tokio::signal::unix::Signal;

#[cfg(not(unix))]
const SIGNALS: usize = 0;
#[cfg(not(unix))]
type TokioSignal = std::convert::Infallible;

#[cfg(unix)]
fn tokio_signals() -> io::Result<[TokioSignal; SIGNALS]> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?])
}

#[cfg(not(unix))]
fn tokio_signals() -> io::Result<[TokioSignal; SIGNALS]> {
    Ok([])
}

fn smol_signals() -> io::Result<async_signal::Signals> {
    #[cfg(unix)]
    let signals = [async_signal::Signal::Int, async_signal::Signal::Term];
    #[cfg(not(unix))]
    let signals = [async_signal::Signal::Int];
    async_signal::Signals::new(signals)
}

impl Signals {
    /// The next request.
    pub async fn next(&mut self) {
        match self {
            #[cfg(unix)]
            Self::Tokio([interrupt, terminate]) => {
                or(async { _ = interrupt.recv().await }, async { _ = terminate.recv().await }).await;
            }
            #[cfg(not(unix))]
            Self::Tokio([]) => {
                if tokio::signal::ctrl_c().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
            Self::Smol(signals) => _ = futures_lite::StreamExt::next(signals).await,
        }
    }
}
