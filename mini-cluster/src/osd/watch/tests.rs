use super::*;

/// Whoever pings has what is left; whoever does not has all of it, from when the connection is gone.
#[test]
fn who_is_cut_off_has_its_time() {
    let at = |secs: u64| Timestamp::from_micros(secs * 1_000_000);
    let (mut loaded, conn) = (Loaded::default(), ConnId(1));
    for (cookie, will_ping) in [(1, true), (2, false)] {
        let ends = will_ping.then_some(at(30));
        let watch =
            Watch { conn: Some(conn), will_ping, last_ping: at(0), timeout: Duration::from_secs(30), ends };
        loaded.watches.insert(WatcherId { client: 1, cookie }, watch);
    }
    let armed = loaded.unbind(conn, at(20));
    assert_eq!(armed, [(WatcherId { client: 1, cookie: 2 }, at(50))]);
    let ends: Vec<_> = loaded.watches.values().map(|watch| watch.ends).collect();
    assert_eq!(ends, [Some(at(30)), Some(at(50))]);
    assert!(loaded.watches.values().all(|watch| watch.conn.is_none()));
    assert_eq!(loaded.unbind(conn, at(25)), [], "once");
}
