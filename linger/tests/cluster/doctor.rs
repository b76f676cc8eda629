//! `linger doctor` on a healthy cluster, and on what a person may have got wrong.

use crate::object;
use crate::tool::{bare, linger};
use anyhow::{Context, Result, ensure};
use linger_testbed::{Cluster, Daemon, PoolKind, Release, need_ceph, need_cluster, shared};
use serde_json::Value;
use std::fs;

/// The steps that it printed, and how it ended.
fn steps(args: &[&str]) -> Result<(Vec<Value>, Option<i32>)> {
    let output = linger(args).arg("--json").output()?;
    ensure!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    let steps = lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((steps, output.status.code()))
}

/// What the steps say.
#[derive(Debug)]
struct Verdict<'a> {
    /// The names of those that work.
    fine: Vec<&'a str>,
    /// The one that does not, and what was found.
    broken: Option<(&'a str, &'a str)>,
}

fn verdict(steps: &[Value]) -> Result<Verdict<'_>> {
    let mut verdict = Verdict { fine: Vec::new(), broken: None };
    for step in steps {
        ensure!(verdict.broken.is_none(), "a step after a broken one: {steps:#?}");
        let (name, found) = step["step"].as_str().zip(step["found"].as_str()).context("no step")?;
        match step["ok"].as_bool().context("no verdict")? {
            true => verdict.fine.push(name),
            false => verdict.broken = Some((name, found)),
        }
    }
    Ok(verdict)
}

const ALL: [&str; 7] = ["config", "key", "monitors", "login", "map", "osd", "watch"];

#[test]
fn a_healthy_cluster_passes_every_step() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("healthy")?;
    for args in [&["doctor", object.pool.as_str()][..], &["doctor"]] {
        let (steps, code) = steps(args)?;
        let Verdict { fine, broken } = verdict(&steps)?;
        ensure!(fine == ALL && broken.is_none() && code == Some(0), "{code:?} {steps:#?}");
        let found = |n: usize| steps[n]["found"].as_str().unwrap_or_default();
        ensure!(found(3).contains("mode ") && found(5).contains("mode "), "{steps:#?}");
        ensure!(found(6).contains(if args.len() == 2 { "notified by itself" } else { "caps allow it" }));
    }
    let left = shared().run(&["rados", "-p", &object.pool, "ls"])?;
    ensure!(!left.contains("linger-doctor"), "left behind: {left}");
    let text = String::from_utf8(linger(&["doctor"]).output()?.stdout)?;
    ensure!(text.lines().all(|line| line.starts_with("ok     ") || line.contains("note: ")), "{text}");
    Ok(())
}

#[test]
fn what_is_broken_ends_it_with_a_hint() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("broken")?;
    let (found, code) = steps(&["doctor", "-c", "/does/not/exist"])?;
    ensure!(
        code == Some(1) && verdict(&found)?.broken.is_some_and(|(step, _)| step == "config"),
        "{found:?}"
    );

    let hurry = ["doctor", "-m", "v2:127.0.0.1:9"];
    let mut command = linger(&hurry);
    let output = command.arg("--json").env("CEPH_ARGS", "--client-mount-timeout=2").output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(1) && text.contains(r#""step":"monitors","ok":false"#), "{text}");

    // A link-local address without a link: no machine has a way there.
    let mut command = linger(&["doctor", "-m", "v2:[fe80::1]:3300"]);
    let output = command.arg("--json").env("CEPH_ARGS", "--client-mount-timeout=2").output()?;
    let text = String::from_utf8(output.stdout)?;
    ensure!(output.status.code() == Some(1) && text.contains("no way from here to IPv6 address"), "{text}");

    let (found, code) = steps(&["doctor", "no-such-pool"])?;
    let Verdict { fine, broken } = verdict(&found)?;
    let (step, why) = broken.context("nothing is broken")?;
    ensure!(
        code == Some(1) && fine == ALL[..5] && step == "osd" && why.contains("no such pool"),
        "{found:?}"
    );

    let found = steps(&["doctor", &object.pool])?.0;
    ensure!(verdict(&found)?.broken.is_none(), "{found:?}");
    Ok(())
}

#[test]
fn missing_caps_are_named() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("caps-of-doctor")?;
    let dir = tempfile::tempdir()?;
    for (id, osd_caps, broken_at) in
        [("linger-no-osd", None, "osd"), ("linger-reader", Some("allow r"), "watch")]
    {
        let (name, file) = (format!("client.{id}"), dir.path().join(id));
        let mut command = vec!["ceph", "auth", "get-or-create", &name, "mon", "allow r"];
        command.extend(osd_caps.iter().flat_map(|caps| ["osd", caps]));
        fs::write(&file, shared().run(&command)?)?;
        let file = file.to_str().context("not UTF-8")?;
        let (found, code) = steps(&["doctor", "--id", id, "-k", file])?;
        let (step, why) = verdict(&found)?.broken.context("nothing is broken")?;
        ensure!(code == Some(1) && step == broken_at && why.contains("caps"), "{id}: {found:#?}");
        if broken_at == "watch" {
            ensure!(why.contains("a watch needs osd caps 'allow rw'"), "{found:#?}");
        }
        // Anyone may read the file.
        ensure!(found[0]["notes"].to_string().contains("everyone can read it"), "{found:#?}");
    }
    ensure!(shared().list_watchers(&object)?.is_empty());
    Ok(())
}

#[test]
fn an_osd_out_of_reach_is_named() -> Result<()> {
    need_ceph!(Ok(()));
    let cluster = Cluster::builder().osds(1).boot()?;
    cluster.pool("doctor", PoolKind::Replicated, 8)?;
    // The map goes on calling it up.
    cluster.run(&["ceph", "osd", "set", "nodown"])?;
    cluster.kill(Daemon::Osd(0))?;
    let mut command = bare();
    let output = command.arg("-c").arg(cluster.conf()).args(["doctor", "doctor", "--json"]).output()?;
    let text = String::from_utf8(output.stdout)?;
    let last: Value = serde_json::from_str(text.lines().last().context("nothing is said")?)?;
    let found = last["found"].as_str().unwrap_or_default();
    ensure!(output.status.code() == Some(1) && last["step"] == "osd" && last["ok"] == false, "{text}");
    ensure!(found.contains("osd.0 at 127.0.0.1:") && found.contains("Connection refused"), "{text}");
    ensure!(found.contains("check the network, and that the OSD runs"), "{text}");
    Ok(())
}

/// An upgraded cluster whose old keys are still there, and no longer allowed.
#[test]
fn a_key_of_a_type_that_is_no_longer_allowed_is_named() -> Result<()> {
    need_ceph!(Ok(()));
    let cluster = Cluster::builder().release(Release::Tentacle).osds(1).boot()?;
    let allow = |ciphers| cluster.run(&["ceph", "mon", "set", "auth_allowed_ciphers", ciphers]);
    cluster.run(&["ceph", "config", "set", "mon", "mon_auth_allow_insecure_key", "true"])?;
    allow("aes,aes256k")?;
    let make = ["ceph", "auth", "get-or-create", "client.old", "mon", "allow r", "osd", "allow rw"];
    let keyring = cluster.run(&[&make[..], &["--key_type", "aes"]].concat())?;
    let dir = tempfile::tempdir()?;
    let file = dir.path().join("keyring");
    fs::write(&file, keyring)?;
    let doctor = || -> Result<(String, Option<i32>)> {
        let mut command = bare();
        command.arg("-c").arg(cluster.conf()).args(["--id", "old", "-k"]).arg(&file);
        let output = command.arg("doctor").output()?;
        Ok((String::from_utf8(output.stdout)?, output.status.code()))
    };
    let (text, code) = doctor()?;
    ensure!(code == Some(0) && text.contains("of type aes, from"), "{text}");
    allow("aes256k")?;
    let (text, code) = doctor()?;
    ensure!(code == Some(1) && text.contains("BROKEN login"), "{text}");
    ensure!(text.contains("a key of type aes refused") && text.contains("auth_allowed_ciphers"), "{text}");
    Ok(())
}
