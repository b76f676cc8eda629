//! `mini`: a cluster in memory, until it is told to end.

use crate::cli::{self, MiniAuth, MiniMode};
use crate::failure::{Failure, Outcome, tell};
use crate::output::{AsyncStdout, Format};
use crate::records::Ready;
use crate::runtime::Runtime;
use futures_lite::future::or;
use linger_mini_cluster::{Auth, ConMode, KeyType, MiniCluster};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

/// Runs until a signal comes, whether or not anybody reads stdout any longer: scripts take its one line and leave.
///
/// # Errors
/// A port is taken, or the folder cannot be written.
pub async fn run(runtime: Runtime, args: &cli::Mini, format: Format) -> Result<Outcome, Failure> {
    let mut signals = runtime.signals()?;
    let auth = match args.auth {
        MiniAuth::Cephx => Auth::Cephx(KeyType::Aes),
        MiniAuth::Aes256k => Auth::Cephx(KeyType::Aes256k),
        MiniAuth::None => Auth::None,
    };
    let modes = match args.mode {
        MiniMode::Any => vec![ConMode::Crc, ConMode::Secure],
        MiniMode::Crc => vec![ConMode::Crc],
        MiniMode::Secure => vec![ConMode::Secure],
    };
    let mut builder = MiniCluster::builder().port(args.port).osds(args.osds).auth(auth).modes(modes);
    if let Some(dir) = &args.dir {
        builder = builder.dir(dir);
    }
    let mut cluster = builder.start().map_err(|error| unstarted(&error))?;
    let (dir, _temporary) = folder(args).map_err(|error| unwritable(&error))?;
    let conf = cluster.write_conf(&dir).map_err(|error| unwritable(&error))?;
    let (conf, mon) = (conf.display().to_string(), cluster.mon().to_string());
    AsyncStdout::new(format).write(&Ready { conf: conf.clone(), mon }).await?;
    tell(&format!(
        "a cluster of {} OSDs runs until Ctrl-C; try: linger -c {conf} watch rbd greeting --create",
        args.osds
    ));
    let ended = async {
        signals.next().await;
        Ok(Outcome::Done)
    };
    let failed = async {
        let error = cluster.failure().await;
        Err(Failure::new("cannot keep the cluster", error, "make room in --dir, then start it again"))
    };
    or(ended, failed).await
}

fn unstarted(error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::AddrInUse => "choose another --port, or leave it out",
        ErrorKind::InvalidData => "restore the file, or name another --dir",
        ErrorKind::InvalidInput => "choose --auth, --mode and --osds so that they fit",
        _ => "name another --dir, or another --port",
    };
    Failure::new("cannot start the cluster", error, hint)
}

/// The folder for the configuration; a temporary one goes with the second value.
fn folder(args: &cli::Mini) -> io::Result<(PathBuf, Option<tempfile::TempDir>)> {
    match &args.dir {
        Some(dir) => Ok((dir.clone(), None)),
        None => {
            let dir = tempfile::Builder::new().prefix("linger-mini-").tempdir()?;
            Ok((dir.path().to_owned(), Some(dir)))
        }
    }
}

fn unwritable(error: &io::Error) -> Failure {
    let hint = match error.kind() {
        ErrorKind::InvalidInput => "name a folder without such characters by --dir",
        _ => "name a folder that can be written by --dir",
    };
    Failure::new("cannot write the cluster's ceph.conf", error, hint)
}
