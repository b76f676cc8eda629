//! What clients do, and what each of them sees.

use super::site::{POOL, Site};
use super::{Actor, Heard, Seen, Told};
use anyhow::{Context, Result, bail};
use serde_json::json;
use std::fmt::{Debug, Display};
use std::thread::sleep;
use std::time::{Duration, Instant};

const NAMES: [&str; 3] = ["alice", "bob", "carol"];
const OBJECT: &str = "greeting";
/// How long OSDs may take to follow the map.
const SETTLED: Duration = Duration::from_secs(20);

/// The lines of a play.
struct Play<'a> {
    actors: &'a [&'a dyn Actor],
    /// Global ids with whose they are.
    ids: Vec<(u64, &'static str)>,
    lines: Vec<String>,
}

/// Plays everything that all kinds of clients can.
pub fn play(site: &Site, actors: &[&dyn Actor]) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for (actor, name) in actors.iter().zip(NAMES) {
        ids.extend(actor.ids()?.into_iter().map(|id| (id, name)));
    }
    let mut play = Play { actors, ids, lines: Vec::new() };
    play.missing()?;
    play.contents()?;
    play.watches(site)?;
    play.removal(site)?;
    play.map_change(site)?;
    play.lockout(site)?;
    Ok(play.lines)
}

impl Play<'_> {
    fn say(&mut self, line: impl Display) {
        self.lines.push(line.to_string());
    }

    fn told<T: Debug>(&mut self, what: &str, told: Told<T>) -> Result<Result<T, i32>> {
        let told = told.with_context(|| what.to_owned())?;
        match &told {
            Ok(value) => self.say(format!("{what}: {value:?}")),
            Err(errno) => self.say(format!("{what}: errno {errno}")),
        }
        Ok(told)
    }

    fn name(&self, id: u64) -> &'static str {
        self.ids.iter().find(|(known, _)| *known == id).map_or("nobody", |(_, name)| name)
    }

    /// What is refused because there is nothing to do it with.
    fn missing(&mut self) -> Result<()> {
        let alice = self.actors[0];
        for pool in [POOL, "nowhere"] {
            self.told(&format!("stat in {pool}"), alice.stat(pool, OBJECT))?.ok();
            self.told(&format!("read in {pool}"), alice.read(pool, OBJECT))?.ok();
            self.told(&format!("remove in {pool}"), alice.remove(pool, OBJECT))?.ok();
        }
        self.told("write in nowhere", alice.write("nowhere", OBJECT, "content"))?.ok();
        let watch = alice.watch(OBJECT, "", 0)?.map(drop);
        self.told("watch nothing", Ok(watch))?.ok();
        let notify = alice.notify(OBJECT, "hello", 5)?.map(drop);
        self.told("notify nothing", Ok(notify))?.ok();
        Ok(())
    }

    fn contents(&mut self) -> Result<()> {
        let [alice, bob] = [self.actors[0], self.actors[1]];
        for content in ["a longer content", "short", ""] {
            self.told("write", alice.write(POOL, OBJECT, content))?.ok();
            self.told("read", bob.read(POOL, OBJECT))?.ok();
            self.told("stat", bob.stat(POOL, OBJECT))?.ok();
        }
        Ok(())
    }

    fn notify(&mut self, by: usize, payload: &str, seconds: u64) -> Result<()> {
        let what = format!("{} notifies {payload:?}", NAMES[by]);
        match self.actors[by].notify(OBJECT, payload, seconds)? {
            Err(errno) => self.say(format!("{what}: errno {errno}")),
            Ok(Heard { timed_out, acks, missed }) => {
                let mut acks: Vec<_> = acks.iter().map(|(id, reply)| (self.name(*id), reply)).collect();
                acks.sort_unstable();
                let mut missed: Vec<_> = missed.iter().map(|id| self.name(*id)).collect();
                missed.sort_unstable();
                self.say(format!("{what}: timed out {timed_out}, acks {acks:?}, missed {missed:?}"));
            }
        }
        Ok(())
    }

    fn sees(&mut self, who: usize) -> Result<()> {
        let name = NAMES[who];
        let line = match self.actors[who].event()? {
            Seen::Notify { watch, from, payload } => {
                format!("{name}'s watch {watch} hears {payload:?} from {}", self.name(from))
            }
            Seen::Lost { watch, why } => format!("{name}'s watch {watch} is lost: {why}"),
            Seen::Nothing => bail!("{name} sees nothing after {:?}", self.lines.last()),
        };
        self.say(line);
        Ok(())
    }

    fn watches(&mut self, site: &Site) -> Result<()> {
        let [alice, bob] = [self.actors[0], self.actors[1]];
        self.notify(2, "anybody there?", 5)?;
        let first = self.told("alice watches", alice.watch(OBJECT, "alice heard", 0))?;
        let second = self.told("bob watches slowly", bob.watch(OBJECT, "bob heard", 2500))?;
        self.say(format!("watchers: {}", site.watchers(OBJECT)?.len()));
        for (by, payload, seconds) in
            [(2, "hello", 10), (0, "from one of them", 10), (2, "", 10), (2, "quick", 1)]
        {
            self.notify(by, payload, seconds)?;
            self.sees(0)?;
            self.sees(1)?;
        }
        let again = self.told("alice watches twice", alice.watch(OBJECT, "alice's other watch", 0))?;
        self.notify(2, "thrice?", 10)?;
        for who in [0, 0, 1] {
            self.sees(who)?;
        }
        // Which of the two comes first is not for anybody to say.
        let last = self.lines.len() - 1;
        self.lines[last - 2..last].sort_unstable();
        for (who, watch) in [(bob, second), (alice, again)] {
            let watch = watch.ok().context("a watch")?;
            self.told("unwatch", who.unwatch(watch))?.ok();
            self.say(format!("watchers: {}", site.watchers(OBJECT)?.len()));
        }
        self.notify(1, "only one left", 10)?;
        self.sees(0)?;
        self.told("unwatch", alice.unwatch(first.ok().context("a watch")?))?.ok();
        self.notify(1, "nobody left", 10)
    }

    /// A watched object is removed.
    fn removal(&mut self, site: &Site) -> Result<()> {
        let [alice, bob] = [self.actors[0], self.actors[1]];
        self.told("alice watches", alice.watch(OBJECT, "", 0))?.ok();
        self.told("remove", bob.remove(POOL, OBJECT))?.ok();
        self.sees(0)?;
        self.notify(1, "gone", 5)?;
        self.told("write", bob.write(POOL, OBJECT, "again"))?.ok();
        self.say(format!("watchers: {}", site.watchers(OBJECT)?.len()));
        Ok(())
    }

    /// The OSD that has the object goes down, and comes back by itself.
    fn map_change(&mut self, site: &Site) -> Result<()> {
        let bob = self.actors[1];
        let watch = self.told("bob watches", bob.watch(OBJECT, "still here", 0))?;
        for _ in 0..2 {
            let place = site.command(&json!({"prefix": "osd map", "pool": POOL, "object": OBJECT}))?;
            let primary = place["acting_primary"].to_string();
            site.command(&json!({"prefix": "osd down", "ids": [primary]}))?;
            self.notify(2, "after a new interval", 20)?;
            self.sees(1)?;
        }
        self.told("unwatch", bob.unwatch(watch.ok().context("a watch")?))?.ok();
        Ok(())
    }

    /// A client is locked out.
    fn lockout(&mut self, site: &Site) -> Result<()> {
        let carol = self.actors[2];
        self.told("carol watches", carol.watch(OBJECT, "", 0))?.ok();
        let watchers = site.watchers(OBJECT)?;
        self.say(format!("watchers: {}", watchers.len()));
        let addr = watchers.first().and_then(|line| line.strip_prefix("watcher=")?.split(' ').next());
        let addr = addr.context("an address")?;
        let add = json!({"prefix": "osd blocklist", "blocklistop": "add", "addr": addr, "expire": 600.0});
        site.command(&add)?;
        self.sees(2)?;
        self.told("carol reads", carol.read(POOL, OBJECT))?.ok();
        // A client may have the map before the OSD does.
        let end = Instant::now() + SETTLED;
        while !site.watchers(OBJECT)?.is_empty() && Instant::now() < end {
            sleep(Duration::from_millis(200));
        }
        self.say(format!("watchers: {}", site.watchers(OBJECT)?.len()));
        let dump = site.command(&json!({"prefix": "osd dump"}))?;
        self.say(format!("listed: {}", dump["blocklist"][addr].is_string()));
        Ok(())
    }
}

/// What a client may not do that may only read.
pub fn refusals(reader: &dyn Actor) -> Result<Vec<String>> {
    let mut play = Play { actors: &[], ids: Vec::new(), lines: Vec::new() };
    play.told("reader reads", reader.read(POOL, OBJECT))?.ok();
    play.told("reader stats", reader.stat(POOL, OBJECT))?.ok();
    play.told("reader writes", reader.write(POOL, OBJECT, "mine"))?.ok();
    play.told("reader removes", reader.remove(POOL, OBJECT))?.ok();
    let watch = reader.watch(OBJECT, "", 0)?.map(drop);
    play.told("reader watches", Ok(watch))?.ok();
    let notify = reader.notify(OBJECT, "hello", 5)?.map(drop);
    play.told("reader notifies", Ok(notify))?.ok();
    Ok(play.lines)
}

/// What `rados` prints.
pub fn tool(site: &Site) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for words in [
        "stat missing",
        "get missing -",
        "rm missing",
        "listwatchers missing",
        "notify missing hello",
        "create tool",
        "create tool",
        "put tool /dev/null",
        "get tool -",
        "append tool /etc/hostname",
        "truncate tool 3",
        "stat tool",
        "notify tool hello",
        "rm tool",
        "-p nowhere stat tool",
    ] {
        let args: Vec<&str> = words.split(' ').collect();
        let output = site.rados(&args)?;
        lines.push(format!("rados {words}: {:?}", output.status.code()));
        for text in [output.stdout, output.stderr] {
            let text = String::from_utf8_lossy(&text).into_owned();
            lines.extend(text.lines().filter(|line| !line.starts_with("20")).map(without_time));
        }
    }
    Ok(lines)
}

/// A line without the time at which an object was written.
fn without_time(line: &str) -> String {
    match (line.find(" mtime "), line.find(", size")) {
        (Some(from), Some(to)) if from < to => format!("{}{}", &line[..from], &line[to..]),
        _ => line.to_owned(),
    }
}
