use super::*;
use crate::settings::Settings;
use linger_core::UnixTime;
use std::net::SocketAddr;
use std::time::Duration;

fn servers() -> Servers {
    let addr = |n: u16| SocketAddr::from(([127, 0, 0, 1], 7000 + n));
    let settings = Settings::new(vec![addr(0)], (1..4).map(addr).collect());
    let unix = UnixTime(Duration::from_secs(1_800_000_000));
    Servers::new(Timestamp::default(), unix, settings, [1; 32])
}

fn ask(servers: &mut Servers, caps: &str, command: &Value) -> (i32, String, String) {
    let words = vec![Name::from(command.to_string().as_str())];
    let from = Caller { caps: caps.into(), features: linger_core::FEATURES };
    let ack = run(servers, Timestamp::default(), &from, words);
    let output = String::from_utf8_lossy(&ack.output).into_owned();
    (ack.result, ack.text.to_string_lossy().into_owned(), output)
}

/// Every command is one that a client with all rights may send without arguments, if only to be refused.
#[test]
fn every_command_answers() {
    let mut servers = servers();
    for command in COMMANDS {
        let (result, text, _) = ask(&mut servers, "allow *", &json!({"prefix": command.prefix}));
        assert!(result <= 0 && text != "command not known", "{}: {result} {text}", command.prefix);
    }
    let described = descriptions();
    assert_eq!(described.as_object().map(Map::len), Some(COMMANDS.len()));
}

#[test]
fn what_is_not_known_or_not_allowed_is_refused() {
    let mut servers = servers();
    for (caps, command, errno) in [
        ("allow *", json!({"prefix": "status"}), EINVAL),
        ("allow *", json!("no object"), EINVAL),
        ("allow r", json!({"prefix": "osd down", "ids": ["0"]}), EACCES),
        ("", json!({"prefix": "fsid"}), EACCES),
        ("allow *", json!({"prefix": "fsid", "format": "xml"}), EINVAL),
        ("allow *", json!({"prefix": "osd down", "ids": ["nobody"]}), EINVAL),
        ("allow *", json!({"prefix": "osd blocklist", "blocklistop": "add", "addr": "nobody"}), EINVAL),
    ] {
        let epoch = servers.map().epoch;
        let (result, text, output) = ask(&mut servers, caps, &command);
        assert_eq!((result, output.as_str()), (-errno, ""), "{command}: {text}");
        assert_eq!(servers.map().epoch, epoch, "{command}");
    }
    assert_eq!(ask(&mut servers, "allow r", &json!({"prefix": "fsid"})).0, 0);
}

/// A pool is not removed by accident, as in Ceph.
#[test]
fn a_pool_is_removed_for_who_says_so_twice() {
    let mut servers = servers();
    let mut rm = json!({"prefix": "osd pool rm", "pool": "test"});
    for (key, value) in
        [("pool2", json!("rbd")), ("pool2", json!("test")), ("yes_i_really_really_mean_it", json!(true))]
    {
        let (result, _, _) = ask(&mut servers, "allow *", &rm);
        assert_ne!(result, 0, "{rm}");
        rm[key] = value;
    }
    let (result, text, _) = ask(&mut servers, "allow *", &rm);
    assert_eq!((result, text.as_str()), (0, "pool 'test' removed"));
    assert!(servers.map().pool_id(&"test".into()).is_none());
}

/// Each in its own time, by an epoch of its own.
#[test]
fn who_is_locked_out_is_let_in_when_the_time_is_over() {
    let mut servers = servers();
    for (addr, expire) in [("127.0.0.1:0/7", 2.5), ("127.0.0.1:0/8", 600.0), ("127.0.0.1:0/9", 0.0)] {
        let add = json!({"prefix": "osd blocklist", "blocklistop": "add", "addr": addr, "expire": expire});
        assert_eq!(ask(&mut servers, "allow *", &add).0, 0, "{addr}");
    }
    let mut seen = Vec::new();
    while let Some(at) = servers.deadline() {
        servers.tick(at);
        seen.push((at.as_micros() / 1000, servers.map().blocklist.entries.len(), servers.map().epoch));
    }
    seen.dedup();
    let first = servers.map().epoch - 2;
    let counts: Vec<_> = seen.iter().map(|(at, left, epoch)| (*at, *left, epoch - first)).collect();
    assert_eq!(counts, [(0, 2, 0), (2500, 1, 1), (600_000, 0, 2)]);
}

#[test]
fn a_time_is_printed_as_ceph_does() {
    use linger_wire::UTime;
    let time = UTime { sec: 1_795_539_518, nsec: 556_133_999 };
    assert_eq!(args::date(time), "2026-11-24T16:58:38.556133+0000");
}
