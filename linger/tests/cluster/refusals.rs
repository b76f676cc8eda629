//! What goes wrong, and what the tool says then.

use crate::tool::{bare, linger, message, on};
use crate::{object, tool};
use anyhow::{Context, Result, ensure};
use linger_testbed::{Release, need_cluster, shared};
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::{fs, thread};

/// Short of patience with monitors: `client_mount_timeout` is 300 s otherwise.
const HURRY: &str = "--client-mount-timeout=3";

/// Ends in the three parts of a message.
fn says(text: &str, what: &str, why: &str) -> Result<()> {
    ensure!(text.starts_with(&format!("linger: {what}")) && text.contains(why), "{text}");
    Ok(())
}

#[test]
fn missing_pools_and_objects() -> Result<()> {
    need_cluster!(Ok(()));
    for command in ["watch", "notify", "ls", "map"] {
        let text = message(linger(&[command, "no-pool", "object"]), 1)?;
        says(&text, "cannot ", "no such pool")?;
        ensure!(text.contains("no-pool"), "{text}");
    }
    let mut object = object("missing")?;
    object.name = "not-there".to_owned();
    for command in ["notify", "ls"] {
        says(&message(on(&object, command, &[]), 1)?, "cannot ", "no such object")?;
    }
    let output = on(&object, "watch", &[]).output()?;
    let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    let expected = "\"cookie\":0,\"reason\":\"object_gone\",\"errno\":2,\"terminal\":true}";
    ensure!(output.status.code() == Some(1) && stdout.contains(expected), "{stdout}{stderr}");
    ensure!(stderr.lines().count() == 1 && stderr.contains("no such object"), "{stderr}");
    ensure!(stderr.contains("--create"), "{stderr}");
    Ok(())
}

#[test]
fn a_wrong_key_and_an_unknown_name() -> Result<()> {
    need_cluster!(Ok(()));
    let dir = tempfile::tempdir()?;
    let keyring = dir.path().join("keyring");
    let key = "AQAIHOBmAAAAABAAAAECAwQFBgcICQoLDA0ODw==";
    fs::write(&keyring, format!("[client.admin]\n\tkey = {key}\n[client.nobody]\n\tkey = {key}\n"))?;
    let keyring = keyring.to_str().context("not UTF-8")?;
    let text = message(linger(&["-k", keyring, "ls", "p", "o"]), 1)?;
    // Nautilus says EPERM.
    let why = if shared().release() == Some(Release::Nautilus) { "EPERM" } else { "EACCES" };
    says(&text, "cannot log in as client.admin", why)?;
    let text = message(linger(&["ls", "p", "o", "--id", "nobody", "-k", keyring]), 1)?;
    says(&text, "cannot log in as client.nobody", why)?;
    let text = message(linger(&["ls", "p", "o", "--id", "else", "-k", keyring]), 1)?;
    says(&text, "no key for client.else", "client.nobody")
}

#[test]
fn denied_caps() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("caps")?;
    let dir = tempfile::tempdir()?;
    let restricted = |id: &str, caps: &str| -> Result<String> {
        let name = format!("client.{id}");
        let keyring =
            shared().run(&["ceph", "auth", "get-or-create", &name, "mon", "allow r", "osd", caps])?;
        let file = dir.path().join(id);
        fs::write(&file, keyring)?;
        Ok(file.to_str().context("not UTF-8")?.to_owned())
    };
    let elsewhere = restricted("linger-elsewhere", "allow rw pool=no-such-pool")?;
    for command in ["watch", "notify", "ls"] {
        let args = [command, &object.pool, &object.name, "--id", "linger-elsewhere", "-k", &elsewhere];
        let text = message(linger(&args), 1).with_context(|| command.to_owned())?;
        says(&text, "cannot ", "not permitted by the client's caps")?;
    }
    // Reading is enough to list, not to watch.
    let reads = restricted("linger-reads", "allow r")?;
    let args = ["ls", &object.pool, &object.name, "--json", "--id", "linger-reads", "-k", &reads];
    ensure!(tool::result(linger(&args))?.1 == Some(0));
    let args = ["watch", &object.pool, &object.name, "--json", "--id", "linger-reads", "-k", &reads];
    let output = linger(&args).output()?;
    let expected = "\"reason\":\"denied\",\"errno\":1,\"terminal\":true}";
    ensure!(output.status.code() == Some(1), "{output:?}");
    ensure!(String::from_utf8(output.stdout)?.contains(expected));
    Ok(())
}

#[test]
fn unreachable_monitors() -> Result<()> {
    need_cluster!(Ok(()));
    for addr in ["v2:127.0.0.1:9", "v1:127.0.0.1:9", "no-such-host.invalid"] {
        let mut command = linger(&["-m", addr, "ls", "p", "o"]);
        command.env("CEPH_ARGS", HURRY);
        says(&message(command, 1)?, "cannot reach the cluster", "")?;
    }
    Ok(())
}

#[test]
fn what_must_be_secure_is_not_sent_over_msgr1() -> Result<()> {
    need_cluster!(Ok(()));
    let mut command = linger(&["-m", "v1:127.0.0.1:6789", "ls", "p", "o"]);
    command.env("CEPH_ARGS", format!("{HURRY} --ms_mon_client_mode secure"));
    says(&message(command, 1)?, "no client can start", "v1")
}

#[test]
fn a_daemon_that_speaks_garbage() -> Result<()> {
    need_cluster!(Ok(()));
    let answers: [&[u8]; 3] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"ceph v2\n\xff\xff",
        b"ceph v2\n\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    ];
    for answer in answers {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let addr = format!("v2:{}", listener.local_addr()?);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let _ = stream.write_all(answer);
                // Keeps it open: only what was said counts.
                thread::spawn(move || std::io::copy(&mut stream, &mut std::io::sink()));
            }
        });
        let mut command = linger(&["-m", &addr, "ls", "p", "o"]);
        command.env("CEPH_ARGS", HURRY);
        says(&message(command, 1)?, "cannot reach the cluster", "")?;
    }
    Ok(())
}

#[test]
fn the_environment_leads_to_the_cluster() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("environment")?;
    let works = |command: &mut Command| -> Result<()> {
        let output = command.args(["ls", &object.pool, &object.name]).output()?;
        ensure!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        Ok(())
    };
    works(bare().env("CEPH_CONF", shared().conf()))?;
    let args = format!("--conf {}", shared().conf().display());
    works(bare().env("CEPH_ARGS", args))?;
    // Without any file, by options alone.
    if let Some(keyring) = shared().keyring() {
        let conf = fs::read_to_string(shared().conf())?;
        let mons = conf.lines().find_map(|line| line.strip_prefix("mon_host = ")).context("no mon_host")?;
        works(bare().args(["-m", mons, "-c", "/dev/null"]).arg("-k").arg(&keyring))?;
    }
    Ok(())
}

#[test]
fn verbose_tells_of_connections() -> Result<()> {
    need_cluster!(Ok(()));
    let object = object("verbose")?;
    let output = linger(&["-v", "ls", &object.pool, &object.name]).output()?;
    let text = String::from_utf8(output.stderr)?;
    ensure!(output.status.success() && text.lines().all(|line| line.starts_with("linger: ")), "{text}");
    ensure!(text.contains("connected"), "{text}");
    ensure!(Path::new(shared().conf()).exists());
    Ok(())
}
