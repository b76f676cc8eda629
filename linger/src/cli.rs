//! The command line: what may be said, and its help.

use crate::runtime::Runtime;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::path::PathBuf;

/// Watch and notify objects of a Ceph cluster.
///
/// A watch gets every notify that anybody sends to its object, and survives lost connections, map changes and dead
/// daemons. A notify waits until every watcher has answered. The cluster is found as Ceph's own programs find it:
/// by /etc/ceph/ceph.conf and its keyring, CEPH_CONF and CEPH_ARGS, or by the options below.
#[derive(Debug, Parser)]
#[command(name = "linger", version, disable_help_subcommand = true, after_help = AFTER, after_long_help = AFTER_LONG)]
pub struct Cli {
    /// Options of all commands.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const AFTER: &str = "Options may stand before and after the command. Exit codes: 0 done, 1 failed, 2 wrong usage, \
    3 a watcher missed the notify.";

const AFTER_LONG: &str = "\
Options may stand before and after the command.

Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a watcher missed the notify.

Examples:
  linger watch rbd greeting --create --ack hello    print notifies and answer each with hello
  linger notify rbd greeting 'good morning'         send one and print who answered
  linger ls rbd greeting                            who watches
  linger map rbd greeting                           where the object is
  linger osdmap osdmap.bin --pgs                    placement by a map from 'ceph osd getmap'
  linger demo                                       what it is all about, without a cluster
  linger mini                                       a cluster in memory, to try Ceph clients on";

/// Options of all commands.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Configuration file [default: CEPH_CONF, else /etc/ceph/ceph.conf and Ceph's other places]
    #[arg(short, long, value_name = "FILE", global = true)]
    pub conf: Option<String>,
    /// Keyring with the client's key [default: as the configuration says, else Ceph's usual places]
    #[arg(short, long, value_name = "FILE", global = true)]
    pub keyring: Option<String>,
    /// Log in as client.ID [default: admin]
    #[arg(long, value_name = "ID", global = true)]
    pub id: Option<String>,
    /// Log in as TYPE.ID
    #[arg(short, long, value_name = "TYPE.ID", global = true)]
    pub name: Option<String>,
    /// Monitors, in any form of Ceph's mon_host: 10.0.0.1,10.0.0.2 or [v2:10.0.0.1:3300,v1:10.0.0.1:6789]
    #[arg(short, long, value_name = "ADDRS", global = true)]
    pub mon_host: Option<String>,
    /// Namespace of the object
    #[arg(short = 'N', long, value_name = "NS", global = true)]
    pub namespace: Option<OsString>,
    /// Locator key: places the object by KEY instead of its name
    #[arg(long, value_name = "KEY", global = true)]
    pub locator: Option<OsString>,
    /// Print results as JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Runtime that does the I/O: tokio or smol
    #[arg(
        long,
        value_enum,
        default_value_t,
        hide_possible_values = true,
        value_name = "NAME",
        global = true
    )]
    pub runtime: Runtime,
    /// Tell on stderr what happens to connections, and what is odd in the configuration
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch objects and print what comes
    ///
    /// Prints an event a line: live (the watch is registered; again after a loss, and whether notifies may have been
    /// missed), notify, error (the watch is lost; it comes back by itself unless the error is terminal), overflow
    /// (notifies were shed), closed. Ends after --count notifies, on SIGINT and on SIGTERM, and takes its watches back
    /// before it leaves. An object that is gone ends its watch; exits 1 when no watch is left.
    Watch(Watch),
    /// Notify an object's watchers and wait for their answers
    ///
    /// Prints who answered with what, and who missed it. Exits 0 if all answered or nobody watches, 3 if somebody
    /// missed it, 1 if there is no outcome.
    Notify(Notify),
    /// List an object's watchers: client, cookie, address, timeout
    Ls(Ls),
    /// Show where objects are: placement group, up and acting OSDs, primaries
    ///
    /// As 'ceph osd map' does it, also for objects that do not exist.
    Map(Map),
    /// Say step by step what works: configuration, key, monitors, login, modes, map, an OSD, a watch
    ///
    /// Ends at the first thing that is broken, with a hint, and then exits 1. Changes nothing unless a pool is named.
    Doctor(Doctor),
    /// Decode a file with an OSDMap, as 'ceph osd getmap -o FILE' writes it
    ///
    /// Needs no cluster. Maps of Nautilus to Tentacle.
    Osdmap(Osdmap),
    /// Keep a cluster in memory running, for any Ceph client to try things on
    ///
    /// A monitor and OSDs in this process speak Ceph's protocol on loopback; pools 'rbd' and 'test' are there. Prints
    /// the path of a ceph.conf that has all a client needs. Runs until SIGINT or SIGTERM; with --dir all is kept for
    /// the next time.
    Mini(Mini),
    /// Show watch and notify on a cluster in memory: a notify, an OSD that dies, a loss and the return
    ///
    /// Needs no Ceph and no configuration; takes some seconds.
    Demo,
}

/// `watch`
#[derive(Debug, Clone, Args)]
pub struct Watch {
    /// Pool of the objects
    pub pool: OsString,
    /// Objects to watch
    #[arg(required = true, value_name = "OBJECT")]
    pub objects: Vec<OsString>,
    /// Create objects that do not exist
    #[arg(long)]
    pub create: bool,
    /// Seconds without a sign of life after which the cluster drops the watch
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u32).range(3..=86_400))]
    pub timeout: u32,
    /// Answer each notify with TEXT [default: an empty answer]
    #[arg(long, value_name = "TEXT", conflicts_with = "no_ack")]
    pub ack: Option<OsString>,
    /// Do not answer: notifiers wait until their timeout and see this watcher missed
    #[arg(long)]
    pub no_ack: bool,
    /// Leave after N notifies, over all objects
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}

/// `notify`
#[derive(Debug, Clone, Args)]
pub struct Notify {
    /// Pool of the object
    pub pool: OsString,
    /// Object to notify
    pub object: OsString,
    /// What to send; - reads it from stdin [default: nothing]
    pub payload: Option<OsString>,
    /// Seconds to wait for answers
    #[arg(long, value_name = "S", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub timeout: u32,
}

/// `ls`
#[derive(Debug, Clone, Args)]
pub struct Ls {
    /// Pool of the object
    pub pool: OsString,
    /// Object
    pub object: OsString,
}

/// `map`
#[derive(Debug, Clone, Args)]
pub struct Map {
    /// Pool of the objects
    pub pool: OsString,
    /// Objects, which need not exist
    #[arg(required = true, value_name = "OBJECT")]
    pub objects: Vec<OsString>,
}

/// `doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// Pool to try a watch in, on an object that is made for it and removed [default: none, only whether the caps
    /// allow a watch]
    pub pool: Option<OsString>,
}

/// `osdmap`
#[derive(Debug, Clone, Args)]
pub struct Osdmap {
    /// File with the map; - is stdin
    pub file: PathBuf,
    /// Set all OSDs up and in first
    #[arg(long)]
    pub mark_up_in: bool,
    /// Print the OSDs of each placement group, as 'osdmaptool --test-map-pgs-dump-all' does
    #[arg(long)]
    pub pgs: bool,
}

/// `mini`
#[derive(Debug, Clone, Args)]
pub struct Mini {
    /// Port of the monitor; OSDs take those after it [default: any that are free]
    #[arg(long, value_name = "P", default_value_t = 0, hide_default_value = true)]
    pub port: u16,
    /// Folder for ceph.conf and keyring, which keeps objects, pools and keys, too [default: a new one, removed at
    /// the end]
    #[arg(long, value_name = "D")]
    pub dir: Option<PathBuf>,
    /// Number of OSDs
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub osds: u16,
    /// How clients log in
    #[arg(long, value_enum, default_value_t)]
    pub auth: MiniAuth,
    /// How frames are protected
    #[arg(long, value_enum, default_value_t)]
    pub mode: MiniMode,
}

/// How clients log in to `mini`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MiniAuth {
    /// With cephx and an AES key, which every release knows
    #[default]
    Cephx,
    /// With cephx and an AES-256 key, as Tentacle makes them
    Aes256k,
    /// Not at all
    None,
}

/// How frames to and from `mini` are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MiniMode {
    /// As each client prefers
    #[default]
    Any,
    /// With checksums
    Crc,
    /// Encrypted; needs keys
    Secure,
}

impl Cli {
    /// Parses the words of a command line, the program's name first.
    ///
    /// # Errors
    /// What clap finds, and also its answers to `--help` and `--version`.
    pub fn read(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let cli = Self::try_parse_from(words)?;
        // clap does not see conflicts of global options on both sides of the command.
        if cli.global.id.is_some() && cli.global.name.is_some() {
            let text = "--id and --name cannot be used together";
            return Err(Self::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(cli)
    }
}

#[cfg(test)]
mod tests;
