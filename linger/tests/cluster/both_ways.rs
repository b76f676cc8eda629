//! Watches and notifies between the tool and Ceph's own clients, in every place.

use crate::ceph::{dumped, hex, rados_notify, rados_watch, with_length};
use crate::tool::{PATIENCE, Running, linger, on, result};
use crate::{RUNTIMES, object, places};
use anyhow::{Context, Result, ensure};
use linger_testbed::{Event, Object, need_cluster, shared};
use serde_json::{Value, json};
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn linger_watches_what_rados_notifies() -> Result<()> {
    need_cluster!(Ok(()));
    for object in places(shared(), "rados-notifies")? {
        watched(&object).with_context(|| format!("{object:?}"))?;
    }
    Ok(())
}

#[test]
fn runtimes_watch_and_notify_each_other() -> Result<()> {
    need_cluster!(Ok(()));
    for watcher in RUNTIMES {
        for notifier in RUNTIMES {
            let object = object(&format!("by-{watcher}-{notifier}"))?;
            let (watch, live) =
                Running::watch(&object, &["--runtime", watcher, "--ack", "seen", "--count", "1"])?;
            let (done, code) = result(on(&object, "notify", &["--runtime", notifier, "news"]))?;
            ensure!(code == Some(0) && done["missed"] == json!([]), "{done}");
            ensure!(
                done["acks"][0]["client"] == live["client"] && done["acks"][0]["payload"] == "seen",
                "{done}"
            );
            ensure!(watch.event("notify")?["payload"] == "news");
            watch.event("closed")?;
            let (code, rest, errors) = watch.end()?;
            ensure!(code == Some(0) && rest.is_empty() && errors.is_empty(), "{code:?} {rest:?} {errors}");
        }
    }
    Ok(())
}

fn watched(object: &Object) -> Result<()> {
    let (watch, live) = Running::watch(object, &["--create", "--ack", "got it", "--count", "2"])?;
    ensure!(live["object"] == object.name.as_str() && live["generation"] == 0, "{live}");
    ensure!(live["may_have_missed"] == true && live["deaf_ms"] == 0, "{live}");

    let watchers = shared().list_watchers(object)?;
    ensure!(watchers.len() == 1, "{watchers:?}");
    let watcher = &watchers[0];
    ensure!(live["cookie"] == watcher.cookie && live["client"] == format!("client.{}", watcher.client));
    let (listed, code) = result(on(object, "ls", &[]))?;
    let line =
        json!({"client": live["client"], "cookie": live["cookie"], "addr": watcher.addr, "timeout_s": 30});
    ensure!(code == Some(0) && listed == json!({"watchers": [line]}), "{listed}, {watchers:?}");
    let map = json!({"prefix": "osd map", "pool": object.pool, "nspace": object.namespace,
        "object": if object.key.is_empty() { &object.name } else { &object.key }, "format": "json"});
    let map = shared().mon_command(&map)?;
    ensure!(live["pg"] == map["pgid"] && live["osd"] == map["acting_primary"], "{live}, {map}");

    let printed = rados_notify(object, "hello")?;
    let notify = watch.event("notify")?;
    ensure!(notify["payload_hex"] == hex(&with_length("hello")), "{notify}");
    ensure!(notify["payload"] == "\u{5}\0\0\0hello" && notify["cookie"] == live["cookie"], "{notify}");
    ensure!(notify["object"] == object.name.as_str(), "{notify}");
    let reply = format!(
        "reply {} cookie {} : 6 bytes",
        live["client"].as_str().context("no client")?,
        live["cookie"]
    );
    ensure!(printed.contains(&reply) && dumped(&printed) == b"got it", "{printed}");

    // python-rados sees the exact bytes of an answer.
    let rados = shared().admin()?;
    let report = rados.notify(object, b"\xff\0raw", Duration::from_secs(5))?;
    ensure!(report.errno == 0 && report.acks.len() == 1 && report.acks[0].data == b"got it", "{report:?}");
    ensure!(live["cookie"] == report.acks[0].cookie, "{report:?}");
    let notify = watch.event("notify")?;
    ensure!(notify["payload_hex"] == "ff00726177" && notify["payload"] == "\u{fffd}\0raw", "{notify}");
    ensure!(notify["from"] == format!("client.{}", rados.notifier_id()?), "{notify}");

    watch.event("closed")?;
    let (code, rest, errors) = watch.end()?;
    ensure!(code == Some(0) && rest.is_empty() && errors.is_empty(), "{code:?} {rest:?} {errors}");
    ensure!(shared().list_watchers(object)?.is_empty(), "left a watcher behind");
    Ok(())
}

#[test]
fn rados_watches_what_linger_notifies() -> Result<()> {
    need_cluster!(Ok(()));
    for object in places(shared(), "linger-notifies")? {
        shared().admin()?.write_full(&object, b"")?;
        notified(&object).with_context(|| format!("{object:?}"))?;
    }
    Ok(())
}

fn notified(object: &Object) -> Result<()> {
    let (done, code) = result(on(object, "notify", &["nobody listens"]))?;
    ensure!(code == Some(0) && done["acks"] == json!([]) && done["missed"] == json!([]), "{done}");

    let mut command_line = rados_watch(object)?;
    let python = shared().rados()?;
    let watch = python.watch(object, b"py\xffthon")?;
    let watchers = shared().list_watchers(object)?;
    ensure!(watchers.len() == 2, "{watchers:?}");

    let (done, code) = result(on(object, "notify", &["good morning"]))?;
    let (listed, _) = result(on(object, "ls", &[]))?;
    ensure!(code == Some(0) && done["event"] == "done" && done["missed"] == json!([]), "{code:?} {done}");
    let mut acks = Vec::new();
    for (watcher, listed) in watchers.iter().zip(listed["watchers"].as_array().context("no list")?) {
        let client = format!("client.{}", watcher.client);
        ensure!(listed["client"] == client && listed["cookie"] == watcher.cookie, "{listed}");
        ensure!(listed["addr"] == watcher.addr, "{listed}");
        // `rados watch` answers with what it got.
        let (text, bytes) = match watch.cookie == watcher.cookie {
            true => ("py\u{fffd}thon", &b"py\xffthon"[..]),
            false => ("good morning", &b"good morning"[..]),
        };
        acks.push(
            json!({"client": client, "cookie": watcher.cookie, "payload": text, "payload_hex": hex(bytes)}),
        );
    }
    ensure!(done["acks"] == Value::from(acks), "{done}");

    let line = command_line.line_with(&["NOTIFY", &format!("notify_id {}", done["notify_id"])])?;
    // The bytes stay in its buffer until it leaves.
    command_line.type_in("\n")?;
    let dump = command_line.line_with(&["|"])?;
    ensure!(dumped(&dump) == b"good morning", "{line}\n{dump}");
    let event = python.event(PATIENCE)?.context("no event")?;
    let Event::Notify { data, notify_id, .. } = event else { anyhow::bail!("{event:?}") };
    ensure!(data == b"good morning" && done["notify_id"] == notify_id, "{data:?} {notify_id} {done}");
    python.unwatch(watch)?;
    command_line.end()?;
    Ok(())
}

#[test]
fn the_tool_watches_what_it_notifies() -> Result<()> {
    need_cluster!(Ok(()));
    let (first, second) = (object("itself-a")?, object("itself-b")?);
    let watch = ["watch", &first.pool, &first.name, &second.name, "--json", "--ack", "x", "--count", "3"];
    let watch = Running::start(linger(&watch))?;
    watch.event("live")?;
    watch.event("live")?;
    for (object, payload) in [(&first, "1"), (&second, "2"), (&first, "3")] {
        let (done, code) = result(on(object, "notify", &[payload]))?;
        ensure!(code == Some(0) && done["acks"][0]["payload"] == "x", "{done}");
        let notify = watch.event("notify")?;
        ensure!(notify["object"] == object.name.as_str() && notify["payload"] == payload, "{notify}");
    }
    let (code, rest, errors) = watch.end()?;
    ensure!(code == Some(0) && rest.len() == 2 && errors.is_empty(), "{code:?} {rest:?} {errors}");
    Ok(())
}

#[test]
fn a_watcher_that_does_not_answer_is_missed() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("declined")?;
    // It must stay: a watcher that leaves meanwhile is not missed.
    let (silent, live) = Running::watch(&object, &["--no-ack"])?;
    let (answering, _) = Running::watch(&object, &["--count", "1"])?;
    let (done, code) = result(on(&object, "notify", &["anyone?", "--timeout", "2"]))?;
    ensure!(code == Some(3), "{code:?} {done}");
    ensure!(done["missed"] == json!([{"client": live["client"], "cookie": live["cookie"]}]), "{done}");
    let acks = done["acks"].as_array().context("no acks")?;
    ensure!(acks.len() == 1 && acks[0]["payload_hex"] == "", "{done}");
    silent.signal("TERM")?;
    for watch in [silent, answering] {
        watch.event("notify")?;
        ensure!(watch.end()?.0 == Some(0));
    }
    Ok(())
}

#[test]
fn a_payload_comes_from_stdin_and_text_is_for_people() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("stdin")?;
    let watch =
        Running::start(linger(&["watch", &object.pool, &object.name, "--ack", "fine", "--count", "1"]))?;
    let live = watch.line()?;
    ensure!(live.starts_with("live stdin as client."), "{live}");
    let mut notify = linger(&["notify", &object.pool, &object.name, "-"]);
    let notify = notify.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut notify = notify.spawn()?;
    notify.stdin.take().context("no stdin")?.write_all(b"two\nlines")?;
    let output = notify.wait_with_output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.success() && text.contains(": 1 acked, 0 missed\nack client."), "{text}");
    ensure!(text.ends_with(": \"fine\"\n"), "{text}");
    let line = watch.line()?;
    ensure!(line.starts_with("notify stdin from client.") && line.ends_with(r#": "two\nlines""#), "{line}");
    let (code, rest, _) = watch.end()?;
    ensure!(code == Some(0) && rest == ["closed stdin"], "{rest:?}");
    Ok(())
}
