use super::*;
use proptest::prelude::*;

const GLOBAL: &[&str] = &["client.x", "client", "global"];

/// What `ceph-conf --name client.x --lookup` of Ceph 16.2.15 prints.
#[test]
fn values_as_ceph_conf_has_them() {
    for (file, lookups) in [
        (
            "[global]\nmon host = 1.2.3.4 ; c\n[client.x]\n",
            &[("mon host", "1.2.3.4"), ("mon_host", "1.2.3.4")][..],
        ),
        ("[global]\n  mon   host\t=\t 1  \n", &[("mon host", "1")]),
        ("[global]\nMon Host = 1\n", &[("Mon Host", "1")]),
        ("[global]\nk = a\\\nb\n", &[("k", "ab")]),
        ("[global]\nk = a \\\n  b\n", &[("k", "a   b")]),
        ("[global]\nk = \\\n  b\n", &[("k", "b")]),
        ("[global]\nk = a\\\n\\\nb\nj = 2\n", &[("k", "ab"), ("j", "2")]),
        ("[global]\nk = a # c \\\nj = 2\n", &[("k", "a"), ("j", "2")]),
        ("[global]\nk = a\\ \nj = 2\n", &[("k", "a"), ("j", "2")]),
        ("[global]\nk = a\\\n# c\nj = 1\n", &[("k", "a"), ("j", "1")]),
        ("[global]\n\\\nk = a\n", &[("k", "a")]),
        ("[glo\\\nbal]\nk = a\n", &[("k", "a")]),
        ("[global]\nk = \"a b\"\n", &[("k", "a b")]),
        ("[global]\nk = \" a b \"\n", &[("k", "a b")]),
        ("[global]\nk = \"a b\" # c\n", &[("k", "a b")]),
        ("[global]\nk = \"a b\"   \nj = 2\n", &[("k", "a b"), ("j", "2")]),
        ("[global]\nk = 'a \"q\" b'\n", &[("k", "a \"q\" b")]),
        ("[global]\nk = \"a \\# b\"\n", &[("k", "a # b")]),
        ("[global]\nk = \"a \\\" b\"\n", &[("k", "a \" b")]),
        ("[global]\nk = a \"b\" c\n", &[("k", "a \"b\" c")]),
        ("[global]\nk = it's\n", &[("k", "it's")]),
        ("[global]\nk = a\\#b\\;c\\\\d\\x\n", &[("k", "a#b;c\\dx")]),
        ("[global]\nk = \"\"\nj =\nl = 1\n", &[("k", ""), ("j", ""), ("l", "1")]),
        (
            "[global]\nk = x\\\n \"abc\"\nj = \\\n\"abc\"\nl =    \\\n \"q\"\n",
            &[("k", "x \"abc\""), ("j", "abc"), ("l", "\"q\"")],
        ),
        ("k = 1\n", &[("k", "1")]),
        ("\n\n# c\n[global]\nj = 2\n", &[("j", "2")]),
        ("  # c\n\n[global] # c\nj = 2\n# c", &[("j", "2")]),
        ("[global]\r\nj = 2 \r\nk = a\\\r\nb\r\n", &[("j", "2"), ("k", "ab")]),
        ("[global]\nk = a\rj = 1\n", &[("k", "a"), ("j", "1")]),
        ("[global]\nk = 1\nk = 2\n", &[("k", "2")]),
        ("[global]\nk = 1\n[client]\nl = 1\n[global]\nk = 2\nm = 1\n", &[("k", "2"), ("m", "1")]),
        ("[global]\nk = 1\n[client]\nk = 2\n[client.x]\nk = 3\n", &[("k", "3")]),
        ("[global]\nk = 1\n[client]\nk = 2\n[client.y]\nk = 3\n", &[("k", "2")]),
        ("[global]\nk = 1\n[client]\nk =\n", &[("k", "")]),
        ("[global]\nk = a = b\nj == b\n", &[("k", "a = b"), ("j", "= b")]),
        ("[global]\nk = a;b,c\n", &[("k", "a")]),
        ("[global]\nk = a\n\n   \n\t\n ; c\n  # d\n \tj = 1\n", &[("k", "a"), ("j", "1")]),
        ("[global]\nk  _ x = 1\nkey_ = 1\n _key2 = 2\n", &[("k___x", "1"), ("key_", "1"), ("_key2", "2")]),
        ("[global]\nk\\ x = a\nj\\;\\= = b\nk = 1\n", &[("k\\ x", "a"), ("j\\;\\=", "b"), ("k", "1")]),
    ] {
        let parsed = ConfFile::parse(file).unwrap_or_else(|e| panic!("{file:?}: {e:?}"));
        for (option, expected) in lookups {
            let found = parsed.lookup(GLOBAL, option).map(|value| value.text.as_str());
            assert_eq!(found, Some(*expected), "{option} of {file:?}");
        }
    }
}

/// What `ceph-conf` of Ceph 16.2.15 finds nothing in.
#[test]
fn absent_as_in_ceph_conf() {
    for file in [
        "",
        "\n",
        "# only\n",
        "[global]\n",
        "[ global ]\nk = 2\n",
        "[client x]\nk = 1\n",
        "[osd.0]\nk = 1\n",
        "[global]\nK = 1\nkey = 2\n",
    ] {
        assert_eq!(ConfFile::parse(file).unwrap().lookup(GLOBAL, "k"), None, "{file:?}");
    }
}

/// What `ceph-conf` of Ceph 16.2.15 refuses, and the line it names.
#[test]
fn refused_as_by_ceph_conf() {
    for (file, line, kind) in [
        ("[global]\nk = \"a b\" tail\n", 2, ParseErrorKind::Trailing),
        ("[global]\nk = \"a\" \"b\"\n", 2, ParseErrorKind::Trailing),
        ("[global] x\nj = 2\n", 1, ParseErrorKind::Trailing),
        ("[global]\nk = \"a # b\"\n", 2, ParseErrorKind::QuoteOpen),
        ("[global]\nk = \"a\\\nb\"\nj = 1\n", 2, ParseErrorKind::QuoteOpen),
        ("[global]\nk = \"a\nb\"\n", 2, ParseErrorKind::QuoteOpen),
        ("[global]\nk = 'a\n", 2, ParseErrorKind::QuoteOpen),
        ("[global]\nk\n", 2, ParseErrorKind::NoEquals),
        ("[global]\nk[0] = b\n", 2, ParseErrorKind::NoEquals),
        ("[global]\nk;x = b\n", 2, ParseErrorKind::NoEquals),
        ("[global]\nk # y = a\nj = 1\n", 2, ParseErrorKind::NoEquals),
        ("[global]\n= b\nj=1\n", 2, ParseErrorKind::NoName),
        ("[global\nj = 2\n", 1, ParseErrorKind::HeadingOpen),
        ("[]\nj = 2\n", 1, ParseErrorKind::HeadingEmpty),
    ] {
        assert_eq!(ConfFile::parse(file).unwrap_err(), ParseError { line, kind }, "{file:?}");
    }
}

/// Files that Ceph 16.2.15 refuses or reads otherwise, and we take on purpose.
#[test]
fn accepted_beyond_ceph() {
    for (file, expected) in [
        ("[global]\nmon-host = 2", "2"),
        ("[global]\nmon-host = 2\nmon_host = 3\n", "3"),
        ("[global]\nmon_host = \\\n", ""),
        ("[global]\nmon_host = a\\", "a\\"),
        ("  [global]\nmon host = 2\n  [client]\nj = 3\n", "2"),
        ("mon host = 1\nj = 2\n[global]\nj = 2\n", "1"),
        ("\u{feff}[global]\nmon host = caf\u{e9}\n", "caf\u{e9}"),
    ] {
        let parsed = ConfFile::parse(file).unwrap_or_else(|e| panic!("{file:?}: {e:?}"));
        assert_eq!(parsed.lookup(GLOBAL, "mon host").map(|value| &*value.text), Some(expected), "{file:?}");
    }
}

#[test]
fn values_know_their_line_and_debug_hides_them() {
    let file = ConfFile::parse("[a]\r\nk = 1\\\n2\n\nl = secret\n").unwrap();
    assert_eq!(file.lookup(&["a"], "k").unwrap().line, 2);
    assert_eq!(file.lookup(&["a"], "l").unwrap().line, 5);
    let shown = format!("{file:?} {:?}", file.lookup(&["a"], "l"));
    assert!(shown.contains("\"l\"") && !shown.contains("secret"), "{shown}");
    assert_eq!(file.sections().collect::<Vec<_>>(), ["a"]);
}

/// A value escaped so that the parser must give it back.
fn escaped(value: &str) -> String {
    value.chars().flat_map(|c| ['\\', c]).collect()
}

proptest! {
    #[test]
    fn escaped_values_come_back(value in "[ -~]{0,20}", quote in prop_oneof![Just(""), Just("\""), Just("'")]) {
        let text = format!("[s]\nk = {quote}{}{quote}\nl = 1\n", escaped(&value));
        let file = ConfFile::parse(&text).unwrap();
        prop_assert_eq!(&file.lookup(&["s"], "k").unwrap().text, value.trim());
        prop_assert_eq!(&file.lookup(&["s"], "l").unwrap().text, "1");
    }

    #[test]
    fn any_text_parses_or_names_a_line_of_it(text in "[\\[\\]ab=\"'\\\\#; \r\n\t]{0,40}|(?s:.{0,40})") {
        if let Err(e) = ConfFile::parse(&text) {
            let lines = 1 + text.replace("\r\n", "\n").matches(['\r', '\n']).count();
            prop_assert!((1..=lines).contains(&e.line), "{:?}", e);
        }
    }
}
