//! `demo`: what watch and notify are, on a cluster in memory.
//!
//! Two watchers and a notifier, each a client of its own. An OSD dies, and its work moves on; then one dies for so long
//! that the watches on it are lost, and come back.

use crate::explain::explain;
use crate::failure::{Failure, Outcome};
use crate::output::{Format, Stdout};
use crate::records::{Actor, DemoLine};
use crate::runtime::Runtime;
use async_channel::{Receiver, Sender};
use futures_lite::future::or;
use linger_client::config::Settings;
use linger_client::{
    Cluster, ConnectOptions, Live, NotifyOutcome, NotifyReport, ObjectRef, Pool, Watch, WatchEvent,
    WatchOptions,
};
use linger_mini_cluster::{MiniCluster, Servers, Who};
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

const POOL: &str = "rbd";
const OBJECT: &str = "greeting";
/// Seconds without a sign of life after which a watch is lost: as short as can be, so that nobody waits long.
const TIMEOUT: Duration = Duration::from_secs(3);
/// How long a notify waits for answers.
const ANSWERS: Duration = Duration::from_secs(3);
/// How long anything may take before the demo has failed.
const PATIENCE: Duration = Duration::from_secs(15);
/// A pause for whoever reads along.
const BEAT: Duration = Duration::from_millis(700);
/// How long the monitor takes to notice a death, when all goes well.
const QUICK: Duration = Duration::from_millis(600);

/// What a watcher tells the director.
enum News {
    Live(Actor, Live),
    Lost(Actor),
}

/// Plays it.
///
/// # Errors
/// Something did not go as it should.
pub async fn run(runtime: Runtime, format: Format) -> Result<Outcome, Failure> {
    let show = Show { start: Instant::now(), format };
    let mini = MiniCluster::builder().down_after(None).start();
    let mini = mini.map_err(|error| Failure::new("cannot start the cluster", error, "try again"))?;
    let monitor = mini.mon();
    show.line(Actor::Cluster, &format!("a monitor at {monitor} and three OSDs run, all in this process"))?;
    let (send, news) = async_channel::unbounded();
    let carol = connect(runtime, &mini).await?;
    let pool = carol.pool(POOL);
    pool.create(OBJECT, false).await.map_err(|error| explain(&error))?;
    let mut names = BTreeMap::new();
    let mut watchers = Vec::new();
    for actor in [Actor::Alice, Actor::Bob] {
        let cluster = connect(runtime, &mini).await?;
        names.insert(cluster.global_id(), actor);
        let options = WatchOptions { timeout: TIMEOUT, ..WatchOptions::default() };
        let watch = cluster.pool(POOL).watch(OBJECT, options).await.map_err(|error| explain(&error))?;
        runtime.spawn(watcher(show, actor, watch, send.clone()));
        watchers.push(cluster);
    }
    drop(send);
    let mut director = Director { runtime, show, mini, pool, names, news };
    let unread = async {
        crate::output::reader_gone().await;
        Err(Failure::ReaderGone)
    };
    or(director.play(), unread).await?;
    for cluster in watchers {
        cluster.close(PATIENCE).await.map_err(|error| explain(&error))?;
    }
    show.line(Actor::Cluster, "everybody leaves; 'linger mini' keeps such a cluster for you to try")?;
    Ok(Outcome::Done)
}

/// Where lines go.
#[derive(Debug, Clone, Copy)]
struct Show {
    start: Instant,
    format: Format,
}

impl Show {
    fn line(self, who: Actor, text: &str) -> Result<(), Failure> {
        let at_ms = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let coloured = self.format == Format::Text && io::stdout().is_terminal();
        let mut out = Stdout::new(self.format);
        out.write(&DemoLine { at_ms, who, text: text.to_owned(), coloured })?;
        out.finish()
    }
}

async fn connect(runtime: Runtime, mini: &MiniCluster) -> Result<Cluster, Failure> {
    let mon = format!("v2:{}", mini.mon());
    let settings = Settings::builder().mon_host(mon).key(mini.admin_key()).build();
    let settings = settings.map_err(|error| Failure::settings(&error))?;
    let options = ConnectOptions::try_from(&settings).map_err(|error| explain(&error))?;
    runtime.connect(options).map_err(|error| explain(&error))?.await.map_err(|error| explain(&error))
}

/// Shows what comes to a watch, and answers it, until the watch ends.
async fn watcher(show: Show, me: Actor, mut watch: Watch, news: Sender<News>) {
    while let Some(event) = watch.next().await {
        let (text, said) = match event {
            WatchEvent::Live(live) => (describe(&live), Some(News::Live(me, live))),
            WatchEvent::Notification(notification) => {
                let text = String::from_utf8_lossy(&notification.payload).into_owned();
                // Too late is no failure.
                let _ = notification.ack(format!("{} heard it", me.name()));
                (format!("hears {text:?}"), None)
            }
            WatchEvent::Error(error) => {
                let text = format!("LOST the watch: {error}; whatever is said now is missed");
                (text, Some(News::Lost(me)))
            }
            _ => continue,
        };
        // Who does not read this is missed by the director, too.
        let _ = show.line(me, &text);
        if let Some(said) = said {
            // The director may have left.
            let _ = news.try_send(said);
        }
    }
}

fn describe(live: &Live) -> String {
    let Live { osd, deaf_for, .. } = live;
    match (live.generation, live.may_have_missed) {
        (0, _) => format!("watches {POOL}/{OBJECT} at osd.{osd}"),
        (_, false) => {
            format!("BACK at osd.{osd}, deaf for {deaf_for:.1?}, and knows that nothing was missed")
        }
        (_, true) => format!(
            "BACK at osd.{osd}, deaf for {deaf_for:.1?}: something may have been missed, so reads anew"
        ),
    }
}

struct Director {
    runtime: Runtime,
    show: Show,
    mini: MiniCluster,
    pool: Pool,
    names: BTreeMap<u64, Actor>,
    news: Receiver<News>,
}

impl Director {
    async fn play(&mut self) -> Result<(), Failure> {
        self.all_live(|live| live.generation == 0).await?;
        self.notify("good morning").await?;
        self.runtime.sleep(BEAT).await;

        let dead = self.kill("")?;
        self.runtime.sleep(QUICK).await;
        self.mark_down(dead)?;
        self.all_live(|live| !live.may_have_missed).await?;
        self.notify("still there?").await?;
        self.runtime.sleep(BEAT).await;
        self.show.line(Actor::Cluster, &format!("osd.{dead} starts again and takes its objects back"))?;
        self.mini.with(move |servers, now| servers.restart(now, Who::Osd(dead)));
        self.all_live(|live| !live.may_have_missed).await?;
        self.runtime.sleep(BEAT).await;

        let dead = self.kill("; nobody notices for a while")?;
        self.all_lost().await?;
        self.runtime.sleep(BEAT).await;
        self.mark_down(dead)?;
        self.all_live(|live| live.may_have_missed).await?;
        self.notify("welcome back").await
    }

    /// Kills the OSD that serves the object.
    fn kill(&self, then: &str) -> Result<i32, Failure> {
        let dead = self.mini.with(|servers, now| {
            let primary = primary(servers)?;
            servers.kill(now, Who::Osd(primary));
            Some(primary)
        });
        let dead = dead.ok_or_else(|| unexpected("no OSD has the object"))?;
        self.show.line(Actor::Cluster, &format!("osd.{dead}, which has the object, DIES{then}"))?;
        Ok(dead)
    }

    fn mark_down(&self, dead: i32) -> Result<(), Failure> {
        let heir = self.mini.with(move |servers, now| {
            servers.mark_down(now, dead);
            primary(servers)
        });
        let heir = heir.ok_or_else(|| unexpected("no OSD has the object"))?;
        let text = format!("the monitor marks osd.{dead} down; osd.{heir} has the object now");
        self.show.line(Actor::Cluster, &text)
    }

    async fn notify(&self, text: &str) -> Result<(), Failure> {
        self.show.line(Actor::Carol, &format!("notifies {text:?}"))?;
        let notify = self.pool.notify(OBJECT, text.to_owned(), ANSWERS).await;
        let outcome = notify.map_err(|error| explain(&error))?.await.map_err(|error| explain(&error))?;
        let (NotifyOutcome::Done(report) | NotifyOutcome::TimedOut(report)) = outcome else {
            return Err(unexpected("a notify has no outcome"));
        };
        self.show.line(Actor::Carol, &self.answers(&report))?;
        match report.watchers.acks.len() == self.names.len() {
            true => Ok(()),
            false => Err(unexpected("not everybody answered")),
        }
    }

    fn answers(&self, report: &NotifyReport) -> String {
        let name = |client: &u64| self.names.get(client).map_or("somebody", |actor| actor.name());
        let acks = report.watchers.acks.iter();
        let acks: Vec<_> = acks.map(|ack| format!("{:?}", String::from_utf8_lossy(&ack.reply))).collect();
        let missed: Vec<_> = report.watchers.missed.iter().map(|watcher| name(&watcher.client)).collect();
        match missed[..] {
            [] => format!("gets {}; nobody missed it", acks.join(", ")),
            _ => format!("gets {}; missed by {}", acks.join(", "), missed.join(", ")),
        }
    }

    async fn all_live(&mut self, expected: impl Fn(&Live) -> bool) -> Result<(), Failure> {
        for _ in 0..self.names.len() {
            match self.next().await? {
                News::Live(_, live) if expected(&live) => {}
                News::Live(actor, live) => {
                    return Err(unexpected(&format!("{} is live as {live:?}", actor.name())));
                }
                News::Lost(actor) => return Err(unexpected(&format!("{} lost its watch", actor.name()))),
            }
        }
        Ok(())
    }

    async fn all_lost(&mut self) -> Result<(), Failure> {
        for _ in 0..self.names.len() {
            if let News::Live(actor, _) = self.next().await? {
                return Err(unexpected(&format!("{} did not lose its watch", actor.name())));
            }
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<News, Failure> {
        let next = self.runtime.timeout(PATIENCE, self.news.recv()).await;
        next.and_then(Result::ok).ok_or_else(|| unexpected("nothing happens any more"))
    }
}

fn primary(servers: &mut Servers) -> Option<i32> {
    servers.primary(&ObjectRef::new(POOL, OBJECT))
}

fn unexpected(why: &str) -> Failure {
    Failure::new("the demo failed", why, "a machine under heavy load can do that; try again")
}
