//! A client on an executor of its own.

#[path = "../../src/net.rs"]
mod net;

use anyhow::{Context, Result};
use embassy_executor::{Executor, Spawner};
use linger_adapter_tests::support::PATIENCE;
use linger_embassy::{Cluster, Config, Runner, UnixTime};
pub use net::Host;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::SystemTime;

/// Lets tasks begin with a client; gives what they send.
pub fn run(
    config: Config,
    begin: impl FnOnce(Spawner, Cluster, Runner<Host, Host>, Sender<Result<()>>) + Send + 'static,
) -> Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let unix_now = UnixTime(SystemTime::UNIX_EPOCH.elapsed()?);
    let (done, result) = channel();
    // The executor never ends; the thread goes with the process.
    thread::spawn(move || {
        let executor = Box::leak(Box::new(Executor::new()));
        executor.run(|spawner| match linger_embassy::new(Host, Host, config, unix_now, seed) {
            Ok((cluster, runner)) => begin(spawner, cluster, runner, done),
            Err(error) => _ = done.send(Err(error.into())),
        });
    });
    result.recv_timeout(2 * PATIENCE).context("it does not end")?
}
