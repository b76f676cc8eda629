//! A cluster: its daemons, its tools, its clients.

mod boot;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    Builder, Daemon, Rados, Release, Root, State,
    daemon::Daemons,
    keeper::Keeper,
    ports::Ports,
    root::run,
    wait::{self, Goal},
};

/// A Ceph cluster. One that [`Builder::boot`] made goes with this value; others are left as they are.
#[derive(Debug)]
pub struct Cluster {
    conf: PathBuf,
    /// None: a cluster of someone else, used by its ceph.conf.
    site: Option<Site>,
    admin: Mutex<Option<Arc<Rados>>>,
}

/// A cluster that this crate booted.
#[derive(Debug)]
struct Site {
    dir: PathBuf,
    root: Root,
    daemons: Daemons,
    /// Present if the cluster ends with this value.
    owned: Option<Owned>,
}

#[derive(Debug)]
struct Owned {
    /// None if folders are to be kept.
    keeper: Option<Keeper>,
    _ports: Ports,
}

impl Cluster {
    /// Settings for a new cluster.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A cluster that [`Builder::boot_detached`] made earlier, in this or another process.
    ///
    /// # Errors
    /// There is none in that folder.
    pub fn open(dir: &Path) -> Result<Self> {
        let dir = dir.canonicalize().with_context(|| format!("no cluster in {}", dir.display()))?;
        let text = fs::read_to_string(dir.join(STATE_FILE));
        let state: Value =
            serde_json::from_str(&text.with_context(|| format!("no cluster in {}", dir.display()))?)?;
        let field = |name: &str| state[name].as_str().with_context(|| format!("{STATE_FILE} has no {name}"));
        let root = Root::at(field("release")?.parse()?, field("root")?.into());
        let daemons = Daemons::new(root.clone(), dir.clone(), false);
        let site = Site { dir: dir.clone(), root, daemons, owned: None };
        Ok(Self { conf: dir.join("ceph.conf"), site: Some(site), admin: Mutex::default() })
    }

    /// Any running cluster, by its ceph.conf. Its tools are taken from `PATH` and its daemons can not be controlled,
    /// unless it is one of this crate's: then it is [opened](Cluster::open).
    ///
    /// # Errors
    /// There is no such file.
    pub fn from_conf(conf: &Path) -> Result<Self> {
        let conf = conf.canonicalize().with_context(|| format!("no such file: {}", conf.display()))?;
        match conf.parent() {
            Some(dir) if dir.join(STATE_FILE).exists() => Self::open(dir),
            _ => Ok(Self { conf, site: None, admin: Mutex::default() }),
        }
    }

    /// Its ceph.conf; the file names the keyring of `client.admin`.
    pub fn conf(&self) -> &Path {
        &self.conf
    }

    /// The folder with ceph.conf, keyring, logs and data, if this crate booted it.
    pub fn dir(&self) -> Option<&Path> {
        self.site.as_ref().map(|s| s.dir.as_path())
    }

    /// The keyring of `client.admin`, if this crate booted it.
    pub fn keyring(&self) -> Option<PathBuf> {
        Some(self.dir()?.join("keyring"))
    }

    /// The unpacked release it runs from, if this crate booted it.
    pub fn root(&self) -> Option<&Root> {
        self.site.as_ref().map(|s| &s.root)
    }

    /// Its release, if this crate booted it.
    pub fn release(&self) -> Option<Release> {
        self.root().map(Root::release)
    }

    /// What the list of refused clients is called in commands; it was renamed after Nautilus.
    pub fn blocklist_word(&self) -> &'static str {
        if self.release() == Some(Release::Nautilus) { "blacklist" } else { "blocklist" }
    }

    /// A command of this cluster's release, on this cluster: `ceph`, `rados`, `rbd`, `python3`...
    ///
    /// See [`Root::command`]. It finds the cluster by `CEPH_CONF`.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self.root() {
            Some(root) => root.command(program),
            None => Command::new(program),
        };
        command.env("CEPH_CONF", &self.conf);
        command
    }

    /// Runs such a command to its end and gives its standard output.
    ///
    /// # Errors
    /// It does not start or fails; the error has what it wrote.
    pub fn run(&self, argv: &[&str]) -> Result<String> {
        let (program, args) = argv.split_first().context("no command")?;
        run(self.command(program).args(args))
    }

    /// A new python3-rados client, in a process of its own.
    ///
    /// # Errors
    /// It can not connect in 60 seconds.
    pub fn rados(&self) -> Result<Rados> {
        Rados::connect(self.command("python3"))
    }

    /// One python3-rados client that is kept for commands to mons and mgr.
    ///
    /// # Errors
    /// As [`Cluster::rados`].
    pub fn admin(&self) -> Result<Arc<Rados>> {
        let mut admin = self.admin.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(rados) = &*admin {
            return Ok(rados.clone());
        }
        let rados = Arc::new(self.rados()?);
        *admin = Some(rados.clone());
        Ok(rados)
    }

    /// A mon command, such as `{"prefix": "osd dump"}`, and its answer in JSON.
    ///
    /// # Errors
    /// The mon refuses it.
    pub fn mon_command(&self, command: &Value) -> Result<Value> {
        self.admin()?.mon_command(command)
    }

    /// The number of the OSD map.
    ///
    /// # Errors
    /// The mons do not answer.
    pub fn osdmap_epoch(&self) -> Result<u32> {
        let dump = self.mon_command(&json!({"prefix": "osd stat"}))?;
        let epoch = dump["epoch"].as_u64().or_else(|| dump["osdmap"]["epoch"].as_u64());
        Ok(u32::try_from(epoch.context("osd stat has no epoch")?)?)
    }

    /// All daemons and what they do.
    ///
    /// # Errors
    /// It is not a cluster of this crate.
    pub fn daemons(&self) -> Result<Vec<(Daemon, State)>> {
        let daemons = &self.site()?.daemons;
        Ok(daemons.all()?.into_iter().map(|d| (d, daemons.state(d))).collect())
    }

    /// The pid of a daemon that lives.
    ///
    /// # Errors
    /// It does not, or is not of a cluster of this crate.
    pub fn pid(&self, daemon: Daemon) -> Result<i32> {
        let pid = self.site()?.daemons.pid(daemon).with_context(|| format!("{daemon} does not run"))?;
        Ok(pid.as_raw_nonzero().get())
    }

    /// Starts a daemon that was stopped or killed; see [`Cluster::wait_active`].
    ///
    /// # Errors
    /// It runs already, or there is no such daemon.
    pub fn start(&self, daemon: Daemon) -> Result<()> {
        self.site()?.daemons.start(daemon)
    }

    /// Ends a daemon in good order (SIGTERM) and returns when it is gone.
    ///
    /// # Errors
    /// It can not be ended.
    pub fn stop(&self, daemon: Daemon) -> Result<()> {
        self.site()?.daemons.end(daemon, Signal::TERM)
    }

    /// Kills a daemon (SIGKILL) and returns when it is gone.
    ///
    /// # Errors
    /// It can not be killed.
    pub fn kill(&self, daemon: Daemon) -> Result<()> {
        self.site()?.daemons.end(daemon, Signal::KILL)
    }

    /// Freezes a daemon (SIGSTOP) and returns when it is frozen: its connections stay and say nothing.
    ///
    /// # Errors
    /// It does not run, or does not stop within 30 seconds.
    pub fn pause(&self, daemon: Daemon) -> Result<()> {
        self.site()?.daemons.pause(daemon)
    }

    /// Lets a paused daemon go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn resume(&self, daemon: Daemon) -> Result<()> {
        self.site()?.daemons.signal(daemon, Signal::CONT)
    }

    /// Returns when the running daemons, and no others, are in the maps and all placement groups are active.
    ///
    /// # Errors
    /// Not within 60 seconds; the error has what was still missing.
    pub fn wait_active(&self) -> Result<()> {
        self.wait(Goal::Active)
    }

    /// As [`Cluster::wait_active`], with all placement groups clean, too.
    ///
    /// # Errors
    /// Not within 60 seconds; the error has what was still missing.
    pub fn wait_clean(&self) -> Result<()> {
        self.wait(Goal::Clean)
    }

    /// Kills all daemons and removes the folder.
    ///
    /// # Errors
    /// It is not a cluster of this crate.
    pub fn down(self) -> Result<()> {
        let site = self.site()?;
        site.daemons.kill_all()?;
        Ok(fs::remove_dir_all(&site.dir)?)
    }

    fn wait(&self, goal: Goal) -> Result<()> {
        let admin = self.admin()?;
        let Some(site) = &self.site else { return wait::wait(&admin, goal, || Ok(None)) };
        let running = || {
            let all = site.daemons.all()?.into_iter();
            Ok(Some(all.filter(|d| site.daemons.state(*d) == State::Running).collect()))
        };
        wait::wait(&admin, goal, running)
    }

    fn site(&self) -> Result<&Site> {
        let Some(site) = &self.site else {
            bail!("the daemons of {} are not the testbed's", self.conf.display());
        };
        Ok(site)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let Some(site) = &mut self.site else { return };
        let Some(owned) = site.owned.take() else { return };
        if !site.dir.exists() {
            return;
        }
        if let Err(e) = site.daemons.kill_all() {
            eprintln!("cannot end the cluster in {}: {e:#}", site.dir.display());
        }
        if thread::panicking() || owned.keeper.is_none() {
            eprintln!("the cluster's logs are in {}/log", site.dir.display());
        } else if let Err(e) = fs::remove_dir_all(&site.dir) {
            eprintln!("cannot remove {}: {e}", site.dir.display());
        }
        if let Some(keeper) = owned.keeper {
            keeper.dismiss();
        }
    }
}

/// What [`Cluster::open`] needs to know.
const STATE_FILE: &str = "testbed.json";
