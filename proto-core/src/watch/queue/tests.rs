use super::*;
use crate::error::{LossCause, WatchError};
use crate::ids::{WatchId, WatchKey};
use crate::output::{AckToken, Live};
use linger_wire::{EntityName, PgId};
use slotmap::Key;

fn notify(notify_id: u64) -> Notify {
    sized(notify_id, 1)
}

fn sized(notify_id: u64, len: usize) -> Notify {
    let watch = WatchId::from(WatchKey::null());
    Notify {
        notify_id,
        from: EntityName::client(1),
        version: 0,
        payload: vec![b'x'; len].into(),
        token: AckToken { watch, cookie: 1, notify_id },
    }
}

fn offer(queue: &mut Queue, ids: core::ops::RangeInclusive<u64>, when_full: WhenFull) -> Vec<u64> {
    let mut shed = Vec::new();
    for id in ids {
        match queue.offer(Timestamp::default(), notify(id), 2, 1, when_full) {
            Offered::Queued => {}
            Offered::Shed(list) => shed.extend(list.iter().map(|s| s.notify_id)),
            Offered::Close(s) => shed.push(s.notify_id + 1000),
        }
    }
    shed
}

fn taken(queue: &mut Queue) -> Vec<String> {
    core::iter::from_fn(|| queue.pop())
        .map(|event| match event {
            WatchEvent::Notify(n) => format!("{}", n.notify_id),
            WatchEvent::Overflow { lost } => format!("lost {lost}"),
            other => format!("{other:?}"),
        })
        .collect()
}

#[test]
fn policies_at_the_bound() {
    let cases: [(WhenFull, &[u64], &[&str]); 4] = [
        (WhenFull::KeepOldest, &[3, 4], &["1", "2", "lost 2"]),
        (WhenFull::KeepNewest, &[1, 2], &["lost 2", "3", "4"]),
        (WhenFull::Coalesce, &[1, 2], &["lost 2", "3", "4"]),
        (WhenFull::Close, &[1003, 1004], &["1", "2"]),
    ];
    for (when_full, shed, events) in cases {
        let mut queue = Queue::default();
        assert_eq!(offer(&mut queue, 1..=2, when_full), [0u64; 0], "at the bound nothing is shed");
        assert_eq!(offer(&mut queue, 3..=4, when_full), shed, "{when_full:?}");
        let mut seen = taken(&mut queue);
        seen.sort_by_key(|event| !event.starts_with("lost") && when_full != WhenFull::KeepOldest);
        assert_eq!(seen, events, "{when_full:?}");
    }
}

/// Ten bytes for 4, 3 and 3, and then for one more.
#[test]
fn policies_at_the_budget() {
    use WhenFull::{Close, Coalesce, KeepNewest, KeepOldest};
    let cases: [(WhenFull, usize, &[u64]); 9] = [
        (KeepOldest, 1, &[4]),
        (KeepNewest, 4, &[1]),
        (KeepNewest, 5, &[1, 2]),
        (KeepNewest, 10, &[1, 2, 3]),
        (KeepNewest, 11, &[4]),
        (Coalesce, 1, &[1, 2, 3]),
        (Coalesce, 10, &[1, 2, 3]),
        (Coalesce, 11, &[4]),
        (Close, 1, &[4]),
    ];
    for (when_full, len, expected) in cases {
        let (mut queue, mut room) = (Queue::default(), 10);
        for (id, len) in [(1, 4), (2, 3), (3, 3)] {
            let offered = queue.offer(Timestamp::default(), sized(id, len), 9, room, when_full);
            assert_eq!(offered, Offered::Queued, "{when_full:?}");
            room -= len;
        }
        let offered = queue.offer(Timestamp::default(), sized(4, len), 9, room, when_full);
        let shed: Vec<u64> = match offered {
            Offered::Queued => Vec::new(),
            Offered::Shed(list) => list.iter().map(|shed| shed.notify_id).collect(),
            Offered::Close(shed) => vec![shed.notify_id],
        };
        assert_eq!(shed, expected, "{when_full:?} {len}");
        let kept: usize = core::iter::from_fn(|| queue.pop())
            .map(|event| if let WatchEvent::Notify(notify) = event { notify.payload.len() } else { 0 })
            .sum();
        assert!(kept <= 10, "{when_full:?} {len}: {kept}");
    }
}

fn live(generation: u32, may_have_missed: bool) -> WatchEvent {
    let deaf_for = Duration::from_secs(if generation == 0 { 0 } else { 1 });
    let pg = PgId { pool: 1, seed: 0 };
    WatchEvent::Live(Live {
        generation,
        may_have_missed,
        deaf_for,
        version: None,
        cookie: 1,
        global_id: 1,
        osd: 0,
        pg,
    })
}

fn error(cause: LossCause) -> WatchEvent {
    WatchEvent::Error(WatchError { cause, errno: None })
}

/// A return that says that something is missing is not forgotten without the next one saying so.
#[test]
fn a_forgotten_loss_is_told_by_the_next_return() {
    let (mut queue, now) = (Queue::default(), Timestamp::default());
    queue.push(now, live(0, true));
    queue.pop();
    queue.push(now, error(LossCause::Lease));
    queue.push(now, live(1, true));
    offer(&mut queue, 1..=1, WhenFull::KeepOldest);
    let last = STATES_MAX as u32;
    for generation in 2..=last {
        queue.push(now, live(generation, false));
    }
    let told: Vec<_> = core::iter::from_fn(|| queue.pop())
        .filter_map(|event| match event {
            WatchEvent::Live(live) => Some((live.generation, live.may_have_missed, live.deaf_for.as_secs())),
            WatchEvent::Error(_) => panic!("the loss went with its return"),
            _ => None,
        })
        .collect();
    assert_eq!(told[..2], [(2, true, 2), (3, false, 1)]);
    assert_eq!(told.last(), Some(&(last, false, 1)));
}

/// A user who is to register by hand, and does so without reading, makes nothing grow.
#[test]
fn losses_without_returns_are_bounded() {
    let (mut queue, now) = (Queue::default(), Timestamp::default());
    queue.push(now, live(0, true));
    for n in 0..2 * STATES_MAX {
        let cause = if n % 2 == 0 { LossCause::Lease } else { LossCause::ObjectGone };
        queue.push(now, error(cause));
        queue.push(now, WatchEvent::ReregisterNeeded { cause });
        assert!(queue.len() <= STATES_MAX, "{n}");
        let newest = queue.events.back().map(|(_, event)| event);
        assert!(matches!(newest, Some(WatchEvent::ReregisterNeeded { .. })), "the newest stays");
    }
    assert!(matches!(queue.pop(), Some(WatchEvent::Live(_))), "nothing speaks for the only return");
}

#[test]
fn marks_come_in_their_turn_and_are_bounded() {
    let mut queue = Queue::default();
    let now = Timestamp::default();
    offer(&mut queue, 1..=1, WhenFull::KeepOldest);
    assert!(queue.mark(now, 7));
    offer(&mut queue, 2..=2, WhenFull::KeepOldest);
    assert_eq!(taken(&mut queue), ["1", "Flushed { token: 7 }", "2"]);
    assert!((0..MARKS_MAX as u64).all(|token| queue.mark(now, token)), "at the bound");
    assert!(!queue.mark(now, 0), "beyond it");
    queue.pop();
    assert!(queue.mark(now, 0), "there is room again");
    assert_eq!(offer(&mut queue, 1..=2, WhenFull::KeepOldest), [0u64; 0], "marks take no notify's place");
}

#[test]
fn says_once_that_it_is_readable() {
    let mut queue = Queue::default();
    assert!(!queue.announce(), "empty");
    offer(&mut queue, 1..=2, WhenFull::KeepOldest);
    assert!(queue.announce());
    assert!(!queue.announce());
    queue.pop();
    assert!(!queue.announce(), "not yet drained");
    taken(&mut queue);
    offer(&mut queue, 3..=3, WhenFull::KeepOldest);
    assert!(queue.announce(), "drained and filled again");
}
