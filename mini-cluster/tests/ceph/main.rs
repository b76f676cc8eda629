//! Ceph's own clients against the mini-cluster: so it does not merely agree with linger.

mod bench;
mod commands;
mod listing;

use anyhow::{Result, bail, ensure};
use bench::{BOTH, Bench};
use linger_mini_cluster::{Auth, ConMode, KeyType, Session, Who};
use linger_testbed::{Release, need_ceph};

/// What `rados` can do with objects and watches, in connections of these modes.
fn tour(release: Release, auth: Auth, modes: &[ConMode]) -> Result<()> {
    need_ceph!(Ok(()));
    let bench = Bench::new(release, auth, modes)?;
    let file = bench.dir.path().join("content");
    let (path, back) = (file.display().to_string(), bench.dir.path().join("back").display().to_string());
    // Larger than one of rados' own pieces, so that it writes at an offset, too.
    for content in [b"small".to_vec(), (0..5 << 20).map(|n: u32| (n >> 3) as u8).collect()] {
        std::fs::write(&file, &content)?;
        bench.run(&["-p", "rbd", "put", "greeting", &path])?;
        bench.run(&["-p", "rbd", "get", "greeting", &back])?;
        ensure!(std::fs::read(&back)? == content, "what was put comes back");
    }
    let stat = bench.run(&["-p", "rbd", "stat", "greeting"])?;
    ensure!(stat.contains("size 5242880"), "{stat}");

    // What is not there is refused, and nothing of it is done.
    for words in ["setxattr greeting colour red", "set-redirect greeting --target-pool test other"] {
        let args: Vec<&str> = ["-p", "rbd"].into_iter().chain(words.split(' ')).collect();
        let refusal = bench.run(&args).err().map(|error| error.to_string()).unwrap_or_default();
        ensure!(refusal.contains("(95) Operation not supported"), "{words}: {refusal}");
    }

    let watcher = bench.watch("rbd", "greeting")?;
    let used = bench.cluster.with(|servers, _| servers.sessions());
    let protected = |session: &Session| match (modes, session.who) {
        (&[only], _) => session.mode == only,
        // What Ceph prefers when both are allowed.
        (_, Who::Mon(_)) => session.mode == ConMode::Secure || auth == Auth::None,
        (_, Who::Osd(_)) => session.mode == ConMode::Crc,
    };
    ensure!(used.len() >= 2 && used.iter().all(protected), "{used:?}");
    let list = bench.run(&["-p", "rbd", "listwatchers", "greeting"])?;
    ensure!(list.lines().count() == 1 && list.contains("watcher=127.0.0.1:0/"), "{list}");
    let answer = bench.run(&["-p", "rbd", "notify", "greeting", "hello"])?;
    ensure!(answer.contains("reply client.") && !answer.contains("timeout"), "{answer}");
    watcher.wait_for("NOTIFY")?;

    // All that is needed is the monitor's address and the key.
    let by_address = |args: &[&str]| bench.run_by_address(auth, &[&["-p", "rbd"], args].concat());
    by_address(&["get", "greeting", &back])?;
    let list = by_address(&["listwatchers", "greeting"])?;
    ensure!(list.lines().count() == 1, "{list}");
    let answer = by_address(&["notify", "greeting", "by address"])?;
    ensure!(answer.contains("reply client."), "{answer}");
    watcher.wait_for("NOTIFY")?;

    // The primary dies; another OSD takes over, and the watch moves to it.
    let primary = bench.cluster.with(|servers, now| {
        let object = linger_tokio::ObjectRef::new("rbd", "greeting");
        let primary = servers.primary(&object).unwrap_or(-1);
        servers.kill(now, Who::Osd(primary));
        servers.mark_down(now, primary);
        primary
    });
    let answer = bench.run(&["-p", "rbd", "notify", "greeting", "again"])?;
    ensure!(answer.contains("reply client.") && !answer.contains("timeout"), "{answer}");
    watcher.wait_for("NOTIFY")?;
    bench.cluster.with(move |servers, now| servers.restart(now, Who::Osd(primary)));

    watcher.leave()?;
    let list = bench.run(&["-p", "rbd", "listwatchers", "greeting"])?;
    ensure!(list.is_empty(), "{list}");
    bench.run(&["-p", "rbd", "rm", "greeting"])?;
    if bench.run(&["-p", "rbd", "stat", "greeting"]).is_ok() {
        bail!("a removed object is gone");
    }
    Ok(())
}

#[test]
fn pacific_with_keys() -> Result<()> {
    tour(Release::Pacific, Auth::Cephx(KeyType::Aes), BOTH)
}

#[test]
fn pacific_without_keys() -> Result<()> {
    tour(Release::Pacific, Auth::None, BOTH)
}

#[test]
fn tentacle_with_new_keys() -> Result<()> {
    tour(Release::Tentacle, Auth::Cephx(KeyType::Aes256k), BOTH)
}

#[test]
fn tentacle_with_old_keys() -> Result<()> {
    tour(Release::Tentacle, Auth::Cephx(KeyType::Aes), &[ConMode::Crc])
}

#[test]
fn pacific_in_secure_mode() -> Result<()> {
    tour(Release::Pacific, Auth::Cephx(KeyType::Aes), &[ConMode::Secure])
}

#[test]
fn tentacle_in_secure_mode() -> Result<()> {
    tour(Release::Tentacle, Auth::Cephx(KeyType::Aes256k), &[ConMode::Secure])
}
