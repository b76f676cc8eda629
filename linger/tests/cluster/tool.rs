//! Runs the tool.

use anyhow::{Context, Result, ensure};
use linger_testbed::{Object, shared};
use serde_json::Value;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The tool, without anything of this process' own configuration.
pub fn bare() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linger"));
    for variable in ["CEPH_CONF", "CEPH_ARGS", "CEPH_KEYRING"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// The tool on the shared cluster.
pub fn linger(args: &[&str]) -> Command {
    let mut command = bare();
    command.arg("-c").arg(shared().conf()).args(args);
    command
}

/// The options that lead to an object's namespace and locator key.
pub fn place(object: &Object) -> Vec<&str> {
    let mut args = Vec::new();
    if !object.namespace.is_empty() {
        args.extend(["-N", &object.namespace]);
    }
    if !object.key.is_empty() {
        args.extend(["--locator", &object.key]);
    }
    args
}

/// A command on one object, with its result in JSON.
pub fn on(object: &Object, command: &str, more: &[&str]) -> Command {
    let mut args = vec!["--json"];
    args.extend(place(object));
    args.extend([command, &object.pool, &object.name]);
    args.extend(more);
    linger(&args)
}

/// What a command that has one result printed, and how it ended.
pub fn result(mut command: Command) -> Result<(Value, Option<i32>)> {
    let Output { status, stdout, stderr } = command.output()?;
    let stderr = String::from_utf8_lossy(&stderr);
    let value = serde_json::from_slice(&stdout).with_context(|| format!("{status}: {stderr}"))?;
    Ok((value, status.code()))
}

/// The message of a command that fails with `code`, which must be one line of the usual form.
pub fn message(mut command: Command, code: i32) -> Result<String> {
    let Output { status, stdout, stderr } = command.output()?;
    let text = String::from_utf8(stderr)?;
    ensure!(status.code() == Some(code), "{status}: {text}{}", String::from_utf8_lossy(&stdout));
    ensure!(text.lines().count() == 1, "not one line: {text}");
    ensure!(text.starts_with("linger: ") && text.trim_end().ends_with(')'), "{text}");
    Ok(text.trim_end().to_owned())
}

/// A process whose lines are read as they come. Dropping it kills it.
pub struct Running {
    pub child: Child,
    lines: Receiver<String>,
    errors: thread::JoinHandle<String>,
}

impl Running {
    /// Starts a command.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("no stdout")?;
        let mut stderr = child.stderr.take().context("no stderr")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let errors = thread::spawn(move || {
            let mut text = Vec::new();
            let _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Ok(Self { child, lines, errors })
    }

    /// Starts `linger watch` and waits until it is live; gives its first event too.
    pub fn watch(object: &Object, more: &[&str]) -> Result<(Self, Value)> {
        let watch = Self::start(on(object, "watch", more))?;
        let live = watch.event("live")?;
        Ok((watch, live))
    }

    /// The next line.
    pub fn line(&self) -> Result<String> {
        self.lines.recv_timeout(PATIENCE).context("no line in time")
    }

    /// The next line that has all of `words`; others are skipped.
    pub fn line_with(&self, words: &[&str]) -> Result<String> {
        loop {
            let line = self.line().with_context(|| format!("waiting for {words:?}"))?;
            if words.iter().all(|word| line.contains(word)) {
                return Ok(line);
            }
        }
    }

    /// The next line, which must be this event.
    pub fn event(&self, kind: &str) -> Result<Value> {
        let line = self.line().with_context(|| format!("waiting for {kind}"))?;
        let event: Value = serde_json::from_str(&line).with_context(|| line.clone())?;
        ensure!(event["event"] == kind, "expected {kind}: {line}");
        Ok(event)
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) -> Result<()> {
        let status =
            Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status()?;
        ensure!(status.success(), "kill: {status}");
        Ok(())
    }

    /// Types into its stdin.
    pub fn type_in(&mut self, text: &str) -> Result<()> {
        Ok(self.child.stdin.as_mut().context("no stdin")?.write_all(text.as_bytes())?)
    }

    /// Its end: exit code, the rest of its lines, what it wrote to stderr.
    pub fn end(mut self) -> Result<(Option<i32>, Vec<String>, String)> {
        let status = wait(&mut self.child)?;
        let rest: Vec<_> = self.lines.iter().collect();
        let errors = std::mem::replace(&mut self.errors, thread::spawn(String::new));
        let errors = errors.join().unwrap_or_default();
        Ok((status.code(), rest, errors))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        ensure!(start.elapsed() < PATIENCE, "does not end");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Runs one of the cluster's own commands to its end, whatever its exit code.
pub fn ceph<S: AsRef<OsStr>>(program: &str, args: impl IntoIterator<Item = S>) -> Result<Output> {
    Ok(shared().command(program).args(args).output()?)
}
