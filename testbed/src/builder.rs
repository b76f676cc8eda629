//! What a cluster shall be like.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::{Cluster, Release, Root, conf::Plan, ports::Ports};

/// How daemons and clients prove who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Keys, tickets and signatures.
    Cephx,
    /// Nothing is checked.
    None,
}

/// The kind of the clients' keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// AES-128, which every release knows. On Tentacle daemons keep their new keys.
    Aes,
    /// AES-256, Tentacle's own; older clients can not read it.
    Aes256k,
}

/// What protects frames on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Ceph's own default: secure to the mons, crc else.
    Default,
    /// Checksums only, everywhere.
    Crc,
    /// AES-GCM, everywhere; needs [`Auth::Cephx`] and msgr2.
    Secure,
}

/// The protocols that daemons listen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bind {
    /// msgr1 and msgr2, as Ceph has it.
    Both,
    /// msgr1 only.
    V1,
    /// msgr2 only.
    V2,
}

/// Where OSDs keep objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// In memory; saved when an OSD is stopped, lost when it is killed.
    Mem,
    /// In sparse files; kept also when an OSD is killed.
    Blue,
}

/// Settings of a cluster to boot: one mon and three OSDs of the release that `LINGER_RELEASE` names, or else of
/// Pacific, unless told otherwise.
#[derive(Clone, Debug)]
pub struct Builder {
    release: Option<Release>,
    port_base: Option<u16>,
    plan: Plan,
}

impl Builder {
    pub(crate) fn new() -> Self {
        let plan = Plan {
            mons: 1,
            osds: 3,
            auth: Auth::Cephx,
            key_type: None,
            mode: Mode::Default,
            bind: Bind::Both,
            store: Store::Mem,
            conf: Vec::new(),
        };
        Self { release: None, port_base: None, plan }
    }

    /// The Ceph release.
    pub fn release(mut self, release: Release) -> Self {
        self.release = Some(release);
        self
    }

    /// Number of monitors, 1 to 5.
    pub fn mons(mut self, mons: u32) -> Self {
        self.plan.mons = mons;
        self
    }

    /// Number of OSDs, 0 to 20.
    pub fn osds(mut self, osds: u32) -> Self {
        self.plan.osds = osds;
        self
    }

    /// The authentication of all parties.
    pub fn auth(mut self, auth: Auth) -> Self {
        self.plan.auth = auth;
        self
    }

    /// The type of the clients' keys; without it the release's own: AES-256 on Tentacle, AES before.
    pub fn key_type(mut self, key_type: KeyType) -> Self {
        self.plan.key_type = Some(key_type);
        self
    }

    /// The connection mode of all parties.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.plan.mode = mode;
        self
    }

    /// The protocols that daemons listen for.
    pub fn bind(mut self, bind: Bind) -> Self {
        self.plan.bind = bind;
        self
    }

    /// The OSDs' store.
    pub fn store(mut self, store: Store) -> Self {
        self.plan.store = store;
        self
    }

    /// One more line in ceph.conf's `[global]`; it wins over the testbed's own.
    pub fn conf(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.plan.conf.push((key.into(), value.into()));
        self
    }

    /// Gives PGs read leases of ten heartbeat graces (40 s), for tests that pause the only OSD.
    ///
    /// An OSD that finds a lease of its own passed holds the PG's requests until it is renewed; alone, with no peer to
    /// ack a new one, it may do so for ever (ceph/ceph-container#1682; `PeeringState.cc`, `PrimaryLogPG.cc`). After a
    /// restart of an OSD its PGs may wait as long, so this is no default.
    pub fn long_read_leases(self) -> Self {
        self.conf("osd_pool_default_read_lease_ratio", "10")
    }

    /// The first of the cluster's 200 ports, 1024 to 32568; without it a free range is taken.
    pub fn port_base(mut self, port: u16) -> Self {
        self.port_base = Some(port);
        self
    }

    /// Boots a cluster of this process: dropping it kills the daemons and removes the folder, and so does the end of the
    /// process, whatever ended it. Returns when all OSDs are in: about 2 seconds, 20 more when the release is not yet in
    /// the cache.
    ///
    /// When dropped in a panic, or with `LINGER_KEEP_CLUSTERS` set, the folder with its logs is left and printed.
    ///
    /// # Errors
    /// See [`available`](crate::available); settings that exclude each other; a daemon that does not start.
    pub fn boot(self) -> Result<Cluster> {
        let root = self.check()?;
        let temp = tempfile::Builder::new().prefix("linger-").tempdir()?;
        let ports = self.ports()?;
        Cluster::boot(root, &temp.keep(), ports, &self.plan, true)
    }

    /// Boots a cluster in an empty or missing folder that stays, with its daemons, until [`Cluster::down`].
    ///
    /// # Errors
    /// As [`Builder::boot`]; the folder is not empty, or too long a path for the daemons' sockets.
    pub fn boot_detached(self, dir: &Path) -> Result<Cluster> {
        let root = self.check()?;
        let dir = make_folder(dir)?;
        let ports = self.ports()?;
        Cluster::boot(root, &dir, ports, &self.plan, false)
    }

    fn ports(&self) -> Result<Ports> {
        self.port_base.map_or_else(Ports::claim, Ports::exactly)
    }

    fn check(&self) -> Result<Root> {
        crate::available()?;
        let plan = &self.plan;
        ensure!((1..=5).contains(&plan.mons), "{} mons are not 1 to 5", plan.mons);
        ensure!(plan.osds <= 20, "{} osds are more than 20", plan.osds);
        let can_encrypt = plan.auth == Auth::Cephx && plan.bind != Bind::V1;
        ensure!(plan.mode != Mode::Secure || can_encrypt, "secure mode needs cephx and msgr2");
        let release = match self.release {
            Some(release) => release,
            None => std::env::var("LINGER_RELEASE").map_or(Ok(Release::Pacific), |name| name.parse())?,
        };
        let new_keys = release >= Release::Tentacle;
        ensure!(new_keys || plan.key_type != Some(KeyType::Aes256k), "{release} has no aes256k keys");
        Root::fetch(release)
    }
}

/// A socket's path has 107 bytes, of which the daemons' names take 22.
fn make_folder(dir: &Path) -> Result<PathBuf> {
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let dir = dir.canonicalize()?;
    ensure!(dir.read_dir()?.next().is_none(), "{} is not empty", dir.display());
    ensure!(!dir.starts_with("/usr"), "{} may not be under /usr", dir.display());
    ensure!(dir.as_os_str().len() <= 85, "{} is too long a path for sockets", dir.display());
    Ok(dir)
}
