//! linger on embassy: a program that is told by lines of text what to watch and to notify.
//!
//! `linger-embassy-host POOL [SECONDS]` prints a port and speaks what `examples/src/bin/poll_loop/words.rs` has. The
//! executor, the clock and the two tasks are embassy's; only sockets and names are std's.

mod net;
#[path = "../../../examples/src/bin/poll_loop/words.rs"]
mod words;

use anyhow::{Context, Result};
use async_channel::{Receiver, Sender};
use async_io::Async;
use embassy_executor::{Executor, SpawnError, SpawnToken, Spawner};
use futures_lite::io::BufReader;
use futures_lite::{AsyncBufReadExt, AsyncWriteExt, Stream, future};
use futures_util::stream::TryStreamExt;
use linger_client::config::{Environment, Settings};
use linger_embassy::{Cluster, Config, ObjectRef, Runner, UnixTime, WatchEvent, WatchOptions};
use net::Host;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::net::{TcpListener, TcpStream};
use std::pin::Pin;
use std::process::exit;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};
use words::Ask;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let pool = args.next().context("usage: linger-embassy-host POOL [SECONDS]")?;
    let timeout = Duration::from_secs(args.next().map_or(Ok(30), |secs| secs.parse())?);
    let config = Config::try_from(&Settings::from_environment(Environment::from_process())?)?;
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let unix_now = UnixTime(SystemTime::UNIX_EPOCH.elapsed()?);
    let (cluster, runner) = linger_embassy::new(Host, Host, config, unix_now, seed)?;
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0))?;
    println!("{}", listener.get_ref().local_addr()?.port());
    let executor = Box::leak(Box::new(Executor::new()));
    executor.run(|spawner| {
        spawn(spawner, drive(runner));
        spawn(spawner, listen(listener, cluster, pool, timeout));
    })
}

fn spawn<T>(spawner: Spawner, task: Result<SpawnToken<T>, SpawnError>) {
    spawner.spawn(task.expect("each task is spawned once"));
}

#[embassy_executor::task]
async fn drive(runner: Runner<Host, Host>) {
    runner.run().await;
    exit(0);
}

#[embassy_executor::task]
async fn listen(listener: Async<TcpListener>, cluster: Cluster, pool: String, timeout: Duration) {
    let (say, said) = async_channel::unbounded();
    let agent = Agent { cluster, pool, timeout, say, held: RefCell::default(), holders: RefCell::default() };
    let served = async { agent.serve(&listener.accept().await?.0, said).await };
    if let Err(error) = served.await {
        eprintln!("{error:#}");
    }
    exit(1);
}

/// The program, towards its peer.
struct Agent {
    cluster: Cluster,
    pool: String,
    /// Of watches, notifies, and the end.
    timeout: Duration,
    say: Sender<String>,
    /// Objects whose events stay where they are, and who takes them later.
    held: RefCell<BTreeSet<String>>,
    holders: RefCell<Vec<Waker>>,
}

impl Agent {
    /// Does what the peer says, until that is gone.
    async fn serve(&self, peer: &Async<TcpStream>, said: Receiver<String>) -> Result<()> {
        let asked = BufReader::new(peer).lines().map_err(anyhow::Error::from);
        let work = asked.try_for_each_concurrent(None, |line| self.work(line));
        let mut peer = peer;
        let talk = async {
            while let Ok(line) = said.recv().await {
                peer.write_all(format!("{line}\n").as_bytes()).await?;
            }
            Ok(())
        };
        future::or(work, talk).await
    }

    async fn work(&self, line: String) -> Result<()> {
        let object = |name: &str| ObjectRef::new(self.pool.as_str(), name);
        match words::parse(&line) {
            Some(Ask::Watch(name, queue)) => self.watch(object(&name), name, queue).await?,
            Some(Ask::Notify(name, payload)) => {
                let outcome = self.cluster.notify(object(&name), payload, self.timeout).await?.await;
                self.say.try_send(words::outcome(&name, &outcome))?;
            }
            Some(Ask::Hold(name)) => _ = self.held.borrow_mut().insert(name),
            Some(Ask::Take(name)) => {
                self.held.borrow_mut().remove(&name);
                self.holders.take().into_iter().for_each(Waker::wake);
            }
            Some(Ask::Close) => _ = self.cluster.close(self.timeout).await,
            None => self.say.try_send("what?".to_owned())?,
        }
        Ok(())
    }

    async fn watch(&self, object: ObjectRef, name: String, queue: Option<usize>) -> Result<()> {
        let options = WatchOptions { queue, timeout: self.timeout, ..WatchOptions::default() };
        let mut watch = self.cluster.watch(object, options)?;
        loop {
            let event = poll_fn(|cx| {
                if self.held.borrow().contains(&name) {
                    self.holders.borrow_mut().push(cx.waker().clone());
                    return Poll::Pending;
                }
                Pin::new(&mut watch).poll_next(cx)
            });
            let Some(event) = event.await else { return Ok(()) };
            self.say.try_send(words::event(&name, &event))?;
            if let WatchEvent::Notify(notify) = event {
                watch.ack(notify.token, "seen")?;
            }
        }
    }
}
