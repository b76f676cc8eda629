//! Ceph's own clients against the mini-cluster: so it does not merely agree with linger.

use anyhow::{Context, Result, bail, ensure};
use linger_mini_cluster::{Auth, ConMode, KeyType, MiniCluster, Session, Who};
use linger_testbed::{Release, Root, available, skip};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a client may take for one thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster, and a release's tools for it.
struct Bench {
    cluster: MiniCluster,
    root: Root,
    conf: PathBuf,
    dir: TempDir,
}

impl Bench {
    fn new(release: Release, auth: Auth, modes: &[ConMode]) -> Result<Self> {
        let root = Root::fetch(release)?;
        let dir = tempfile::tempdir()?;
        let cluster = MiniCluster::builder().auth(auth).modes(modes.to_vec()).start()?;
        let conf = cluster.write_conf(dir.path())?;
        Ok(Self { cluster, root, conf, dir })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = self.root.command("timeout");
        command.arg(PATIENCE.as_secs().to_string()).arg(program);
        command
    }

    /// `rados` with its arguments.
    fn rados(&self, args: &[&str]) -> Command {
        let mut command = self.command("rados");
        command.arg("-c").arg(&self.conf).args(args);
        command
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.rados(args).output()?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "rados {args:?}: {}: {out}{err}", output.status);
        Ok(out.into_owned())
    }

    /// A `rados watch` that is there.
    fn watch(&self, pool: &str, object: &str) -> Result<Watcher> {
        let mut child = self
            .rados(&["-p", pool, "watch", object])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let (line, lines) = channel();
        let pipes: [Option<Box<dyn std::io::Read + Send>>; 2] =
            [child.stdout.take().map(|p| Box::new(p) as _), child.stderr.take().map(|p| Box::new(p) as _)];
        for pipe in pipes.into_iter().flatten() {
            let line = line.clone();
            thread::spawn(move || {
                for text in BufReader::new(pipe).lines().map_while(Result::ok) {
                    _ = line.send(text);
                }
            });
        }
        let watcher = Watcher { child, lines };
        watcher.wait_for("press enter")?;
        Ok(watcher)
    }
}

struct Watcher {
    child: Child,
    lines: Receiver<String>,
}

impl Watcher {
    fn wait_for(&self, text: &str) -> Result<String> {
        let end = Instant::now() + PATIENCE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left).with_context(|| format!("no line with {text:?}"))?;
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    /// Unwatches and leaves.
    fn leave(mut self) -> Result<()> {
        let mut input = self.child.stdin.take().context("an input")?;
        input.write_all(b"\n")?;
        drop(input);
        let status = self.child.wait()?;
        ensure!(status.success(), "rados watch: {status}");
        Ok(())
    }
}

const BOTH: &[ConMode] = &[ConMode::Crc, ConMode::Secure];

/// What `rados` can do with objects and watches, in connections of these modes.
fn tour(release: Release, auth: Auth, modes: &[ConMode]) -> Result<()> {
    if let Err(why) = available() {
        fn here() {}
        skip(std::any::type_name_of_val(&here), &why);
        return Ok(());
    }
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
