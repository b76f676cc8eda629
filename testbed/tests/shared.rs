//! The shared cluster, and what is left of it when its process is killed.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use linger_testbed::{PoolKind, need_cluster, shared};

const HOLD: &str = "LINGER_HOLD";

#[test]
fn all_tests_of_a_process_share_one() -> Result<()> {
    need_cluster!(Ok(()));
    let others = thread::spawn(|| shared().conf().to_owned());
    let cluster = shared();
    assert_eq!(others.join().ok().as_deref(), Some(cluster.conf()));
    // Its daemons do not end with the thread that asked first.
    let pool = cluster.pool("linger-shared", PoolKind::Replicated, 4)?;
    let object = pool.object("obj");
    let rados = cluster.rados()?;
    rados.write_full(&object, b"data")?;
    let list = cluster.run(&["rados", "-p", &pool.name, "ls"])?;
    ensure!(list.lines().any(|l| l == "obj"), "{list}");
    println!("\nconf={}", cluster.conf().display());
    if env::var_os(HOLD).is_some() {
        thread::sleep(Duration::from_secs(60));
    }
    Ok(())
}

#[test]
fn a_killed_process_leaves_nothing() -> Result<()> {
    need_cluster!(Ok(()));
    let mut test = Command::new(env::current_exe()?);
    test.args(["--exact", "all_tests_of_a_process_share_one", "--nocapture"]);
    test.env(HOLD, "1").env_remove("LINGER_TEST_CONF").env_remove("LINGER_KEEP_CLUSTERS");
    let mut test = test.stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(test.stdout.take().context("no pipe")?).lines().map_while(Result::ok);
    let conf = lines.find_map(|l| Some(l.strip_prefix("conf=")?.to_owned())).context("no cluster")?;
    ensure!(!processes_with(&conf)?.is_empty());

    test.kill()?;
    test.wait()?;
    let start = Instant::now();
    while !processes_with(&conf)?.is_empty() || Path::new(&conf).parent().is_some_and(Path::exists) {
        ensure!(start.elapsed() < Duration::from_secs(10), "left: {conf}, {:?}", processes_with(&conf)?);
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Pids of daemons that were started with this ceph.conf.
fn processes_with(conf: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        if line.split(|b| *b == 0).any(|arg| arg == conf.as_bytes()) {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(found)
}
