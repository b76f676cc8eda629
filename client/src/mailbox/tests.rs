use super::*;
use crate::flush::FlushTicket;
use crate::watch::Notification;

const NOW: Timestamp = Timestamp::MAX;

fn overflow(range: std::ops::Range<u64>) -> impl FnMut() -> Option<Item> {
    let mut range = range;
    move || range.next().map(|lost| Item::Event(WatchEvent::Overflow { lost }))
}

#[test]
fn events_are_moved_only_while_there_is_room() {
    let mut cx = Context::from_waker(Waker::noop());
    let mailbox = Mailbox::new(Some(4), &Waiting::new(0));
    let mut next = overflow(0..6);
    mailbox.fill(NOW, false, &mut next);
    assert!(
        next().is_some_and(|event| matches!(event, Item::Event(WatchEvent::Overflow { lost: 4 }))),
        "4 fit"
    );
    let asked: Vec<_> = (0..4).map(|_| mailbox.poll(&mut cx).1).collect();
    assert_eq!(asked, [false, true, false, false], "asked for once, when half is free");
    assert!(mailbox.poll(&mut cx).0.is_pending());
}

fn payloads(lens: &[usize]) -> impl FnMut() -> Option<Item> {
    let mut lens = lens.iter();
    move || lens.next().map(|len| Item::Event(WatchEvent::Notification(Notification::of_bytes(*len))))
}

#[test]
fn payloads_are_moved_only_up_to_a_part_of_all_bytes_and_one_more() {
    let mut cx = Context::from_waker(Waker::noop());
    let waiting = Waiting::new(10 * PART);
    let mailbox = Mailbox::new(None, &waiting);
    let mut next = payloads(&[9, 1, 1, 100, 0, 5, 5]);
    let mut fill = |items, bytes| {
        mailbox.fill(NOW, false, &mut next);
        assert_eq!((waiting.items(), waiting.bytes()), (items, bytes));
    };
    let mut poll = || match mailbox.poll(&mut cx) {
        (Poll::Ready(Some(WatchEvent::Notification(notification))), ask) => (notification.payload.len(), ask),
        other => panic!("{other:?}"),
    };
    fill(2, 10);
    assert_eq!(poll(), (9, true), "half is free");
    fill(3, 102);
    assert_eq!([poll(), poll(), poll()], [(1, false), (1, false), (100, true)]);
    fill(3, 10);
    assert_eq!([poll(), poll(), poll()], [(0, false), (5, true), (5, false)]);
    fill(0, 0);
}

#[test]
fn all_mailboxes_count_together_and_those_of_handles_that_are_gone_not() {
    let waiting = Waiting::new(0);
    let mailboxes = [(); 3].map(|()| Mailbox::new(None, &waiting));
    for mailbox in &mailboxes {
        let mut next = payloads(&[7, 8]);
        mailbox.fill(NOW, false, &mut next);
        assert!(next().is_some(), "an empty one takes one payload, of whatever size");
    }
    assert_eq!((waiting.items(), waiting.bytes()), (3, 21));
    mailboxes[0].orphan();
    mailboxes[0].fill(NOW, false, payloads(&[9, 9]));
    assert_eq!((waiting.items(), waiting.bytes()), (2, 14));
    mailboxes[1].fill(NOW, true, payloads(&[1, 1]));
    assert_eq!((waiting.items(), waiting.bytes()), (4, 16), "the end comes in any case");
}

#[test]
fn the_end_comes_after_all_events() {
    let mut cx = Context::from_waker(Waker::noop());
    let mailbox = Mailbox::new(Some(1), &Waiting::new(0));
    let lost = WatchError { cause: linger_core::LossCause::ObjectGone, errno: Some(2) };
    let mut events = vec![WatchEvent::Closed, WatchEvent::Error(lost)];
    let mut next = || events.pop().map(Item::Event);
    mailbox.fill(NOW, false, &mut next);
    assert!(matches!(mailbox.poll(&mut cx), (Poll::Ready(Some(WatchEvent::Error(_))), true)));
    assert!(mailbox.poll(&mut cx).0.is_pending(), "the loss is known, the end is still to come");
    mailbox.fill(NOW, false, &mut next);
    assert!(matches!(mailbox.status(), Status::Lost(_)), "what ended it stays known");
    assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Closed))));
    assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(None)));
    assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(None)), "for ever");
}

fn error(errno: i32) -> WatchEvent {
    WatchEvent::Error(WatchError { cause: linger_core::LossCause::Refused, errno: Some(errno) })
}

fn live() -> Live {
    Live {
        generation: 1,
        may_have_missed: true,
        deaf_for: std::time::Duration::ZERO,
        version: None,
        cookie: 1,
        global_id: 1,
        osd: 0,
        pg: linger_wire::PgId { pool: 1, seed: 0 },
    }
}

#[test]
fn who_waits_until_it_is_live_gets_what_is_behind_a_full_mailbox() {
    let mut cx = Context::from_waker(Waker::noop());
    let gone = WatchError { cause: linger_core::LossCause::ObjectGone, errno: Some(2) };
    for last in [WatchEvent::Live(live()), WatchEvent::Error(gone)] {
        let is_live = matches!(last, WatchEvent::Live(_));
        let mailbox = Mailbox::new(Some(1), &Waiting::new(0));
        let mut events = VecDeque::from([error(1), WatchEvent::Overflow { lost: 1 }, last]);
        events.push_back(WatchEvent::Overflow { lost: 2 });
        let mut next = || events.pop_front().map(Item::Event);
        mailbox.fill(NOW, false, &mut next);
        assert_eq!(mailbox.len(), 1, "nobody waits");
        assert!(matches!(mailbox.poll_live(&mut cx), (Poll::Pending, true)));
        assert!(matches!(mailbox.poll_live(&mut cx), (Poll::Pending, false)), "asked for once");
        mailbox.fill(NOW, false, &mut next);
        let (Poll::Ready(status), false) = mailbox.poll_live(&mut cx) else { panic!("not known") };
        assert_eq!(matches!(status, Status::Live(_)), is_live);
        assert_eq!(mailbox.len(), 3, "what comes after it waits for room");
        let asked: Vec<_> = (0..3).map(|_| mailbox.poll(&mut cx).1).collect();
        assert_eq!(asked, [false, false, true]);
    }
}

#[test]
fn losses_beyond_the_room_are_bounded() {
    let mut cx = Context::from_waker(Waker::noop());
    let waiting = Waiting::new(0);
    let mailbox = Mailbox::new(Some(1), &waiting);
    assert!(mailbox.poll_live(&mut cx).0.is_pending());
    let fill = |errnos: std::ops::Range<i32>, len| {
        let mut errnos = errnos.flat_map(|errno| [errno, errno]);
        mailbox.fill(NOW, false, || errnos.next().map(|errno| Item::Event(error(errno))));
        assert_eq!((mailbox.len(), waiting.items()), (len, len));
    };
    fill(0..LOSSES as i32 + 1, LOSSES + 1);
    fill(1000..1100, LOSSES + 1);
    let last = std::iter::from_fn(|| match mailbox.poll(&mut cx).0 {
        Poll::Ready(Some(WatchEvent::Error(error))) => error.errno,
        _ => None,
    });
    assert_eq!(last.last(), Some(1099), "the newest is there");
}

#[test]
fn marks_beyond_the_room_are_bounded() {
    let mut cx = Context::from_waker(Waker::noop());
    let mailbox = Mailbox::new(Some(1), &Waiting::new(0));
    assert!(mailbox.poll_live(&mut cx).0.is_pending());
    let mark = Mark::new(FlushTicket::new());
    let mut first = Some(Item::Event(error(1)));
    let mut next = || first.take().or_else(|| Some(Item::Mark(Some(mark.clone()))));
    mailbox.fill(NOW, false, &mut next);
    assert_eq!(mailbox.len(), 1 + MARKS);
    assert!(matches!(mailbox.poll(&mut cx), (Poll::Ready(Some(WatchEvent::Error(_))), true)), "room again");
    assert_eq!(mailbox.len(), 0);
}

#[test]
fn nothing_is_kept_for_a_handle_that_is_gone() {
    let mailbox = Mailbox::new(None, &Waiting::new(0));
    mailbox.fill(NOW, false, overflow(0..3));
    mailbox.orphan();
    let mut next = overflow(0..100);
    mailbox.fill(NOW, false, &mut next);
    assert!(next().is_none(), "the core's queue is emptied all the same");
    assert!(lock(&mailbox.state).items.is_empty());
}

#[test]
fn a_mark_ends_when_all_before_it_is_taken() {
    let mut cx = Context::from_waker(Waker::noop());
    let mailbox = Mailbox::new(None, &Waiting::new(0));
    let ticket = FlushTicket::new();
    let mut items = vec![
        Item::Event(WatchEvent::Closed),
        Item::Mark(Some(Mark::new(ticket.clone()))),
        Item::Event(WatchEvent::Overflow { lost: 1 }),
    ];
    mailbox.fill(NOW, false, || items.pop());
    assert!(ticket.poll(&mut cx).is_pending());
    assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Overflow { lost: 1 }))));
    assert!(ticket.poll(&mut cx).is_ready(), "what comes after it is not waited for");
    assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Closed))));

    for orphaned in [false, true] {
        let (mailbox, ticket) = (Mailbox::new(None, &Waiting::new(0)), FlushTicket::new());
        let mark = Mark::new(ticket.clone());
        if orphaned {
            mailbox.orphan();
        }
        let mut item = Some(Item::Mark(Some(mark)));
        mailbox.fill(NOW, false, || item.take());
        assert!(ticket.poll(&mut cx).is_ready(), "nothing is before it");
    }
}

#[test]
fn marks_with_nothing_before_them_take_no_room() {
    let mut cx = Context::from_waker(Waker::noop());
    let mailbox = Mailbox::new(None, &Waiting::new(0));
    let ticket = FlushTicket::new();
    let mark = Mark::new(ticket.clone());
    let marks = (0..=ROOM).map(|_| Item::Mark(Some(mark.clone())));
    let mut items = marks.chain([Item::Event(WatchEvent::Closed)]).collect::<VecDeque<_>>();
    drop(mark);
    // With nothing to take nobody would ask for the rest.
    mailbox.fill(NOW, false, || items.pop_front());
    assert!(ticket.poll(&mut cx).is_ready());
    assert!(matches!(mailbox.poll(&mut cx).0, Poll::Ready(Some(WatchEvent::Closed))));
}
