//! Whether clusters can be booted here, and how tests say that they can not.

use std::{
    env, fmt,
    fs::OpenOptions,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

/// Why no cluster can be had on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable(String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unavailable {}

/// Whether this machine can boot clusters: root with mount namespaces, and Debian's package tools.
///
/// # Errors
/// What is missing, in words.
pub fn available() -> Result<(), Unavailable> {
    let no = |why: &str| Err(Unavailable(why.to_owned()));
    if !rustix::process::geteuid().is_root() {
        return no("real Ceph clusters need root");
    }
    for tool in ["apt-get", "dpkg", "dpkg-deb", "tar", "unshare", "setpriv", "setsid", "mount"] {
        if !on_path(tool) {
            return no(&format!("real Ceph clusters need a Debian machine: there is no {tool}"));
        }
    }
    if !Path::new("/bin").is_symlink() {
        return no("real Ceph clusters need a merged /usr");
    }
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "--propagation", "private", "mount", "--bind", "/usr", "/usr"]);
    match probe.stdin(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        _ => no("real Ceph clusters need the right to mount (CAP_SYS_ADMIN)"),
    }
}

/// Ends the test when no cluster can be had: it is then counted as skipped, by its name.
///
/// With `LINGER_NEED_CLUSTER` set the test fails instead. See [`skip`] for where the name goes. A test that returns a
/// value gives it: `need_cluster!(Ok(()))`.
#[macro_export]
macro_rules! need_cluster {
    ($($value:expr)?) => {{
        if std::env::var_os("LINGER_TEST_CONF").is_none() {
            $crate::need_ceph!($($value)?);
        }
    }};
}

/// The same for a test that boots clusters of its own, or runs Ceph's tools: somebody else's cluster is no help to it.
#[macro_export]
macro_rules! need_ceph {
    ($($value:expr)?) => {{
        fn here() {}
        if let Err(why) = $crate::available() {
            $crate::skip(std::any::type_name_of_val(&here), &why);
            return $($value)?;
        }
    }};
}

/// Prints that a test is skipped and why, and adds its name as a line to the file that `LINGER_SKIPPED` names.
///
/// # Panics
/// If `LINGER_NEED_CLUSTER` is set: then nothing may be skipped.
pub fn skip(function: &str, why: &dyn fmt::Display) {
    let name = function.trim_end_matches("::here").trim_end_matches("::{{closure}}");
    assert!(env::var_os("LINGER_NEED_CLUSTER").is_none(), "{name} can not run: {why}");
    eprintln!("SKIPPED {name}: {why}");
    if let Some(path) = env::var_os("LINGER_SKIPPED") {
        let file = OpenOptions::new().create(true).append(true).open(path);
        if let Err(e) = file.and_then(|mut f| writeln!(f, "{name}: {why}")) {
            eprintln!("cannot note the skipped test: {e}");
        }
    }
}

fn on_path(tool: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|dir| dir.join(tool).is_file()))
        || Path::new("/usr/sbin").join(tool).is_file()
}
