//! What the tool does without a cluster.

use std::process::{Command, Output, Stdio};

use linger_wire::osdmap::{OsdMap, Pool};
use linger_wire::{Encode, Fsid};

fn linger(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linger"));
    command.args(args).stdin(Stdio::null());
    for variable in ["CEPH_CONF", "CEPH_ARGS", "CEPH_KEYRING"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

/// stdout must be empty and stderr one line that starts as all messages do.
#[track_caller]
fn message(output: &Output, code: i32) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(output.stdout.is_empty());
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(text.starts_with("linger: ") && text.ends_with(")\n"), "{text}");
    text.trim_end().to_owned()
}

/// A map with one pool and no OSDs.
fn map() -> Vec<u8> {
    let mut map = OsdMap { fsid: Fsid([7; 16]), epoch: 12, ..OsdMap::default() };
    map.pools.insert(3, Pool::replicated(2, 17, 0));
    map.pool_names.insert(3, "p".into());
    map.to_bytes().to_vec()
}

#[test]
fn help_and_version_are_results() {
    for args in [&["--help"][..], &["-h"], &["--version"], &["watch", "--help"], &["osdmap", "-h"]] {
        let output = linger(args);
        assert!(output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty(), "{args:?}");
    }
    let help = String::from_utf8(linger(&["--help"]).stdout).unwrap();
    for word in [
        "watch",
        "notify",
        "ls",
        "map",
        "osdmap",
        "mini",
        "demo",
        "--conf",
        "--keyring",
        "--mon-host",
        "Exit codes",
    ] {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
}

#[test]
fn wrong_usage_is_one_line() {
    let text = message(&linger(&["watch", "rbd"]), 2);
    assert!(text.contains("required arguments were not provided: <OBJECT>"), "{text}");
    let text = message(&linger(&["ls", "rbd", "obj", "--timeout", "3"]), 2);
    assert!(text.contains("'--timeout'"), "{text}");
    let text = message(&linger(&["--id", "a", "ls", "-n", "client.b", "rbd", "obj"]), 2);
    assert!(text.contains("--id and --name"), "{text}");
    assert_eq!(linger(&[]).status.code(), Some(2));
}

#[test]
fn a_map_is_summed_up_and_its_groups_listed() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("osdmap");
    std::fs::write(&file, map()).unwrap();
    let file = file.to_str().unwrap();

    let output = linger(&["osdmap", file, "--json"]);
    assert!(output.status.success(), "{output:?}");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(summary["epoch"], 12);
    assert_eq!(summary["fsid"], "07070707-0707-0707-0707-070707070707");
    assert_eq!(summary["pools"][0]["name"], "p");
    assert_eq!(summary["pools"][0]["pg_num"], 17);

    let output = linger(&["--json", "osdmap", "--pgs", file]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().count(), 17);
    let expected =
        r#"{"pg":"3.10","raw":[],"raw_primary":-1,"up":[],"up_primary":-1,"acting":[],"acting_primary":-1}"#;
    assert_eq!(lines.lines().last(), Some(expected));

    let output = linger(&["osdmap", "--pgs", "--mark-up-in", file]);
    let lines = String::from_utf8(output.stdout).unwrap();
    assert_eq!(lines.lines().last(), Some("3.10 raw ([], p-1) up ([], p-1) acting ([], p-1)"));
}

#[test]
fn what_is_no_map_is_refused_in_one_line() {
    let text = message(&linger(&["osdmap", "/does/not/exist"]), 1);
    assert!(text.starts_with("linger: cannot read OSDMap /does/not/exist: No such file"), "{text}");

    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("osdmap");
    let whole = map();
    let too_new = [&[99, 99], whole.get(2..).unwrap()].concat();
    for (bytes, why) in [(&b"no map"[..], ""), (&[], ""), (&whole[..40], ""), (&too_new, "version 99")] {
        std::fs::write(&file, bytes).unwrap();
        let text = message(&linger(&["osdmap", file.to_str().unwrap()]), 1);
        assert!(text.starts_with("linger: cannot decode OSDMap ") && text.contains(why), "{text}");
    }
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("osdmap");
    let mut map = OsdMap::default();
    map.pools.insert(1, Pool::replicated(3, 20_000, 0));
    std::fs::write(&file, map.to_bytes()).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_linger"));
    child.args(["osdmap", "--pgs"]).arg(&file).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_configuration_that_does_not_work_is_told_in_one_line() {
    let text = message(&linger(&["-c", "/does/not/exist", "ls", "rbd", "obj"]), 1);
    assert!(
        text.contains("no configuration file at /does/not/exist") && text.contains("-c/--conf"),
        "{text}"
    );

    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("ceph.conf");
    std::fs::write(&conf, "[global]\nmon_host = 127.0.0.1\n").unwrap();
    let conf = conf.to_str().unwrap();
    let text = message(&linger(&["-c", conf, "-k", "/no/keyring", "ls", "rbd", "obj"]), 1);
    assert!(text.contains("no key for client.admin") && text.contains("/no/keyring"), "{text}");
    let text = message(&linger(&["-c", conf, "-m", "[v2:bad", "map", "rbd", "obj"]), 1);
    assert!(text.contains("mon_host"), "{text}");
}
