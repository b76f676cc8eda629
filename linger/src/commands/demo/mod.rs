//! `demo`: what watch and notify are, on a cluster in memory.
//!
//! Two watchers and a notifier, each a client of its own. An OSD dies, and its work moves on; then one dies for so long
//! that the watches on it are lost, and come back.

mod show;
mod stage;

use crate::explain::explain;
use crate::failure::{Failure, Outcome};
use crate::output::Format;
use crate::records::Actor;
use crate::runtime::Runtime;
use async_channel::{Receiver, Sender};
use futures_lite::future::or;
use linger_client::config::Settings;
use linger_client::{
    Cluster, ConnectOptions, Live, NotifyOutcome, NotifyReport, ObjectRef, Pool, Watch, WatchEvent,
    WatchOptions,
};
use linger_mini_cluster::{MiniCluster, Servers, Who};
use show::Show;
use stage::{Change, OsdState};
use std::collections::BTreeMap;
use std::time::Duration;

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

/// How often the picture is drawn when nothing happens.
const TICK: Duration = Duration::from_millis(100);
const WATCHERS: [Actor; 2] = [Actor::Alice, Actor::Bob];

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
    let show = Show::new(format, &WATCHERS);
    let mini = MiniCluster::builder().down_after(None).start();
    let mini = mini.map_err(|error| Failure::new("cannot start the cluster", error, "try again"))?;
    let monitor = mini.mon();
    let (osds, holder) = mini.with(|servers, _| ((0..servers.map().max_osd).collect(), primary(servers)));
    let text = format!("a monitor at {monitor} and three OSDs run, all in this process");
    show.tell(Actor::Cluster, Change::Cluster { osds, holder }, &text)?;
    if show.is_live() {
        runtime.spawn(clock(runtime, show.clone()));
    }
    let (send, news) = async_channel::unbounded();
    let carol = connect(runtime, &mini).await?;
    let pool = carol.pool(POOL);
    pool.create(OBJECT, false).await.map_err(|error| explain(&error))?;
    let mut names = BTreeMap::new();
    let mut watchers = Vec::new();
    for actor in WATCHERS {
        let cluster = connect(runtime, &mini).await?;
        names.insert(cluster.global_id(), actor);
        let options = WatchOptions { timeout: TIMEOUT, ..WatchOptions::default() };
        let watch = cluster.pool(POOL).watch(OBJECT, options).await.map_err(|error| explain(&error))?;
        runtime.spawn(watcher(show.clone(), actor, watch, send.clone()));
        watchers.push(cluster);
    }
    drop(send);
    let mut director = Director { runtime, show: show.clone(), mini, pool, names, news };
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

/// Lets the time on the picture go on, for as long as somebody looks.
async fn clock(runtime: Runtime, show: Show) {
    while show.redraw().is_ok() {
        runtime.sleep(TICK).await;
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
        let (text, change, said) = match event {
            WatchEvent::Live(live) => {
                (describe(&live), Change::Live(me, live.osd), Some(News::Live(me, live)))
            }
            WatchEvent::Notification(notification) => {
                let text = String::from_utf8_lossy(&notification.payload).into_owned();
                // Too late is no failure.
                let _ = notification.ack(format!("{} heard it", me.name()));
                (format!("hears {text:?}"), Change::Heard(me, format!("{text:?}")), None)
            }
            WatchEvent::Error(error) => {
                let text = format!("LOST the watch: {error}; whatever is said now is missed");
                (text, Change::Lost(me), Some(News::Lost(me)))
            }
            _ => continue,
        };
        // Who does not read this is missed by the director, too.
        let _ = show.tell(me, change, &text);
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
        let text = format!("osd.{dead} starts again and takes its objects back");
        self.show.tell(Actor::Cluster, Change::Osd(dead, OsdState::Up), &text)?;
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
        let text = format!("osd.{dead}, which has the object, DIES{then}");
        self.show.tell(Actor::Cluster, Change::Osd(dead, OsdState::Dead), &text)?;
        Ok(dead)
    }

    fn mark_down(&self, dead: i32) -> Result<(), Failure> {
        let heir = self.mini.with(move |servers, now| {
            servers.mark_down(now, dead);
            primary(servers)
        });
        let heir = heir.ok_or_else(|| unexpected("no OSD has the object"))?;
        let (down, moved) = (Change::Osd(dead, OsdState::Down), Change::Holder(heir));
        self.show.tell(Actor::Cluster, down, &format!("the monitor marks osd.{dead} down"))?;
        self.show.tell(Actor::Cluster, moved, &format!("osd.{heir} has the object now"))
    }

    async fn notify(&self, text: &str) -> Result<(), Failure> {
        let said = format!("notifies {text:?}");
        self.show.tell(Actor::Carol, Change::Said(said.clone()), &said)?;
        let notify = self.pool.notify(OBJECT, text.to_owned(), ANSWERS).await;
        let outcome = notify.map_err(|error| explain(&error))?.await.map_err(|error| explain(&error))?;
        let (NotifyOutcome::Done(report) | NotifyOutcome::TimedOut(report)) = outcome else {
            return Err(unexpected("a notify has no outcome"));
        };
        let answers = self.answers(&report);
        self.show.tell(Actor::Carol, Change::Answers(answers.clone()), &answers)?;
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
