//! What the configuration takes from the process around it.

use std::env;

/// The part of a process' environment that configuration depends on. The default is an empty one.
///
/// `CEPH_ARGS` is split at blanks, without quotes, as Ceph does it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Environment {
    /// `CEPH_CONF`: a list of configuration files in place of the usual ones.
    pub ceph_conf: Option<String>,
    /// `CEPH_ARGS`: words of a command line, weaker than the real one.
    pub ceph_args: Option<String>,
    /// `CEPH_KEYRING`: a list of keyrings, weaker than one in `CEPH_ARGS`.
    pub ceph_keyring: Option<String>,
    /// `HOME`, for `$home`.
    pub home: Option<String>,
    /// The name of this machine up to the first dot, for `$host`.
    pub host: Option<String>,
    /// The id of this process, for `$pid`.
    pub pid: Option<u32>,
}

impl Environment {
    /// Reads the environment of this process. Variables that are not UTF-8 count as not set.
    ///
    /// The host is `NODE_NAME`, which containers have, or else the system's name (`common/hostname.cc`).
    #[must_use]
    pub fn from_process() -> Self {
        let variable = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let system = || rustix::system::uname().nodename().to_str().ok().map(str::to_owned);
        let host = variable("NODE_NAME").or_else(system);
        Self {
            ceph_conf: variable("CEPH_CONF"),
            ceph_args: variable("CEPH_ARGS"),
            ceph_keyring: variable("CEPH_KEYRING"),
            home: variable("HOME"),
            host: host.map(|host| host.split('.').next().unwrap_or_default().to_owned()),
            pid: Some(std::process::id()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_a_host_and_a_pid() {
        let env = Environment::from_process();
        assert_eq!(env.pid, Some(std::process::id()));
        assert!(env.host.is_some_and(|host| !host.is_empty() && !host.contains('.')));
    }
}
