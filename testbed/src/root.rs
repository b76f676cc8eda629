//! An unpacked release, and commands that see it as the machine's `/usr`.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use crate::{Release, fetch};

/// The unpacked packages of one release, checked to run on this machine.
#[derive(Clone, Debug)]
pub struct Root {
    release: Release,
    path: PathBuf,
}

impl Root {
    /// The release's folder in the cache, filled first if it is not there: about 20 seconds and 300 MB.
    ///
    /// # Errors
    /// Not root, no Debian mirror in apt's sources, or a package that can not be had.
    pub fn fetch(release: Release) -> Result<Self> {
        let path = roots().join(release.name());
        if !path.join("VERSION").exists() {
            fetch::fetch(release, &path).with_context(|| format!("cannot fetch {release}"))?;
        }
        Ok(Self { release, path: path.canonicalize()? })
    }

    pub(crate) fn at(release: Release, path: PathBuf) -> Self {
        Self { release, path }
    }

    /// The release that is in it.
    pub fn release(&self) -> Release {
        self.release
    }

    /// Its folder; `usr` is below.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `ceph-osd --version` printed.
    ///
    /// # Errors
    /// The folder was removed.
    pub fn version(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path.join("VERSION"))?.trim().to_owned())
    }

    /// A command of this release: `ceph-dencoder`, `osdmaptool`, `crushtool`, `python3`...
    ///
    /// It runs in a mount namespace of its own with the release's `usr` in place of the machine's. All other paths are
    /// the machine's, so files outside `/usr` can be named as they are. The process is the tool itself: its pid, signals
    /// and exit status are the tool's.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        self.command_under(&[], program)
    }

    /// As [`Root::command`], started by `wrapper`, a command of the machine that executes its arguments.
    pub(crate) fn command_under(&self, wrapper: &[&str], program: impl AsRef<OsStr>) -> Command {
        let unshare = ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", SWAP_USR];
        let mut argv = wrapper.iter().chain(&unshare);
        let mut command = Command::new(argv.next().unwrap_or(&"unshare"));
        command.args(argv).arg(&self.path).arg(program);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LC_ALL", "C");
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        for name in ["LD_LIBRARY_PATH", "LD_PRELOAD", "PYTHONPATH", "PYTHONHOME", "CEPH_ARGS", "CEPH_CONF"] {
            command.env_remove(name);
        }
        command
    }
}

/// The mount goes with the last process of the namespace: nothing to clean up.
const SWAP_USR: &str = r#"mount --bind "$0/usr" /usr && exec "$@""#;

/// The cache folder: `LINGER_CEPH_ROOTS` or `/var/cache/ceph-roots`.
pub(crate) fn roots() -> PathBuf {
    std::env::var_os("LINGER_CEPH_ROOTS").map_or_else(|| "/var/cache/ceph-roots".into(), PathBuf::from)
}

/// Runs a command to its end and gives its standard output.
///
/// # Errors
/// It does not start or fails; the error has what it wrote to standard error.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let what = || describe(command.get_program(), command.get_args());
    let name = what();
    let output = command.output().with_context(|| format!("cannot start {name}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!("{name}: {}: {stdout}{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(stdout)
}

/// The command line without the part that enters the namespace.
fn describe<'a>(program: &'a OsStr, args: impl Iterator<Item = &'a OsStr>) -> String {
    let words: Vec<_> = std::iter::once(program).chain(args).collect();
    let start = words.iter().position(|w| *w == OsStr::new(SWAP_USR)).map_or(0, |i| i + 2);
    let line: Vec<_> = words.iter().skip(start).take(12).map(|w| w.to_string_lossy()).collect();
    line.join(" ").chars().take(200).collect()
}
