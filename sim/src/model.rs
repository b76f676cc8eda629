//! What each watch was told, and whether it may have been told that.

use crate::truth::Truth;
use bytes::Bytes;
use linger_core::{LossCause, Timestamp, WatchEvent};
use linger_wire::Name;
use linger_wire::msg::WatcherId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) type RecordId = usize;

/// How late a loss may be told: timers are, and slow users look later still.
const SLACK: Duration = Duration::from_secs(15);

/// What matters of a watch's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Live {
        may_have_missed: bool,
    },
    Lost,
    /// Notifies were shed.
    Shed,
    Closed,
}

/// Everything about one watch of one client process.
#[derive(Debug)]
pub(crate) struct Watched {
    pub node: usize,
    pub life: u64,
    pub object: Name,
    pub id: linger_core::WatchId,
    /// All its registrations.
    pub cookies: BTreeSet<WatcherId>,
    /// With their places among all that happened.
    said: Vec<(u64, Said)>,
    generations: u32,
    /// A loss was told, and no return since.
    lost: bool,
    /// The last registration that the user was told of.
    pub live: Option<WatcherId>,
    delivered: BTreeSet<u64>,
    /// What the user answered; nothing yet for notifies in the user's hands.
    answers: BTreeMap<u64, Option<Bytes>>,
    /// The longest time without a ping that its OSD confirmed.
    pub lease: Duration,
    /// The user left, or the process died: nothing is promised from then on.
    pub left: Option<Left>,
    pub closed: bool,
    /// Notifies may be shed because the user is slow.
    pub slow: bool,
}

/// When a user left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left {
    /// Its place among all that happened.
    pub order: u64,
    pub at: Timestamp,
    /// Since when the machine had been awake.
    pub awake_since: Timestamp,
}

/// A watch that a user asks for.
#[derive(Debug)]
pub(crate) struct NewWatch {
    pub node: usize,
    pub life: u64,
    pub object: Name,
    pub id: linger_core::WatchId,
    pub slow: bool,
    pub lease: Duration,
}

/// All watches that ever were.
#[derive(Debug, Default)]
pub(crate) struct Model {
    pub watches: Vec<Watched>,
    by_cookie: BTreeMap<WatcherId, RecordId>,
    pub truth: Truth,
    pub delivered: u64,
}

impl Model {
    pub fn add(&mut self, watch: NewWatch) -> RecordId {
        let NewWatch { node, life, object, id, slow, lease } = watch;
        self.watches.push(Watched {
            node,
            life,
            object,
            id,
            cookies: BTreeSet::new(),
            said: Vec::new(),
            generations: 0,
            lost: false,
            live: None,
            delivered: BTreeSet::new(),
            answers: BTreeMap::new(),
            lease,
            left: None,
            closed: false,
            slow,
        });
        self.watches.len() - 1
    }

    pub fn find(&self, watcher: WatcherId) -> Option<&Watched> {
        self.by_cookie.get(&watcher).map(|record| &self.watches[*record])
    }

    /// A watch has this registration now.
    pub fn registered(&mut self, record: RecordId, watcher: WatcherId) {
        self.watches[record].cookies.insert(watcher);
        self.by_cookie.insert(watcher, record);
    }

    /// A user of a client of these numbers took an event.
    pub fn on_event(
        &mut self,
        now: Timestamp,
        record: RecordId,
        clients: &BTreeSet<u64>,
        event: &WatchEvent,
    ) -> Result<(), String> {
        let order = self.truth.order;
        let watched = &mut self.watches[record];
        if watched.closed {
            return Err(format!("an event after Closed: {event:?}"));
        }
        match event {
            WatchEvent::Live(live) => {
                if live.generation != watched.generations {
                    let expected = watched.generations;
                    return Err(format!("generation {} instead of {expected}", live.generation));
                }
                // A return says that something may be missing exactly if the watch was registered anew.
                let anew = std::mem::take(&mut watched.lost) || live.generation == 0;
                if live.may_have_missed != anew {
                    let lost = if anew { "" } else { "no " };
                    return Err(format!("{live:?} after {lost}loss that was told"));
                }
                watched.generations += 1;
                let watcher = WatcherId { client: live.global_id, cookie: live.cookie };
                watched.live = Some(watcher);
                // What a slow user gets to see may be over; and so may be what the first of two attempts brought.
                let since = Timestamp::from_micros(now.as_micros() - live.deaf_for.as_micros() as u64);
                let connected = self.truth.connected.get(&watcher);
                let is_new = connected.is_some_and(|(_, at)| *at >= since);
                if !watched.slow && !is_new && self.truth.unknown.contains(&watcher) {
                    return Err(format!("{live:?} though its OSD said that it does not know it"));
                }
                // The OSD's moment counts: what it does later is told later.
                let last = watched.said.last().map_or(0, |(at, _)| *at);
                let at = connected.map_or(order, |(place, _)| *place).max(last);
                watched.said.push((at, Said::Live { may_have_missed: live.may_have_missed }));
            }
            WatchEvent::Error(error) => {
                // A queue that closes its watch has shed what made it full.
                let closed = error.cause == LossCause::Closed;
                if std::mem::replace(&mut watched.lost, true) && !error.is_terminal() {
                    return Err(format!("a loss was told twice: {error}"));
                }
                watched.said.push((order, if closed { Said::Shed } else { Said::Lost }));
            }
            WatchEvent::Overflow { .. } => {
                watched.said.push((order, Said::Shed));
            }
            WatchEvent::Closed => {
                watched.closed = true;
                watched.said.push((order, Said::Closed));
            }
            WatchEvent::Notify(notify) => {
                let (id, payload) = (notify.notify_id, &notify.payload);
                if !watched.delivered.insert(id) {
                    return Err(format!("notify {id:#x} was delivered twice"));
                }
                watched.answers.insert(id, None);
                self.delivered += 1;
                let watched = &self.watches[record];
                let Some(sent) = self.truth.notifies.get(&(watched.object.clone(), id)) else {
                    return Err(format!("notify {id:#x} was never sent"));
                };
                if sent.payload != *payload {
                    return Err(format!("notify {id:#x} has another payload"));
                }
                // A registration that ended before its user looked is not known.
                let mine = |asked: &WatcherId| {
                    let owner = self.by_cookie.get(asked);
                    owner.is_none_or(|owner| *owner == record) && clients.contains(&asked.client)
                };
                if !sent.asked.iter().any(mine) {
                    return Err(format!("notify {id:#x} was for others"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A user answered a notify.
    pub fn on_answer(&mut self, record: RecordId, notify_id: u64, reply: Bytes) {
        self.watches[record].answers.insert(notify_id, Some(reply));
    }

    /// Compares the answers that an OSD has with those that users gave.
    pub fn check_answers(&self, object: &Name, notify_id: u64) -> Result<(), String> {
        let Some(sent) = self.truth.notifies.get(&(object.clone(), notify_id)) else { return Ok(()) };
        for ack in sent.done.iter().flat_map(|done| &done.watchers.acks) {
            let Some(watched) = self.find(ack.watcher) else { continue };
            let given = watched.answers.get(&notify_id);
            let right = match given {
                // In the queue still, and shed from there; or given back when the watch ended.
                None | Some(None) => ack.reply.is_empty(),
                Some(Some(reply)) => *reply == ack.reply,
            };
            if !right {
                return Err(format!(
                    "the answer of {:?} to notify {notify_id:#x} is {:?}, while its user gave {given:?}",
                    ack.watcher, ack.reply
                ));
            }
            if given.is_none() && !watched.slow && watched.left.is_none() && !watched.closed {
                return Err(format!(
                    "notify {notify_id:#x} was answered and not delivered to {:?}",
                    ack.watcher
                ));
            }
        }
        Ok(())
    }

    /// No watch was deaf without saying so.
    pub fn check_deafness(&self) -> Result<(), String> {
        for watched in &self.watches {
            for (id, sent) in self.truth.of(&watched.object) {
                let Some(done) = &sent.done else { continue };
                let named = done.watchers.missed.iter().any(|missed| watched.cookies.contains(missed));
                if named || watched.delivered.contains(&id) {
                    continue;
                }
                if let Some(promise) = watched.promised(sent.order, done.at) {
                    return Err(format!(
                        "client {} was deaf on {} and said that it was live ({promise}): notify {id:#x} of {:?} (place {}) \
                         completed without it; it was told {:?}",
                        watched.node, watched.object, sent.at, sent.order, watched.said
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Watched {
    /// Whether the watch promised that a notify of this place, which ended then, would come, and by what.
    fn promised(&self, at: u64, ended: Timestamp) -> Option<&'static str> {
        if self.left.is_some_and(|left| left.order <= at) {
            return None;
        }
        let before = self.said.iter().rposition(|(said, _)| *said < at)?;
        // Between an error and the return nothing is promised, but by a return that says so.
        let heard = self.said[..=before].iter().rev().find_map(|(_, said)| match said {
            Said::Live { .. } => Some(true),
            Said::Lost | Said::Closed => Some(false),
            Said::Shed => None,
        });
        let heard = heard?;
        let after = &self.said[before + 1..];
        // A slow user was told that something is missing, wherever in the queue that stands.
        if after.iter().any(|(_, said)| *said == Said::Shed) {
            return None;
        }
        let live = |said: &Said| match said {
            Said::Live { may_have_missed } => Some(*may_have_missed),
            _ => None,
        };
        // The next return speaks for all that was before it, errors or not.
        match after.iter().find_map(|(_, said)| live(said)) {
            // A slow user sees it later than it happened, so what came first is not known.
            _ if self.slow && after.iter().all(|(_, said)| live(said) == Some(false)) && heard => {}
            _ if self.slow => return None,
            Some(false) => return Some("it came back and had missed nothing"),
            Some(true) => return None,
            None if !heard || !after.is_empty() => return None,
            None => {}
        }
        // Who left had been told by then if a whole lease had passed, in which the machine was awake.
        let told_by = ended.saturating_add(self.lease + SLACK);
        match self.left {
            Some(left) if left.at < told_by || left.awake_since > ended => None,
            _ => Some("it never said otherwise"),
        }
    }
}
