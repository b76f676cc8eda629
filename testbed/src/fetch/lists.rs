//! What is taken from the packages and what is not.

/// Packages whose dependencies make up a root.
pub(super) const WANTED: [&str; 8] =
    ["ceph-mon", "ceph-osd", "ceph-mgr", "ceph-base", "ceph-common", "uuid-runtime", "bash", "coreutils"];

/// Whether a dependency serves a real installation only: boot, disks, users, mail, documentation, and the web stack of
/// mgr modules that are not kept either.
pub(super) fn skipped(package: &str) -> bool {
    SKIPPED.iter().any(|pattern| matches(pattern, package))
}

/// In shell style, with at most one `*`.
const SKIPPED: &[&str] = &[
    "adduser",
    "base-passwd",
    "binutils*",
    "ca-certificates",
    "ceph-volume",
    "cron*",
    "cryptsetup-bin",
    "debconf",
    "debianutils",
    "dmeventd",
    "dmidecode",
    "dmsetup",
    "dpkg",
    "e2fsprogs",
    "gdisk",
    "hdparm",
    "init-system-helpers",
    "lib*-perl",
    "libapparmor1",
    "libaudit-common",
    "libbabeltrace1",
    "libbinutils",
    "libctf*",
    "libdw1*",
    "libelf1*",
    "libext2fs*",
    "libglib2*",
    "libgprofng0",
    "libicu67",
    "libicu72",
    "libicu76",
    "libjs-*",
    "liblvm2cmd*",
    "libnvme*",
    "libpam*",
    "libparted*",
    "libperl*",
    "librgw2",
    "libsemanage*",
    "libsepol*",
    "libsframe*",
    "libss2",
    "libsystemd-shared",
    "login.defs",
    "logrotate",
    "logsave",
    "lsb-base",
    "lvm2",
    "mount",
    "netbase",
    "nvme-cli",
    "openssl",
    "openssl-provider-legacy",
    "parted",
    "passwd",
    "perl*",
    "psmisc",
    "python-pastedeploy-tpl",
    "python3-autocommand",
    "python3-bcrypt",
    "python3-bs4",
    "python3-cheroot",
    "python3-cherrypy3",
    "python3-dbus",
    "python3-inflect",
    "python3-jaraco*",
    "python3-lib2to3",
    "python3-logutils",
    "python3-mako",
    "python3-markupsafe",
    "python3-natsort",
    "python3-paste*",
    "python3-pecan",
    "python3-portend",
    "python3-rgw",
    "python3-simplegeneric",
    "python3-singledispatch",
    "python3-soupsieve",
    "python3-tempita",
    "python3-tempora",
    "python3-typeguard",
    "python3-tz",
    "python3-waitress",
    "python3-webob",
    "python3-webtest",
    "python3-werkzeug",
    "python3-zc.lockfile",
    "readline-common",
    "sensible-utils",
    "smartmontools",
    "sudo",
    "systemd",
    "sysvinit-utils",
    "tar",
    "tzdata",
    "usrmerge",
    "xfsprogs",
];

/// Paths that are left out: all outside `usr`, what only people read, other services (rgw, mds, mirroring), and big
/// optional mgr modules.
pub(super) const NOT_UNPACKED: [&str; 47] = [
    "etc",
    "var",
    "run",
    "boot",
    "dev",
    "home",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "srv",
    "sys",
    "tmp",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/info",
    "usr/share/locale",
    "usr/share/lintian",
    "usr/share/bug",
    "usr/share/bash-completion",
    "usr/share/icu",
    "usr/share/gdb",
    "usr/share/i18n",
    "usr/share/glib-2.0",
    "usr/share/python-wheels",
    "usr/share/ceph/mgr/dashboard",
    "usr/share/ceph/mgr/diskprediction_local",
    "usr/share/ceph/mgr/rook",
    "usr/share/ceph/mgr/cephadm",
    "usr/bin/radosgw*",
    "usr/bin/rgw-*",
    "usr/bin/rbd-replay*",
    "usr/bin/rbd-mirror",
    "usr/bin/rbd-nbd",
    "usr/bin/ceph-syn",
    "usr/bin/cephfs-mirror",
    "usr/bin/ceph-mds",
    "usr/bin/ceph-dedup-tool",
    "usr/bin/ceph-kvstore-tool",
    "usr/bin/cephfs-*",
    "usr/bin/ceph_perf_*",
    "usr/bin/ceph_test_*",
    "usr/lib/systemd",
    "usr/lib/udev",
    "usr/lib/modules",
    "usr/lib/modprobe.d",
];

/// mgr modules that clients ask.
pub(super) const KEPT_MODULES: [&str; 2] = ["rbd_support", "status"];

/// mgr modules that must be there, by the start of their name, but may do nothing.
pub(super) const EMPTY_MODULES: [&str; 8] = [
    "balancer",
    "crash",
    "devicehealth",
    "orchestrator",
    "pg_autoscaler",
    "progress",
    "telemetry",
    "volumes",
];

/// Such a module.
pub(super) const NO_MODULE: &str = "\
from mgr_module import MgrModule


class Module(MgrModule):
    COMMANDS = []
    NOTIFY_TYPES = []
    _register_commands = classmethod(lambda *args: None)
";

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, end)) => name.strip_prefix(start).is_some_and(|rest| rest.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use super::skipped;

    #[test]
    fn patterns() {
        for name in ["perl-base", "libtext-wrapi18n-perl", "libicu72", "python3-jaraco.text", "tar"] {
            assert!(skipped(name), "{name}");
        }
        for name in ["libstdc++6", "ceph-osd", "libcrypt1", "python3-rados", "libpopt0", "python3.11"] {
            assert!(!skipped(name), "{name}");
        }
    }
}
