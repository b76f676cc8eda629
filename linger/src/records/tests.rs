use super::*;
use crate::output::Format;
use bytes::Bytes;
use linger_core::placement::{PgLine, PgMapping};
use linger_core::{LossCause, NotifyReport};
use linger_wire::msg::{NotifyAck, NotifyAcks, Watcher, WatcherId};
use linger_wire::{AddrType, EntityAddr, EntityName, EntityType, PgId};

fn json(record: &impl crate::output::Record) -> String {
    Format::Json.render(record).unwrap()
}

fn text(record: &impl crate::output::Record) -> String {
    Format::Text.render(record).unwrap()
}

#[test]
fn events_of_a_watch_as_json() {
    let live = WatchLine::Live {
        object: "o",
        cookie: u64::MAX,
        client: ClientName(4123),
        osd: 2,
        pg: PgId { pool: 3, seed: 31 }.to_string(),
        generation: 0,
        may_have_missed: false,
        deaf_ms: 0,
        version: None,
    };
    let expected =
        r#"{"event":"live","object":"o","cookie":18446744073709551615,"client":"client.4123","osd":2,"#;
    let rest = r#""pg":"3.1f","generation":0,"may_have_missed":false,"deaf_ms":0,"version":null}"#;
    assert_eq!(json(&live), format!("{expected}{rest}\n"));

    let notify = WatchLine::Notify {
        object: "o",
        cookie: 1,
        notify_id: 1 << 63,
        from: "client.7".into(),
        payload: Payload::new(b"\x02\0\0\0hi\xff"),
    };
    let expected =
        r#"{"event":"notify","object":"o","cookie":1,"notify_id":9223372036854775808,"from":"client.7","#;
    let rest = "\"payload\":\"\\u0002\\u0000\\u0000\\u0000hi\u{fffd}\",\"payload_hex\":\"020000006869ff\"}";
    assert_eq!(json(&notify), format!("{expected}{rest}\n"));

    let error = WatchLine::Error {
        object: "o",
        cookie: 1,
        reason: reason(LossCause::ObjectGone),
        errno: Some(2),
        terminal: true,
    };
    let expected =
        r#"{"event":"error","object":"o","cookie":1,"reason":"object_gone","errno":2,"terminal":true}"#;
    assert_eq!(json(&error), format!("{expected}\n"));

    let overflow = WatchLine::Overflow { object: "o", lost: 9 };
    assert_eq!(json(&overflow), "{\"event\":\"overflow\",\"object\":\"o\",\"lost\":9}\n");
    let closed = WatchLine::Closed { object: "o" };
    assert_eq!(json(&closed), "{\"event\":\"closed\",\"object\":\"o\"}\n");
}

#[test]
fn each_cause_has_its_word() {
    let words = [
        (LossCause::Disconnected, "disconnected"),
        (LossCause::TimedOut, "timed_out"),
        (LossCause::Lease, "lease"),
        (LossCause::ObjectGone, "object_gone"),
        (LossCause::PoolGone, "pool_gone"),
        (LossCause::Blocklisted, "blocklisted"),
        (LossCause::Denied, "denied"),
        (LossCause::Identity, "identity"),
        (LossCause::Held, "held"),
        (LossCause::Closed, "closed"),
        (LossCause::Refused, "refused"),
    ];
    for (cause, word) in words {
        assert_eq!(reason(cause), word);
    }
}

#[test]
fn a_report_as_json_and_text() {
    let ack =
        NotifyAck { watcher: WatcherId { client: 5, cookie: 1 << 60 }, reply: Bytes::from_static(b"yes\n") };
    let missed = vec![WatcherId { client: 6, cookie: 7 }];
    let report = NotifyReport { notify_id: 42, watchers: NotifyAcks { acks: vec![ack], missed } };
    let done = Done::from(&report);
    let expected =
        r#"{"event":"done","notify_id":42,"acks":[{"client":"client.5","cookie":1152921504606846976,"#;
    let rest = r#""payload":"yes\n","payload_hex":"7965730a"}],"missed":[{"client":"client.6","cookie":7}]}"#;
    assert_eq!(json(&done), format!("{expected}{rest}\n"));
    let lines = [
        "notify 42: 1 acked, 1 missed",
        r#"ack client.5 cookie 1152921504606846976: "yes\n""#,
        "missed client.6 cookie 7\n",
    ];
    assert_eq!(text(&done), lines.join("\n"));
}

#[test]
fn watchers_in_order_with_their_addresses() {
    let watcher = |num, cookie| Watcher {
        name: EntityName { kind: EntityType::CLIENT, num },
        cookie,
        timeout: 30,
        addr: EntityAddr { kind: AddrType::MSGR2, nonce: 3311, sock: Some("127.0.0.1:0".parse().unwrap()) },
    };
    let watchers = Watchers::new(vec![watcher(9, 2), watcher(4, 5)]);
    let expected =
        r#"{"watchers":[{"client":"client.4","cookie":5,"addr":"127.0.0.1:0/3311","timeout_s":30},"#;
    let rest = r#"{"client":"client.9","cookie":2,"addr":"127.0.0.1:0/3311","timeout_s":30}]}"#;
    assert_eq!(json(&watchers), format!("{expected}{rest}\n"));
    assert!(text(&watchers).starts_with("client.4 cookie 5 addr 127.0.0.1:0/3311 timeout 30 s\nclient.9 "));
    let nobody = Watchers::new(Vec::new());
    assert_eq!((json(&nobody).as_str(), text(&nobody).as_str()), ("{\"watchers\":[]}\n", ""));
}

#[test]
fn placement_with_holes_and_without_primary() {
    let mapping =
        PgMapping { up: [3, 2_147_483_647, 1].into_iter().collect(), up_primary: 3, ..PgMapping::default() };
    let pg = PgId { pool: 2, seed: 0xab };
    let map = ObjectMap::new("pool", "o b", pg, &mapping);
    let expected = r#"{"object":"o b","pool":"pool","pg":"2.ab","up":[3,2147483647,1],"up_primary":3,"#;
    assert_eq!(json(&map), format!("{expected}\"acting\":[],\"acting_primary\":-1}}\n"));
    assert_eq!(text(&map), "pool/o b pg 2.ab up ([3,2147483647,1], p3) acting ([], p-1)\n");

    let line = PgMap(PgLine { pg, raw: [1, 2].into_iter().collect(), mapping });
    let expected = r#"{"pg":"2.ab","raw":[1,2],"raw_primary":1,"up":[3,2147483647,1],"up_primary":3,"#;
    assert_eq!(json(&line), format!("{expected}\"acting\":[],\"acting_primary\":-1}}\n"));
    assert_eq!(text(&line), "2.ab raw ([1,2], p1) up ([3,2147483647,1], p3) acting ([], p-1)\n");
}

#[test]
fn names_do_not_break_lines() {
    let closed = WatchLine::Closed { object: "a\nb\"" };
    assert_eq!(text(&closed), "closed a\\nb\"\n");
    assert_eq!(json(&closed), "{\"event\":\"closed\",\"object\":\"a\\nb\\\"\"}\n");
}
