use super::*;
use alloc::format;
use alloc::string::ToString;
use proptest::prelude::*;

fn shown(text: &str) -> String {
    match text.parse::<MonHost>() {
        Ok(mons) => mons.to_string(),
        Err(e) => format!("{:?} {}", e.kind, e.part),
    }
}

/// Forms that Ceph takes were given to `monmaptool --generate` of Ceph 16.2.15: it prints the same, but for
/// nonces, for v1 on an odd port, which clients try and new clusters do not, and for addresses whose protocol is
/// left open: one mon of a new cluster, two to a client.
#[test]
fn all_forms() {
    const ONE: &str = "[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0]";
    const EITHER: &str = "v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0";
    for (text, expected) in [
        (ONE, ONE),
        (EITHER, EITHER),
        ("10.0.0.1", EITHER),
        ("[10.0.0.1]", EITHER),
        ("any:10.0.0.1", EITHER),
        ("10.0.0.1:0", EITHER),
        ("10.0.0.1/7", EITHER),
        ("10.0.0.1:6789", "v1:10.0.0.1:6789/0"),
        ("10.0.0.1:3300", "v2:10.0.0.1:3300/0"),
        ("10.0.0.1:3300/4294967295", "v2:10.0.0.1:3300/0"),
        ("10.0.0.1:40", "v2:10.0.0.1:40/0,v1:10.0.0.1:40/0"),
        ("v2:10.0.0.1", "v2:10.0.0.1:3300/0"),
        ("v1:10.0.0.1", "v1:10.0.0.1:6789/0"),
        ("v2:10.0.0.1:6789", "v2:10.0.0.1:6789/0"),
        ("[v2:10.0.0.1]", "v2:10.0.0.1:3300/0"),
        ("[10.0.0.1:40]", "v2:10.0.0.1:40/0"),
        ("[10.0.0.1:40,v1:10.0.0.1]", "[v2:10.0.0.1:40/0,v1:10.0.0.1:6789/0]"),
        ("[10.0.0.1:6789,v1:10.0.0.1]", "[v2:10.0.0.1:6789/0,v1:10.0.0.1:6789/0]"),
        ("::1", "v2:[::1]:3300/0,v1:[::1]:6789/0"),
        ("[::1]", "v2:[::1]:3300/0,v1:[::1]:6789/0"),
        ("[::1]:3300", "v2:[::1]:3300/0"),
        ("v2:[::1]:3300/0", "v2:[::1]:3300/0"),
        ("v2:::1", "v2:[::1]:3300/0"),
        ("2001:db8::1:3300", "v2:[2001:db8::1:3300]:3300/0,v1:[2001:db8::1:3300]:6789/0"),
        ("[v2:[::1]:40/0,v1:[::1]:41/0]", "[v2:[::1]:40/0,v1:[::1]:41/0]"),
        ("[::1]:40,[::2]:3300", "v2:[::1]:40/0,v1:[::1]:40/0,v2:[::2]:3300/0"),
        ("[[::1]:3300]", "v2:[::1]:3300/0"),
        ("mon1", "v2:mon1:3300/0,v1:mon1:6789/0"),
        ("mon-1.a_b.example:3300", "v2:mon-1.a_b.example:3300/0"),
        ("mon1:6789", "v1:mon1:6789/0"),
        ("v2:mon1", "v2:mon1:3300/0"),
        ("[v2:mon1:3300/0,v1:mon1:6789/0]", "[v2:mon1:3300/0,v1:mon1:6789/0]"),
        ("v2:a:1, v2:b:1;v2:c:1  v2:d:1,", "v2:a:1/0,v2:b:1/0,v2:c:1/0,v2:d:1/0"),
        ("[v2:10.0.0.1:1,v1:10.0.0.1:2],v2:b:1", "[v2:10.0.0.1:1/0,v1:10.0.0.1:2/0],v2:b:1/0"),
        ("[v2:10.0.0.1:1, v1:10.0.0.1:2]", "[v2:10.0.0.1:1/0,v1:10.0.0.1:2/0]"),
        ("v2:a:1,v2:a:1", "v2:a:1/0"),
        ("::ffff:10.0.0.1", "v2:[::ffff:10.0.0.1]:3300/0,v1:[::ffff:10.0.0.1]:6789/0"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn errors_name_the_part() {
    for (text, expected) in [
        ("", "Empty "),
        (" , ;", "Empty  , ;"),
        ("[]", "Empty []"),
        ("[", "Bracket ["),
        ("a,[v2:b", "Bracket a,[v2:b"),
        ("a]", "Bracket a]"),
        ("a,10.0.0.300", "Address 10.0.0.300"),
        ("a,v2:", "Address v2:"),
        ("v3:a:1", "Address v3:a:1"),
        ("-", "Address -"),
        ("a b!", "Address b!"),
        ("fe80::1%eth0", "Address fe80::1%eth0"),
        ("a:65536", "Port a:65536"),
        ("a:", "Port a:"),
        ("[::1]x", "Port [::1]x"),
        ("[::1]:x", "Port [::1]:x"),
        ("a:1/x", "Nonce a:1/x"),
        ("a/4294967296", "Nonce a/4294967296"),
        ("[v2:a:1,v1:b:x]", "Port v1:b:x"),
        ("[a][b]", "Address [a][b]"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
    }
}

#[test]
fn v1_is_a_candidate_where_a_mon_has_no_v2() {
    let mons: MonHost = "10.0.0.1,[v1:10.0.0.2,v2:10.0.0.2],[v1:a:1,v1:b:1],v2:mon3".parse().unwrap();
    let all: Vec<_> = mons.candidates().map(ToString::to_string).collect();
    let expected = [
        "v2:10.0.0.1:3300/0",
        "v1:10.0.0.1:6789/0",
        "v2:10.0.0.2:3300/0",
        "v1:a:1/0",
        "v1:b:1/0",
        "v2:mon3:3300/0",
    ];
    assert_eq!(all, expected);
    let per_mon: Vec<_> = mons.endpoints().iter().map(|mon| mon.candidates().count()).collect();
    assert_eq!(per_mon, [1, 1, 1, 2, 1]);
    assert_eq!(mons.endpoints()[2].addrs().len(), 2);
}

fn any_addr() -> impl Strategy<Value = String> {
    let place = prop_oneof![
        any::<core::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
        any::<Ipv6Addr>().prop_map(|ip| format!("[{ip}]")),
        "[a-z][a-z0-9.-]{0,8}[a-z]",
    ];
    let port =
        prop_oneof![Just(String::new()), Just(":3300".into()), (1..=u16::MAX).prop_map(|p| format!(":{p}"))];
    (
        prop_oneof![Just(""), Just("v1:"), Just("v2:")],
        place,
        port,
        prop_oneof![Just(""), Just("/0"), Just("/99")],
    )
        .prop_map(|(kind, place, port, nonce)| format!("{kind}{place}{port}{nonce}"))
}

proptest! {
    #[test]
    fn text_of_a_value_parses_to_it(
        lists in prop::collection::vec(prop::collection::vec(any_addr(), 1..4), 1..5),
        separator in prop_oneof![Just(","), Just("; "), Just(" ")],
    ) {
        let parts: Vec<_> = lists
            .iter()
            .map(|list| if list.len() == 1 { list[0].clone() } else { format!("[{}]", list.join(",")) })
            .collect();
        let mons: MonHost = parts.join(separator).parse().unwrap();
        prop_assert!(mons.endpoints().iter().all(|mon| !mon.addrs().is_empty()));
        prop_assert_eq!(mons.to_string().parse::<MonHost>().unwrap(), mons);
    }

    #[test]
    fn any_text_parses_or_fails_with_a_part_of_it(text in "[\\[\\]v12:;, /.a0-]{0,24}|\\PC{0,24}") {
        match text.parse::<MonHost>() {
            Ok(mons) => prop_assert_eq!(mons.to_string().parse::<MonHost>().unwrap(), mons),
            Err(e) => prop_assert!(text.contains(&e.part)),
        }
    }
}
