//! `cargo xtask idle`: what watches that nothing happens to cost on each runtime, side by side.

use crate::tree::{cargo, target};
use anyhow::{Context, Result, ensure};
use clap::Args;
use linger_testbed::{Cluster, Pool, PoolKind, Release};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Objects; the watches are spread over them.
const OBJECTS: usize = 200;
/// What passes between the last registration and the measurement.
const SETTLE: Duration = Duration::from_secs(3);

/// What to measure.
#[derive(Args)]
pub(crate) struct Options {
    /// Watches of each program.
    #[arg(long, default_value_t = 1000)]
    watches: usize,
    /// Seconds to measure.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Optimised builds.
    #[arg(long)]
    release: bool,
}

/// Boots a cluster, lets each runtime's program watch, and prints what that costs it.
///
/// # Errors
/// There can be no cluster here, or a program does not watch.
pub(crate) fn run(options: &Options) -> Result<()> {
    linger_testbed::available()?;
    let folder = target().join(if options.release { "release" } else { "debug" });
    for args in [
        &["build", "--quiet", "-p", "linger", "-p", "linger-examples"][..],
        &["build", "--quiet", "--manifest-path", "runtime-embassy/Cargo.toml", "-p", "linger-embassy-host"],
    ] {
        let status = cargo(args).args(options.release.then_some("--release")).status()?;
        ensure!(status.success(), "it does not build");
    }
    let cluster = Cluster::builder().release(Release::Pacific).boot()?;
    let pool = cluster.pool("idle", PoolKind::Replicated, 8)?;
    for n in 0..OBJECTS {
        cluster.admin()?.write_full(&pool.object(format!("idle.{n}")), b"")?;
    }
    println!("{} watches on {OBJECTS} objects, {} s", options.watches, options.seconds);
    println!("{:<8} {:>8} {:>9} {:>8} {:>9}", "runtime", "cpu ms", "of a core", "threads", "rss KiB");
    let tool = folder.join("linger");
    let programs: [(&str, Command, bool); 4] = [
        ("tokio", tool_command(&tool, "tokio", options.watches), false),
        ("smol", tool_command(&tool, "smol", options.watches), false),
        ("loop", agent_command(&folder.join("poll_loop"), &pool), true),
        ("embassy", agent_command(&folder.join("linger-embassy-host"), &pool), true),
    ];
    for (name, mut command, is_agent) in programs {
        command.env("CEPH_CONF", cluster.conf()).env_remove("CEPH_ARGS").stdin(Stdio::null());
        let mut child = Running(command.stdout(Stdio::piped()).spawn()?);
        let stdout = BufReader::new(child.0.stdout.take().context("no stdout")?);
        let _peer =
            if is_agent { Some(ask(stdout, options.watches)?) } else { listen(stdout, options.watches)? };
        thread::sleep(SETTLE);
        measure(name, child.0.id(), Duration::from_secs(options.seconds))?;
    }
    Ok(())
}

/// The tool watches objects by their names, some of them several times.
fn tool_command(tool: &std::path::Path, runtime: &str, watches: usize) -> Command {
    let mut command = Command::new(tool);
    command.args(["--json", "--runtime", runtime, "watch", "idle"]);
    command.args((0..watches).map(|n| format!("idle.{}", n % OBJECTS)));
    command
}

/// Programs on loops of their own are told what to watch.
fn agent_command(program: &std::path::Path, pool: &Pool) -> Command {
    let mut command = Command::new(program);
    command.arg(&pool.name);
    command
}

/// Waits until the tool has said of each watch that it is live. The reader goes on, in a thread.
fn listen(stdout: impl BufRead + Send + 'static, watches: usize) -> Result<Option<TcpStream>> {
    let mut lines = stdout.lines();
    for _ in 0..watches {
        let line = lines.next().context("it ended")??;
        ensure!(line.contains("\"live\""), "{line}");
    }
    thread::spawn(move || lines.for_each(drop));
    Ok(None)
}

/// Tells a program what to watch, and waits until it has said that all is live.
fn ask(mut stdout: impl BufRead, watches: usize) -> Result<TcpStream> {
    let mut port = String::new();
    stdout.read_line(&mut port)?;
    let mut peer = TcpStream::connect(("127.0.0.1", port.trim().parse()?))?;
    let mut lines = BufReader::new(peer.try_clone()?).lines();
    for n in 0..watches {
        writeln!(peer, "watch idle.{}", n % OBJECTS)?;
    }
    for _ in 0..watches {
        let line = lines.next().context("it hung up")??;
        ensure!(line.starts_with("live "), "{line}");
    }
    Ok(peer)
}

/// Prints what a process used in that time.
fn measure(name: &str, pid: u32, time: Duration) -> Result<()> {
    let (before, start) = (cpu(pid)?, Instant::now());
    thread::sleep(time);
    let (used, elapsed) = (cpu(pid)?.saturating_sub(before), start.elapsed());
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()).unwrap_or("?").to_owned()
    };
    let share = 100.0 * used.as_secs_f64() / elapsed.as_secs_f64();
    let (threads, rss) = (field("Threads:"), field("VmRSS:"));
    println!("{name:<8} {:>8} {share:>8.2}% {threads:>8} {rss:>9}", used.as_millis());
    Ok(())
}

/// User and system time of a process, all its threads, to the nanosecond (`/proc/PID/task/TID/schedstat`).
fn cpu(pid: u32) -> Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        nanos += stat.split_whitespace().next().context("no schedstat")?.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// A process that is killed at the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
