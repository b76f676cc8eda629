//! Who sent, saw, missed and announced what: the books from which the verdict follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The two watchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one under test.
    Linger,
    /// Ceph's own.
    Librados,
}

/// What the notifier was told of a notify.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Numbers of the clients that answered.
    pub acked: BTreeSet<u64>,
    /// Numbers of those that did not.
    pub missed: BTreeSet<u64>,
}

/// How a watcher did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Notifies that completed.
    pub completed: usize,
    /// Of these, seen by the watcher.
    pub seen: usize,
    /// Not seen, and the notifier was told so.
    pub told_missed: usize,
    /// Not seen, but in a gap that the watcher announced.
    pub in_gap: usize,
    /// Lost in silence: object and number.
    pub unannounced: Vec<(usize, u64)>,
    /// Deliveries beyond the first.
    pub again: u64,
    /// Losses that were announced.
    pub errors: u64,
    /// Time between a loss, or since when the watch counts as deaf, and its return.
    pub deaf: Duration,
    /// Returns that claimed that nothing was missed although a loss was announced before them.
    pub broken_promises: u64,
}

/// The books of one run.
#[derive(Debug)]
pub struct Ledger {
    start: Instant,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    sent: BTreeMap<(usize, u64), Sent>,
    linger: Witness,
    librados: Witness,
}

#[derive(Debug)]
struct Sent {
    began: Duration,
    ended: Option<(Duration, Report)>,
}

#[derive(Debug, Default)]
struct Witness {
    /// All numbers that the client ever had.
    ids: BTreeSet<u64>,
    seen: BTreeSet<(usize, u64)>,
    again: u64,
    watches: BTreeMap<usize, Watched>,
    errors: u64,
    deaf: Duration,
    broken_promises: u64,
}

/// One object as a watcher has it.
#[derive(Debug)]
struct Watched {
    /// Gaps that are over: from, to.
    gaps: Vec<(Duration, Duration)>,
    /// The gap that is not over: since when notifies may be missed, and when that was announced.
    open: Option<(Duration, Duration)>,
}

impl Default for Watched {
    /// Nothing is promised before the first registration.
    fn default() -> Self {
        Self { gaps: Vec::new(), open: Some((Duration::ZERO, Duration::ZERO)) }
    }
}

impl Watched {
    fn excuses(&self, from: Duration, to: Duration) -> bool {
        self.gaps.iter().any(|gap| gap.0 <= to && from <= gap.1)
            || self.open.is_some_and(|(since, _)| since <= to)
    }
}

impl Ledger {
    /// Empty books that begin at `start`.
    #[must_use]
    pub fn new(start: Instant) -> Self {
        Self { start, books: Mutex::default() }
    }

    /// A notify goes out.
    pub fn sends(&self, at: Instant, object: usize, number: u64) {
        let began = self.time(at);
        self.books().sent.insert((object, number), Sent { began, ended: None });
    }

    /// A notify completed.
    pub fn completes(&self, at: Instant, object: usize, number: u64, report: Report) {
        let at = self.time(at);
        if let Some(sent) = self.books().sent.get_mut(&(object, number)) {
            sent.ended = Some((at, report));
        }
    }

    /// A watcher saw a notify.
    pub fn sees(&self, side: Side, object: usize, number: u64) {
        let mut books = self.books();
        let witness = books.witness(side);
        if !witness.seen.insert((object, number)) {
            witness.again += 1;
        }
    }

    /// A watch of a client is live, and this is what it says of the time before.
    pub fn live(&self, side: Side, at: Instant, object: usize, client: u64, gap: Gap) {
        let at = self.time(at);
        let mut books = self.books();
        let witness = books.witness(side);
        witness.ids.insert(client);
        let watched = witness.watches.entry(object).or_default();
        let open = watched.open.take();
        let since = gap.deaf_for.map(|deaf_for| at.saturating_sub(deaf_for));
        if let Some(since) = since {
            witness.deaf += at.saturating_sub(since);
        }
        match (gap.may_have_missed, open) {
            (true, open) => {
                let from = since.or(open.map(|(since, _)| since)).unwrap_or(at);
                watched.gaps.push((from, at));
            }
            (false, Some(_)) => witness.broken_promises += 1,
            (false, None) => {}
        }
    }

    /// Adds to the time that a watcher was deaf, where its return does not say.
    pub fn deaf(&self, side: Side, span: Duration) {
        self.books().witness(side).deaf += span;
    }

    /// A watch is lost, and may have been for as long as `before`.
    pub fn lost(&self, side: Side, at: Instant, object: usize, before: Duration) {
        let at = self.time(at);
        let mut books = self.books();
        let witness = books.witness(side);
        witness.errors += 1;
        let watched = witness.watches.entry(object).or_default();
        watched.open.get_or_insert((at.saturating_sub(before), at));
    }

    /// When a watch's present loss was announced.
    #[must_use]
    pub fn lost_since(&self, side: Side, object: usize) -> Option<Instant> {
        let mut books = self.books();
        let (_, announced) = books.witness(side).watches.get(&object)?.open?;
        Some(self.start + announced)
    }

    /// Whether a notify of the object that began after `since` was answered by both watchers.
    #[must_use]
    pub fn both_answered(&self, object: usize, since: Instant) -> bool {
        let since = self.time(since);
        let books = self.books();
        let answered =
            |witness: &Witness, report: &Report| witness.ids.iter().any(|id| report.acked.contains(id));
        books.sent.range((object, 0)..=(object, u64::MAX)).rev().take(64).any(|(_, sent)| {
            sent.ended.as_ref().is_some_and(|(_, report)| {
                sent.began >= since && answered(&books.linger, report) && answered(&books.librados, report)
            })
        })
    }

    /// How a watcher did so far.
    #[must_use]
    pub fn verdict(&self, side: Side) -> Verdict {
        let mut books = self.books();
        let Books { sent, linger, librados } = &mut *books;
        let witness = if side == Side::Linger { linger } else { librados };
        let mut verdict = Verdict {
            again: witness.again,
            errors: witness.errors,
            deaf: witness.deaf,
            broken_promises: witness.broken_promises,
            ..Verdict::default()
        };
        for (key, sent) in sent {
            let Some((ended, report)) = &sent.ended else { continue };
            verdict.completed += 1;
            let named = |clients: &BTreeSet<u64>| witness.ids.iter().any(|id| clients.contains(id));
            let watched = witness.watches.get(&key.0);
            if witness.seen.contains(key) {
                verdict.seen += 1;
            } else if named(&report.acked) {
                // Somebody answered in the watcher's name without its having seen anything.
                verdict.unannounced.push(*key);
            } else if named(&report.missed) {
                verdict.told_missed += 1;
            } else if watched.is_none_or(|watched| watched.excuses(sent.began, *ended)) {
                verdict.in_gap += 1;
            } else {
                verdict.unannounced.push(*key);
            }
        }
        verdict
    }

    fn time(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a return says of the time before it.
#[derive(Debug, Clone, Copy)]
pub struct Gap {
    /// For how long the watch was deaf; `None` for a first registration.
    pub deaf_for: Option<Duration>,
    /// Whether notifies may have been missed.
    pub may_have_missed: bool,
}

impl Books {
    fn witness(&mut self, side: Side) -> &mut Witness {
        match side {
            Side::Linger => &mut self.linger,
            Side::Librados => &mut self.librados,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Gap = Gap { deaf_for: None, may_have_missed: true };

    /// A ledger with a watch on object 0 by client 7 since second 1, and a way to say seconds.
    fn books() -> (Ledger, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let at = move |secs| start + Duration::from_secs(secs);
        let ledger = Ledger::new(start);
        ledger.live(Side::Linger, at(1), 0, 7, FIRST);
        (ledger, at)
    }

    fn notify(ledger: &Ledger, began: Instant, ended: Instant, number: u64, acked: &[u64], missed: &[u64]) {
        let set = |clients: &[u64]| clients.iter().copied().collect();
        ledger.sends(began, 0, number);
        ledger.completes(ended, 0, number, Report { acked: set(acked), missed: set(missed) });
    }

    #[test]
    fn what_is_neither_seen_nor_announced_is_found() {
        let (ledger, at) = books();
        notify(&ledger, at(2), at(3), 1, &[7], &[]);
        ledger.sees(Side::Linger, 0, 1);
        notify(&ledger, at(4), at(5), 2, &[], &[7]);
        notify(&ledger, at(6), at(7), 3, &[], &[]);
        notify(&ledger, at(8), at(9), 4, &[7], &[]);
        let verdict = ledger.verdict(Side::Linger);
        assert_eq!((verdict.completed, verdict.seen, verdict.told_missed, verdict.in_gap), (4, 1, 1, 0));
        assert_eq!(verdict.unannounced, [(0, 3), (0, 4)], "unseen, and acked without being seen");
        assert_eq!(ledger.verdict(Side::Librados).in_gap, 4, "it never watched");
    }

    #[test]
    fn a_gap_excuses_what_overlaps_it_and_nothing_else() {
        let (ledger, at) = books();
        ledger.lost(Side::Linger, at(10), 0, Duration::from_secs(2));
        let back = Gap { deaf_for: Some(Duration::from_secs(3)), may_have_missed: true };
        ledger.live(Side::Linger, at(12), 0, 7, back);
        // The gap is what the return says: 9 to 12.
        for (number, began, ended) in [(1, 7, 8), (2, 8, 9), (3, 10, 11), (4, 12, 13), (5, 13, 14)] {
            notify(&ledger, at(began), at(ended), number, &[], &[]);
        }
        let verdict = ledger.verdict(Side::Linger);
        assert_eq!(verdict.unannounced, [(0, 1), (0, 5)]);
        assert_eq!((verdict.in_gap, verdict.errors, verdict.deaf), (3, 1, Duration::from_secs(3)));
    }

    #[test]
    fn a_return_that_claims_to_have_missed_nothing_excuses_nothing() {
        let (ledger, at) = books();
        let healed = Gap { deaf_for: Some(Duration::from_secs(3)), may_have_missed: false };
        ledger.live(Side::Linger, at(12), 0, 7, healed);
        notify(&ledger, at(10), at(11), 1, &[], &[]);
        assert_eq!(ledger.verdict(Side::Linger).unannounced, [(0, 1)]);
        assert_eq!(ledger.verdict(Side::Linger).broken_promises, 0);
        ledger.lost(Side::Linger, at(13), 0, Duration::ZERO);
        ledger.live(Side::Linger, at(14), 0, 7, healed);
        assert_eq!(ledger.verdict(Side::Linger).broken_promises, 1);
    }

    #[test]
    fn settled_is_answered_by_both() {
        let (ledger, at) = books();
        ledger.live(Side::Librados, at(1), 0, 8, FIRST);
        notify(&ledger, at(2), at(3), 1, &[7, 8], &[]);
        assert!(ledger.both_answered(0, at(2)));
        assert!(!ledger.both_answered(0, at(3)), "began before");
        notify(&ledger, at(4), at(5), 2, &[7], &[8]);
        assert!(!ledger.both_answered(0, at(3)));
    }
}
