//! A mini-cluster, and the tools of a release for it.

use anyhow::{Context, Result, ensure};
use linger_mini_cluster::{Auth, ConMode, KeyType, MiniCluster};
use linger_testbed::{Release, Root};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Both modes, so that a client has what it prefers.
pub const BOTH: &[ConMode] = &[ConMode::Crc, ConMode::Secure];

/// How long a client may take for one thing.
const PATIENCE: Duration = Duration::from_secs(30);

/// Both.
pub struct Bench {
    pub cluster: MiniCluster,
    root: Root,
    pub conf: PathBuf,
    pub dir: TempDir,
}

impl Bench {
    pub fn new(release: Release, auth: Auth, modes: &[ConMode]) -> Result<Self> {
        let root = Root::fetch(release)?;
        let dir = tempfile::tempdir()?;
        let cluster = MiniCluster::builder().auth(auth).modes(modes.to_vec()).start()?;
        let conf = cluster.write_conf(dir.path())?;
        Ok(Self { cluster, root, conf, dir })
    }

    /// With the newest keys that the release knows, in both modes.
    pub fn newest(release: Release) -> Result<Self> {
        let key = if release == Release::Tentacle { KeyType::Aes256k } else { KeyType::Aes };
        Self::new(release, Auth::Cephx(key), BOTH)
    }

    pub fn command(&self, program: &str) -> Command {
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

    pub fn run(&self, args: &[&str]) -> Result<String> {
        let output = self.rados(args).output()?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "rados {args:?}: {}: {out}{err}", output.status);
        Ok(out.into_owned())
    }

    /// `rados` that is told the monitor's address and the key, and reads no configuration.
    pub fn run_by_address(&self, auth: Auth, args: &[&str]) -> Result<String> {
        let method = if auth == Auth::None { "none" } else { "cephx" };
        let mut command = self.command("rados");
        command.args(["--no-config-file", "-m", &self.cluster.mon().to_string(), "-n", "client.admin"]);
        command.arg("--keyring").arg(self.dir.path().join("keyring"));
        command.arg(format!("--auth_client_required={method}")).args(args);
        let output = command.output()?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "rados -m {args:?}: {}: {out}{err}", output.status);
        Ok(out.into_owned())
    }

    /// `ceph` with its arguments, or `python3`.
    pub fn tool(&self, program: &str, args: &[&str]) -> Result<Output> {
        let mut command = self.command(program);
        Ok(command.env("CEPH_CONF", &self.conf).args(args).output()?)
    }

    /// A `rados watch` that is there.
    pub fn watch(&self, pool: &str, object: &str) -> Result<Watcher> {
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

pub struct Watcher {
    child: Child,
    lines: Receiver<String>,
}

impl Watcher {
    pub fn wait_for(&self, text: &str) -> Result<String> {
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
    pub fn leave(mut self) -> Result<()> {
        let mut input = self.child.stdin.take().context("an input")?;
        input.write_all(b"\n")?;
        drop(input);
        let status = self.child.wait()?;
        ensure!(status.success(), "rados watch: {status}");
        Ok(())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
