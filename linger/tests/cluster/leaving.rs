//! How `watch` ends.

use crate::tool::{PATIENCE, Running, linger, message, on};
use crate::{RUNTIMES, object, tool};
use anyhow::{Context, Result, ensure};
use linger_testbed::{PoolKind, need_cluster, shared};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn signals_take_the_watch_back() -> Result<()> {
    need_cluster!(Ok(()));
    for (runtime, signal) in RUNTIMES.into_iter().flat_map(|runtime| [(runtime, "TERM"), (runtime, "INT")]) {
        let object = object(&format!("signal-{runtime}-{signal}"))?;
        let (watch, _) = Running::watch(&object, &["--runtime", runtime])?;
        ensure!(shared().list_watchers(&object)?.len() == 1);
        watch.signal(signal)?;
        watch.event("closed")?;
        let (code, rest, errors) = watch.end()?;
        ensure!(code == Some(0) && rest.is_empty() && errors.is_empty(), "{code:?} {rest:?} {errors}");
        ensure!(shared().list_watchers(&object)?.is_empty(), "{signal} left a watcher behind");
    }
    Ok(())
}

#[test]
fn a_reader_that_leaves_takes_the_watch_back() -> Result<()> {
    need_cluster!(Ok(()));
    for runtime in RUNTIMES {
        let object = object(&format!("pipe-{runtime}"))?;
        let mut watch = on(&object, "watch", &["--runtime", runtime]);
        let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // The first line reaches someone, who then leaves; no second one is to be written.
        let mut first = String::new();
        BufReader::new(watch.stdout.take().context("no stdout")?).read_line(&mut first)?;
        ensure!(first.contains("\"live\""), "{first}");
        let output = watch.wait_with_output()?;
        ensure!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        ensure!(shared().list_watchers(&object)?.is_empty());
    }
    Ok(())
}

#[test]
fn a_removed_object_ends_its_watch_alone() -> Result<()> {
    need_cluster!(Ok(()));
    let (first, second) = (object("removed-a")?, object("removed-b")?);
    let watch = Running::start(linger(&["--json", "watch", &first.pool, &first.name, &second.name]))?;
    watch.event("live")?;
    watch.event("live")?;
    shared().admin()?.remove(&first)?;
    let gone = watch.line_with(&["\"terminal\":true"])?;
    ensure!(
        gone.contains("\"object\":\"removed-a\"") && gone.contains("\"reason\":\"object_gone\""),
        "{gone}"
    );
    ensure!(watch.event("closed")?["object"] == "removed-a");
    // The other one lives on.
    let (done, code) = tool::result(on(&second, "notify", &[]))?;
    ensure!(code == Some(0) && done["acks"].as_array().context("no acks")?.len() == 1, "{done}");
    watch.event("notify")?;
    shared().admin()?.remove(&second)?;
    watch.line_with(&["\"terminal\":true", "removed-b"])?;
    watch.event("closed")?;
    let (code, rest, errors) = watch.end()?;
    ensure!(code == Some(1) && rest.is_empty(), "{code:?} {rest:?}");
    let why = ["removed-a", "removed-b"].map(|name| {
        format!("linger: cannot watch linger-tool/{name}: no such object (create it with --create)\n")
    });
    ensure!(errors == why.concat(), "{errors}");
    Ok(())
}

#[test]
fn a_killed_watch_is_dropped_by_the_cluster_after_its_timeout() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("killed")?;
    let (watch, _) = Running::watch(&object, &["--timeout", "3"])?;
    let (listed, _) = tool::result(on(&object, "ls", &[]))?;
    ensure!(listed["watchers"][0]["timeout_s"] == 3, "{listed}");
    // Pings keep it for longer than its timeout.
    thread::sleep(Duration::from_secs(5));
    ensure!(shared().list_watchers(&object)?.len() == 1);
    watch.signal("KILL")?;
    watch.end()?;
    let start = Instant::now();
    while !shared().list_watchers(&object)?.is_empty() {
        ensure!(start.elapsed() < PATIENCE, "the watch lives on");
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn a_signal_ends_a_tool_that_has_no_cluster() -> Result<()> {
    need_cluster!(Ok(()));
    // Nobody listens at this port.
    let watch = Running::start(linger(&["-m", "v2:127.0.0.1:9", "watch", "p", "o"]))?;
    thread::sleep(Duration::from_millis(500));
    watch.signal("TERM")?;
    let (code, rest, _) = watch.end()?;
    ensure!(code == Some(0) && rest.is_empty(), "{code:?} {rest:?}");
    Ok(())
}

#[test]
fn a_reader_that_does_not_read_holds_up_neither_pings_nor_the_end() -> Result<()> {
    need_cluster!(Ok(()));
    RUNTIMES.into_iter().try_for_each(stalled)
}

fn stalled(runtime: &str) -> Result<()> {
    let object = object(&format!("stalled-{runtime}"))?;
    let mut watch = on(&object, "watch", &["--timeout", "3", "--runtime", runtime]);
    let mut watch = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let start = Instant::now();
    while shared().list_watchers(&object)?.is_empty() {
        ensure!(start.elapsed() < PATIENCE, "no watch");
        thread::sleep(Duration::from_millis(50));
    }
    // Its line does not fit into the pipe, and it is not acked before it is printed.
    let report = shared().admin()?.notify(&object, &[b'x'; 200_000], Duration::from_secs(6))?;
    ensure!(report.acks.is_empty() && report.timeouts.len() == 1, "{report:?}");
    ensure!(shared().list_watchers(&object)?.len() == 1, "lost by want of pings");
    let pid = watch.id().to_string();
    ensure!(Command::new("kill").args(["-TERM", &pid]).status()?.success());
    let start = Instant::now();
    let status = loop {
        if let Some(status) = watch.try_wait()? {
            break status;
        }
        ensure!(start.elapsed() < PATIENCE, "does not end");
        thread::sleep(Duration::from_millis(10));
    };
    ensure!(status.code() == Some(0), "{status}");
    ensure!(shared().list_watchers(&object)?.is_empty());
    Ok(())
}

#[test]
fn a_blocklisted_client_and_a_removed_pool_end_the_watch() -> Result<()> {
    need_cluster!(Ok(()));
    let pool = shared().pool("linger-tool-gone", PoolKind::Replicated, 4)?;
    let (kept, gone) = (object("blocklisted")?, pool.object("gone"));
    let (in_pool, _) = Running::watch(&gone, &["--create"])?;
    let (locked_out, _) = Running::watch(&kept, &[])?;
    let addr = shared().list_watchers(&kept)?.first().context("no watcher")?.addr.clone();
    shared().run(&["ceph", "osd", shared().blocklist_word(), "add", &addr, "60"])?;
    shared().remove_pool(&pool.name)?;
    for (watch, reason, text) in [
        (locked_out, "blocklisted", "the client is blocklisted"),
        (in_pool, "pool_gone", "linger-tool-gone/gone: no such pool"),
    ] {
        let error = watch.line_with(&["\"terminal\":true"])?;
        ensure!(error.contains(&format!("\"reason\":\"{reason}\"")), "{error}");
        watch.event("closed")?;
        let (code, rest, errors) = watch.end()?;
        ensure!(
            code == Some(1) && rest.is_empty() && errors.lines().count() == 1,
            "{code:?} {rest:?} {errors}"
        );
        ensure!(errors.starts_with("linger: cannot watch ") && errors.contains(text), "{errors}");
    }
    shared().run(&["ceph", "osd", shared().blocklist_word(), "rm", &addr])?;
    Ok(())
}

#[test]
fn only_missing_objects_are_created() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("created")?;
    let rados = shared().admin()?;
    rados.write_full(&object, b"content")?;
    let (watch, _) = Running::watch(&object, &["--create"])?;
    watch.signal("TERM")?;
    watch.end()?;
    ensure!(rados.read(&object)? == b"content");
    rados.remove(&object)?;
    let text = message(on(&object, "ls", &[]), 1)?;
    ensure!(text.contains("no such object"), "{text}");
    let (watch, _) = Running::watch(&object, &["--create"])?;
    watch.signal("TERM")?;
    watch.end()?;
    ensure!(rados.stat(&object)? == 0);
    Ok(())
}
