//! The daemons of one cluster as processes: start, signals, state.
//!
//! Daemons run in the foreground. Those of a test die with the process that booted them (parent-death signal), however
//! that ends; those of a detached cluster are in sessions of their own.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    str::FromStr,
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Error, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::Root;

/// How long a process may take to do what its signal says.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at a process.
const POLL: Duration = Duration::from_millis(10);

/// One daemon of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Daemon {
    /// A monitor: 0 is `mon.a`.
    Mon(u32),
    /// The manager, `mgr.x`.
    Mgr,
    /// An OSD by its number.
    Osd(u32),
}

impl Daemon {
    fn kind(self) -> &'static str {
        match self {
            Self::Mon(_) => "mon",
            Self::Mgr => "mgr",
            Self::Osd(_) => "osd",
        }
    }

    /// The name without its kind: `a`, `x`, `0`.
    pub fn id(self) -> String {
        match self {
            Self::Mon(n) => char::from_u32('a' as u32 + n).unwrap_or('z').to_string(),
            Self::Mgr => "x".to_owned(),
            Self::Osd(n) => n.to_string(),
        }
    }
}

impl fmt::Display for Daemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.kind(), self.id())
    }
}

impl FromStr for Daemon {
    type Err = Error;

    /// `mon.a`, `mgr.x`, `osd.0`.
    fn from_str(s: &str) -> Result<Self> {
        let mons = (0..5).map(Self::Mon);
        let known = mons.chain([Self::Mgr]).chain((0..20).map(Self::Osd)).find(|d| d.to_string() == s);
        known.with_context(|| format!("no such daemon: {s} (mon.a, mgr.x, osd.0...)"))
    }
}

/// What a daemon's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs.
    Running,
    /// It was paused (SIGSTOP).
    Paused,
    /// There is no process.
    Dead,
}

#[derive(Debug)]
pub(crate) struct Daemons {
    root: Root,
    dir: PathBuf,
    owned: bool,
    /// Those that this process started.
    children: Mutex<BTreeMap<Daemon, Child>>,
}

impl Daemons {
    pub(crate) fn new(root: Root, dir: PathBuf, owned: bool) -> Self {
        Self { root, dir, owned, children: Mutex::default() }
    }

    /// All that have a data folder, in a fixed order.
    pub(crate) fn all(&self) -> Result<Vec<Daemon>> {
        let names = fs::read_dir(&self.dir)?.map(|e| Ok(e?.file_name().to_string_lossy().into_owned()));
        let names = names.collect::<Result<Vec<_>>>()?;
        let mut all: Vec<Daemon> = names.iter().filter_map(|n| n.parse().ok()).collect();
        all.sort();
        Ok(all)
    }

    /// Starts a process; whether the daemon works is seen by waiting for the cluster.
    pub(crate) fn start(&self, daemon: Daemon) -> Result<()> {
        ensure!(self.dir.join(daemon.to_string()).is_dir(), "there is no {daemon} in {}", self.dir.display());
        ensure!(self.state(daemon) == State::Dead, "{daemon} runs already");
        let wrapper: &[&str] =
            if self.owned { &["setpriv", "--pdeathsig", "KILL", "--"] } else { &["setsid"] };
        let mut command = self.command(wrapper, daemon);
        command.arg("-f");
        output_to(&mut command, &self.out_file(daemon))?;
        let child = if self.owned {
            // A terminal's ^C is for the test, whose end they see.
            command.process_group(0);
            spawn_lasting(command)
        } else {
            command.spawn()
        };
        let child = child.with_context(|| format!("cannot start {daemon}"))?;
        fs::write(self.pid_file(daemon), child.id().to_string())?;
        self.children().insert(daemon, child);
        Ok(())
    }

    /// `ceph-osd -i 0 -c ceph.conf` and the like, with its output in the log folder.
    pub(crate) fn command(&self, wrapper: &[&str], daemon: Daemon) -> Command {
        let mut command = self.root.command_under(wrapper, format!("ceph-{}", daemon.kind()));
        command.args(["-i", &daemon.id(), "-c"]).arg(self.conf());
        // Reef's and Tentacle's object classes are found relative to the working folder.
        command.current_dir("/").stdin(Stdio::null());
        command
    }

    pub(crate) fn out_file(&self, daemon: Daemon) -> PathBuf {
        self.dir.join("log").join(format!("{daemon}.out"))
    }

    pub(crate) fn signal(&self, daemon: Daemon, signal: Signal) -> Result<()> {
        let pid = self.pid(daemon).with_context(|| format!("{daemon} does not run"))?;
        Ok(kill_process(pid, signal)?)
    }

    /// Stops a process and returns when all its threads are: the signal is only queued when `kill` returns.
    pub(crate) fn pause(&self, daemon: Daemon) -> Result<()> {
        self.signal(daemon, Signal::STOP)?;
        let start = Instant::now();
        while self.state(daemon) != State::Paused {
            ensure!(start.elapsed() < PATIENCE, "{daemon} does not stop");
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Sends a signal and returns when the process is gone; after 30 seconds it is killed.
    pub(crate) fn end(&self, daemon: Daemon, signal: Signal) -> Result<()> {
        for signal in [signal, Signal::KILL] {
            let start = Instant::now();
            if let Some(pid) = self.pid(daemon) {
                // A process that just ended is no error; a paused one would not see the signal.
                let _ = kill_process(pid, signal);
                let _ = kill_process(pid, Signal::CONT);
            }
            while self.pid(daemon).is_some() && start.elapsed() < PATIENCE {
                thread::sleep(POLL);
            }
        }
        ensure!(self.pid(daemon).is_none(), "{daemon} can not be killed");
        if let Some(mut child) = self.children().remove(&daemon) {
            // It may be a zombie yet.
            child.wait()?;
        }
        let _ = fs::remove_file(self.pid_file(daemon));
        Ok(())
    }

    pub(crate) fn kill_all(&self) -> Result<()> {
        let all = self.all()?;
        for daemon in &all {
            let _ = self.signal(*daemon, Signal::KILL);
        }
        all.into_iter().try_for_each(|d| self.end(d, Signal::KILL))
    }

    pub(crate) fn state(&self, daemon: Daemon) -> State {
        match self.pid(daemon).map(|pid| pid.as_raw_nonzero().get()) {
            None => State::Dead,
            Some(pid) if threads_are_stopped(pid) => State::Paused,
            Some(_) => State::Running,
        }
    }

    /// The pid of a live process that is ours: it was started with this cluster's ceph.conf.
    pub(crate) fn pid(&self, daemon: Daemon) -> Option<Pid> {
        if let Some(child) = self.children().get_mut(&daemon) {
            // Reaps it if it ended.
            let _ = child.try_wait();
        }
        let pid = fs::read_to_string(self.pid_file(daemon)).ok()?;
        let pid: i32 = pid.trim().parse().ok()?;
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let conf = self.conf();
        let ours = line.split(|b| *b == 0).any(|arg| arg == conf.as_os_str().as_encoded_bytes());
        let alive = !matches!(process_state(pid), None | Some('Z' | 'X'));
        Pid::from_raw(pid).filter(|_| ours && alive)
    }

    /// The end of what a daemon wrote: for an error message.
    pub(crate) fn last_words(&self, daemon: Daemon) -> String {
        let log = self.dir.join("log").join(format!("{daemon}.log"));
        let tail = |path: &Path| {
            let text = fs::read(path).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default();
            let lines: Vec<_> = text.lines().rev().take(5).map(String::from).collect();
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        };
        format!("{}\n{}", tail(&self.out_file(daemon)), tail(&log))
    }

    fn conf(&self) -> PathBuf {
        self.dir.join("ceph.conf")
    }

    fn pid_file(&self, daemon: Daemon) -> PathBuf {
        self.dir.join("run").join(format!("{daemon}.pid"))
    }

    fn children(&self) -> MutexGuard<'_, BTreeMap<Daemon, Child>> {
        self.children.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// State of the main thread.
fn process_state(pid: i32) -> Option<char> {
    state_in(Path::new(&format!("/proc/{pid}/stat")))
}

/// Whether there are threads, and all of them are stopped: they stop one by one.
fn threads_are_stopped(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let mut states = threads.flatten().filter_map(|thread| state_in(&thread.path().join("stat"))).peekable();
    states.peek().is_some() && states.all(|state| matches!(state, 'T' | 't'))
}

/// Letter of the state in a `stat` file of `/proc`.
fn state_in(stat: &Path) -> Option<char> {
    fs::read_to_string(stat).ok()?.rsplit_once(") ")?.1.chars().next()
}

pub(crate) fn output_to(command: &mut Command, path: &Path) -> io::Result<()> {
    let file = File::options().create(true).append(true).open(path)?;
    command.stdout(file.try_clone()?).stderr(file);
    Ok(())
}

/// A parent-death signal comes when the *thread* ends that made the child, and a test's thread ends before its process:
/// so a thread that never ends makes all children.
fn spawn_lasting(command: Command) -> io::Result<Child> {
    type Order = (Command, mpsc::Sender<io::Result<Child>>);
    static SPAWNER: OnceLock<mpsc::Sender<Order>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        thread::spawn(move || {
            for (mut command, answer) in inbox {
                let _ = answer.send(command.spawn());
            }
        });
        orders
    });
    let (answer, child) = mpsc::channel();
    let gone = || io::Error::other("the spawning thread is gone");
    spawner.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

#[cfg(test)]
mod tests {
    use super::Daemon;

    #[test]
    fn names() {
        for (daemon, name) in [(Daemon::Mon(1), "mon.b"), (Daemon::Mgr, "mgr.x"), (Daemon::Osd(12), "osd.12")]
        {
            assert_eq!(daemon.to_string(), name);
            assert_eq!(name.parse::<Daemon>().unwrap(), daemon);
        }
        assert!("osd.x".parse::<Daemon>().is_err());
    }
}
