//! `cargo xtask demo`: a real cluster, `linger watch` on one side, Ceph's own `rados notify` on the other.

use crate::tree::{cargo, target};
use anyhow::{Context, Result, ensure};
use clap::Args;
use linger_testbed::{Cluster, PoolKind, Release};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

/// How long each side may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to show it on.
#[derive(Args)]
pub(crate) struct Options {
    /// nautilus, pacific, reef or tentacle.
    #[arg(long, default_value = "pacific")]
    release: Release,
}

/// Boots, shows both sides, and takes the cluster down.
///
/// # Errors
/// There can be no cluster here, or one side did not do its part.
pub(crate) fn run(options: &Options) -> Result<()> {
    linger_testbed::available()?;
    println!("# building linger");
    let status = cargo(&["build", "--quiet", "--package", "linger"]).status()?;
    ensure!(status.success(), "linger does not build");
    println!("# booting a {} cluster: a monitor, a manager, three OSDs", options.release);
    let start = Instant::now();
    let cluster = Cluster::builder().release(options.release).boot()?;
    cluster.pool("demo", PoolKind::Replicated, 8)?;
    println!("# up after {:.1?}, with a pool", start.elapsed());

    let mut watch = Command::new(target().join("debug/linger"));
    watch.env("CEPH_CONF", cluster.conf()).env_remove("CEPH_ARGS");
    let words = ["watch", "demo", "greeting", "--create", "--count", "1", "--ack", "\"hello from linger\""];
    let watch = Side::start("linger", watch, &words)?;
    watch.expect("live ")?;
    let words = ["-p", "demo", "notify", "greeting", "\"hello from Ceph\""];
    let notify = Side::start("rados", cluster.command("rados"), &words)?;
    watch.expect("notify ")?;
    watch.end()?;
    notify.end()?;
    println!("# linger got the notify of Ceph's rados, and rados got linger's answer");
    Ok(())
}

/// One side: a process whose lines are shown as they come. Dropping it kills it.
struct Side {
    name: &'static str,
    child: Child,
    lines: Receiver<String>,
}

impl Side {
    fn start(name: &'static str, mut command: Command, words: &[&str]) -> Result<Self> {
        println!("{name:>6} $ {name} {}", words.join(" "));
        command.args(words.iter().map(|word| word.trim_matches('"')));
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (sender, lines) = mpsc::channel();
        show(name, child.stdout.take().context("no stdout")?, sender.clone());
        show(name, child.stderr.take().context("no stderr")?, sender);
        Ok(Self { name, child, lines })
    }

    /// Waits for a line that begins so.
    fn expect(&self, begin: &str) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.with_context(|| format!("{} printed no line with {begin:?}", self.name))?;
            if line.starts_with(begin) {
                return Ok(());
            }
        }
    }

    /// Waits for its end, which must be a good one. All its lines are shown by then.
    fn end(mut self) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while let Ok(_line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {}
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "{}: {status}", self.name);
                return Ok(());
            }
            thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("{} does not end", self.name)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn show(name: &'static str, pipe: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            println!("{name:>6} | {line}");
            _ = lines.send(line);
        }
    });
}
