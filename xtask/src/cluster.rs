//! `cargo xtask cluster`: a cluster that stays until it is taken down.

use std::{env, ffi::OsString, os::unix::process::CommandExt, path::PathBuf};

use crate::tree::target;
use anyhow::{Result, bail};
use clap::{Args, Subcommand, ValueEnum};
use linger_testbed::{Auth, Bind, Builder, Cluster, Daemon, KeyType, Mode, Release, Root, Store};

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Boot a cluster and print the path of its ceph.conf.
    Up(Box<Up>),
    /// Kill its daemons and remove its folder.
    Down(Place),
    /// Print shell commands for Ceph's tools and linger to find it: eval "$(cargo xtask cluster env)".
    Env(Place),
    /// Run a tool of the cluster's release on it, such as `ceph -s` or `rados`.
    Exec {
        #[command(flatten)]
        place: Place,
        /// The tool and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        argv: Vec<OsString>,
    },
    /// List its daemons: name, pid, state.
    Ps(Place),
    /// Wait until the running daemons are in and all placement groups are active.
    Wait {
        #[command(flatten)]
        place: Place,
        /// Wait until they are clean, too.
        #[arg(long)]
        clean: bool,
    },
    /// Start a daemon: osd.0, mon.a, mgr.x.
    Start(One),
    /// End a daemon in good order (SIGTERM).
    Stop(One),
    /// Kill a daemon (SIGKILL).
    Kill(One),
    /// Freeze a daemon (SIGSTOP).
    Pause(One),
    /// Let a frozen daemon go on.
    Resume(One),
    /// Unpack releases into the cache without booting them.
    Fetch {
        /// nautilus, pacific, reef, tentacle.
        #[arg(required = true)]
        releases: Vec<Release>,
    },
}

#[derive(Args)]
pub(crate) struct Place {
    /// The cluster's folder.
    #[arg(long, env = "LINGER_CLUSTER", default_value_os_t = default_dir())]
    dir: PathBuf,
}

#[derive(Args)]
pub(crate) struct One {
    #[command(flatten)]
    place: Place,
    /// Its name.
    daemon: Daemon,
}

#[derive(Args)]
pub(crate) struct Up {
    #[command(flatten)]
    place: Place,
    /// nautilus, pacific, reef or tentacle.
    #[arg(long, default_value = "pacific")]
    release: Release,
    #[arg(long, default_value_t = 1)]
    mons: u32,
    #[arg(long, default_value_t = 3)]
    osds: u32,
    #[arg(long, value_enum, default_value = "cephx")]
    auth: AuthArg,
    /// The type of the clients' keys; without it the release's own.
    #[arg(long, value_enum)]
    key_type: Option<KeyTypeArg>,
    /// What protects frames.
    #[arg(long, value_enum, default_value = "default")]
    mode: ModeArg,
    /// The protocols that daemons listen for.
    #[arg(long, value_enum, default_value = "v1v2")]
    bind: BindArg,
    #[arg(long, value_enum, default_value = "memstore")]
    store: StoreArg,
    /// The first of 200 ports; without it a free range is taken.
    #[arg(long)]
    port_base: Option<u16>,
    /// More lines for the global section of ceph.conf.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    conf: Vec<(String, String)>,
}

#[derive(Clone, Copy, ValueEnum)]
enum AuthArg {
    Cephx,
    None,
}

#[derive(Clone, Copy, ValueEnum)]
enum KeyTypeArg {
    Aes,
    Aes256k,
}

#[derive(Clone, Copy, ValueEnum)]
enum ModeArg {
    /// Ceph's own: secure to the mons, crc else.
    Default,
    Crc,
    Secure,
}

#[derive(Clone, Copy, ValueEnum)]
enum BindArg {
    V1v2,
    V1,
    V2,
}

#[derive(Clone, Copy, ValueEnum)]
enum StoreArg {
    Memstore,
    Bluestore,
}

pub(crate) fn run(verb: Verb) -> Result<()> {
    match verb {
        Verb::Up(up) => {
            let cluster = up.builder().boot_detached(&up.place.dir)?;
            println!("{}", cluster.conf().display());
        }
        Verb::Down(place) => place.open()?.down()?,
        Verb::Env(place) => print_env(&place.open()?),
        Verb::Exec { place, argv } => exec(&place.open()?, argv)?,
        Verb::Ps(place) => print_daemons(&place.open()?)?,
        Verb::Wait { place, clean: false } => place.open()?.wait_active()?,
        Verb::Wait { place, clean: true } => place.open()?.wait_clean()?,
        Verb::Start(one) => one.place.open()?.start(one.daemon)?,
        Verb::Stop(one) => one.place.open()?.stop(one.daemon)?,
        Verb::Kill(one) => one.place.open()?.kill(one.daemon)?,
        Verb::Pause(one) => one.place.open()?.pause(one.daemon)?,
        Verb::Resume(one) => one.place.open()?.resume(one.daemon)?,
        Verb::Fetch { releases } => {
            for release in releases {
                println!("{}", Root::fetch(release)?.path().display());
            }
        }
    }
    Ok(())
}

impl Place {
    fn open(&self) -> Result<Cluster> {
        Cluster::open(&self.dir)
    }
}

impl Up {
    fn builder(&self) -> Builder {
        let builder = Cluster::builder()
            .release(self.release)
            .mons(self.mons)
            .osds(self.osds)
            .auth(match self.auth {
                AuthArg::Cephx => Auth::Cephx,
                AuthArg::None => Auth::None,
            })
            .mode(match self.mode {
                ModeArg::Default => Mode::Default,
                ModeArg::Crc => Mode::Crc,
                ModeArg::Secure => Mode::Secure,
            })
            .bind(match self.bind {
                BindArg::V1v2 => Bind::Both,
                BindArg::V1 => Bind::V1,
                BindArg::V2 => Bind::V2,
            })
            .store(match self.store {
                StoreArg::Memstore => Store::Mem,
                StoreArg::Bluestore => Store::Blue,
            });
        let builder = match self.key_type {
            None => builder,
            Some(KeyTypeArg::Aes) => builder.key_type(KeyType::Aes),
            Some(KeyTypeArg::Aes256k) => builder.key_type(KeyType::Aes256k),
        };
        let builder = self.port_base.into_iter().fold(builder, Builder::port_base);
        self.conf.iter().fold(builder, |b, (key, value)| b.conf(key, value))
    }
}

fn print_env(cluster: &Cluster) {
    // Both are paths of ours or of the user's choice; quoting keeps spaces together.
    println!("export CEPH_CONF='{}'", cluster.conf().display());
    println!("export LINGER_TEST_CONF='{}'", cluster.conf().display());
}

fn print_daemons(cluster: &Cluster) -> Result<()> {
    for (daemon, state) in cluster.daemons()? {
        let pid = cluster.pid(daemon).map_or_else(|_| "-".to_owned(), |pid| pid.to_string());
        println!("{daemon} {pid} {state:?}");
    }
    Ok(())
}

/// Takes the place of this process, so that signals and the exit status are the tool's.
fn exec(cluster: &Cluster, argv: Vec<OsString>) -> Result<()> {
    let mut argv = argv.into_iter();
    let Some(program) = argv.next() else { bail!("no command") };
    Err(cluster.command(program).args(argv).exec().into())
}

/// Sockets' paths are short: a deep checkout's folder is too long for them.
fn default_dir() -> PathBuf {
    let dir = target().join("cluster");
    if dir.as_os_str().len() <= 85 { dir } else { env::temp_dir().join("linger-cluster") }
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("not KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}
